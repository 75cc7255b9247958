//! `bin/mcp-tunnels-helper`: every way to the helper, and what must never be run.

mod download;
mod lock;
mod making;
mod place;
mod trust;

pub(crate) use download::fetches_and_runs;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::http::Server;
use crate::support::{chmod, edit, helper, posix, script, sha256, skip, which};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// `uname -sm`, and the target of a release.
const MACHINES: [(&str, &str); 4] = [
    ("Linux x86_64", "x86_64-unknown-linux-musl"),
    ("Linux aarch64", "aarch64-unknown-linux-musl"),
    ("Darwin x86_64", "x86_64-apple-darwin"),
    ("Darwin arm64", "aarch64-apple-darwin"),
];

/// This one. busybox's shell takes its own `uname` before the one on PATH: it runs as what it is.
const HERE: (&str, &str) = MACHINES[match (cfg!(target_os = "macos"), cfg!(target_arch = "aarch64")) {
    (false, false) => 0,
    (false, true) => 1,
    (true, false) => 2,
    (true, true) => 3,
}];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shells that are here, dash and bash and busybox's among them where real tools are required.
fn shells() -> Vec<Vec<PathBuf>> {
    let mut shells = Vec::new();
    for (program, applet) in [("dash", None), ("bash", None), ("busybox", Some("sh"))] {
        match which(program) {
            Some(path) => shells.push(std::iter::once(path).chain(applet.map(PathBuf::from)).collect()),
            None => skip("launcher", &format!("{program} is not installed")),
        }
    }
    if shells.is_empty() { vec![vec![posix("sh")]] } else { shells }
}

/// A helper that says what it was handed.
fn standin(version: &str) -> String {
    format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo 'mcp-tunnels-helper {version}'; exit; }}\n\
         printf 'args'; printf ' <%s>' \"$@\"; echo\n\
         echo \"launcher $MCP_TUNNELS_LAUNCHER\"\necho \"stable $MCP_TUNNELS_STABLE\"\necho \"umask $(umask)\"\n\
         echo \"override ${{MCP_TUNNELS_HELPER-none}}\"\necho \"linux ${{MCP_TUNNELS_LINUX_PROGRAM-none}}\"\n\
         echo \"missing ${{MCP_TUNNELS_LINUX_MISSING-none}}\"\n[ \"$1\" != read ] || cat\n"
    )
}

/// An installed copy of the plugin, a home, and a PATH without cargo.
struct Plugin {
    folder: tempfile::TempDir,
}

impl Plugin {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("mcp tunnels' ").tempdir().unwrap();
        let plugin = Self { folder };
        fs::create_dir_all(plugin.root().join("bin")).unwrap();
        fs::create_dir_all(plugin.root().join(".claude-plugin")).unwrap();
        fs::create_dir(plugin.home()).unwrap();
        fs::create_dir(plugin.path()).unwrap();
        fs::copy(root().join("bin/mcp-tunnels-helper"), plugin.launcher()).unwrap();
        chmod(&plugin.launcher(), 0o755);
        fs::copy(root().join(".claude-plugin/plugin.json"), plugin.manifest()).unwrap();
        for tool in [
            "sh", "uname", "tr", "sed", "readlink", "ln", "rm", "mkdir", "mv", "cut", "head", "tail", "cat", "chmod",
            "cp", "sleep",
        ] {
            symlink(posix(tool), plugin.path().join(tool)).unwrap();
        }
        let sums = ["sha256sum", "shasum"].map(|tool| (tool, posix(tool)));
        let (tool, found) = sums.into_iter().find(|(_, found)| found.is_absolute()).expect("a program for SHA-256");
        symlink(found, plugin.path().join(tool)).unwrap();
        if let Some(curl) = which("curl") {
            symlink(curl, plugin.path().join("curl")).unwrap();
        }
        plugin
    }

    /// Whether there is something to download with.
    fn downloads(&self) -> bool {
        let there = self.path().join("curl").exists();
        if !there {
            skip("launcher", "curl is not installed");
        }
        there
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("the plugin")
    }
    fn launcher(&self) -> PathBuf {
        self.root().join("bin/mcp-tunnels-helper")
    }
    fn manifest(&self) -> PathBuf {
        self.root().join(".claude-plugin/plugin.json")
    }
    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }
    fn path(&self) -> PathBuf {
        self.folder.path().join("path")
    }
    fn data(&self) -> PathBuf {
        self.home().join(".cache/mcp-tunnels")
    }
    fn binary(&self, target: &str) -> PathBuf {
        self.data().join(format!("mcp-tunnels-helper-{VERSION}-{target}"))
    }
    /// Puts a program into the data folder, as an earlier run has.
    fn installed(&self, name: &str, version: &str) -> PathBuf {
        fs::create_dir_all(self.data()).unwrap();
        script(&self.data(), name, &standin(version));
        self.data().join(name)
    }

    /// A program on PATH in place of the real one.
    fn fake(&self, name: &str, text: &str) {
        let _ = fs::remove_file(self.path().join(name));
        script(&self.path(), name, text);
    }
    fn machine(&self, name: &str) {
        self.fake("uname", &format!("#!/bin/sh\necho '{name}'\n"));
    }
    fn without(&self, tool: &str) {
        fs::remove_file(self.path().join(tool)).unwrap();
    }

    /// A cargo that counts its builds in `builds`, and makes `program` after `seconds`.
    fn cargo(&self, seconds: &str, program: &str) {
        fs::write(self.folder.path().join("program"), program).unwrap();
        let here = self.folder.path().display().to_string().replace('\'', r"'\''");
        self.fake(
            "cargo",
            &format!(
                "#!/bin/sh\nhere='{here}'\ncat >/dev/null\n\
                 [ \"$1\" != -vV ] || {{ echo 'host: some-host'; exit; }}\n\
                 echo \"$*\" >>\"$here/builds\"\n\
                 while [ $# -gt 0 ]; do [ \"$1\" != --target-dir ] || out=$2; shift; done\n\
                 mkdir -p \"$out/some-host/release\"\n\
                 head -c 40 \"$here/program\" >\"$out/some-host/release/mcp-tunnels-helper\"\n\
                 chmod 755 \"$out/some-host/release/mcp-tunnels-helper\"\nsleep {seconds}\n\
                 cat \"$here/program\" >\"$out/some-host/release/mcp-tunnels-helper\"\n"
            ),
        );
    }
    fn builds(&self) -> usize {
        fs::read_to_string(self.folder.path().join("builds")).map_or(0, |text| text.lines().count())
    }

    /// A release at `server` whose asset for `target` is `body`.
    fn release(&self, server: &Server, target: &str, body: &[u8]) {
        let address = format!("{}/someone/mcp-tunnels", server.url());
        edit(&self.manifest(), "https://github.com/OWNER/mcp-tunnels", &address);
        let sums = format!(
            "{}  mcp-tunnels-helper-9.9.9-{target}\n{}  mcp-tunnels-helper-{VERSION}-{target}\n",
            "0".repeat(64),
            sha256(body)
        );
        fs::write(self.root().join("bin/SHA256SUMS"), sums).unwrap();
    }

    fn command(&self, shell: &[PathBuf]) -> Command {
        let mut command = Command::new(&shell[0]);
        command.args(&shell[1..]).arg(self.launcher());
        self.prepare(&mut command);
        command
    }
    fn prepare(&self, command: &mut Command) {
        command.env_clear().env("PATH", self.path()).env("HOME", self.home()).current_dir(self.home());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    fn run(&self, args: &[&str]) -> Run {
        self.run_in(&shells()[0], args)
    }
    fn run_in(&self, shell: &[PathBuf], args: &[&str]) -> Run {
        Run::of(self.command(shell).args(args).output().unwrap())
    }
}

struct Run {
    code: Option<i32>,
    out: String,
    /// Lines of progress.
    said: Vec<String>,
}

impl Run {
    fn of(out: Output) -> Self {
        // Standard error has progress and nothing else: on a pipe at most a line a minute.
        let said: Vec<String> = String::from_utf8_lossy(&out.stderr).lines().map(str::to_owned).collect();
        assert!(said.iter().all(|line| line.starts_with("mcp-tunnels: ")), "{said:?}");
        Self { code: out.status.code(), out: String::from_utf8(out.stdout).unwrap(), said }
    }
    fn ran(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.out);
        assert!(self.out.starts_with("args"), "{}", self.out);
        self
    }
    /// An error in the form of the helper's own, with this code.
    fn failed(self, code: &str) -> Value {
        assert_eq!(self.code, Some(2), "{}", self.out);
        let answer: Value = serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out));
        assert_eq!(self.out.lines().count(), 1);
        let schema = helper(["schema"]).run().expect(0);
        let faults: Vec<String> = jsonschema::validator_for(&schema.data()["failure"])
            .unwrap()
            .iter_errors(&answer)
            .map(|e| e.to_string())
            .collect();
        assert_eq!(faults, Vec::<String>::new(), "{answer:#}");
        assert_eq!(answer["error"]["code"], code, "{answer:#}");
        answer["error"].clone()
    }
}

/// Nothing is left that could be taken for a helper, and no lock.
fn nothing_trusted(data: &Path) {
    for entry in fs::read_dir(data).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert!(matches!(name.as_str(), "build" | "build.log"), "{name} was left");
    }
}
