//! What a stack may do to the host only when a person wants it: `up` and `restart` refuse it until `allow`.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::pty::Terminal;
use crate::support::{Answer, Call, deployment, folder, helper, plain, script, sha256};

const OVER: &str = "docker-compose.override.yaml";

/// A healthy `docker` that writes down what it is asked and has no model to give.
const DOCKER: &str = r#"#!/bin/sh
echo "$*" >>"$(dirname "$0")/asked"
case "$*" in
"version --format {{.Server.Version}}") echo 28.2.2 ;;
"compose version --short") echo 2.40.3 ;;
esac
"#;

struct Rig {
    parent: tempfile::TempDir,
    dir: PathBuf,
    bin: PathBuf,
}

impl Rig {
    fn new(over: &str) -> Self {
        let parent = folder();
        let dir = deployment(parent.path());
        let bin = parent.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        script(&bin, "docker", DOCKER);
        let rig = Self { parent, dir, bin };
        rig.over(over);
        rig
    }

    fn over(&self, text: &str) {
        std::fs::write(self.dir.join(OVER), text).unwrap();
    }

    fn state(&self) -> PathBuf {
        self.parent.path().join("state")
    }

    /// A call with a state folder that outlives it, and with the `docker` of [`DOCKER`].
    fn call(&self, word: &str) -> Call {
        let call = helper([word]).dir(&self.dir).env("XDG_STATE_HOME", self.state());
        let usual = ["/usr/bin", "/bin"].map(Path::new);
        call.path(&[&self.bin, usual[0], usual[1]])
    }

    fn up(&self) -> Answer {
        self.call("up").json(json!({"wait_seconds": 0})).run()
    }

    fn digest(&self) -> String {
        digest(&self.call("check").run())
    }

    /// Whether anything was started since the last time that this was asked.
    fn started(&self) -> bool {
        let asked = std::fs::read_to_string(self.bin.join("asked")).unwrap_or_default();
        let _ = std::fs::remove_file(self.bin.join("asked"));
        asked.lines().any(|line| line.contains("compose up") || line.contains("compose restart"))
    }
}

fn digest(answer: &Answer) -> String {
    let fix = answer.finding("compose-privileges")["fix"].as_str().unwrap().to_owned();
    fix.split('"').find(|word| word.len() == 64).unwrap_or_else(|| panic!("no digest in {fix}")).to_owned()
}

fn has_privileges(answer: &Answer) -> bool {
    answer.json["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|f| f["id"] == "compose-privileges" && f["severity"] == "error")
}

/// Both with Compose's own model, where there is a Compose, and from the files alone.
fn checked(rig: &Rig) -> [Answer; 2] {
    let nothing = rig.parent.path().join("nothing");
    let _ = std::fs::create_dir(&nothing);
    let check = || helper(["check"]).dir(&rig.dir).changes_nothing();
    [check().run(), check().path(&[&nothing]).run()]
}

#[test]
fn a_stack_with_privileges_is_not_started_and_says_where_they_stand() {
    let rig = Rig::new("");
    for (said, value) in [
        ("privileged: true", "true"),
        ("pid: host", "host"),
        ("ipc: host", "host"),
        ("network_mode: host", "host"),
        ("userns_mode: host", "host"),
        ("cap_add: [SYS_ADMIN]", "SYS_ADMIN"),
        ("security_opt: ['seccomp:unconfined']", "seccomp:unconfined"),
        ("devices: ['/dev/fuse:/dev/fuse']", "/dev/fuse"),
        ("volumes: ['/:/host']", "/"),
        ("volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "/var/run/docker.sock"),
        ("volumes: ['../:/up']", ""),
        ("build: ../elsewhere", "elsewhere"),
    ] {
        rig.over(&format!("services:\n  x:\n    image: busybox\n    {said}\n"));
        for answer in checked(&rig) {
            assert!(has_privileges(&answer), "{said}: {:#}", answer.json);
            let finding = answer.finding("compose-privileges");
            assert_eq!(finding["subject"], json!({"kind": "service", "name": "x"}), "{said}");
            let evidence = finding["evidence"][0].as_str().unwrap();
            assert!(
                evidence.starts_with(&format!("{OVER}, line 4: ")) && evidence.contains(value),
                "{said}: {evidence}"
            );
            let next = answer.json["next"].to_string();
            assert!(next.contains(" allow --dir ") && next.contains("\"person\""), "{next}");
        }
        for word in ["up", "restart"] {
            let answer = rig.call(word).json(json!({"wait_seconds": 0})).run().expect(1);
            assert!(has_privileges(&answer), "{said}: {:#}", answer.json);
            let next = &answer.json["next"][0];
            // Where no engine runs there is no socket either, and a missing source is to be fixed first.
            let is_first = !answer.findings().contains(&"mount-missing");
            let command = next["command"].as_str().unwrap();
            assert!(next["who"] == "person" && (command.contains(" allow ") || !is_first), "{said}: {next}");
            assert!(!rig.started(), "{said}");
        }
    }
}

#[test]
fn files_from_outside_of_the_directory_need_a_person() {
    let rig = Rig::new("");
    let outside = rig.parent.path().join("outside.yaml");
    std::fs::write(&outside, "services: { y: { image: busybox } }\n").unwrap();
    std::os::unix::fs::symlink("/etc", rig.dir.join("way-out")).unwrap();
    for over in [
        "include: [../outside.yaml]\n",
        "services: { x: { extends: { file: ../outside.yaml, service: y } } }\n",
        "services: { x: { image: busybox, volumes: ['./way-out:/x:ro'] } }\n",
        "services: { x: { image: busybox, secrets: [k] } }\nsecrets: { k: { file: ../outside.yaml } }\n",
        "services: { x: { image: busybox, volumes: ['vol:/x'] } }\nvolumes: { vol: { driver_opts: { type: none, o: bind, device: /etc } } }\n",
    ] {
        rig.over(over);
        for answer in checked(&rig) {
            assert!(has_privileges(&answer), "{over}: {:#}", answer.json);
        }
    }
    for over in [
        "services: { x: { image: busybox, volumes: ['./data:/x:ro', 'v:/y', '/etc/localtime:/etc/localtime:ro'] } }\nvolumes: { v: }\n",
        "services: { x: { image: busybox, cap_drop: [ALL], cap_add: [CHOWN], security_opt: ['no-new-privileges:true'] } }\n",
        "services: { x: { image: cloudflare/cloudflared, network_mode: host } }\n",
        "services: { x: { build: ./hello-mcp } }\n",
    ] {
        rig.over(over);
        for answer in checked(&rig) {
            assert!(!answer.findings().contains(&"compose-privileges"), "{over}: {:#}", answer.json);
        }
    }
}

/// Relative paths start at the folder of an included or extended file, or at the `project_directory` of its entry.
#[test]
fn paths_of_a_file_in_a_subfolder_start_there() {
    let rig = Rig::new("");
    let put = |name: &str, text: &str| {
        let path = rig.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for file in ["parts/wiki.env", "parts/more.env", "parts/conf/x"] {
        put(file, "A=1\n");
    }
    let wiki = "services:
  wiki:
    image: busybox
    build: { context: ., additional_contexts: { common: ../common } }
    env_file: [../wiki.env]
    extends: { file: ../base.yaml, service: base }
    volumes: ['../../data:/x:ro', './own:/own', { type: bind, source: ../other, target: /other }, '${BESIDE:-../conf}:/c']
configs: { x: { file: ../conf/x } }
include: [{ path: ../more.yaml, project_directory: ../.., env_file: ../more.env }]
";
    let base = "services: { base: { image: busybox, volumes: ['../data:/d:ro'] } }\n";
    let more = "services: { more: { image: busybox, env_file: parts/more.env, volumes: ['./data:/x:ro'] } }\n";
    let place = || {
        put("parts/wiki/compose.yaml", wiki);
        put("parts/base.yaml", base);
        put("parts/more.yaml", more);
    };
    rig.over("include: [parts/wiki/compose.yaml]\n");
    place();
    for answer in checked(&rig) {
        assert!(!answer.findings().contains(&"compose-privileges"), "{:#}", answer.json);
        assert!(!answer.findings().contains(&"compose-config-invalid"), "{:#}", answer.json);
    }
    for (file, text, inside, outside) in [
        ("parts/wiki/compose.yaml", wiki, "'../../data:", "'../../../data:"),
        ("parts/wiki/compose.yaml", wiki, "source: ../other", "source: ../../../other"),
        ("parts/wiki/compose.yaml", wiki, "context: .,", "context: ../../..,"),
        ("parts/wiki/compose.yaml", wiki, "common: ../common", "common: ../../../common"),
        ("parts/wiki/compose.yaml", wiki, "-../conf}", "-../../../conf}"),
        ("parts/base.yaml", base, "'../data:", "'../../data:"),
        ("parts/more.yaml", more, "'./data:", "'../data:"),
    ] {
        place();
        put(file, &text.replace(inside, outside));
        for answer in checked(&rig) {
            assert!(has_privileges(&answer), "{outside}: {:#}", answer.json);
        }
    }
}

#[test]
fn what_a_person_allowed_is_started_until_it_changes() {
    let rig = Rig::new("services: { x: { image: busybox, pid: host } }\n");
    let digest = rig.digest();
    let allow = || rig.call("allow").json(json!({"digest": digest}));
    // Claude Code's shell cannot, whatever it knows; neither can a call without a terminal, nor one with another digest.
    for mark in ["1", ""] {
        allow().env("CLAUDECODE", mark).run().expect(2);
    }
    rig.call("allow").run().expect(2);
    rig.call("allow").json(json!({"digest": sha256(b"")})).run().expect(2);
    assert!(has_privileges(&rig.up()) && !rig.started());

    let answer = allow().run().expect(0);
    assert_eq!(answer.data()["digest"], digest.as_str());
    assert_eq!(answer.data()["privileges"][0]["service"], "x");
    assert_eq!(answer.data()["privileges"][0]["line"], 1);
    let record = answer.data()["record"].as_str().unwrap();
    assert!(record.starts_with(rig.state().to_str().unwrap()), "{record}");
    assert!(!has_privileges(&rig.up()));
    assert!(rig.started());
    let note = rig.call("check").run().expect(0);
    assert_eq!(note.finding("compose-privileges")["severity"], "note");

    // One that others can write proves nothing.
    crate::support::chmod(Path::new(record), 0o666);
    assert!(has_privileges(&rig.up()));
    crate::support::chmod(Path::new(record), 0o600);

    for changed in [
        "services: { x: { image: busybox, pid: host, ipc: host } }\n",
        "services: { x: { image: other, pid: host } }\n",
        "services: { x: { image: busybox, pid: host, command: [sh] } }\n",
        "services: { x: { image: busybox, pid: host }, y: { image: busybox, privileged: true } }\n",
    ] {
        rig.over(changed);
        assert!(has_privileges(&rig.up()), "{changed}");
    }
    rig.over("services: { x: { image: busybox, pid: host } }\n");
    assert!(!has_privileges(&rig.up()));

    // A copy of the directory brings no consent along.
    let copy = rig.parent.path().join("copy");
    std::fs::rename(&rig.dir, &copy).unwrap();
    assert!(has_privileges(&helper(["check"]).dir(&copy).env("XDG_STATE_HOME", rig.state()).run()));
}

#[test]
fn another_dockerfile_is_another_program() {
    let rig = Rig::new("services: { x: { build: ./x, privileged: true } }\n");
    std::fs::create_dir(rig.dir.join("x")).unwrap();
    let file = rig.dir.join("x/Dockerfile");
    std::fs::write(&file, "FROM busybox\n").unwrap();
    let digest = rig.digest();
    std::fs::write(&file, "FROM busybox\nRUN true\n").unwrap();
    assert_ne!(rig.digest(), digest);
}

/// A file of a directory from anywhere may name a variable; its value leaves this host with the container that gets it.
#[test]
fn a_secret_of_the_shell_needs_a_person() {
    let rig = Rig::new("services: { x: { image: x, environment: [OTHER_API_KEY, EDITION] } }\n");
    assert!(!has_privileges(&rig.call("check").env("EDITION", "one").run()));
    let up = || rig.call("up").env("OTHER_API_KEY", "hunter2").json(json!({"wait_seconds": 0}));
    let answer = up().run();
    assert_eq!(
        answer.evidence("compose-privileges"),
        "docker-compose.override.yaml, line 1: `environment: OTHER_API_KEY`"
    );
    assert!(!rig.started());
    rig.call("allow").env("OTHER_API_KEY", "hunter2").json(json!({ "digest": digest(&answer) })).run().expect(0);
    up().run();
    assert!(rig.started());
    rig.over("services: { x: { image: x, environment: { A: '${OTHER_PASSWORD}' } } }\n");
    rig.call("up").env("OTHER_PASSWORD", "hunter2").json(json!({"wait_seconds": 0})).run();
    assert!(!rig.started());
    let env = rig.dir.join(".env");
    std::fs::write(&env, std::fs::read_to_string(&env).unwrap() + "OTHER_PASSWORD=own\n").unwrap();
    assert!(!has_privileges(&rig.call("check").env("OTHER_PASSWORD", "hunter2").run()));
}

#[test]
fn consent_is_not_kept_inside_of_the_directory() {
    let rig = Rig::new("services: { x: { image: busybox, pid: host } }\n");
    let digest = rig.digest();
    let inside = rig.dir.join("state");
    let answer = rig.call("allow").env("XDG_STATE_HOME", &inside).json(json!({"digest": digest})).run().expect(2);
    assert_eq!(answer.json["error"]["code"], "directory");
    assert!(!inside.exists());
}

#[test]
fn a_stack_without_privileges_has_nothing_to_allow() {
    let rig = Rig::new("services: { x: { image: busybox } }\n");
    let answer = rig.call("allow").run().expect(0);
    assert_eq!(answer.data()["privileges"], json!([]));
    assert!(!rig.state().exists());
}

#[test]
fn a_person_is_shown_the_list_and_asked() {
    let rig = Rig::new("services:\n  x:\n    image: busybox\n    volumes:\n      - '/:/host'\n");
    for (typed, code) in [("no\n", 2), ("\n", 2), ("yes\n", 0)] {
        let terminal = Terminal::open();
        let mut command = plain(rig.parent.path());
        command.env("XDG_STATE_HOME", rig.state()).args(["allow", "--dir"]).arg(&rig.dir);
        let mut child = terminal.spawn(command);
        terminal.until("the question", |t| t.screen().contains("Type yes"));
        assert!(
            terminal.screen().contains(&format!("service x: volumes: / ({OVER}, line 5)")),
            "{}",
            terminal.screen()
        );
        terminal.type_in(typed);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{}", terminal.screen());
    }
}
