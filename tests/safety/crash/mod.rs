//! A helper that is killed, refused, or without power at any call that changes something, and then run again: whole, and
//! nothing is left.

mod power;
mod scenario;

use scenario::{SCENARIOS, run};

use crate::support::{folder, real_tools_required, skip, which};

/// How many points are tried where real tools must be there (`.ci/run`), and where they need not. `.ci/run --long` tries
/// all of them.
const SAMPLE: [usize; 2] = [60, 5];

/// What a file system may answer at any time.
const ERRORS: [&str; 3] = ["error=ENOSPC", "error=EIO", "error=EROFS"];

/// Picks so many as the seed says: xorshift, which is the same everywhere.
fn sample<T>(all: Vec<T>, random: &mut Random, number: usize) -> Vec<T> {
    let mut left = all;
    let mut picked = Vec::new();
    while picked.len() < number && !left.is_empty() {
        let at = random.below(left.len());
        picked.push(left.swap_remove(at));
    }
    picked
}

struct Random(u64);

impl Random {
    fn of_seed() -> (Self, u64) {
        let seed = std::env::var("MCP_TUNNELS_TEST_SEED").map_or(20_261_126, |seed| seed.parse().unwrap());
        (Self(seed | 1), seed)
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// As many of these as this run is to try, and says so.
pub(super) fn chosen<T>(test: &str, all: Vec<T>) -> Vec<T> {
    let (mut random, seed) = Random::of_seed();
    let (total, number) = match (std::env::var_os("MCP_TUNNELS_LONG"), real_tools_required()) {
        (Some(_), _) => (all.len(), all.len()),
        (None, true) => (all.len(), SAMPLE[0]),
        (None, false) => (all.len(), SAMPLE[1]),
    };
    let picked = sample(all, &mut random, number);
    println!("{test}: {} of {total} points, MCP_TUNNELS_TEST_SEED={seed}", picked.len());
    picked
}

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
    for (scenario, point, blow) in chosen(test, all) {
        scenario.hit_at(&point, blow);
    }
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
    for cut in chosen(test, cuts) {
        cut.judge();
    }
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
