//! `bin/mcp-tunnels-helper`: every way to the helper, and what must never be run.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::http::{Reply, Server};
use crate::support::{chmod, edit, folder, helper, plain, script, sha256, skip, which};

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
    if shells.is_empty() { vec![vec![PathBuf::from("sh")]] } else { shells }
}

/// A helper that says what it was handed.
fn standin(version: &str) -> String {
    format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo 'mcp-tunnels-helper {version}'; exit; }}\n\
         printf 'args'; printf ' <%s>' \"$@\"; echo\n\
         echo \"launcher $MCP_TUNNELS_LAUNCHER\"\necho \"stable $MCP_TUNNELS_STABLE\"\necho \"umask $(umask)\"\n\
         echo \"override ${{MCP_TUNNELS_HELPER-none}}\"\n[ \"$1\" != read ] || cat\n"
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
            "cp", "sleep", "curl",
        ] {
            match which(tool) {
                Some(found) => symlink(found, plugin.path().join(tool)).unwrap(),
                None => skip("launcher", &format!("{tool} is not installed")),
            }
        }
        let sums = ["sha256sum", "shasum"].into_iter().find_map(|tool| Some((tool, which(tool)?)));
        let (tool, found) = sums.expect("a program that makes SHA-256 sums");
        symlink(found, plugin.path().join(tool)).unwrap();
        plugin
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
}

impl Run {
    fn of(out: Output) -> Self {
        let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
        // Standard error is no terminal: nothing belongs there.
        assert_eq!(stderr, "");
        Self { code: out.status.code(), out: String::from_utf8(out.stdout).unwrap() }
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

#[test]
fn the_override_comes_first() {
    for shell in shells() {
        let plugin = Plugin::new();
        let own = plugin.home().join("my helper");
        script(&plugin.home(), "my helper", &standin("0.0.0"));
        let run =
            |value: &Path| Run::of(plugin.command(&shell).env("MCP_TUNNELS_HELPER", value).arg("up").output().unwrap());
        let said = run(&own).ran().out;
        assert!(
            said.contains(&format!("launcher {}\n", plugin.launcher().canonicalize().unwrap().display())),
            "{said}"
        );
        assert!(said.contains(&format!("stable {}\n", own.display())) && said.contains("override none"), "{said}");
        assert!(run(Path::new("my helper")).failed("request")["message"].as_str().unwrap().contains("absolute"));
        run(&plugin.home().join("missing")).failed("io");
        run(&plugin.home()).failed("io");
        assert!(!plugin.data().exists(), "nothing was fetched");
        // It points at the launcher itself: not round in circles.
        run(&plugin.launcher()).failed("tool");
    }
}

#[test]
fn a_release_is_fetched_once_for_each_machine() {
    let fakes = |shell: &[PathBuf]| shell.len() == 1;
    let all = shells();
    let pairs = MACHINES.iter().flat_map(|machine| all.iter().map(move |shell| (machine, shell)));
    for ((machine, target), shell) in pairs.filter(|(machine, shell)| fakes(shell) || **machine == HERE) {
        let plugin = Plugin::new();
        plugin.machine(machine);
        let body = standin(VERSION).into_bytes();
        let asset = format!("mcp-tunnels-helper-{VERSION}-{target}");
        let path = format!("/someone/mcp-tunnels/releases/download/v{VERSION}/{asset}");
        let (expected, sent) = (path.clone(), body.clone());
        let server = Server::start(move |asked| match asked {
            // As GitHub does.
            asked if asked == expected => Reply::Moved("/elsewhere".into()),
            "/elsewhere" => Reply::Body(sent.clone()),
            _ => Reply::Missing,
        });
        plugin.release(&server, target, &body);
        for _ in 0..2 {
            plugin.run_in(shell, &["up"]).ran();
        }
        assert_eq!(server.asked(), [path, "/elsewhere".into()]);
        assert_eq!(fs::read(plugin.binary(target)).unwrap(), body);
        let mut left: Vec<String> =
            fs::read_dir(plugin.data()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["mcp-tunnels-helper".to_owned(), asset]);
        assert_eq!(fs::read(plugin.data().join("mcp-tunnels-helper")).unwrap(), body, "the stable name");
        fs::remove_file(plugin.data().join("mcp-tunnels-helper")).unwrap();
        assert!(
            plugin.run_in(shell, &["up"]).ran().out.contains("\nstable \n"),
            "none is handed over that is not there"
        );
    }
}

/// Served as the release's asset for this machine, it is fetched, checked and run by a fresh copy of the plugin.
pub(crate) fn fetches_and_runs(program: &[u8]) {
    let plugin = Plugin::new();
    let body = program.to_vec();
    let server = Server::start(move |_| Reply::Body(body.clone()));
    plugin.release(&server, HERE.1, program);
    for _ in ["fetched", "cached"] {
        let run = plugin.run(&["init"]);
        let answer: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!((run.code, &answer["command"], &answer["status"]), (Some(0), &json!("init"), &json!("ok")));
        let command = answer["next"][1]["command"].as_str().unwrap();
        let launcher = plugin.launcher().canonicalize().unwrap();
        let words = shlex::split(command).unwrap();
        assert_eq!(words[0], launcher.to_str().unwrap(), "what is to be pasted names the launcher");
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_wrong_checksum_stops_and_says_so() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.machine(HERE.0);
        let server = Server::start(|_| Reply::Body(b"<html>please log in</html>".to_vec()));
        plugin.release(&server, HERE.1, b"the real one");
        plugin.cargo("0", &standin(VERSION));
        for _ in 0..2 {
            let error = plugin.run_in(&shell, &["certs", "renew"]).failed("checksum");
            assert!(error["message"].as_str().unwrap().contains(&sha256(b"the real one")), "{error}");
            assert!(error["hint"].as_str().unwrap().contains("firewall"), "{error}");
            nothing_trusted(&plugin.data());
        }
        assert_eq!(plugin.builds(), 0, "it never falls through");
    }
}

#[test]
fn a_download_that_fails_leaves_nothing_and_cargo_builds() {
    for reply in [Reply::Missing, Reply::Cut(standin(VERSION).into_bytes())] {
        let plugin = Plugin::new();
        plugin.machine(HERE.0);
        let answer = reply.clone();
        let server = Server::start(move |_| answer.clone());
        plugin.release(&server, HERE.1, standin(VERSION).as_bytes());
        let error = plugin.run(&["init"]).failed("tool");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("could not be downloaded") && message.contains("no cargo"), "{message}");
        nothing_trusted(&plugin.data());
        plugin.cargo("0", &standin(VERSION));
        plugin.run(&["init"]).ran();
        assert_eq!((plugin.builds(), server.asked().len()), (1, 2));
    }
}

#[test]
fn without_curl_wget_does_and_without_both_cargo() {
    let plugin = Plugin::new();
    plugin.machine(HERE.0);
    let server = Server::start(|_| Reply::Body(standin(VERSION).into_bytes()));
    plugin.release(&server, HERE.1, standin(VERSION).as_bytes());
    plugin.without("curl");
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["message"].as_str().unwrap().contains("neither curl nor wget"), "{error}");
    match which("wget").or_else(|| which("busybox")) {
        Some(wget) => symlink(wget, plugin.path().join("wget")).unwrap(),
        None => return skip("without_curl_wget_does", "neither wget nor busybox is installed"),
    }
    plugin.run(&["init"]).ran();
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn without_a_way_to_check_nothing_is_taken() {
    let plugin = Plugin::new();
    plugin.machine("Darwin arm64");
    let server = Server::start(|_| Reply::Body(standin(VERSION).into_bytes()));
    plugin.release(&server, "aarch64-apple-darwin", standin(VERSION).as_bytes());
    if !plugin.path().join("sha256sum").exists() {
        return skip("without_a_way_to_check", "there is no sha256sum");
    }
    plugin.without("sha256sum");
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["message"].as_str().unwrap().contains("SHA-256"), "{error}");
    nothing_trusted(&plugin.data());
    // macOS has shasum in its place.
    plugin.fake(
        "shasum",
        &format!("#!/bin/sh\n[ \"$*\" = '-a 256' ] && exec {} \"-\"\n", which("sha256sum").unwrap().display()),
    );
    plugin.run(&["init"]).ran();
}

#[test]
fn nothing_is_downloaded_while_the_address_is_a_placeholder() {
    let plugin = Plugin::new();
    plugin.machine(HERE.0);
    let server = Server::start(|_| Reply::Body(standin(VERSION).into_bytes()));
    plugin.release(&server, HERE.1, standin(VERSION).as_bytes());
    edit(&plugin.manifest(), "/someone/", "/OWNER/");
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["message"].as_str().unwrap().contains("no release"), "{error}");
    plugin.cargo("0", &standin(VERSION));
    plugin.run(&["init"]).ran();
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn an_asset_of_another_version_or_machine_is_not_taken() {
    let plugin = Plugin::new();
    plugin.machine("FreeBSD amd64");
    let server = Server::start(|_| Reply::Body(standin(VERSION).into_bytes()));
    plugin.release(&server, HERE.1, standin(VERSION).as_bytes());
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["message"].as_str().unwrap().contains("no binary for FreeBSD amd64"), "{error}");
    plugin.machine(HERE.0);
    edit(&plugin.root().join("bin/SHA256SUMS"), VERSION, "9.9.8");
    plugin.run(&["init"]).failed("tool");
    plugin.machine("MINGW64_NT-10.0 x86_64");
    let error = plugin.run(&["init"]).failed("tool");
    assert!(error["hint"].as_str().unwrap().contains("WSL"), "{error}");
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn what_does_not_answer_as_this_version_is_not_kept() {
    for program in [standin("0.0.7"), "#!/bin/sh\nexit 3\n".into(), "\u{7f}ELF nonsense".into()] {
        let plugin = Plugin::new();
        plugin.cargo("0", &program);
        plugin.run(&["init"]).failed("tool");
        nothing_trusted(&plugin.data());
    }
}

/// Starts it in a process group of its own, kills that whole group as soon as `begun`, and waits for its end.
fn killed(mut command: Command, begun: impl Fn() -> bool) {
    let mut child = command.process_group(0).spawn().unwrap();
    until(begun);
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    child.wait().unwrap();
}

fn until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(30), "it never came to that");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_interrupted_download_is_not_trusted_and_blocks_nobody() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.machine(HERE.0);
        // More than curl keeps to itself before it writes.
        let body = format!("{}{}", standin(VERSION), "# filler\n".repeat(20_000)).into_bytes();
        let stalled = Server::start({
            let body = body.clone();
            move |_| Reply::Stalled(body.clone())
        });
        plugin.release(&stalled, HERE.1, &body);
        let mut command = plugin.command(&shell);
        command.arg("init");
        let half = |entry: fs::DirEntry| {
            entry.file_name().to_string_lossy().contains("-musl.") && entry.metadata().is_ok_and(|m| m.len() > 0)
        };
        killed(command, || fs::read_dir(plugin.data()).is_ok_and(|all| all.flatten().any(half)));
        assert!(!plugin.binary(HERE.1).exists());
        assert!(fs::symlink_metadata(plugin.data().join("lock")).is_ok(), "it was killed with the lock in its hands");
        let good = Server::start({
            let body = body.clone();
            move |_| Reply::Body(body.clone())
        });
        edit(&plugin.manifest(), &stalled.url(), &good.url());
        plugin.run_in(&shell, &["init"]).ran();
        assert_eq!(fs::read(plugin.binary(HERE.1)).unwrap(), body);
        assert!(fs::symlink_metadata(plugin.data().join("lock")).is_err());
    }
}

#[test]
fn an_interrupted_build_is_not_trusted_and_blocks_nobody() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("30", &standin(VERSION));
        let mut command = plugin.command(&shell);
        command.arg("init");
        let half = plugin.data().join("build/some-host/release/mcp-tunnels-helper");
        killed(command, || half.is_file());
        // A build that fails right away: what the first one left must not be run.
        plugin.fake("cargo", "#!/bin/sh\n[ \"$1\" != -vV ] || { echo 'host: some-host'; exit; }\necho 'error: linker `cc` not found' >&2; exit 101\n");
        let error = plugin.run_in(&shell, &["init"]).failed("tool");
        assert!(error["message"].as_str().unwrap().contains("linker `cc` not found"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("build.log"), "{error}");
        nothing_trusted(&plugin.data());
        plugin.cargo("0", &standin(VERSION));
        plugin.run_in(&shell, &["init"]).ran();
        assert!(!plugin.data().join("build").exists(), "hundreds of megabytes are not kept");
    }
}

#[test]
fn a_signal_leaves_no_lock_and_no_half_file() {
    let plugin = Plugin::new();
    plugin.machine(HERE.0);
    let body = standin(VERSION).into_bytes();
    let sent = body.clone();
    let stalled = Server::start(move |_| Reply::Stalled(sent.clone()));
    plugin.release(&stalled, HERE.1, &body);
    let mut child = plugin.command(&shells()[0]).arg("init").process_group(0).spawn().unwrap();
    until(|| !stalled.asked().is_empty());
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::TERM).unwrap();
    assert_ne!(child.wait().unwrap().code(), Some(0));
    let left = fs::read_dir(plugin.data()).unwrap().flatten().map(|e| e.file_name()).collect::<Vec<_>>();
    assert!(left.iter().all(|name| name == "fetch.log"), "{left:?}");
}

#[test]
fn two_at_once_build_once() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("1", &standin(VERSION));
        let start = || -> Child { plugin.command(&shell).arg("init").spawn().unwrap() };
        let both = [start(), start(), start()];
        for child in both {
            Run::of(child.wait_with_output().unwrap()).ran();
        }
        assert_eq!(plugin.builds(), 1);
    }
}

#[test]
fn a_lock_is_waited_for_while_its_process_lives() {
    let plugin = Plugin::new();
    plugin.cargo("0", &standin(VERSION));
    fs::create_dir_all(plugin.data()).unwrap();
    let mut holder = Command::new("sleep").arg("60").spawn().unwrap();
    symlink(holder.id().to_string(), plugin.data().join("lock")).unwrap();
    let child = plugin.command(&shells()[0]).arg("init").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(plugin.builds(), 0);
    holder.kill().unwrap();
    holder.wait().unwrap();
    Run::of(child.wait_with_output().unwrap()).ran();
    assert_eq!(plugin.builds(), 1);
}

#[test]
fn arguments_input_and_umask_arrive_as_they_were() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("0", &standin(VERSION));
        for _ in ["built", "cached"] {
            let mut command = Command::new("sh");
            command.args(["-c", "umask 027; exec \"$@\"", "sh"]).args(&shell).arg(plugin.launcher());
            command.args(["read", "", "two words", "a\nb", "$x `y` \"z\" 'q' \\"]);
            plugin.prepare(&mut command);
            command.stdin(Stdio::piped());
            let mut child = command.spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"from standard input").unwrap();
            let said = Run::of(child.wait_with_output().unwrap()).ran().out;
            assert!(said.starts_with("args <read> <> <two words> <a\nb> <$x `y` \"z\" 'q' \\>\n"), "{said}");
            assert!(said.contains("umask 0027") && said.ends_with("from standard input"), "{said}");
        }
    }
}

#[test]
fn it_finds_itself_however_it_is_called() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("0", &standin(VERSION));
        let real = plugin.launcher().canonicalize().unwrap();
        let expect = |command: &mut Command| {
            plugin.prepare(command);
            let said = Run::of(command.arg("up").output().unwrap()).ran().out;
            assert!(said.contains(&format!("launcher {}\n", real.display())), "{said}");
        };
        expect(Command::new(&shell[0]).args(&shell[1..]).arg(plugin.launcher()));
        expect(&mut Command::new(plugin.launcher()));
        // Links, relative and absolute, one behind the other, through a folder that is a link itself.
        let far = plugin.home().join("bin");
        fs::create_dir(&far).unwrap();
        symlink("../../the plugin/bin/mcp-tunnels-helper", far.join("one")).unwrap();
        symlink(far.join("one"), plugin.home().join("two")).unwrap();
        symlink(&far, plugin.folder.path().join("deep")).unwrap();
        fs::create_dir(plugin.folder.path().join("other")).unwrap();
        for link in [plugin.home().join("two"), plugin.folder.path().join("deep/one")] {
            expect(Command::new(&shell[0]).args(&shell[1..]).arg(link));
        }
        // From its own folder, by its bare name, and from PATH.
        let mut bare = Command::new(&shell[0]);
        bare.args(&shell[1..]).arg("mcp-tunnels-helper");
        plugin.prepare(&mut bare);
        let said = Run::of(bare.arg("up").current_dir(real.parent().unwrap()).output().unwrap()).ran().out;
        assert!(said.contains(&format!("launcher {}\n", real.display())), "{said}");
        let mut path = Command::new("sh");
        plugin.prepare(&mut path);
        let folders = std::env::join_paths([plugin.path(), plugin.root().join("bin")]).unwrap();
        let said = Run::of(path.args(["-c", "mcp-tunnels-helper up"]).env("PATH", folders).output().unwrap()).ran().out;
        assert!(said.contains(&format!("launcher {}\n", real.display())), "{said}");
        // A copy without execute bits: what is to be pasted names the program itself.
        chmod(&plugin.launcher(), 0o644);
        let said = plugin.run_in(&shell, &["up"]).ran().out;
        let line = said.lines().find_map(|l| l.strip_prefix("launcher ")).unwrap();
        assert!(line.contains(&format!("mcp-tunnels-helper-{VERSION}-")) && Path::new(line).is_file(), "{said}");
    }
}

#[test]
fn the_data_folder_is_where_claude_code_keeps_it() {
    let plugin = Plugin::new();
    plugin.cargo("0", &standin(VERSION));
    let at = |command: &mut Command| {
        let said = Run::of(command.arg("up").output().unwrap()).ran().out;
        let stable = said.lines().find_map(|l| l.strip_prefix("stable ")).unwrap().to_owned();
        assert!(Path::new(&stable).is_file(), "{stable}");
        PathBuf::from(stable).parent().unwrap().to_path_buf()
    };
    let shell = &shells()[0];
    let given = plugin.home().join("given data");
    assert_eq!(at(plugin.command(shell).env("CLAUDE_PLUGIN_DATA", &given)), given);
    assert_eq!(at(&mut plugin.command(shell)), plugin.data());
    let xdg = plugin.home().join("xdg");
    assert_eq!(at(plugin.command(shell).env("XDG_CACHE_HOME", &xdg)), xdg.join("mcp-tunnels"));
    // As installed from a marketplace.
    let claude = plugin.home().canonicalize().unwrap().join(".claude/plugins");
    let installed = claude.join("cache/some-market/mcp-tunnels").join(VERSION);
    fs::create_dir_all(installed.parent().unwrap()).unwrap();
    fs::rename(plugin.root(), &installed).unwrap();
    let mut command = Command::new(installed.join("bin/mcp-tunnels-helper"));
    plugin.prepare(&mut command);
    assert_eq!(at(&mut command), claude.join("data/mcp-tunnels-some-market"));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let plugin = Plugin::new();
    plugin.cargo("0", &standin(VERSION));
    let shell = &shells()[0];
    fs::write(plugin.home().join("a \"file\\"), "").unwrap();
    let data = plugin.home().join("a \"file\\/data");
    let error =
        Run::of(plugin.command(shell).env("CLAUDE_PLUGIN_DATA", &data).arg("up").output().unwrap()).failed("io");
    assert!(error["message"].as_str().unwrap().contains(&data.display().to_string()), "{error}");
    let error = Run::of(plugin.command(shell).env_remove("HOME").output().unwrap()).failed("io");
    assert!(error["message"].as_str().unwrap().contains("HOME"), "{error}");
    fs::remove_file(plugin.manifest()).unwrap();
    plugin.run(&["up"]).failed("io");
}

#[test]
fn an_error_names_the_command_and_nothing_else_that_was_typed() {
    let plugin = Plugin::new();
    let schema = helper(["schema"]).run().expect(0);
    for name in schema.data()["commands"].as_object().unwrap().keys() {
        let words: Vec<&str> = name.split(' ').collect();
        let run = plugin.run(&[&words[..], &["eyJhIjoi", "--dir", "x"]].concat());
        let answer: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(answer["command"], json!(name));
        assert!(!run.out.contains("eyJ"), "{}", run.out);
    }
    let run = plugin.run(&["eyJhIjoi", "init"]);
    assert!(!run.out.contains("eyJ"), "{}", run.out);
    run.failed("tool");
}

/// The real cargo with the launcher's own arguments, on a crate that is built in a second.
#[test]
fn cargo_builds_it_whatever_its_configuration_says() {
    let Some(cargo) = which("cargo") else { return skip("cargo_builds_it", "cargo is not installed") };
    let plugin = Plugin::new();
    symlink(cargo, plugin.path().join("cargo")).unwrap();
    let manifest = format!(
        "[package]\nname = \"mcp-tunnels-helper\"\nversion = \"{VERSION}\"\nedition = \"2024\"\n[[bin]]\nname = \"mcp-tunnels-helper\"\npath = \"main.rs\"\n"
    );
    fs::write(plugin.root().join("Cargo.toml"), manifest).unwrap();
    let lock = format!("version = 4\n\n[[package]]\nname = \"mcp-tunnels-helper\"\nversion = \"{VERSION}\"\n");
    fs::write(plugin.root().join("Cargo.lock"), lock).unwrap();
    let main = "fn main() { match std::env::args().nth(1).as_deref() { Some(\"--version\") => println!(\"mcp-tunnels-helper {}\", env!(\"CARGO_PKG_VERSION\")), _ => println!(\"args built\") } }";
    fs::write(plugin.root().join("main.rs"), main).unwrap();
    let run = |name: &str, value: &str| {
        let mut command = plugin.command(&shells()[0]);
        // The compiler and what it needs are this machine's.
        let own = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(plugin.path()).chain(std::env::split_paths(&own))).unwrap();
        command.env("PATH", path);
        for name in ["HOME", "RUSTUP_HOME", "CARGO_HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("CLAUDE_PLUGIN_DATA", plugin.data()).env(name, value).arg("up");
        Run::of(command.output().unwrap())
    };
    run("CARGO_BUILD_TARGET", "no-such-target").ran();
    fs::remove_dir_all(plugin.data()).unwrap();
    run("CARGO_TARGET_DIR", "/nonexistent/target").ran();
    // A lock file that would have to change is refused, not changed.
    fs::remove_dir_all(plugin.data()).unwrap();
    fs::write(plugin.root().join("Cargo.lock"), "version = 4\n").unwrap();
    let error = run("CARGO_TARGET_DIR", "").failed("tool");
    assert!(error["message"].as_str().unwrap().contains("lock file"), "{error}");
}

/// What a timer runs for months is not in a folder that goes with the next update.
#[test]
fn what_is_scheduled_survives_an_update() {
    let parent = folder();
    let dir = crate::support::deployment(parent.path());
    let renew = helper(["certs", "renew"])
        .dir(&dir)
        .env("MCP_TUNNELS_LAUNCHER", "/cache/0.1.0/bin/mcp-tunnels-helper")
        .env("MCP_TUNNELS_STABLE", "/data/mcp-tunnels-helper")
        .json(json!({"force": true}))
        .run()
        .expect(0);
    let commands: Vec<&str> =
        renew.json["next"].as_array().unwrap().iter().filter_map(|n| n["command"].as_str()).collect();
    assert!(commands.len() > 1, "{commands:?}");
    for command in commands {
        assert!(command.contains("/data/mcp-tunnels-helper certs renew") && !command.contains("/cache/"), "{command}");
    }
    // Without a launcher the program itself is named.
    let out = plain(parent.path()).args(["certs", "renew", "--dir"]).arg(&dir).output().unwrap();
    assert!(String::from_utf8(out.stdout).unwrap().contains(env!("CARGO_BIN_EXE_mcp-tunnels-helper")));
}
