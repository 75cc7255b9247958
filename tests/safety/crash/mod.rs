//! A helper that is killed, refused, or without power at any call that changes something, and then run again: whole, and
//! nothing is left.

mod power;
mod scenario;

use scenario::{SCENARIOS, run};

use super::campaign::{Random, chosen, each};
use crate::support::{folder, skip, which};

/// What a file system may answer at any time.
const ERRORS: [&str; 3] = ["error=ENOSPC", "error=EIO", "error=EROFS"];

/// Strikes with each of these at every point of every scenario, or at a sample of them.
fn strike(test: &str, blows: &[&str]) {
    if which("strace").is_none() {
        return skip(test, "strace is not installed");
    }
    let points =
        SCENARIOS.iter().flat_map(|scenario| scenario.points().into_iter().map(move |point| (scenario, point)));
    let all: Vec<_> = points.flat_map(|(s, point)| blows.iter().map(move |blow| (s, point.clone(), *blow))).collect();
    // What `.ci/run --long` promises.
    assert!(all.len() >= 500, "{} points", all.len());
    each(&chosen(test, all), |(scenario, point, blow)| scenario.hit_at(point, blow));
}

#[test]
fn a_killed_run_is_completed_by_the_next() {
    strike("a_killed_run_is_completed_by_the_next", &["signal=KILL"]);
}

#[test]
fn a_run_whose_disk_fails_is_completed_by_the_next() {
    strike("a_run_whose_disk_fails_is_completed_by_the_next", &ERRORS);
}

#[test]
fn a_run_without_power_is_completed_by_the_next() {
    let test = "a_run_without_power_is_completed_by_the_next";
    if which("strace").is_none() {
        return skip(test, "strace is not installed");
    }
    let (mut random, _) = Random::of_seed();
    let cuts = SCENARIOS.iter().flat_map(|scenario| power::cuts(scenario, &mut random)).collect();
    each(&chosen(test, cuts), power::Cut::judge);
}

#[test]
fn what_others_left_is_not_removed() {
    let parent = folder();
    let dir = parent.path().join("d");
    run(&dir, r#"init {"domain":"abcd1234.tunnel.anthropic.com","sample":true}"#).expect(0);
    let mine = ["data/.mine.aB3dE9.tmp", ".notes.tmp", "config/.x.swp", "data/ca.key.tmp"];
    let ours = [
        "data/.ca.key.aB3dE9.tmp",
        "..env.aB3dE9.tmp",
        ".replica.json.aB3dE9.tmp",
        "config/.mcp-gateway.yaml.aB3dE9.tmp",
        "hello-mcp/.server.py.aB3dE9.tmp",
    ];
    for name in mine.iter().chain(&ours) {
        std::fs::write(dir.join(name), "x").unwrap();
    }
    // One that another helper is writing.
    let busy = std::fs::File::create(dir.join("data/.tls.key.aB3dE9.tmp")).unwrap();
    busy.lock().unwrap();
    run(&dir, "certs issue {}").expect(0);
    for name in mine.into_iter().chain(["data/.tls.key.aB3dE9.tmp"]) {
        assert!(dir.join(name).exists(), "{name}");
    }
    for name in ours {
        assert!(!dir.join(name).exists(), "{name}");
    }
}
