//! `diagnose` with a support bundle: what it packs up, and what must never be in it. Unpacked with the real `tar`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::engine::{PROXY, Stack, docker_says, engine, services, until};
use crate::support::{
    Answer, Call, chmod, deployment, folder, helper, mode, posix, posix_path, script, sha256, snapshot, token,
};

/// Every file of an archive with its text, unpacked by `tar`.
fn unpacked(archive: &Path, into: &Path) -> Vec<(String, String)> {
    std::fs::create_dir(into).unwrap();
    let out = Command::new(posix("tar"))
        .env("PATH", posix_path())
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(into)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let files = snapshot(into).into_iter().filter(|(path, _, _)| path.is_file());
    files
        .map(|(path, _, bytes)| {
            let name = path.strip_prefix(into.join("mcp-tunnel-support")).unwrap().to_string_lossy().into_owned();
            (name, String::from_utf8(bytes).expect("all is text"))
        })
        .collect()
}

fn entry<'a>(files: &'a [(String, String)], name: &str) -> &'a str {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    &files.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name} in {names:?}")).1
}

/// Nothing of this may be in any file.
fn none_of(files: &[(String, String)], secrets: &[&str]) {
    for secret in secrets {
        for (name, text) in files {
            assert!(!text.contains(secret), "`{secret}` is in {name}:\n{text}");
        }
    }
}

fn diagnose(dir: &Path, bundle: &Path) -> Call {
    helper(["diagnose"]).dir(dir).json(json!({"bundle": bundle}))
}

/// Lines of the private keys of a deployment, but those that its certificates have, too: the public half of a key may
/// stand there in the very same letters.
fn key_lines(dir: &Path) -> Vec<String> {
    let read = |file: &str| std::fs::read_to_string(dir.join(file)).unwrap();
    let public = read("data/ca.crt") + &read("data/tls.crt");
    let keys = read("data/ca.key") + &read("data/tls.key");
    keys.lines().filter(|line| !line.starts_with("---") && !public.contains(line)).map(str::to_owned).collect()
}

/// A deployment with secrets of the person's own in its files.
struct Planted {
    parent: tempfile::TempDir,
    dir: PathBuf,
}

const OVERRIDE: &str = r#"services:
  db:
    image: postgres:16
    environment: { POSTGRES_PASSWORD: "inline-secret-1", POSTGRES_USER: someone }
    command: ["serve", "--api-key", "flag-secret-2"]
  app:
    image: app:1
    environment:
      - DB_PASS=list-secret-3
      - API_URL=https://bob:url-secret-4@example.org/x
    x-settings:
      password: lower-secret-5
      passphrase: |
        block secret 6
      header: "Bearer header-secret-7"
"#;

const FILE_SECRETS: [&str; 9] = [
    "inline-secret-1",
    "flag-secret-2",
    "list-secret-3",
    "url-secret-4",
    "lower-secret-5",
    "block secret 6",
    "header-secret-7",
    "env-secret-8",
    "kurz9",
];

impl Planted {
    fn new() -> Self {
        let parent = folder();
        let dir = deployment(parent.path());
        std::fs::write(dir.join("docker-compose.override.yaml"), OVERRIDE).unwrap();
        let env = std::fs::read_to_string(dir.join(".env")).unwrap();
        let more = "DB_PASSWORD='env-secret-8'\nSHORT_PW=kurz9\nEMPTY_TOKEN=\nPEM=\"line\nTUlJRXZR==\n\"\n";
        std::fs::write(dir.join(".env"), format!("{env}{more}")).unwrap();
        Self { parent, dir }
    }

    /// Without a docker on PATH.
    fn without_docker(&self, target: &Path) -> Call {
        let bin = self.parent.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        diagnose(&self.dir, target).path(&[&bin])
    }
}

#[test]
fn without_docker_the_files_are_packed_without_their_secrets() {
    let planted = Planted::new();
    let target = planted.parent.path().join("support.tar.gz");
    let answer = planted.without_docker(&target).changes_nothing().run().expect(1);
    answer.finding("docker-missing");
    let bundle = &answer.data()["bundle"];
    assert_eq!(bundle["path"], target.to_str().unwrap());
    assert_eq!(bundle["bytes"], std::fs::metadata(&target).unwrap().len());
    assert_eq!(mode(&target), 0o600);

    let files = unpacked(&target, &planted.parent.path().join("out"));
    let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let mut expected = [
        "diagnosis.json",
        "directory.json",
        "files/config/mcp-gateway.yaml",
        "files/data/ca.crt",
        "files/data/tls.crt",
        "files/docker-compose.override.yaml",
        "files/docker-compose.yaml",
        "files/env-names.txt",
        "versions.json",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    let mut told: Vec<&str> = bundle["entries"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, expected, "the answer lists what is in it");

    none_of(&files, &FILE_SECRETS);
    none_of(&files, &[token("healthy").as_str(), "PRIVATE KEY", "TUlJRXZR"]);
    let keys = key_lines(&planted.dir);
    none_of(&files, &keys.iter().map(String::as_str).collect::<Vec<_>>());

    // What helps is there.
    let over = entry(&files, "files/docker-compose.override.yaml");
    assert!(over.contains("image: postgres:16") && over.contains("POSTGRES_USER: someone"), "{over}");
    let names = entry(&files, "files/env-names.txt");
    assert!(names.contains("TUNNEL_DOMAIN=abcd1234.tunnel.anthropic.com"), "{names}");
    assert!(names.contains("DB_PASSWORD=(set)") && names.contains("EMPTY_TOKEN=(empty)"), "{names}");
    assert_eq!(
        entry(&files, "files/data/ca.crt"),
        std::fs::read_to_string(planted.dir.join("data/ca.crt")).unwrap(),
        "public, and whole"
    );
    let diagnosis: Value = serde_json::from_str(entry(&files, "diagnosis.json")).unwrap();
    assert!(diagnosis["findings"].as_array().unwrap().iter().any(|f| f["id"] == "docker-missing"), "{diagnosis}");
    assert!(!diagnosis.to_string().contains("{helper}"), "{diagnosis}");
    let versions: Value = serde_json::from_str(entry(&files, "versions.json")).unwrap();
    assert_eq!(versions["helper"], env!("CARGO_PKG_VERSION"));
    assert_eq!(versions["docker_engine"], Value::Null);
}

#[test]
fn digests_are_of_public_files_only() {
    let planted = Planted::new();
    std::fs::write(planted.dir.join("password.txt"), "guessed").unwrap();
    let target = planted.parent.path().join("support.tgz");
    planted.without_docker(&target).run().expect(1);
    let files = unpacked(&target, &planted.parent.path().join("out"));
    let directory: Value = serde_json::from_str(entry(&files, "directory.json")).unwrap();
    let row = |path: &str| {
        let rows = directory["entries"].as_array().unwrap();
        rows.iter().find(|row| row["path"] == path).unwrap_or_else(|| panic!("no {path} in {directory}")).clone()
    };
    for public in ["data/tls.crt", "config/mcp-gateway.yaml", "docker-compose.yaml"] {
        let bytes = std::fs::read(planted.dir.join(public)).unwrap();
        assert_eq!(row(public)["sha256"], sha256(&bytes), "{public}");
    }
    // The digest of a file that holds a password lets a reader try passwords.
    for secret in [".env", "data/ca.key", "data/tls.key", "docker-compose.override.yaml", "password.txt"] {
        assert_eq!(row(secret)["sha256"], Value::Null, "{secret}");
    }
    assert_eq!((&row("data/ca.key")["mode"], &row("data/tls.key")["mode"]), (&json!("0600"), &json!("0644")));
    assert_eq!(row("data")["kind"], "directory");
}

#[test]
fn a_bundle_goes_where_it_should_and_never_over_a_file() {
    let planted = Planted::new();
    let home = planted.parent.path();
    let run = |bundle: &str| {
        let bin = home.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        helper(["diagnose"])
            .dir(&planted.dir)
            .json(json!({"bundle": bundle}))
            .path(&[&bin])
            .env("HOME", home)
            .cwd(home)
            .run()
    };
    let path = |answer: &Answer| answer.data()["bundle"]["path"].as_str().unwrap().to_owned();
    // Relative to where the person is; from home.
    assert_eq!(path(&run("relative.tar.gz").expect(1)), home.join("relative.tar.gz").to_str().unwrap());
    assert_eq!(path(&run("~/tilde.tar.gz").expect(1)), home.join("tilde.tar.gz").to_str().unwrap());
    assert_eq!((mode(&home.join("relative.tar.gz")), mode(&home.join("tilde.tar.gz"))), (0o600, 0o600));

    // What is there stays, also a link that leads nowhere; and no half-written file is left behind.
    std::os::unix::fs::symlink(home.join("nowhere.tar.gz"), home.join("link.tar.gz")).unwrap();
    std::fs::write(home.join("mine.tar.gz"), "mine").unwrap();
    let before = snapshot(home);
    for (bundle, words) in [
        ("mine.tar.gz", "exists"),
        ("link.tar.gz", "exists"),
        ("mine.zip", ".tar.gz"),
        ("missing/support.tar.gz", "does not exist"),
        ("", ".tar.gz"),
    ] {
        let refused = run(bundle).expect(2);
        assert!(refused.message().contains(words), "{bundle}: {}", refused.message());
    }
    assert_eq!(snapshot(home), before);
    let both = helper(["diagnose"]).json(json!({"logs": "-", "bundle": "x.tar.gz"})).run().expect(2);
    assert!(both.message().contains("bundle"), "{}", both.message());
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    if crate::support::is_root() {
        // The mode of a folder does not keep root out; a path through a file does.
        let planted = Planted::new();
        std::fs::write(planted.parent.path().join("file"), "").unwrap();
        let refused = planted.without_docker(&planted.parent.path().join("file/x.tar.gz")).run().expect(2);
        assert!(refused.message().contains("folder"), "{}", refused.message());
        return;
    }
    let planted = Planted::new();
    let closed = planted.parent.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    chmod(&closed, 0o500);
    let refused = planted.without_docker(&closed.join("x.tar.gz")).run().expect(2);
    assert!(refused.message().contains("write"), "{}", refused.message());
}

#[test]
fn a_docker_that_cannot_be_asked_still_gives_a_bundle() {
    let planted = Planted::new();
    let bin = planted.parent.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    script(&bin, "docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon at unix:///x' >&2; exit 1\n");
    let target = planted.parent.path().join("support.tar.gz");
    let answer = diagnose(&planted.dir, &target).path(&[&bin]).run().expect(1);
    answer.finding("docker-daemon-down");
    assert_eq!(answer.data()["healthy"], false);
    let files = unpacked(&target, &planted.parent.path().join("out"));
    entry(&files, "files/docker-compose.yaml");
    none_of(&files, &FILE_SECRETS);
}

/// What a server of the person's own prints that must not leave the house.
const LOG: [(&str, &str); 17] = [
    ("Authorization: Bearer bearer-secret-1", "bearer-secret-1"),
    ("{\"level\":\"info\",\"cookie\":\"session=cookie-secret-2\"}", "cookie-secret-2"),
    ("Set-Cookie: sid=cookie-secret-3; Path=/", "cookie-secret-3"),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "dozjgNryP4J3jVmNHl0w5N"),
    ("login of jane.doe@example.com", "jane.doe"),
    ("connecting with env-secret-4", "env-secret-4"),
    ("connecting with lower-secret-5", "lower-secret-5"),
    ("GET /x?api_key=query-secret-6", "query-secret-6"),
    ("postgres://bob:url-secret-7@db/x", "url-secret-7"),
    ("Cookie: a=1; sid=cookie-secret-8", "cookie-secret-8"),
    ("one\\neyJhIjox.eyJi.c2hvcnQ", "eyJhIjox.eyJi.c2hvcnQ"),
    ("DB_PASS=pass-secret-9", "pass-secret-9"),
    ("X-Auth-Token: header-secret-10", "header-secret-10"),
    ("password=ab,tail-secret-11", "tail-secret-11"),
    ("Authorization: Digest username=\"u\", response=\"digest-secret-12\"", "digest-secret-12"),
    ("postgres://bob:pa/slash-secret-13@db/x", "slash-secret-13"),
    ("postgres://bob:pa@at-secret-14@db/x", "at-secret-14"),
];

#[test]
fn engine_bundle_of_a_running_and_of_a_stopped_stack() {
    let Some(engine) = engine("bundle of a stack") else { return };
    let stack = Stack::small(engine, "bundle", "healthy");
    let key = std::fs::read_to_string(stack.dir.join("data/tls.key")).unwrap();
    let mut printed: Vec<String> = LOG.iter().map(|(line, _)| (*line).to_owned()).collect();
    printed.push(format!("token {}", token("healthy")));
    printed.extend(key.lines().map(str::to_owned));
    printed.extend(key.lines().map(|line| format!("app | INFO key={line} read")));
    // Another owner's key, whose single lines look harmless.
    let foreign = "-----BEGIN RSA PRIVATE KEY-----\nc2hvcnQ/a2V5/bGluZQ==\n-----END RSA PRIVATE KEY-----";
    printed.extend(foreign.lines().map(str::to_owned));
    printed.push("the last line".to_owned());
    stack.write("printed.txt", &(printed.join("\n") + "\n"));
    let noisy = "  noisy:
    image: mcp-tunnels-test/python:local
    init: true
    stop_grace_period: 1s
    volumes: [\"./printed.txt:/printed.txt:ro\"]
    command: [\"python3\", \"-c\", \"import time; print(open('/printed.txt').read(), flush=True); time.sleep(600)\"]
    x-settings:
      password: lower-secret-5
";
    stack.write("docker-compose.override.yaml", &format!("{}{noisy}", services(&[("own", "")])));
    stack.write(".env", &format!("{}DB_PASSWORD=env-secret-4\n", stack.read(".env")));
    stack.up_ready();
    let id = stack.id("noisy").unwrap();
    until("it has printed all", || docker_says(["logs", &id]).contains("the last line"));
    // What was printed is not what the test is about: only the log of it may be packed.
    assert!(docker_says(["logs", &id]).contains("bearer-secret-1"));

    let parent = folder();
    let archive = parent.path().join("running.tar.gz");
    let answer = stack.call(["diagnose"]).json(json!({"bundle": archive})).changes_nothing().run();
    assert_eq!(answer.data()["healthy"], true, "{:#}", answer.json);
    let files = unpacked(&archive, &parent.path().join("running"));
    let log = |service: &str| entry(&files, &format!("logs/{}-{service}-1.log", stack.project)).to_owned();
    assert!(log("cloudflared").contains("Registered tunnel connection"), "{}", log("cloudflared"));
    assert!(log("mcp-gateway").contains("starting mcp-proxy"), "{}", log("mcp-gateway"));
    let noisy = log("noisy");
    assert!(noisy.contains("the last line") && noisy.contains("Path=/"), "{noisy}");
    none_of(&files, &LOG.map(|(_, secret)| secret));
    none_of(&files, &[token("healthy").as_str(), "PRIVATE KEY", "c2hvcnQ/a2V5"]);
    let keys = key_lines(&stack.dir);
    none_of(&files, &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let versions: Value = serde_json::from_str(entry(&files, "versions.json")).unwrap();
    for name in ["docker_engine", "docker_client", "compose"] {
        assert!(versions[name].as_str().is_some_and(|text| !text.is_empty()), "{versions}");
    }
    assert!(entry(&files, "files/docker-compose.override.yaml").contains(PROXY));

    stack.down().expect(0);
    let archive = parent.path().join("stopped.tar.gz");
    let answer = stack.call(["diagnose"]).json(json!({"bundle": archive})).changes_nothing().run().expect(0);
    answer.finding("stack-stopped");
    let files = unpacked(&archive, &parent.path().join("stopped"));
    entry(&files, "files/docker-compose.yaml");
    assert!(!files.iter().any(|(name, _)| name.starts_with("logs/")));
}
