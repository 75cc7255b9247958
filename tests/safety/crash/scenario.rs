//! Commands on directories that others made ready, and what must hold after one of them ended at any moment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::safety::campaign::memory;
use crate::support::{Answer, folder, helper, laid_out, mode, plain, sha256, snapshot, token, which};

/// System calls that change files; of `openat` only those that create.
pub(super) const CHANGES: [&str; 19] = [
    "chmod",
    "fchmod",
    "fchmodat",
    "fchown",
    "fdatasync",
    "fsync",
    "ftruncate",
    "linkat",
    "mkdir",
    "mkdirat",
    "openat",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "unlink",
    "unlinkat",
    "write",
];

/// One command on the directory `d`; another deployment may be next to it. `OUT` is the folder of both.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Commands before it; after `other`, on the other deployment, until `own`.
    before: &'static [&'static str],
    pub(super) command: &'static str,
}

const BEGIN: &str = r#"certs rotate-ca {"step":"begin"}"#;
const SWITCH: &str = r#"certs rotate-ca {"step":"switch"}"#;
const FINISH: &str = r#"certs rotate-ca {"step":"finish"}"#;
const SETTINGS: &str = r#"render {"routes":{"wiki":"http://wiki:8000"},"sample":true}"#;
const INIT: &str = r#"init {"domain":"abcd1234.tunnel.anthropic.com","sample":true}"#;
const BARE: &str = r#"init {"domain":"abcd1234.tunnel.anthropic.com"}"#;
const TOKEN: &str = "token set";

const ROUTE: &str = r#"render {"routes":{"notes":"http://notes:8000","wiki":null}}"#;
const HARDENED: &str = r#"render {"profile":"hardened","log_level":"debug"}"#;
const TO_IDLE: &str = r#"certs rotate-ca {"step":"back","to":"idle"}"#;
const TO_BEGUN: &str = r#"certs rotate-ca {"step":"back","to":"begun"}"#;
const RENEW: &str = r#"certs renew {"force":true}"#;

const HELM: &str = r#"export {"to":"helm","out":"OUT/new/k8s"}"#;
const HELM_TOKEN: &str = r#"export {"to":"helm","out":"OUT/new/k8s","include_token":true}"#;
const REPLICA: &str = r#"export {"to":"replica","out":"OUT/replica.tar.gz"}"#;
const CERTIFICATE: &str = r#"export {"to":"replica","only":"certificate","out":"OUT/certificate.tar.gz"}"#;
const NEWER: &str = r#"export {"to":"replica","out":"OUT/newer.tar.gz"}"#;
const FROM: &str = r#"init {"from":"OUT/replica.tar.gz"}"#;
const FROM_NEWER: &str = r#"init {"from":"OUT/newer.tar.gz"}"#;
const FROM_CERTIFICATE: &str = r#"init {"from":"OUT/certificate.tar.gz"}"#;

#[rustfmt::skip]
pub(super) const SCENARIOS: [Scenario; 28] = [
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
    Scenario { name: "token set", before: &[INIT], command: TOKEN },
    Scenario { name: "token set before init", before: &[], command: TOKEN },
    Scenario { name: "render", before: &[INIT, TOKEN], command: SETTINGS },
    Scenario { name: "render of other routes", before: &[INIT, SETTINGS], command: ROUTE },
    Scenario { name: "render of a profile", before: &[INIT], command: HARDENED },
    Scenario { name: "export to a cluster", before: &[INIT, TOKEN], command: HELM_TOKEN },
    Scenario { name: "export again, after a change", before: &[INIT, TOKEN, HELM_TOKEN, SETTINGS, RENEW], command: HELM_TOKEN },
    Scenario { name: "export without the token", before: &[BARE, SETTINGS], command: HELM },
    Scenario { name: "export of a replica", before: &[INIT, TOKEN], command: REPLICA },
    Scenario { name: "export of the certificates", before: &[INIT], command: CERTIFICATE },
    Scenario { name: "init from a bundle", before: &["other", INIT, REPLICA], command: FROM },
    Scenario { name: "init from a newer bundle", before: &["other", INIT, REPLICA, "own", FROM, TOKEN, "other", SETTINGS, HARDENED, RENEW, NEWER], command: FROM_NEWER },
    Scenario { name: "init from the certificates", before: &["other", INIT, REPLICA, "own", FROM, "other", RENEW, CERTIFICATE], command: FROM_CERTIFICATE },
];

/// The words and the request of a step.
fn words(step: &str, out: &Path) -> Vec<String> {
    match step.split_once(" {") {
        Some((words, _)) => {
            let json = step[words.len() + 1..].replace("OUT", out.to_str().unwrap());
            words.split(' ').map(str::to_owned).chain(["--json".to_owned(), json]).collect()
        }
        None => step.split(' ').map(str::to_owned).collect(),
    }
}

/// Where every program is missing: what is killed is the helper.
const NO_PROGRAMS: &str = "/nonexistent";

pub(super) fn run(dir: &Path, step: &str) -> Answer {
    let call = helper(words(step, dir.parent().unwrap())).dir(dir).env("PATH", NO_PROGRAMS);
    call.stdin(token("healthy")).bounded().run()
}

impl Scenario {
    /// The directory, made ready in this folder: once for each scenario, from then on copied.
    pub(super) fn prepared(&self, parent: &Path) -> PathBuf {
        laid_out(self.name, parent, |parent| self.prepare(parent));
        parent.join("d")
    }

    fn prepare(&self, parent: &Path) {
        let own = parent.join("d");
        let mut dir = own.clone();
        for step in self.before {
            match (step.strip_prefix("rm "), *step) {
                (Some(files), _) => files.split(' ').for_each(|file| std::fs::remove_file(dir.join(file)).unwrap()),
                (None, "other") => dir = parent.join("other"),
                (None, "own") => dir.clone_from(&own),
                (None, step) => drop(run(&dir, step).expect(0)),
            }
        }
    }

    /// The command under strace, which does with its system calls what these arguments say; gives back what it printed.
    pub(super) fn traced(&self, home: &Path, dir: &Path, strace: &[&str]) -> Vec<u8> {
        let scratch = folder();
        let input = scratch.path().join("token");
        std::fs::write(&input, token("healthy")).unwrap();
        let env = plain(scratch.path());
        let mut command = Command::new(which("strace").unwrap());
        command.env_clear().envs(env.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", NO_PROGRAMS).current_dir(scratch.path());
        command.args(["-f", "-qq"]).args(strace).arg(env.get_program()).args(words(self.command, home));
        command.arg("--dir").arg(dir).stdin(std::fs::File::open(&input).unwrap()).stderr(Stdio::null());
        command.output().unwrap().stdout
    }

    /// Every call that changes something, as a call's name and how many of that name came before it in its thread.
    pub(super) fn points(&self) -> Vec<(String, usize)> {
        let (home, scratch) = (memory(), folder());
        let dir = self.prepared(home.path());
        let log = scratch.path().join("trace");
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
            // An answer on standard output changes no file.
            let changes = match name {
                "openat" => rest.contains("O_CREAT"),
                "write" => !rest.starts_with("1,"),
                _ => true,
            };
            if changes && !points.contains(&point) {
                points.push(point);
            }
        }
        assert!(points.len() >= 5, "{}: {points:?}", self.name);
        points
    }

    /// Does that to it there (`signal=KILL`), and requires that a plain run afterwards leaves all in order.
    pub(super) fn hit_at(&self, (call, when): &(String, usize), blow: &str) {
        let home = memory();
        let dir = self.prepared(home.path());
        let what = format!("{}, {blow} at {call} {when}", self.name);
        let before = Before::of(&dir);
        let inject = format!("inject={call}:{blow}:when={when}");
        let trace = format!("trace={call}");
        let printed = self.traced(home.path(), &dir, &["-o", "/dev/null", "-e", &trace, "-e", &inject]);
        if let Ok(answer) = serde_json::from_slice::<serde_json::Value>(&printed) {
            assert_ne!(answer["error"]["code"], "internal", "{what}: {answer}");
        }
        self.judge(&dir, &before, &what);
    }

    /// What must hold in a directory that an ended run left, and after the command has run again.
    pub(super) fn judge(&self, dir: &Path, before: &Before, what: &str) {
        let home = dir.parent().unwrap();
        closed(home, what);
        if dir.join("data/tls.crt").exists() {
            let answer = run(dir, "certs check {}");
            let ids = answer.findings();
            // The proxy reloads its pair at any moment. The CA's is used by the helper only, which continues the change.
            let is_changing = ids.contains(&"certs-rotation-open");
            assert!(!ids.contains(&"proxy-cert-mismatch"), "{what}: {ids:?}");
            assert!(is_changing || !ids.contains(&"ca-key-mismatch"), "{what}: {ids:?}");
        }
        before.is_kept(dir, self.command != TOKEN, what);
        let again = run(dir, self.command);
        let is_there = again.code == 2 && self.command.contains(".tar.gz") && self.command.starts_with("export");
        if is_there {
            // An archive is never replaced. One that is there is whole.
            assert_eq!(again.json["error"]["code"], "request", "{what}: {:#}", again.json);
        } else {
            assert_eq!(again.code, 0, "{what}: {:#}", again.json);
        }
        closed(home, what);
        for (path, _, content) in snapshot(home) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_litter = name.ends_with(".tmp") && !is_there;
            assert!(!is_litter, "{what}: {} is left over", path.display());
            assert!(path.is_dir() || !content.is_empty(), "{what}: {} is empty", path.display());
            if name.ends_with(".tar.gz") {
                let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(content.as_slice()));
                let whole = archive
                    .entries()
                    .unwrap()
                    .all(|entry| std::io::copy(&mut entry.unwrap(), &mut std::io::sink()).is_ok());
                assert!(whole, "{what}: {} is cut", path.display());
            }
        }
        if dir.join("data").exists() {
            let check = run(dir, "certs check {}");
            assert_eq!(check.code, 0, "{what}: {:#}", check.json);
        }
        before.is_kept(dir, self.command != TOKEN, what);
    }
}

/// What a run must never lose.
#[derive(Clone)]
pub(super) struct Before {
    /// Hash of the CA's key.
    ca: Option<String>,
    token: Option<String>,
}

impl Before {
    pub(super) fn of(dir: &Path) -> Self {
        let ca = std::fs::read(dir.join("data/ca.key")).ok().map(|key| sha256(&key));
        Self { ca, token: token_in(dir) }
    }

    /// The CA's key is still in `data`, under any name: while it is being changed, next to the new one. The token
    /// is still in `.env`, unless it is what is written.
    fn is_kept(&self, dir: &Path, with_token: bool, what: &str) {
        if let Some(ca) = &self.ca {
            let kept = snapshot(&dir.join("data")).iter().any(|(_, _, content)| sha256(content) == *ca);
            assert!(kept, "{what}: the CA was replaced");
        }
        if self.token.is_some() && with_token {
            assert_eq!(self.token, token_in(dir), "{what}: the token is lost");
        }
    }
}

fn token_in(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join(".env")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("TUNNEL_TOKEN=ey")).map(str::to_owned)
}

/// Nothing secret can be read by others at any moment.
fn closed(home: &Path, what: &str) {
    for (path, bits, content) in snapshot(home) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let of = |file: &str| name == file || name.starts_with(&format!(".{file}."));
        let is_bundle = ["replica.tar.gz", "newer.tar.gz", "secrets.yaml", ".env"].iter().any(|file| of(file));
        // A temporary file ends with letters at random.
        let is_secret = is_bundle || name.trim_start_matches('.').starts_with("ca") && name.contains(".key");
        if is_secret && !content.is_empty() {
            assert_eq!(bits & 0o077, 0, "{what}: {}", path.display());
        }
        let is_directory = path.parent() == Some(home) && path.is_dir() && name != "new";
        assert!(!is_directory || mode(&path) == 0o700, "{what}: {}", path.display());
    }
}
