//! Where a deployment may be: every command refuses a directory that holds something else, and gives no advice there.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Answer, DOMAIN, chmod, deployment, folder, helper, mode, snapshot, token};

/// Every command that works on a deployment.
const COMMANDS: [&[&str]; 14] = [
    &["token", "check"],
    &["certs", "issue"],
    &["certs", "check"],
    &["certs", "renew"],
    &["certs", "rotate-ca"],
    &["render"],
    &["check"],
    &["up"],
    &["status"],
    &["restart"],
    &["down"],
    &["diagnose"],
    &["connect"],
    &["init"],
];

/// Files with their texts.
type Files<'a> = &'a [(&'a str, &'a str)];

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Directories that hold something else.
fn others(parent: &Path) -> Vec<PathBuf> {
    let all: [(&str, Files<'_>); 10] = [
        ("node", &[("package.json", "{}"), ("src/index.js", "")]),
        ("env", &[(".env", "DATABASE_URL=postgres://x\nPORT=1\n")]),
        ("data", &[("data/users.db", "x")]),
        ("config", &[("config/settings.yaml", "a: 1\n")]),
        ("stack", &[("docker-compose.yaml", "services: { db: { image: postgres } }\n")]),
        ("checkout", &[(".git/HEAD", "ref: refs/heads/main\n"), ("README.md", "# x\n"), ("Cargo.toml", "")]),
        ("plugin", &[(".claude-plugin/plugin.json", "{}"), ("commands/x.md", "x")]),
        ("keys", &[("data/tls.key", "x"), ("data/tls.crt", "x"), ("Dockerfile", "x")]),
        (
            "many",
            &[
                ("a.jpg", ""),
                ("b.jpg", ""),
                ("c.jpg", ""),
                ("d", ""),
                ("e", ""),
                ("f", ""),
                ("g", ""),
                ("h", ""),
                ("i", ""),
                ("j", ""),
                ("k", ""),
            ],
        ),
        ("claude", &[("CLAUDE.md", "x"), (".claude/settings.json", "{}")]),
    ];
    all.iter()
        .map(|(name, files)| {
            let dir = parent.join(name);
            files.iter().for_each(|(file, text)| write(&dir, file, text));
            dir
        })
        .collect()
}

fn no_harm(answer: &Answer, dir: &Path) {
    assert_eq!(answer.json["error"]["code"], "directory", "{}: {:#}", dir.display(), answer.json);
    let text = answer.json.to_string();
    for word in ["chmod", "chown", "rm ", "delete"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_directory_that_holds_something_else_is_refused_by_every_command() {
    let parent = folder();
    for dir in others(parent.path()) {
        chmod(&dir, 0o755);
        for words in COMMANDS {
            let answer = helper(words.iter().copied()).dir(&dir).changes_nothing().run().expect(2);
            no_harm(&answer, &dir);
        }
        no_harm(&helper(["token", "set"]).dir(&dir).stdin(token("x")).changes_nothing().run().expect(2), &dir);
        let request = json!({"domain": DOMAIN, "sample": true});
        let refused = helper(["init"]).dir(&dir).json(request).changes_nothing().run().expect(2);
        no_harm(&refused, &dir);
        assert!(refused.json["error"]["hint"].as_str().unwrap().contains("into_other_project"));
    }
}

#[test]
fn a_directory_of_the_system_or_of_a_home_is_never_one() {
    let home = folder();
    std::fs::create_dir(home.path().join("Documents")).unwrap();
    std::os::unix::fs::symlink("/usr", home.path().join("link")).unwrap();
    let mut places = vec![home.path().to_path_buf(), home.path().join("Documents"), home.path().join("link")];
    places.extend(
        ["/etc", "/tmp", "/usr", "/usr/bin", "/var", "/home", "/opt", "/proc/self", "/etc/", "/usr/../etc"]
            .map(PathBuf::from),
    );
    for dir in places {
        for words in COMMANDS {
            let answer = helper(words.iter().copied()).env("HOME", home.path()).dir(&dir).run().expect(2);
            no_harm(&answer, &dir);
        }
        for request in [json!({"domain": DOMAIN}), json!({"domain": DOMAIN, "into_other_project": true})] {
            no_harm(&helper(["init"]).env("HOME", home.path()).dir(&dir).json(request).run().expect(2), &dir);
        }
        let set = helper(["token", "set"]).env("HOME", home.path()).dir(&dir).stdin(token("x")).run().expect(2);
        no_harm(&set, &dir);
    }
    assert_eq!(snapshot(home.path()).len(), 2);
}

#[test]
fn told_so_init_goes_into_another_project_and_says_what_the_proxy_can_read() {
    let parent = folder();
    for dir in others(parent.path()) {
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        // There its files are in the way, or unusable, which is another finding.
        if ["stack", "keys"].contains(&name.as_str()) {
            continue;
        }
        let before: Vec<_> = snapshot(&dir).into_iter().filter(|(path, ..)| path.is_file()).collect();
        let request = json!({"domain": DOMAIN, "sample": true, "into_other_project": true});
        let answer = helper(["init"]).dir(&dir).json(request).run().expect(0);
        assert_eq!(answer.findings().contains(&"data-shared"), name == "data", "{name}: {:?}", answer.findings());
        let after = snapshot(&dir);
        for (path, mode, bytes) in before {
            let (_, mode_now, now) = after.iter().find(|(p, ..)| *p == path).unwrap();
            assert!(mode == *mode_now && now.starts_with(&bytes), "{}", path.display());
        }
        // From then on it is a deployment; its directory was not made by the helper, so no mode is advised for it.
        chmod(&dir, 0o755);
        let check = helper(["check"]).dir(&dir).changes_nothing().run();
        assert!(!check.finding("directory-open")["fix"].as_str().unwrap().contains("chmod"), "{name}");
        assert_eq!(check.findings().contains(&"data-shared"), name == "data");
        helper(["token", "set"]).dir(&dir).stdin(token("x")).run().expect(0);
    }
}

#[test]
fn what_a_deployment_begins_with_is_one() {
    let parent = folder();
    let begun: [(&str, Files<'_>, Value); 9] = [
        ("token", &[(".env", "TUNNEL_TOKEN=\n")], json!("hand")),
        ("domain", &[(".env", "TUNNEL_DOMAIN=a.b\n"), ("README.md", "x")], json!("hand")),
        ("comment", &[(".env", "# to do\n")], json!("hand")),
        (
            "compose",
            &[("compose.yml", "services: { t: { image: cloudflare/cloudflared } }\n"), ("src/x", "")],
            json!("hand"),
        ),
        ("gateway", &[("config/mcp-gateway.yaml", "routes: {}\n")], json!("hand")),
        ("certificates", &[("data/ca.crt", "x"), ("data/ca.key", "x")], json!("hand")),
        ("broken", &[("docker-compose.yaml", "services: [cloudflared\n")], json!("hand")),
        ("setup", &[("data/tunnel-token", "x"), ("docker-compose.yml", "services: {}\n")], json!("setup")),
        ("include", &[("docker-compose.yaml", "include: [tunnel/compose.yaml]\n")], json!("hand")),
    ];
    for (name, files, made_by) in begun {
        let dir = parent.path().join(name);
        files.iter().for_each(|(file, text)| write(&dir, file, text));
        for words in [&["check"][..], &["token", "check"]] {
            let answer = helper(words.iter().copied()).dir(&dir).changes_nothing().run();
            assert_ne!(answer.json["error"]["code"], "directory", "{name}: {:#}", answer.json);
        }
        let answer = helper(["init"]).dir(&dir).changes_nothing().run();
        if answer.code != 2 {
            assert_eq!(answer.data()["made_by"], made_by, "{name}");
        }
    }
    let ours = deployment(parent.path());
    assert_eq!(helper(["init"]).dir(&ours).run().expect(0).data()["made_by"], "helper");
    // A mode is advised for this one.
    chmod(&ours, 0o755);
    let check = helper(["check"]).dir(&ours).changes_nothing().run();
    assert!(check.finding("directory-open")["fix"].as_str().unwrap().contains("`chmod 700"), "{:#}", check.json);
}

#[test]
fn an_empty_directory_becomes_one_and_is_closed() {
    let parent = folder();
    let dir = parent.path().join("empty");
    std::fs::create_dir(&dir).unwrap();
    chmod(&dir, 0o755);
    for words in COMMANDS {
        let answer = helper(words.iter().copied()).dir(&dir).changes_nothing().run();
        let text = answer.json.to_string();
        assert!(!text.contains("chmod") && !text.contains("chown"), "{text}");
        assert!(answer.code != 0 || words == ["init"], "{text}");
    }
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn a_file_that_lies_about_is_no_project_but_no_deployment_either() {
    let parent = folder();
    let dir = parent.path().join("stray");
    write(&dir, "notes.txt", "mine");
    chmod(&dir, 0o755);
    for words in COMMANDS.iter().filter(|words| **words != ["init"]) {
        no_harm(&helper(words.iter().copied()).dir(&dir).changes_nothing().run().expect(2), &dir);
    }
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    assert_eq!(mode(&dir), 0o755);
    let check = helper(["check"]).dir(&dir).changes_nothing().run();
    assert!(!check.finding("directory-open")["fix"].as_str().unwrap().contains("chmod"), "{:#}", check.json);
}
