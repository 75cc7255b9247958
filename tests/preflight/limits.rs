//! `preflight` ends and leaves nothing behind, whatever hangs. How exactly it keeps its limit, `benches/preflight.sh` measures.

use std::path::Path;

use serde_json::json;

use crate::support::edge::{World, fake_docker, python};
use crate::support::{Answer, folder, helper, is_long, script};

/// Processes with this text in their command line.
fn processes(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(text) {
            found.push(line);
        }
    }
    found
}

/// A `docker` that never answers. Its grandchildren outlive it, ignore what is polite, and one of them leaves the
/// process group.
fn stubborn(mark: &str) -> String {
    format!(
        "#!/bin/sh\ntrap '' TERM INT HUP\n\
         sh -c 'trap \"\" TERM; while :; do sleep 1; done' {mark} &\n\
         setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' {mark} &\n\
         (setsid sh -c 'while :; do sleep 1; done' {mark} &) \n\
         while :; do sleep 1; done\n"
    )
}

/// Megabytes of an error that is known, of one that is not, of one line without an end, and of bytes that are not text. What
/// grows with the square of the length takes hours.
#[test]
fn a_docker_that_prints_without_end_costs_no_more_than_it_prints() {
    let bytes = if is_long() { 12_000_000 } else { 4_000_000 };
    for what in [
        "yes 'Error response from daemon: boom'",
        "yes 'something that no pattern fits, port eyJ password=x'",
        "yes x | tr -d '\\n'",
        "cat /dev/urandom",
    ] {
        for stream in ["", " >&2"] {
            let bin = folder();
            script(bin.path(), "docker", &format!("#!/bin/sh\n({what} | head -c {bytes}){stream}\nexit 1\n"));
            let call = helper(["preflight"]).json(json!({"offline": true})).bounded();
            let answer = call.path(&[bin.path(), Path::new("/usr/bin"), Path::new("/bin")]).run();
            assert!(answer.length < 6000, "{what}: {} bytes", answer.length);
        }
    }
}

#[test]
fn a_docker_that_never_answers_is_passed_over_and_gone() {
    let mark = format!("preflight-mark-{}", std::process::id());
    let bin = folder();
    script(bin.path(), "docker", &stubborn(&mark));
    script(bin.path(), "git", &stubborn(&mark));
    for limit in [300_u64, 2500] {
        let call = helper(["preflight"]).json(json!({"timeout_ms": limit, "offline": true})).bounded();
        let answer = call.path(&[bin.path(), Path::new("/usr/bin"), Path::new("/bin")]).run();
        let skipped: Vec<&str> =
            answer.json["skipped"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
        for id in ["engine", "compose", "git"] {
            assert!(skipped.contains(&id), "{id} in {skipped:?}");
        }
        // Silence is a fault of the engine only where the limit was a fair one.
        let expected: &[&str] = if limit < 2000 { &[] } else { &["docker-daemon-down"] };
        let findings: Vec<&str> = answer.findings().into_iter().filter(|id| id.starts_with("docker")).collect();
        assert_eq!(findings, expected, "{:#}", answer.json);
        says_that_it_cannot_tell(&answer, limit, "docker did not answer");
        assert_eq!(processes(&mark), Vec::<String>::new(), "left behind");
    }
}

/// Below two seconds silence is neither a fault nor health.
fn says_that_it_cannot_tell(answer: &Answer, limit: u64, words: &str) {
    let summary = answer.json["summary"].as_str().unwrap();
    let next = answer.json["next"][0]["command"].as_str().unwrap();
    assert!(!summary.starts_with("this host can run"), "{summary}");
    if limit < 2000 {
        let whole = format!("could not tell whether this host can run the tunnel: {words} within {limit} ms");
        assert!(summary.starts_with(&whole), "{summary}");
        assert!(next.contains("preflight --json") && next.contains("\"timeout_ms\":10000"), "{next}");
    } else {
        assert_eq!(answer.code, 1, "{:#}", answer.json);
    }
}

#[test]
fn a_compose_that_never_answers_is_not_taken_for_a_good_one() {
    let bin = folder();
    script(bin.path(), "docker", &fake_docker("\"compose version\"*) sleep 20 ;;"));
    for limit in [700_u64, 2500] {
        let call = helper(["preflight"]).json(json!({"timeout_ms": limit, "offline": true})).bounded();
        let answer = call.path(&[bin.path(), Path::new("/usr/bin"), Path::new("/bin")]).run();
        says_that_it_cannot_tell(&answer, limit, "`docker compose version` did not answer");
        let findings: Vec<&str> = answer.findings().into_iter().filter(|id| id.starts_with("docker")).collect();
        let expected: &[&str] = if limit < 2000 { &[] } else { &["docker-failed"] };
        assert_eq!(findings, expected, "{:#}", answer.json);
    }
}

#[test]
fn a_docker_whose_child_keeps_its_pipes_is_gone_with_it() {
    let mark = format!("preflight-pipe-{}", std::process::id());
    let bin = folder();
    let text = format!("*) sh -c 'while :; do sleep 1; done' {mark} & exit 0 ;;");
    script(bin.path(), "docker", &fake_docker(&text));
    let call = helper(["preflight"]).json(json!({"timeout_ms": 400, "offline": true})).bounded();
    let answer = call.path(&[bin.path(), Path::new("/bin")]).run();
    assert!(answer.json["skipped"].to_string().contains("did not answer"), "{:#}", answer.json);
    assert_eq!(processes(&mark), Vec::<String>::new(), "left behind");
}

#[test]
fn a_network_that_swallows_everything_does_not_hold_it_up() {
    let Some(python) = python("preflight and silence") else { return };
    let bin = folder();
    script(bin.path(), "docker", &fake_docker(""));
    let ask = |world: &World, limit: u64| {
        let running = world.start(&python);
        let call = helper(["preflight"]).json(json!({"timeout_ms": limit})).bounded();
        let call = call.path(&[bin.path(), Path::new("/usr/bin"), Path::new("/bin")]);
        call.env("MCP_TUNNELS_TEST_DESTINATIONS", running.destinations.to_string()).run()
    };
    // Servers that accept and stay silent, UDP that swallows.
    let mut world = World::healthy();
    world.udp = [Some("silent"); 2];
    for server in &mut world.tls {
        server.behaviour = "silent";
    }
    let answer = ask(&world, 700);
    let rows = answer.data()["network"].as_array().unwrap();
    assert!(rows.iter().filter(|row| row["transport"] == "tls").all(|row| row["outcome"] == "timeout"), "{rows:?}");
    // A resolver that swallows: what hangs on it could not be sent.
    let mut world = World::healthy();
    world.modes = json!({"*": "silent"});
    let answer = ask(&world, 700);
    let rows = answer.data()["network"].as_array().unwrap();
    for row in rows {
        let expected = if row["transport"] == "dns" { "timeout" } else { "no_address" };
        assert_eq!((row["outcome"].as_str(), row["ms"].is_null()), (Some(expected), true), "{row}");
    }
    // The least that can be asked for.
    ask(&World::healthy(), 1);
}
