//! A helper that is killed, or refused, at any call that changes something, and then run again: whole, and nothing is left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Answer, folder, helper, mode, plain, real_tools_required, sha256, skip, snapshot, token, which};

/// System calls that change files; of `openat` only those that create.
const CHANGES: [&str; 16] = [
    "chmod",
    "fchmod",
    "fchmodat",
    "fchown",
    "fdatasync",
    "fsync",
    "ftruncate",
    "linkat",
    "mkdir",
    "openat",
    "pwrite64",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "write",
];

/// How many points are tried where real tools must be there (`.ci/run`), and where they need not. `.ci/run --long` tries
/// all of them.
const SAMPLE: [usize; 2] = [60, 5];

/// What a file system may answer at any time.
const ERRORS: [&str; 3] = ["error=ENOSPC", "error=EIO", "error=EROFS"];

/// One command, on a directory that others made ready.
struct Scenario {
    name: &'static str,
    before: &'static [&'static str],
    command: &'static str,
}

const BEGIN: &str = r#"certs rotate-ca {"step":"begin"}"#;
const SWITCH: &str = r#"certs rotate-ca {"step":"switch"}"#;
const FINISH: &str = r#"certs rotate-ca {"step":"finish"}"#;
const SETTINGS: &str = r#"render {"routes":{"wiki":"http://wiki:8000"},"sample":true}"#;
const INIT: &str = r#"init {"domain":"abcd1234.tunnel.anthropic.com","sample":true}"#;
const BARE: &str = r#"init {"domain":"abcd1234.tunnel.anthropic.com"}"#;

const ROUTE: &str = r#"render {"routes":{"notes":"http://notes:8000","wiki":null}}"#;
const HARDENED: &str = r#"render {"profile":"hardened","log_level":"debug"}"#;
const TO_IDLE: &str = r#"certs rotate-ca {"step":"back","to":"idle"}"#;
const TO_BEGUN: &str = r#"certs rotate-ca {"step":"back","to":"begun"}"#;
const RENEW: &str = r#"certs renew {"force":true}"#;

#[rustfmt::skip]
const SCENARIOS: [Scenario; 20] = [
    Scenario { name: "init", before: &[], command: INIT },
    Scenario { name: "init without the sample", before: &[], command: BARE },
    Scenario { name: "init again, with the sample", before: &[BARE], command: INIT },
    Scenario { name: "init of lost files", before: &[INIT, "rm docker-compose.yaml .gitignore data/tls.crt"], command: INIT },
    Scenario { name: "issue", before: &[BARE, "rm data/ca.crt data/ca.key data/tls.crt data/tls.key"], command: "certs issue {}" },
    Scenario { name: "issue of the pair", before: &[BARE, "rm data/tls.crt data/tls.key"], command: "certs issue {}" },
    Scenario { name: "issue of the CA from its key", before: &[BARE, "rm data/ca.crt"], command: "certs issue {}" },
    Scenario { name: "renew", before: &[INIT], command: RENEW },
    Scenario { name: "renew during a change of the CA", before: &[INIT, BEGIN], command: RENEW },
    Scenario { name: "rotate-ca begin", before: &[INIT], command: BEGIN },
    Scenario { name: "rotate-ca switch", before: &[INIT, BEGIN], command: SWITCH },
    Scenario { name: "rotate-ca finish", before: &[INIT, BEGIN, SWITCH], command: FINISH },
    Scenario { name: "rotate-ca back from switch", before: &[INIT, BEGIN, SWITCH], command: TO_IDLE },
    Scenario { name: "rotate-ca back to begun", before: &[INIT, BEGIN, SWITCH], command: TO_BEGUN },
    Scenario { name: "rotate-ca back from begin", before: &[INIT, BEGIN], command: TO_IDLE },
    Scenario { name: "token set", before: &[INIT], command: "token set" },
    Scenario { name: "token set before init", before: &[], command: "token set" },
    Scenario { name: "render", before: &[INIT], command: SETTINGS },
    Scenario { name: "render of other routes", before: &[INIT, SETTINGS], command: ROUTE },
    Scenario { name: "render of a profile", before: &[INIT], command: HARDENED },
];

/// The words and the request of a step.
fn words(step: &str) -> Vec<&str> {
    match step.split_once(" {") {
        Some((words, _)) => {
            let json = &step[words.len() + 1..];
            words.split(' ').chain(["--json", json]).collect()
        }
        None => step.split(' ').collect(),
    }
}

fn run(dir: &Path, step: &str) -> Answer {
    helper(words(step)).dir(dir).stdin(token("healthy")).bounded().run()
}

impl Scenario {
    fn prepared(&self, parent: &Path) -> PathBuf {
        let dir = parent.join("d");
        for step in self.before {
            match step.strip_prefix("rm ") {
                Some(files) => files.split(' ').for_each(|file| std::fs::remove_file(dir.join(file)).unwrap()),
                None => drop(run(&dir, step).expect(0)),
            }
        }
        dir
    }

    /// The command under strace, which does with its system calls what these arguments say; gives back what it printed.
    fn traced(&self, home: &Path, dir: &Path, strace: &[&str]) -> Vec<u8> {
        let input = home.join("token");
        std::fs::write(&input, token("healthy")).unwrap();
        let env = plain(home);
        let mut command = Command::new(which("strace").unwrap());
        command.env_clear().envs(env.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.args(["-f", "-qq"]).args(strace).arg(env.get_program()).args(words(self.command)).arg("--dir").arg(dir);
        command.stdin(std::fs::File::open(&input).unwrap()).stderr(Stdio::null());
        command.output().unwrap().stdout
    }

    /// Every call that changes something, as a call's name and how many of that name came before it in its thread.
    fn points(&self) -> Vec<(String, usize)> {
        let home = folder();
        let dir = self.prepared(home.path());
        let log = home.path().join("trace");
        let trace = format!("trace={}", CHANGES.join(","));
        self.traced(home.path(), &dir, &["-o", log.to_str().unwrap(), "-e", &trace]);
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut points = Vec::new();
        for line in std::fs::read_to_string(&log).unwrap().lines() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
            if !CHANGES.contains(&name) {
                continue;
            }
            let count = counts.entry((thread.to_owned(), name.to_owned())).or_default();
            *count += 1;
            let point = (name.to_owned(), *count);
            if (name != "openat" || rest.contains("O_CREAT")) && !points.contains(&point) {
                points.push(point);
            }
        }
        assert!(points.len() >= 5, "{}: {points:?}", self.name);
        points
    }

    /// Does that to it there (`signal=KILL`), and requires that a plain run afterwards leaves all in order.
    fn hit_at(&self, (call, when): &(String, usize), blow: &str) {
        let home = folder();
        let dir = self.prepared(home.path());
        let what = format!("{}, {blow} at {call} {when}", self.name);
        let ca = ca_of(&dir);
        let inject = format!("inject={call}:{blow}:when={when}");
        let trace = format!("trace={call}");
        let printed = self.traced(home.path(), &dir, &["-o", "/dev/null", "-e", &trace, "-e", &inject]);
        if let Ok(answer) = serde_json::from_slice::<serde_json::Value>(&printed) {
            assert_ne!(answer["error"]["code"], "internal", "{what}: {answer}");
        }
        closed(&dir, &what);
        if dir.join("data/tls.crt").exists() {
            let answer = run(&dir, "certs check {}");
            let ids = answer.findings();
            // The proxy reloads its pair at any moment. The CA's is used by the helper only, which goes on with the change.
            let is_changing = ids.contains(&"certs-rotation-open");
            assert!(!ids.contains(&"proxy-cert-mismatch"), "{what}: {ids:?}");
            assert!(is_changing || !ids.contains(&"ca-key-mismatch"), "{what}: {ids:?}");
        }
        let again = run(&dir, self.command);
        assert_eq!(again.code, 0, "{what}: {:#}", again.json);
        closed(&dir, &what);
        for (path, _, content) in snapshot(&dir) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!name.ends_with(".tmp"), "{what}: {} is left over", path.display());
            assert!(path.is_dir() || !content.is_empty(), "{what}: {} is empty", path.display());
        }
        if dir.join("data").exists() {
            let check = run(&dir, "certs check {}");
            assert_eq!(check.code, 0, "{what}: {:#}", check.json);
        }
        if let Some(ca) = ca {
            // Where it is being changed, the old one is kept beside the new.
            assert!(kept(&dir, &ca), "{what}: the CA was replaced");
        }
    }
}

fn ca_of(dir: &Path) -> Option<String> {
    Some(sha256(&std::fs::read(dir.join("data/ca.key")).ok()?))
}

/// Whether a key with this hash still lies in `data`, under whatever name.
fn kept(dir: &Path, hash: &str) -> bool {
    snapshot(&dir.join("data")).iter().any(|(_, _, content)| sha256(content) == hash)
}

/// Nothing secret can be read by others at any moment.
fn closed(dir: &Path, what: &str) {
    if !dir.exists() {
        return;
    }
    assert_eq!(mode(dir), 0o700, "{what}");
    for (path, bits, content) in snapshot(dir) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_secret = name.contains("ca") && name.contains(".key") || name.starts_with("..env") || name == ".env";
        if is_secret && !content.is_empty() {
            assert_eq!(bits & 0o077, 0, "{what}: {}", path.display());
        }
    }
}

/// Picks so many as the seed says: xorshift, which is the same everywhere.
fn sample<T: Clone>(all: &[T], seed: u64, number: usize) -> Vec<T> {
    let mut state = seed | 1;
    let mut left = all.to_vec();
    let mut picked = Vec::new();
    while picked.len() < number && !left.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        picked.push(left.swap_remove(usize::try_from(state % left.len() as u64).unwrap()));
    }
    picked
}

/// Strikes with each of these at every point of every scenario, or at a sample of them.
fn strike(test: &str, blows: &[&str]) {
    if which("strace").is_none() {
        return skip(test, "strace is not installed");
    }
    let seed = std::env::var("MCP_TUNNELS_TEST_SEED").map_or(20_261_126, |seed| seed.parse().unwrap());
    let points =
        SCENARIOS.iter().flat_map(|scenario| scenario.points().into_iter().map(move |point| (scenario, point)));
    let all: Vec<_> = points.flat_map(|(s, point)| blows.iter().map(move |blow| (s, point.clone(), *blow))).collect();
    let number = match (std::env::var_os("MCP_TUNNELS_LONG"), real_tools_required()) {
        (Some(_), _) => all.len(),
        (None, true) => SAMPLE[0],
        (None, false) => SAMPLE[1],
    };
    let picked = sample(&all, seed, number);
    println!("{test}: {} of {} points, MCP_TUNNELS_TEST_SEED={seed}", picked.len(), all.len());
    for (scenario, point, blow) in &picked {
        scenario.hit_at(point, blow);
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
fn what_others_left_is_not_removed() {
    let parent = folder();
    let dir = parent.path().join("d");
    run(&dir, INIT).expect(0);
    let mine = ["data/.mine.aB3dE9.tmp", ".notes.tmp", "config/.x.swp", "data/ca.key.tmp"];
    let ours = [
        "data/.ca.key.aB3dE9.tmp",
        "..env.aB3dE9.tmp",
        "config/.mcp-gateway.yaml.aB3dE9.tmp",
        "hello-mcp/.server.py.aB3dE9.tmp",
    ];
    for name in mine.iter().chain(&ours) {
        std::fs::write(dir.join(name), "x").unwrap();
    }
    run(&dir, "certs issue {}").expect(0);
    for name in mine {
        assert!(dir.join(name).exists(), "{name}");
    }
    for name in ours {
        assert!(!dir.join(name).exists(), "{name}");
    }
}
