//! The engine, the client and Compose, in every state in which they cannot be used.

use std::process::Command;

use serde_json::{Value, json};

use super::host::{Rig, tool};
use crate::support::edge::fake_docker;
use crate::support::{chmod, posix, script};

#[test]
fn docker_in_every_state_in_which_it_cannot_be_used() {
    let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    let newer = "failed to connect to the docker API at unix:///nowhere.sock; check if the path is correct and if the daemon is running: dial unix /nowhere.sock: connect: no such file or directory";
    let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial unix /var/run/docker.sock: connect: permission denied";
    let new_api = "Error response from daemon: client version 1.52 is too new. Maximum supported API version is 1.41";
    let old_api = "Error response from daemon: client version 1.40 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version";
    for (said, id) in [
        (down, "docker-daemon-down"),
        (newer, "docker-daemon-down"),
        (denied, "docker-permission"),
        (new_api, "engine-too-old"),
        (old_api, "docker-client-old"),
        ("an error that was never seen before", "docker-failed"),
    ] {
        let rig = Rig::new(&format!(
            "version*) echo '{{\"Client\":{{\"Version\":\"28.2.2\"}},\"Server\":null}}'; echo '{said}' >&2; exit 1 ;;\n\
             info*) echo '{{\"ServerVersion\":\"\",\"ServerErrors\":[\"x\"],\"ClientInfo\":{{}}}}'; exit 1 ;;\n\
             ps*|network*|image*) echo '{said}' >&2; exit 1 ;;"
        ));
        let answer = rig.run().expect(1);
        assert_eq!(answer.findings(), [id], "one fault, one finding: {:#}", answer.json);
        assert!(answer.evidence(id).contains(&said[..30]), "{:#}", answer.json);
        assert_eq!(tool(&answer, "docker")["version"], "28.2.2", "the client's version is still known");
        assert_eq!(tool(&answer, "engine")["version"], Value::Null);
        let skipped = answer.json["skipped"].as_array().unwrap();
        assert!(skipped.iter().any(|s| s["id"] == "engine-facts"), "{skipped:?}");
        // The same with DOCKER_HOST: it is the variable that leads nowhere.
        if id == "docker-daemon-down" {
            let answer = rig.call().env("DOCKER_HOST", "unix:///nowhere.sock").run().expect(1);
            assert_eq!(answer.findings(), ["docker-host-nowhere"], "{:#}", answer.json);
            assert!(answer.evidence("docker-host-nowhere").contains("DOCKER_HOST=unix:///nowhere.sock"));
            assert_eq!(answer.data()["host"]["variables"], json!(["DOCKER_HOST"]));
        }
    }
}

#[test]
fn the_group_to_join_is_the_socket_s() {
    let rig = Rig::bare();
    let socket = rig.parent.path().join("docker.sock");
    std::fs::write(&socket, "").unwrap();
    chmod(&socket, 0o660);
    let at = socket.display();
    script(
        &rig.bin,
        "docker",
        &fake_docker(&format!(
            "\"context inspect\"*) echo 'unix://{at}' ;;\n\"compose version\"*) echo 2.40.3 ;;\n*) echo 'permission denied while trying to connect to the docker API at unix://{at}' >&2; exit 1 ;;"
        )),
    );
    let answer = rig.run().expect(1);
    let group = Command::new(posix("stat")).args(["-c", "%G"]).arg(&socket).output().unwrap();
    let group = String::from_utf8(group.stdout).unwrap().trim().to_owned();
    let finding = answer.finding("docker-permission");
    assert!(finding["fix"].as_str().unwrap().contains(&format!("usermod -aG {group} ")), "{finding}");
    assert!(
        answer.evidence("docker-permission").contains(&format!("belongs to the group {group}, mode 0660")),
        "{finding}"
    );
}

#[test]
fn compose_and_the_versions() {
    let missing = r#"echo "docker: 'compose' is not a docker command." >&2; exit 1"#;
    for (case, id, severity) in [
        (format!("\"compose version\"*) {missing} ;;"), Some("compose-missing"), "error"),
        ("\"compose version\"*) echo v2.16.0 ;;".into(), Some("compose-too-old"), "error"),
        ("\"compose version\"*) echo 2.17.3 ;;".into(), Some("compose-old"), "warning"),
        ("\"compose version\"*) echo 2.29.2-desktop.2 ;;".into(), None, ""),
        ("\"compose version\"*) echo Docker Compose version v5.0.1 ;;".into(), None, ""),
        ("version*) echo '{\"Server\":{\"Version\":\"19.03.15\"}}' ;;".into(), Some("engine-too-old"), "error"),
        ("version*) echo '{\"Server\":{\"Version\":\"20.10.24+dfsg1\"}}' ;;".into(), None, ""),
        ("version*) echo 28.2.2 ;;".into(), None, ""),
    ] {
        let answer = Rig::new(&case).run();
        assert_eq!(answer.findings(), id.into_iter().collect::<Vec<_>>(), "{case}: {:#}", answer.json);
        if let Some(id) = id {
            assert_eq!(answer.finding(id)["severity"], severity);
        }
    }
    let rig = Rig::new(&format!("\"compose version\"*) {missing} ;;"));
    script(&rig.bin, "docker-compose", "#!/bin/sh\necho docker-compose version 1.29.2\n");
    assert_eq!(rig.run().expect(1).findings(), ["compose-v1"]);
    // No docker at all: one finding, and what hangs on it is skipped with its reason.
    let rig = Rig::bare();
    let answer = rig.run().expect(1);
    assert_eq!(answer.findings(), ["docker-missing"]);
    assert!(answer.json["skipped"].as_array().unwrap().iter().any(|s| s["id"] == "engine"), "{:#}", answer.json);
}

#[test]
fn podman_is_named() {
    // What podman-docker prints, and what Docker's client prints on podman's socket.
    for (case, code) in [
        (
            "version*) echo 'Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.' >&2; echo '{\"Client\":{\"APIVersion\":\"4.3.1\",\"Version\":\"4.3.1\"}}' ;;\ninfo*) echo '{\"host\":{}}' ;;",
            1,
        ),
        (
            "version*) echo '{\"Client\":{\"Version\":\"28.2.2\"},\"Server\":{\"Version\":\"4.9.3\",\"Components\":[{\"Name\":\"Podman Engine\"}]}}' ;;",
            1,
        ),
        (
            "info*) echo '{\"ServerVersion\":\"28.2.2\",\"DockerRootDir\":\"/home/a/.local/share/containers/storage\",\"Architecture\":\"x86_64\"}' ;;",
            0,
        ),
    ] {
        let answer = Rig::new(case).run().expect(code);
        answer.finding("podman-engine");
        assert!(tool(&answer, "engine")["kind"].as_array().unwrap().contains(&json!("podman")), "{:#}", answer.json);
    }
    let rig = Rig::bare();
    script(&rig.bin, "podman", "#!/bin/sh\necho 'Error: unknown' >&2; exit 125\n");
    std::os::unix::fs::symlink(rig.bin.join("podman"), rig.bin.join("docker")).unwrap();
    let answer = rig.run().expect(1);
    assert_eq!(answer.finding("podman-engine")["severity"], "error");
}

#[test]
fn an_engine_that_is_elsewhere_or_of_another_kind() {
    let remote = Rig::new(
        "\"context inspect\"*) echo ssh://me@server.example ;;\nversion*) echo '{\"Client\":{\"Context\":\"far\"},\"Server\":{\"Version\":\"28.2.2\"}}' ;;",
    )
    .run().expect(0);
    assert_eq!(remote.findings(), ["engine-remote"], "{:#}", remote.json);
    let rig = Rig::new("");
    for (host, expected) in [("tcp://10.0.0.5:2375", vec!["engine-remote"]), ("tcp://127.0.0.1:2375", vec![])] {
        assert_eq!(rig.call().env("DOCKER_HOST", host).run().expect(0).findings(), expected, "{host}");
    }
    let with = |options: &str, more: &str| {
        Rig::new(&format!(
            "info*) echo '{{\"ServerVersion\":\"28.2.2\",\"OperatingSystem\":\"X\",\"Architecture\":\"x86_64\",\"DockerRootDir\":\"/\",\"SecurityOptions\":[{options}]{more}}}' ;;"
        ))
    };
    for (options, kind) in [("\"name=rootless\"", "rootless"), ("\"name=userns\"", "user namespaces")] {
        let answer = with(options, "").run().expect(0);
        assert_eq!(answer.findings(), ["user-namespace"]);
        assert!(tool(&answer, "engine")["kind"].as_array().unwrap().contains(&json!(kind)), "{:#}", answer.json);
    }
    // A clock that stood still while the computer slept.
    let answer = with("", ",\"SystemTime\":\"2026-01-01T00:00:00.5Z\"").run().expect(1);
    assert!(answer.evidence("clock-wrong").contains("that of the engine"), "{:#}", answer.json);
    assert!(answer.data()["host"]["engine_clock_offset_s"].as_i64().unwrap() < -1000);
    // A CPU without a build.
    let answer = Rig::new(
        "info*) echo '{\"ServerVersion\":\"28.2.2\",\"Architecture\":\"riscv64\",\"DockerRootDir\":\"/\"}' ;;",
    )
    .run();
    assert_eq!(answer.finding("platform-mismatch")["severity"], "warning");
    // A disk that cannot be seen from here.
    let desktop = Rig::new(
        "info*) echo '{\"ServerVersion\":\"28.2.2\",\"OperatingSystem\":\"Docker Desktop\",\"Architecture\":\"aarch64\",\"DockerRootDir\":\"/\"}' ;;",
    );
    let answer = desktop.run().expect(0);
    assert_eq!(answer.data()["host"]["disk_free_mib"], Value::Null);
    assert!(answer.json["skipped"].as_array().unwrap().iter().any(|s| s["id"] == "disk-low"));
}
