//! Everything that can be wrong with docker itself: a `docker` of ours is on PATH and says what the real one says.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Answer, Call, deployment, folder, helper, script, token};

/// A deployment, and a folder with the only programs that the helper can find.
pub(super) struct Rig {
    pub(super) parent: tempfile::TempDir,
    pub(super) dir: PathBuf,
    pub(super) bin: PathBuf,
}

/// What a healthy docker answers before anything is started.
pub(super) const HEALTHY: &str = r#"
case "$*" in
"version --format {{.Server.Version}}") echo 28.2.2 ;;
"compose version --short") echo 2.40.3 ;;
ps\ *) ;;
"#;

impl Rig {
    pub(super) fn new() -> Self {
        let parent = folder();
        let dir = deployment(parent.path());
        let bin = parent.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        Self { parent, dir, bin }
    }

    /// A `docker` that does what this shell text says.
    pub(super) fn docker(self, text: &str) -> Self {
        script(&self.bin, "docker", &format!("#!/bin/sh\n{text}"));
        self
    }

    /// A `docker` whose `compose up` says this and fails; the rest is healthy.
    pub(super) fn failing_up(self, says: &str) -> Self {
        let words = self.parent.path().join("words");
        std::fs::write(&words, format!("{says}\n")).unwrap();
        let up = format!(
            "\"compose up --detach\") while read -r line; do echo \"$line\"; done <{} >&2; exit 1 ;;\nesac\n",
            words.display()
        );
        self.docker(&format!("{HEALTHY}{up}"))
    }

    pub(super) fn call(&self, word: &str) -> Call {
        helper([word]).dir(&self.dir).path(&[&self.bin])
    }

    pub(super) fn up(&self) -> Answer {
        self.call("up").json(json!({"wait_seconds": 5})).run()
    }
}

/// The first error is this one, and it quotes docker's words.
fn says(answer: &Answer, id: &str, words: &str) {
    assert_eq!(answer.code, 1, "{:#}", answer.json);
    assert_eq!(answer.findings().first(), Some(&id), "{:#}", answer.json);
    let evidence = &answer.finding(id)["evidence"];
    let quoted = evidence.as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains(words));
    assert!(quoted, "`{words}` is not in {evidence}");
    assert_ne!(answer.data()["ready"], true);
}

#[test]
fn docker_missing() {
    let rig = Rig::new();
    for word in ["up", "status", "restart", "down"] {
        let answer = rig.call(word).changes_nothing().run().expect(1);
        assert_eq!(answer.findings(), ["docker-missing"], "{word}");
        assert!(answer.json["summary"].as_str().unwrap().contains("Docker is not installed"), "{:#}", answer.json);
    }
}

#[test]
fn daemon_that_cannot_be_asked() {
    let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \"http://%2Fvar%2Frun%2Fdocker.sock/v1.51/version\": dial unix /var/run/docker.sock: connect: permission denied";
    let newer = "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock";
    let newer_down = "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory";
    for (text, id) in [
        (down, "docker-daemon-down"),
        (newer_down, "docker-daemon-down"),
        (denied, "docker-permission"),
        (newer, "docker-permission"),
        ("an error that was never seen before", "docker-failed"),
    ] {
        let rig = Rig::new()
            .docker(&format!("case \"$1\" in compose) echo 2.40.3 ;; *) echo; echo '{text}' >&2; exit 1 ;; esac\n"));
        for word in ["up", "status", "restart", "down"] {
            let answer = rig.call(word).run();
            says(&answer, id, &text[..text.len().min(30)]);
            assert_eq!(answer.findings(), [id], "{word}: one fault, one finding");
        }
        // The same with DOCKER_HOST: it is the variable that leads nowhere.
        if id == "docker-daemon-down" {
            for word in ["up", "status", "restart", "down", "diagnose"] {
                let answer = rig.call(word).env("DOCKER_HOST", "unix:///nowhere.sock").run().expect(1);
                let evidence = answer.finding("docker-host-nowhere")["evidence"].to_string();
                assert!(evidence.contains("DOCKER_HOST=unix:///nowhere.sock"), "{evidence}");
                assert!(!answer.findings().contains(&id), "{:#}", answer.json);
            }
        }
    }
}

#[test]
fn a_folder_of_something_else_gets_no_advice() {
    let rig = Rig::new().docker("exit 1");
    let other = folder();
    std::fs::write(other.path().join("hosts"), "").unwrap();
    for word in ["up", "status", "restart", "down", "diagnose"] {
        let answer = helper([word]).dir(other.path()).path(&[&rig.bin]).changes_nothing().run().expect(2);
        assert_eq!(answer.json["error"]["code"], "directory", "{word}: {:#}", answer.json);
    }
}

#[test]
fn daemon_that_goes_away_meanwhile() {
    let text = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    let rig = Rig::new().docker(&format!(
        "{}ps) echo '{text}' >&2; exit 1 ;;\nesac\n",
        HEALTHY.replace("ps\\ *) ;;\n", "ps\\ *) echo 'Cannot connect to the Docker daemon at x' >&2; exit 1 ;;\n")
    ));
    for word in ["up", "status", "restart", "down"] {
        says(&rig.call(word).run(), "docker-daemon-down", "Cannot connect");
    }
}

#[test]
fn compose_that_is_missing_old_or_something_else() {
    let missing = "docker: 'compose' is not a docker command.\nSee 'docker --help'";
    let with =
        |compose: &str| format!("case \"$*\" in \"compose version\"*) {compose} ;; ps*) ;; *) echo 28.2.2 ;; esac\n");
    let rig = Rig::new().docker(&with(&format!("echo \"{missing}\" >&2; exit 1")));
    says(&rig.up(), "compose-missing", "'compose' is not a docker command");

    // v1 is installed, too: named, with the reason.
    script(&rig.bin, "docker-compose", "#!/bin/sh\necho 'docker-compose version 1.29.2, build unknown'\n");
    let answer = rig.up();
    says(&answer, "compose-v1", "docker-compose");

    for (version, id) in [("2.16.0", "compose-too-old"), ("v2.3.3", "compose-too-old"), ("1.29.2", "compose-too-old")] {
        let rig = Rig::new().docker(&with(&format!("echo {version}")));
        says(&rig.up(), id, version);
    }
    for (version, warned) in
        [("2.17.0", true), ("v2.20.3", true), ("2.26.1-4", false), ("2.29.2-desktop.2", false), ("5.0.0", false)]
    {
        let rig = Rig::new().docker(&with(&format!("echo {version}")));
        let status = rig.call("status").run().expect(0);
        assert_eq!(status.findings().contains(&"compose-old"), warned, "{version}: {:#}", status.json);
        assert!(status.findings().contains(&"stack-stopped"), "{version}");
        if warned {
            assert_eq!(status.finding("compose-old")["severity"], "warning");
        }
    }
}

#[test]
fn images_that_cannot_be_pulled() {
    let digest = "sha256:efb27b299d627e4134815663cb8896641eeaee025d734c0f695582b4df38f013";
    let cases = [
        (format!("manifest for us-docker.pkg.dev/a/mcp-proxy@{digest} not found: manifest unknown: manifest unknown"), "image-not-found"),
        (format!("manifest unknown: Failed to fetch \"{digest}\""), "image-not-found"),
        (format!("failed to resolve reference \"docker.io/cloudflare/cloudflared@{digest}\": docker.io/cloudflare/cloudflared@{digest}: not found"), "image-not-found"),
        ("unable to get image 'x@sha256:1': Error response from daemon: no such image: x@sha256:1: invalid reference format".into(), "image-ref-invalid"),
        ("denied: Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"projects/x\" (or it may not exist)".into(), "registry-denied"),
        ("error getting credentials - err: exec: \"docker-credential-gcloud\": executable file not found in $PATH, out: ``".into(), "registry-denied"),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit".into(), "registry-rate-limit"),
        ("Get \"https://us-docker.pkg.dev/v2/\": dial tcp: lookup us-docker.pkg.dev on 127.0.0.53:53: no such host".into(), "registry-unreachable"),
        ("Get \"https://registry-1.docker.io/v2/\": net/http: TLS handshake timeout".into(), "registry-unreachable"),
        ("Get \"https://registry-1.docker.io/v2/\": x509: certificate signed by unknown authority".into(), "registry-unreachable"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries".into(), "platform-mismatch"),
        // Looks like an image fault, and is not one.
        ("unable to get image 'x': permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \"http://%2Fvar%2Frun%2Fdocker.sock/v1.51/images/json\": dial unix /var/run/docker.sock: connect: permission denied".into(), "docker-permission"),
    ];
    for (text, id) in cases {
        let rig = Rig::new().failing_up(&format!(
            " Container mcp-tunnel-abcd1234-mcp-gateway-1  Creating\nError response from daemon: {text}\n"
        ));
        let answer = rig.up();
        says(&answer, id, &text[text.len() - 20..]);
        // Not "start it": that was tried just now.
        assert_eq!(answer.json["next"][0]["who"], "person", "{:#}", answer.json);
        // What follows from it is not a fault of its own.
        for finding in answer.json["findings"].as_array().unwrap().iter().skip(1) {
            assert!(finding["severity"] != "error" || finding["consequence_of"] == id, "{finding}");
        }
    }
}

#[test]
fn other_words_of_compose() {
    for (text, id) in [
        (
            "driver failed programming external connectivity on endpoint x (1): Bind for 0.0.0.0:8080 failed: port is already allocated",
            "port-conflict",
        ),
        (
            "Conflict. The container name \"/mcp-proxy\" is already in use by container \"1\". You have to remove (or rename) that container to be able to reuse that name.",
            "name-conflict",
        ),
        (
            "error mounting \"/x/config\" to rootfs at \"/etc/x\": not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?",
            "mount-type-mismatch",
        ),
        ("network backend declared as external, but could not be found", "network-missing"),
        (
            "service \"cloudflared\" depends on undefined service \"mcp-proxy\": invalid compose project",
            "compose-service-undefined",
        ),
        ("conflicting options: dns and the network mode", "compose-netmode-conflict"),
        ("yaml: line 8: found character that cannot start any token", "compose-yaml-invalid"),
        (
            "validating /x/docker-compose.yaml: services.cloudflared additional properties 'enviroment' not allowed",
            "compose-yaml-invalid",
        ),
        (
            "failed to solve: process \"/bin/sh -c pip install\" did not complete successfully: exit code: 1",
            "build-failed",
        ),
    ] {
        says(&Rig::new().failing_up(text).up(), id, &text[text.len() - 15..]);
    }
    // A container's fixed address that is taken, and a network that cannot be made, are not the fault of a port.
    for text in [
        "failed to set up container networking: Address already in use",
        "driver failed programming external connectivity on endpoint x (1): iptables failed: No chain/target/match by that name",
    ] {
        let answer = Rig::new().failing_up(text).up().expect(1);
        assert!(!answer.findings().contains(&"port-conflict"), "{text}: {:#}", answer.json);
    }
    // Warnings are no part of it, and what is not known is quoted verbatim.
    let rig = Rig::new().failing_up(
        "time=\"2026-11-22T20:45:19Z\" level=warning msg=\"the attribute `version` is obsolete\"\nsomething new happened\n",
    );
    let answer = rig.up();
    says(&answer, "compose-failed", "something new happened");
    assert!(!answer.json.to_string().contains("obsolete"), "{:#}", answer.json);
}

#[test]
fn token_in_composes_words_is_not_quoted() {
    let rig = Rig::new();
    let token = token("healthy");
    let rig = rig.failing_up(&format!(
        "failed to read /x/.env: line 2: unterminated quoted value \"{token}\nfailed to read /x/.env: unexpected character in variable name near \"{}\"\n",
        &token[..40]
    ));
    for word in ["up", "restart"] {
        let answer = rig.call(word).secret(&token).secret(&token[..40]).run();
        says(&answer, "compose-env-invalid", "failed to read");
        assert!(!answer.json.to_string().contains("eyJhIjoi"), "a piece of a token is in the answer");
    }
}

/// A server that crashes prints its settings, with the passwords of its files and lines of the keys that it was given.
#[test]
fn passwords_of_the_files_and_lines_of_the_keys_are_not_quoted() {
    let rig = Rig::new();
    std::fs::write(
        rig.dir.join("docker-compose.override.yaml"),
        "services: {db: {image: 'x:1@sha256:6b599ca3e974349ead3286d178da61d291961182ec3fe9c505e1dd02c8ac31b0', environment: {DB_PASSWORD: inline-secret-1}}}\n",
    )
    .unwrap();
    let env = std::fs::read_to_string(rig.dir.join(".env")).unwrap();
    std::fs::write(rig.dir.join(".env"), format!("{env}SHORT_PW=kurz9\n")).unwrap();
    let key = std::fs::read_to_string(rig.dir.join("data/tls.key")).unwrap();
    let line = key.lines().nth(1).unwrap().to_owned();
    let rig = rig.failing_up(&format!("login with inline-secret-1 and kurz9 and key={line} failed"));
    for word in ["up", "restart"] {
        let answer = rig.call(word).secret("inline-secret-1").secret("kurz9").secret(&line).run().expect(1);
        let text = answer.json.to_string();
        assert!(text.contains("login with [redacted] and [redacted] and key=[redacted] failed"), "{word}: {text}");
    }
}

#[test]
fn docker_that_answers_nonsense_is_an_error() {
    let rig = Rig::new().docker(&format!(
        "{}inspect*) echo '<html>' ;;\nesac\n",
        HEALTHY.replace("ps\\ *) ;;\n", "ps\\ *) echo 0123456789abcdef ;;\n")
    ));
    for word in ["up", "status", "restart", "down"] {
        let answer = rig.call(word).run().expect(2);
        assert_eq!(answer.json["error"]["code"], "tool", "{word}: {:#}", answer.json);
        assert!(answer.message().contains("docker inspect"), "{}", answer.message());
    }
}

/// A Compose file that cannot be read does not keep the stack from being stopped.
/// A container of a project as `docker inspect` shows it.
fn inspected(dir: &Path, project: &str, service: &str) -> Value {
    let folder = std::fs::canonicalize(dir).unwrap();
    json!({
        "Id": service.bytes().map(|byte| format!("{byte:02x}")).collect::<String>(), "Name": format!("/{service}"),
        "State": {"Status": "running", "StartedAt": "2026-11-22T20:45:19Z", "FinishedAt": "0001-01-01T00:00:00Z"},
        "Config": {"Labels": {"com.docker.compose.project": project, "com.docker.compose.service": service,
            "com.docker.compose.project.working_dir": folder}},
        "HostConfig": {},
    })
}

#[test]
fn of_two_failures_of_a_restart_the_first_is_told() {
    let rig = Rig::new();
    let text = std::fs::read_to_string(rig.dir.join("docker-compose.yaml")).unwrap();
    let project = text.lines().find_map(|line| line.strip_prefix("name: ")).unwrap().to_owned();
    let shown = rig.parent.path().join("inspect");
    let all = ["mcp-gateway", "cloudflared"].map(|service| inspected(&rig.dir, &project, service));
    std::fs::write(&shown, format!("{}\n", json!(all))).unwrap();
    let inspect = format!("inspect*) while read -r line; do echo \"$line\"; done <{} ;;", shown.display());
    let healthy = HEALTHY.replace("ps\\ *) ;;", &format!("ps\\ *) echo a; echo b ;;\n{inspect}"));
    let (first, second) = (
        "Bind for 0.0.0.0:8080 failed: port is already allocated",
        "Conflict. The container name \"/x\" is already in use by container \"1\"",
    );
    let rig = rig.docker(&format!(
        "{healthy}\"compose restart mcp-gateway\") echo '{first}' >&2; exit 1 ;;\n\
         \"compose restart cloudflared\") echo '{second}' >&2; exit 1 ;;\nesac\n"
    ));
    let request = json!({"services": ["mcp-gateway", "cloudflared"], "wait_seconds": 0});
    let answer = rig.call("restart").json(request).run().expect(1);
    assert_eq!(answer.findings().first(), Some(&"port-conflict"), "{:#}", answer.json);
    assert!(!answer.findings().contains(&"name-conflict"), "the second follows from the first: {:#}", answer.json);
}

#[test]
fn down_needs_no_readable_file() {
    let rig = Rig::new();
    let log = rig.parent.path().join("log");
    let root = rig.dir.display().to_string();
    let label = |name: &str, value: &str| format!("\"com.docker.compose.{name}\":\"{value}\"");
    let labels = [label("project", "theirs"), label("service", "own"), label("project.working_dir", &root)].join(",");
    let container = format!(
        r#"[{{"Id":"0123","Name":"/theirs-own-1","State":{{"Status":"running","StartedAt":"2026-11-22T20:45:19Z","FinishedAt":"0001-01-01T00:00:00Z"}},"Config":{{"Labels":{{{labels}}}}},"HostConfig":{{}}}}]"#
    );
    let healthy = HEALTHY.replace("ps\\ *) ;;\n", "ps\\ *) echo 0123 ;;\n");
    let note = format!("echo \"$PWD $*\" >>{}\n", log.display());
    let rig = rig.docker(&format!("{note}{healthy}inspect*) echo '{container}' ;;\n*) ;;\nesac\n"));
    std::fs::write(rig.dir.join("docker-compose.yaml"), "services: [\n").unwrap();
    let down = rig.call("down").run().expect(0);
    assert_eq!(down.data()["project"], "theirs", "the engine knows which project this folder's containers are of");
    assert_eq!(down.data()["stopped"], json!(["own"]));
    assert_eq!(down.finding("compose-yaml-invalid")["severity"], "warning");
    let calls = std::fs::read_to_string(&log).unwrap();
    assert!(
        calls.contains("/ compose --project-name theirs down --remove-orphans") || calls.contains("compose down"),
        "{calls}"
    );
}
