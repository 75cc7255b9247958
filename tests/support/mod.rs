//! The builder of all whole-binary tests: a clean environment, and on every run the promises that always hold.

mod docker;
pub(crate) mod edge;
pub(crate) mod engine;
pub(crate) mod golden;
pub(crate) mod http;
mod invariants;
mod laid;
pub(crate) mod namespace;
pub(crate) mod own_engine;
pub(crate) mod pty;
pub(crate) mod registry;
mod skipped;

pub(crate) use laid::{Laid, deployment, laid_out, of_another_ca, without_routes};
pub(crate) use skipped::skip;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use base64::Engine;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The tunnel of most tests.
pub(crate) const DOMAIN: &str = "abcd1234.tunnel.anthropic.com";

/// Destinations of the network probes that lead to no server.
pub(crate) const NOWHERE: &str = r#"{"resolvers":[]}"#;

/// A scratch folder that is gone at the end of the test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("mcp-tunnels-test-").tempdir().unwrap()
}

/// A token that cloudflared would take for one. The beginning of `secret` scripts the stand-in's edge.
pub(crate) fn token(secret: &str) -> String {
    let standard = base64::engine::general_purpose::STANDARD;
    let secret = standard.encode(secret);
    standard
        .encode(json!({"a": "0123456789abcdef", "t": "a8dfb6b4-68cf-4a03-88e7-08ee60111e8c", "s": secret}).to_string())
}

/// Whether a real tool must be there. Where it need not, its absence is said aloud and the test ends early.
pub(crate) fn real_tools_required() -> bool {
    std::env::var_os("MCP_TUNNELS_REQUIRE_REAL").is_some()
}

/// Whether the campaigns run whole (`.ci/run --long`).
pub(crate) fn is_long() -> bool {
    std::env::var_os("MCP_TUNNELS_LONG").is_some()
}

/// Where a program is, if it is there.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// A tool that POSIX puts on every machine, also where PATH names other folders only.
pub(crate) fn posix(tool: &str) -> PathBuf {
    let usual = ["/usr/bin", "/bin"].into_iter().map(|folder| Path::new(folder).join(tool));
    which(tool).or_else(|| usual.into_iter().find(|file| file.is_file())).unwrap_or_else(|| tool.into())
}

/// PATH, and behind it where those tools are.
pub(crate) fn posix_path() -> OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/bin"].map(PathBuf::from);
    std::env::join_paths(std::env::split_paths(&own).chain(usual)).unwrap()
}

/// Ids of the rule table, asked once.
pub(crate) fn rule_ids() -> &'static BTreeSet<String> {
    static IDS: OnceLock<BTreeSet<String>> = OnceLock::new();
    IDS.get_or_init(|| {
        let out = Command::new(env!("CARGO_BIN_EXE_mcp-tunnels-helper")).arg("rules").output().unwrap();
        let rules: Value = serde_json::from_slice(&out.stdout).unwrap();
        rules["data"]["rules"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
    })
}

/// One call of the helper.
pub(crate) struct Call {
    args: Vec<OsString>,
    dir: Option<PathBuf>,
    env: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    cwd: Option<PathBuf>,
    secrets: Vec<String>,
    no_new_files: bool,
    wrapper: Vec<OsString>,
    limit: Option<Duration>,
}

/// How it ended.
pub(crate) struct Answer {
    /// Exit code.
    pub(crate) code: i32,
    /// The answer.
    pub(crate) json: Value,
    /// Its length in bytes, newline included.
    pub(crate) length: usize,
    /// Standard error.
    pub(crate) stderr: String,
    /// Most memory that it had at once, in KiB, as far as the system tells.
    pub(crate) peak: u64,
}

/// Begins a call of the helper.
pub(crate) fn helper<I: IntoIterator<Item = S>, S: Into<OsString>>(args: I) -> Call {
    Call {
        args: args.into_iter().map(Into::into).collect(),
        dir: None,
        env: Vec::new(),
        stdin: None,
        cwd: None,
        secrets: Vec::new(),
        no_new_files: false,
        wrapper: Vec::new(),
        limit: None,
    }
}

impl Call {
    /// `--dir`.
    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_path_buf());
        self
    }

    /// `--json` with this value.
    pub(crate) fn json(mut self, request: Value) -> Self {
        self.args.push("--json".into());
        self.args.push(request.to_string().into());
        self
    }

    /// Standard input; nothing by default.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// A variable of the otherwise empty environment (PATH and HOME apart).
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// PATH with these folders only.
    pub(crate) fn path(self, folders: &[&Path]) -> Self {
        let joined = std::env::join_paths(folders).unwrap();
        self.env("PATH", joined)
    }

    /// The folder in which the helper is called.
    pub(crate) fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.cwd = Some(dir.as_ref().to_path_buf());
        self
    }

    /// A text that must not show anywhere in what the helper prints.
    pub(crate) fn secret(mut self, secret: &str) -> Self {
        self.secrets.push(secret.to_owned());
        self
    }

    /// The deployment directory must be as it was, byte for byte.
    pub(crate) fn changes_nothing(mut self) -> Self {
        self.no_new_files = true;
        self
    }

    /// A program that runs the helper, which is its last arguments: `sh -c 'umask 077; exec "$0" "$@"'`.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(Into::into).collect();
        self
    }

    /// A call that hangs fails instead.
    pub(crate) fn bounded(self) -> Self {
        self.within(HANG)
    }

    /// The same with another limit.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Runs it and checks what always holds.
    pub(crate) fn run(self) -> Answer {
        let home = folder();
        let binary = env!("CARGO_BIN_EXE_mcp-tunnels-helper");
        let mut command = match self.wrapper.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program.to_str().map_or_else(|| program.into(), posix));
                command.args(rest).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command.args(&self.args);
        if let Some(dir) = &self.dir {
            command.arg("--dir").arg(dir);
        }
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // The Compose plugin of this machine's user, without the rest of the home directory.
        if let Some(plugins) = std::env::var_os("HOME").map(|home| Path::new(&home).join(".docker/cli-plugins"))
            && plugins.is_dir()
        {
            std::fs::create_dir(home.path().join(".docker")).unwrap();
            symlink(plugins, home.path().join(".docker/cli-plugins")).unwrap();
        }
        command.env("HOME", home.path());
        // No probe ever leaves this machine; who tests probes names servers of its own.
        command.env("MCP_TUNNELS_TEST_DESTINATIONS", NOWHERE);
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command.current_dir(self.cwd.as_deref().unwrap_or(home.path()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let before = self.dir.as_deref().filter(|_| self.no_new_files).map(snapshot);
        let mut child = command.spawn().unwrap();
        let input = self.stdin.clone().unwrap_or_default();
        let mut stdin = child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
        let id = Pid::from_child(&child);
        let (done, over) = mpsc::channel::<()>();
        let limit = self.limit.unwrap_or(Duration::from_secs(600));
        let watchdog = std::thread::spawn(move || {
            let (begun, mut peak) = (Instant::now(), 0);
            while over.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
                peak = memory(id).unwrap_or(0).max(peak);
                if begun.elapsed() > limit {
                    let _ = kill_process(id, Signal::KILL);
                    return Err(peak);
                }
            }
            Ok(peak)
        });
        let out = child.wait_with_output().unwrap();
        drop(done);
        let peak = watchdog.join().unwrap().unwrap_or_else(|peak| panic!("not done within {limit:?}; {peak} KiB"));
        feeder.join().unwrap();
        let stdout = String::from_utf8(out.stdout).expect("standard output is UTF-8");
        let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
        let answer = Answer {
            code: out.status.code().unwrap_or_else(|| panic!("killed: {:?}\n{stderr}", out.status)),
            json: invariants::one_object(&stdout),
            length: stdout.len(),
            stderr,
            peak,
        };
        self.check(&answer, &stdout);
        if let (Some(before), Some(dir)) = (before, &self.dir) {
            assert_eq!(before, snapshot(dir), "the directory changed");
        }
        answer
    }
}

impl Answer {
    /// Ids of the findings, in their order.
    pub(crate) fn findings(&self) -> Vec<&str> {
        self.json["findings"].as_array().into_iter().flatten().map(|f| f["id"].as_str().unwrap()).collect()
    }

    /// One finding.
    pub(crate) fn finding(&self, id: &str) -> &Value {
        self.json["findings"]
            .as_array()
            .and_then(|all| all.iter().find(|f| f["id"] == id))
            .unwrap_or_else(|| panic!("no finding `{id}` in {}", self.json))
    }

    /// The evidence of one finding, a line each.
    pub(crate) fn evidence(&self, id: &str) -> String {
        let lines = self.finding(id)["evidence"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The command's own facts.
    pub(crate) fn data(&self) -> &Value {
        &self.json["data"]
    }

    /// The message of an error.
    pub(crate) fn message(&self) -> &str {
        self.json["error"]["message"].as_str().unwrap_or_else(|| panic!("no error in {}", self.json))
    }

    /// Requires an exit code, and shows the whole answer otherwise.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{:#}\n{}", self.json, self.stderr);
        self
    }
}

/// Only what hangs takes so long, however busy the machine is. How fast something is, `benches/` measure.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(10);

/// The most memory that a process had so far, in KiB (proc(5)).
fn memory(id: Pid) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", id.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Every file below a folder with its mode and content.
pub(crate) fn snapshot(dir: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    fn walk(dir: &Path, into: &mut Vec<(PathBuf, u32, Vec<u8>)>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_file() { std::fs::read(&path).unwrap_or_default() } else { Vec::new() };
            into.push((path.clone(), meta.mode(), content));
            if meta.is_dir() {
                walk(&path, into);
            }
        }
    }
    let mut all = Vec::new();
    walk(dir, &mut all);
    all.sort();
    all
}

/// Makes an executable script in a folder, to stand on PATH in front of a real program.
pub(crate) fn script(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The helper with a clean environment, for tests that look at the bytes themselves.
pub(crate) fn plain(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    command.env("MCP_TUNNELS_TEST_DESTINATIONS", NOWHERE);
    command.current_dir(home).stdin(Stdio::null());
    command
}

/// Permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).mode() & 0o7777
}

/// Changes permission bits.
pub(crate) fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below a folder, and the folder itself as an empty path, with permission bits.
pub(crate) fn tree(dir: &Path) -> Vec<(String, u32)> {
    let mut all = vec![(String::new(), mode(dir))];
    for (path, mode, _) in snapshot(dir) {
        all.push((path.strip_prefix(dir).unwrap().to_string_lossy().into_owned(), mode & 0o7777));
    }
    all
}

/// Replaces a text in a file; it must be there.
pub(crate) fn edit(path: &Path, old: &str, new: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "no {old:?} in {text}");
    std::fs::write(path, text.replace(old, new)).unwrap();
}

/// What openssl prints; it must succeed.
pub(crate) fn openssl(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("openssl").args(args).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Lower-case hex of the SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
