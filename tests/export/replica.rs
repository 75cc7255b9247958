//! A bundle for another host: what is in it, what it makes there, how it is updated.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::{bundle, export, init_from, listed, update};
use crate::support::{DOMAIN, deployment, edit, folder, helper, mode, snapshot, token, tree};

/// Names inside a bundle.
fn names(archive: &Path) -> BTreeSet<String> {
    listed(archive).into_iter().map(|(name, ..)| name.strip_prefix("mcp-tunnel-replica/").unwrap().to_owned()).collect()
}

/// Content of a file, to be compared.
fn read(dir: &Path, inside: &str) -> Vec<u8> {
    std::fs::read(dir.join(inside)).unwrap_or_else(|e| panic!("{inside}: {e}"))
}

#[test]
fn a_bundle_makes_a_replica_without_the_ca_key_and_the_token() {
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::create_dir(dir.join("own")).unwrap();
    std::fs::write(dir.join("own/app.py"), "print(1)\n").unwrap();
    std::fs::write(dir.join("docker-compose.override.yaml"), "services: {own: {image: x, volumes: ['./own:/app']}}\n")
        .unwrap();
    let archive = bundle(&dir, parent.path(), "b.tar.gz");
    let files = listed(&archive);
    let secret = String::from_utf8(read(&dir, "data/ca.key")).unwrap();
    for (name, _, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!name.ends_with("ca.key") && !text.contains(&token("healthy")), "{name}");
        assert!(!secret.lines().filter(|l| !l.starts_with("---")).any(|line| text.contains(line)), "{name}");
    }
    let other = parent.path().join("other");
    let answer = init_from(&other, &archive).run().expect(0);
    assert!(answer.data()["replica_of"].as_str().unwrap().contains("mcp-tunnel"), "{:#}", answer.json);
    assert_eq!((&answer.data()["token"], &answer.data()["domain"]), (&json!("placeholder"), &json!(DOMAIN)));
    for inside in [
        "data/tls.crt",
        "data/tls.key",
        "data/ca.crt",
        "config/mcp-gateway.yaml",
        "docker-compose.yaml",
        "own/app.py",
        "docker-compose.override.yaml",
        "hello-mcp/server.py",
    ] {
        assert!(read(&other, inside) == read(&dir, inside), "{inside}");
        assert_eq!(mode(&other.join(inside)), mode(&dir.join(inside)), "{inside}");
    }
    assert_eq!((mode(&other), mode(&other.join(".env")), mode(&other.join("data"))), (0o700, 0o600, 0o755));
    assert!(!other.join("data/ca.key").exists());
    // With its token it is as good as the first.
    helper(["token", "set"]).dir(&other).stdin(token("healthy")).run().expect(0);
    let check = |dir: &Path| {
        let answer = helper(["check"]).dir(dir).run();
        answer.findings().into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (mut there, here) = (check(&other), check(&dir));
    assert!(there.remove("replica-cannot-sign") || !there.contains("ca-key-missing"));
    assert_eq!(there, here);
    assert!(!std::fs::read_to_string(other.join(".env")).unwrap().contains("PASTE"));
    let certificates = helper(["certs", "check"]).dir(&other).run().expect(0);
    assert!(certificates.findings().contains(&"replica-cannot-sign"));
    assert!(!certificates.findings().contains(&"ca-key-missing"));
    let standing = helper(["init"]).dir(&other).run().expect(0);
    assert!(standing.data()["replica_of"].is_string());
    // Again: nothing changes, the token least of all.
    let before = snapshot(&other);
    init_from(&other, &archive).run().expect(0);
    assert_eq!(snapshot(&other), before);
}

#[test]
fn what_stays_behind_is_named() {
    let parent = folder();
    let dir = deployment(parent.path());
    let key = String::from_utf8(read(&dir, "data/ca.key")).unwrap();
    let utf16: Vec<u8> = key.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::create_dir(dir.join("deep")).unwrap();
    std::fs::create_dir(dir.join(".git")).unwrap();
    for (name, bytes) in [
        ("deep/copy.txt", key.as_bytes()),
        ("data/copy.crt", key.as_bytes()),
        ("deep/wide.txt", utf16.as_slice()),
        ("deep/store.P12", b"x"),
        ("data/notes.txt", b"x"),
        (".npmrc", b"x"),
        (".git/config", b"x"),
        ("deep/leak.txt", token("healthy").as_bytes()),
        ("data/tls.crt.bak-20260101T000000Z", b"x"),
    ] {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    std::fs::write(dir.join("deep/large"), vec![0; (4 << 20) + 1]).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.join("deep/link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.join("deep/pipe"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let out = parent.path().join("b.tar.gz");
    let answer = export(&dir, json!({"to": "replica", "out": out})).secret(&token("healthy")).bounded().run().expect(0);
    answer.finding("replica-left-out");
    let left: BTreeSet<&str> =
        answer.data()["left_out"].as_array().unwrap().iter().map(|l| l["what"].as_str().unwrap()).collect();
    let inside = names(&out);
    for name in [
        "deep/copy.txt",
        "data/copy.crt",
        "deep/wide.txt",
        "deep/store.P12",
        "data/notes.txt",
        ".npmrc",
        "deep/leak.txt",
        "deep/large",
        "deep/link",
        "deep/pipe",
    ] {
        assert!(left.contains(name), "{name}: {left:?}");
        assert!(!inside.contains(name), "{name}");
    }
    assert!(left.contains("the CA's key") && left.contains("the token"), "{left:?}");
    assert!(
        !inside.iter().any(|name| name.contains(".git/") || name.contains(".bak-") || name == "data/ca.key"),
        "{inside:?}"
    );
}

#[test]
fn a_token_elsewhere_than_in_env_makes_no_bundle() {
    let parent = folder();
    let dir = deployment(parent.path());
    let over = format!("# {}\nservices: {{}}\n", token("healthy"));
    std::fs::write(dir.join("docker-compose.override.yaml"), over).unwrap();
    let out = parent.path().join("b.tar.gz");
    let answer = export(&dir, json!({"to": "replica", "out": out})).run().expect(1);
    assert!(
        answer.findings().iter().any(|id| ["replica-has-token", "token-in-file"].contains(id)),
        "{:#}",
        answer.json
    );
    assert!(!out.exists());
    std::fs::remove_file(dir.join("docker-compose.override.yaml")).unwrap();
    // Comments and other variables of `.env` lose theirs.
    let env = std::fs::read_to_string(dir.join(".env")).unwrap();
    std::fs::write(dir.join(".env"), format!("# was {0}\n{env}COPY={0}\nDB=postgres-name\n", token("healthy")))
        .unwrap();
    let archive = bundle(&dir, parent.path(), "b.tar.gz");
    let packed = listed(&archive).into_iter().find(|(name, ..)| name.ends_with("/.env")).unwrap();
    let text = String::from_utf8(packed.2).unwrap();
    assert!(!text.contains(&token("healthy")) && text.contains("DB=postgres-name"), "{text}");
    assert_eq!(packed.1, 0o600);
}

#[test]
fn a_replica_says_where_to_renew_and_takes_the_update() {
    let parent = folder();
    let dir = deployment(parent.path());
    let other = parent.path().join("other");
    init_from(&other, &bundle(&dir, parent.path(), "b.tar.gz")).run().expect(0);
    let refused = helper(["certs", "renew"]).dir(&other).json(json!({"force": true})).changes_nothing().run().expect(1);
    let finding = refused.finding("replica-cannot-sign");
    assert!(finding["fix"].as_str().unwrap().contains("--only certificate"), "{finding}");
    assert!(finding["evidence"][0].as_str().unwrap().contains("mcp-tunnel"), "{finding}");
    // Nothing is due: that is not an error, and no timer is offered that could renew nothing.
    let idle = helper(["certs", "renew"]).dir(&other).changes_nothing().run().expect(0);
    assert!(idle.json["next"].as_array().unwrap().is_empty(), "{:#}", idle.json);
    for step in ["begin", "switch", "finish", "back"] {
        let answer = helper(["certs", "rotate-ca"]).dir(&other).json(json!({"step": step})).changes_nothing().run();
        assert_eq!(answer.json["error"]["code"], "directory", "{step}");
    }

    let first = update(&dir, parent.path(), "first.tar.gz");
    helper(["certs", "renew"]).dir(&dir).json(json!({"force": true, "server_days": 120})).run().expect(0);
    let second = update(&dir, parent.path(), "second.tar.gz");
    assert_eq!(names(&second), ["data/ca.crt", "data/tls.crt", "replica.json"].map(str::to_owned).into());
    assert!(!listed(&second).iter().any(|(_, _, bytes)| String::from_utf8_lossy(bytes).contains("PRIVATE KEY")));
    init_from(&other, &second).run().expect(0);
    assert!(read(&other, "data/tls.crt") == read(&dir, "data/tls.crt"));
    // An older one later does not take it back.
    let before = snapshot(&other.join("data"));
    let answer = init_from(&other, &first).run().expect(0);
    answer.finding("replica-update-older");
    assert_eq!(snapshot(&other.join("data")), before);
    assert!(helper(["certs", "check"]).dir(&other).run().code == 0);
}

#[test]
fn a_changed_route_arrives_and_edits_of_that_host_stay() {
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::write(dir.join("gone.txt"), "x").unwrap();
    let other = parent.path().join("other");
    init_from(&other, &bundle(&dir, parent.path(), "b.tar.gz")).run().expect(0);
    helper(["token", "set"]).dir(&other).stdin(token("healthy")).run().expect(0);
    helper(["render"]).dir(&dir).json(json!({"routes": {"lan": "http://10.1.2.3:80"}})).run().expect(0);
    std::fs::remove_file(dir.join("gone.txt")).unwrap();
    edit(&other.join("hello-mcp/server.py"), "world", "there");
    edit(&dir.join("hello-mcp/server.py"), "world", "here");
    let second = bundle(&dir, parent.path(), "c.tar.gz");
    let answer = init_from(&other, &second).run().expect(0);
    assert_eq!(answer.finding("edit-not-replaced")["subject"]["name"], "hello-mcp/server.py");
    assert_eq!(answer.finding("replica-file-gone")["subject"]["name"], "gone.txt");
    let summary = answer.json["summary"].as_str().unwrap();
    assert!(summary.contains("not up to date") && summary.contains("1 file "), "{summary}");
    assert_eq!(read(&other, "config/mcp-gateway.yaml"), read(&dir, "config/mcp-gateway.yaml"));
    assert!(String::from_utf8(read(&other, "hello-mcp/server.py")).unwrap().contains("there"));
    assert!(std::fs::read_to_string(other.join(".env")).unwrap().contains(&token("healthy")));
    // The hash that labels interpolate is the one of the new configuration.
    let env = std::fs::read_to_string(other.join(".env")).unwrap();
    let hash = crate::support::sha256(&read(&other, "config/mcp-gateway.yaml"));
    assert!(env.contains(&hash), "{env}");
    // What `render` changed here is kept, too, also where nothing else is to be written.
    helper(["render"]).dir(&other).json(json!({"routes": {"two": "http://10.1.2.4:80"}})).run().expect(0);
    let before = read(&other, "config/mcp-gateway.yaml");
    let answer = init_from(&other, &second).run().expect(0);
    let kept = answer.json["findings"].as_array().unwrap().iter().filter(|f| f["id"] == "edit-not-replaced");
    let kept: Vec<&str> = kept.map(|f| f["subject"]["name"].as_str().unwrap()).collect();
    assert!(kept.contains(&"config/mcp-gateway.yaml"), "{kept:?}");
    let summary = answer.json["summary"].as_str().unwrap();
    assert!(summary.contains("not up to date") && summary.contains(&format!("{} files ", kept.len())), "{summary}");
    assert_eq!(read(&other, "config/mcp-gateway.yaml"), before);
}

#[test]
fn a_directory_with_something_else_is_left_alone() {
    let parent = folder();
    let dir = deployment(parent.path());
    let archive = bundle(&dir, parent.path(), "b.tar.gz");
    let certificates = update(&dir, parent.path(), "c.tar.gz");
    let foreign = parent.path().join("foreign");
    let domain = "other123.tunnel.anthropic.com";
    helper(["init"]).dir(&foreign).json(json!({"domain": domain, "sample": true})).run().expect(0);
    let project = parent.path().join("project");
    std::fs::create_dir_all(project.join("src")).unwrap();
    std::fs::write(project.join("package.json"), "{}").unwrap();
    let half = parent.path().join("half");
    std::fs::create_dir_all(half.join("data")).unwrap();
    std::fs::write(half.join("data/tls.key"), "a person's own").unwrap();
    let before = tree(parent.path());
    for (dir, bundle, code) in [
        (&dir, &archive, "directory"),
        (&foreign, &archive, "other-domain"),
        (&project, &archive, "directory"),
        (&half, &archive, "directory"),
        (&parent.path().join("new"), &certificates, "directory"),
    ] {
        let answer = init_from(dir, bundle).run();
        assert_eq!(answer.json["error"]["code"], code, "{}: {:#}", dir.display(), answer.json);
    }
    for request in [
        json!({"from": archive, "sample": true}),
        json!({"from": archive, "routes": {"x": "http://y:1"}}),
        json!({"from": archive, "domain": domain}),
    ] {
        helper(["init"]).dir(parent.path().join("new")).json(request).run().expect(2);
    }
    std::fs::remove_dir_all(parent.path().join("new")).ok();
    assert_eq!(tree(parent.path()), before);
}

#[test]
fn a_persons_own_override_stays() {
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::write(dir.join("docker-compose.override.yaml"), "services: {}\n").unwrap();
    let archive = bundle(&dir, parent.path(), "b.tar.gz");
    let other = parent.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("docker-compose.override.yaml"), "name: second\n").unwrap();
    let answer = init_from(&other, &archive).run().expect(0);
    assert_eq!(answer.finding("edit-not-replaced")["subject"]["name"], "docker-compose.override.yaml");
    assert_eq!(read(&other, "docker-compose.override.yaml"), b"name: second\n");
}

#[test]
fn servers_that_every_host_has_for_itself_are_named() {
    let parent = folder();
    let dir = deployment(parent.path());
    helper(["render"])
        .dir(&dir)
        .json(json!({"routes": {"own": "http://own:9000", "lan": "http://10.1.2.3:80"}}))
        .run()
        .expect(0);
    std::fs::write(dir.join("docker-compose.override.yaml"), "services: {own: {image: x}}\n").unwrap();
    let out = parent.path().join("b.tar.gz");
    let answer = export(&dir, json!({"to": "replica", "out": out})).run().expect(0);
    let apart: Vec<&Value> =
        answer.json["findings"].as_array().unwrap().iter().filter(|f| f["id"] == "replica-upstream-apart").collect();
    // The sample keeps no sessions, and the address is one server for all.
    assert_eq!(apart.iter().map(|f| f["subject"]["name"].as_str().unwrap()).collect::<Vec<_>>(), ["own"]);
}
