//! Every command in every hostile surrounding: what is in a file's place, what the process was given. The
//! commands are those of `schema`, so that a new one is among them by itself.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use super::campaign::{chosen, each};
use crate::support::{DOMAIN, Laid, deployment, folder, helper, is_root, plain, posix, snapshot, token, tree, which};

/// What no answer may show: it is in files outside of the directory, or comes from a docker that talks.
pub(super) const CANARY: &str = "hunter2-canary-elsewhere";

/// Longest answer, in bytes, of a command that is not made to print much.
const LONGEST: usize = 64_000;

/// Everything that a command reads or writes, folders first.
const PLACES: [&str; 16] = [
    "data",
    "config",
    "hello-mcp",
    ".env",
    ".gitignore",
    "config/mcp-gateway.yaml",
    "docker-compose.yaml",
    "docker-compose.override.yaml",
    "replica.json",
    "data/ca.crt",
    "data/ca.key",
    "data/tls.crt",
    "data/tls.key",
    "data/ca-next.key",
    "hello-mcp/server.py",
    "hello-mcp/Dockerfile",
];

/// Every command with a request with which it goes as far as it can; a new one is asked for nothing.
pub(super) fn commands(parent: &Path) -> Vec<(String, Value)> {
    let schema = helper(["schema"]).run().expect(0);
    let names: Vec<String> = schema.data()["commands"].as_object().unwrap().keys().cloned().collect();
    let with_request = |name: String| {
        let request = match name.as_str() {
            "init" => json!({"domain": DOMAIN, "sample": true}),
            "render" => json!({"profile": "hardened", "log_level": "warn"}),
            "certs renew" => json!({"force": true}),
            "certs rotate-ca" => json!({"step": "begin"}),
            "diagnose" => json!({"bundle": parent.join("support.tar.gz")}),
            "export" => json!({"to": "replica", "out": parent.join("replica.tar.gz")}),
            "preflight" => json!({"offline": true, "timeout_ms": 300}),
            "up" | "status" => json!({"wait_seconds": 1}),
            _ => json!({}),
        };
        (name, request)
    };
    names.into_iter().map(with_request).collect()
}

/// How a run ended.
pub(super) struct End {
    pub(super) code: i32,
    stdout: String,
}

/// Runs a command within its time, in a group of its own; nothing of it is left afterwards.
pub(super) fn end(mut command: Command, limit: Duration, what: &str) -> End {
    use std::os::unix::process::CommandExt;
    let input = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut &input, token("another").as_bytes()).unwrap();
    std::io::Seek::rewind(&mut &input).unwrap();
    let output = tempfile::NamedTempFile::new().unwrap();
    command.stdin(input).stdout(output.reopen().unwrap()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > limit {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            panic!("{what}: it was not done within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let stdout = std::fs::read_to_string(output.path()).unwrap();
    End { code: status.code().unwrap_or_else(|| panic!("{what}: {status:?}")), stdout }
}

/// What holds for every answer, and the answer.
pub(super) fn answer(end: &End, name: &str, what: &str) -> Value {
    let line = end.stdout.lines().last().unwrap_or_default();
    let answer: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{what}: {e}: {:?}", end.stdout));
    assert!((0..=2).contains(&end.code), "{what}: {}", end.code);
    assert_ne!(answer["error"]["code"], "internal", "{what}: {answer}");
    assert!(!end.stdout.contains(CANARY), "{what}: {answer}");
    let is_long = ["rules", "schema", "logs"].contains(&name);
    assert!(is_long || end.stdout.len() < LONGEST, "{what}: {} bytes", end.stdout.len());
    answer
}

/// A call of a command on a directory, where docker is in `bin` or nowhere.
pub(super) fn call(name: &str, request: &Value, dir: &Path, bin: Option<&Path>) -> Command {
    let mut command = plain(dir.parent().unwrap());
    command.env("PATH", bin.unwrap_or(Path::new("/nonexistent")));
    if name != "token set" {
        command.arg("--json").arg(request.to_string());
    }
    command.args(name.split(' ')).arg("--dir").arg(dir);
    command
}

/// No temporary file, no empty file, no answer in a file.
pub(super) fn nothing_is_left(dir: &Path, what: &str) {
    for (path, _, content) in snapshot(dir) {
        assert!(!path.to_string_lossy().ends_with(".tmp"), "{what}: {} is left over", path.display());
        assert!(path.is_dir() || !content.is_empty(), "{what}: {} is empty", path.display());
        assert!(!content.starts_with(b"{\"schema\":1,"), "{what}: an answer is in {}", path.display());
    }
}

/// Gives a folder and all that is in it to a user.
pub(super) fn own(folder: &Path, user: u32) {
    for path in snapshot(folder).into_iter().map(|(path, ..)| path).chain([folder.to_path_buf()]) {
        std::os::unix::fs::lchown(path, Some(user), Some(user)).unwrap();
    }
}

/// What can stand in the place of a file or a folder. `outside` holds a file and a folder that nothing may touch.
const KINDS: [&str; 8] =
    ["link to a file", "link to a folder", "link to nothing", "hard link", "pipe", "device", "socket", "folder"];

fn plant(kind: &str, at: &Path, outside: &Path) -> bool {
    match kind {
        "link to a file" => symlink(outside.join("file"), at).unwrap(),
        "link to a folder" => symlink(outside.join("folder"), at).unwrap(),
        "link to nothing" => symlink(outside.join("nothing"), at).unwrap(),
        "hard link" => std::fs::hard_link(outside.join("own"), at).unwrap(),
        "pipe" => assert!(Command::new(posix("mkfifo")).arg(at).status().unwrap().success()),
        "device" => {
            let made = Command::new(posix("mknod")).arg(at).args(["c", "1", "5"]).stderr(Stdio::null()).status();
            return is_root() && made.unwrap().success();
        }
        "socket" => return UnixListener::bind(at).is_ok(),
        "folder" => std::fs::create_dir_all(at.join("full")).unwrap(),
        other => panic!("{other}"),
    }
    true
}

/// A short path, because that of a socket is at most 108 bytes.
fn outside(parent: &Path) -> PathBuf {
    let outside = parent.join("outside");
    std::fs::create_dir_all(outside.join("folder")).unwrap();
    // A second name makes it a file of the directory, of which a diff may show what it replaces.
    std::fs::write(outside.join("own"), "own: [own\n").unwrap();
    for file in
        ["file", "folder/mcp-gateway.yaml", "folder/ca.crt", "folder/tls.crt", "folder/ca.key", "folder/server.py"]
    {
        std::fs::write(outside.join(file), format!("{CANARY}: [{CANARY}\nTUNNEL_DOMAIN={CANARY}\n")).unwrap();
    }
    outside
}

#[test]
fn whatever_stands_in_the_place_of_a_file() {
    let parent = folder();
    let commands = commands(parent.path());
    let mut cases = Vec::new();
    for place in PLACES {
        for kind in KINDS {
            cases.extend(commands.iter().map(|(name, request)| (place, kind, name, request)));
        }
    }
    deployment(parent.path());
    let ready = Laid::of(parent.path());
    each(&chosen("whatever_stands_in_the_place_of_a_file", cases), |(place, kind, name, request)| {
        let parent = folder();
        let (dir, outside) = (ready.lay_out(parent.path()), outside(parent.path()));
        let at = dir.join(place);
        let _ = if at.is_dir() { std::fs::rename(&at, parent.path().join("aside")) } else { std::fs::remove_file(&at) };
        if !plant(kind, &at, &outside) {
            return;
        }
        let what = format!("{kind} as {place}, {name}");
        let before = (snapshot(&outside), at.symlink_metadata().unwrap().file_type());
        let said = answer(&end(call(name, request, &dir, None), Duration::from_secs(60), &what), name, &what);
        assert_eq!(snapshot(&outside), before.0, "{what}: {said}");
        // A second name of a file is the person's own file: it is read, and replaced by a new one.
        assert!(*kind == "hard link" || at.symlink_metadata().unwrap().file_type() == before.1, "{what}: {said}");
        // What is not as it should be is never called fine by what looks at all of it.
        let needed = [
            "data",
            "config",
            ".env",
            "config/mcp-gateway.yaml",
            "docker-compose.yaml",
            "data/ca.crt",
            "data/tls.crt",
            "data/tls.key",
        ];
        let normal = needed.contains(place);
        assert!(*name != "check" || !normal || said["findings"] != json!([]), "{what}: {said}");
    });
}

#[test]
fn what_is_no_folder_holds_no_keys() {
    for kind in ["pipe", "socket", "device", "link to a folder", "link to a file"] {
        let parent = folder();
        let (dir, outside) = (deployment(parent.path()), outside(parent.path()));
        std::fs::rename(dir.join("data"), parent.path().join("aside")).unwrap();
        if !plant(kind, &dir.join("data"), &outside) {
            continue;
        }
        for name in ["certs rotate-ca", "certs check", "certs issue", "certs renew", "check", "init"] {
            let said = helper(name.split(' ')).dir(&dir).path(&[]).changes_nothing().bounded().run();
            assert!(said.code != 0, "{kind} as data, {name}: {:#}", said.json);
        }
    }
}

/// What a process can be given.
const GIVEN: [(&str, &str); 15] = [
    ("umask 000", "umask 000"),
    ("umask 777", "umask 777"),
    ("no standard input", "exec <&-"),
    ("no standard error", "exec 2>&-"),
    ("no standard output", "exec >&-"),
    ("no descriptor but the output", "exec <&- 2>&-"),
    ("no home", "unset HOME"),
    ("a home that does not exist", "HOME=nowhere; export HOME"),
    ("nothing in the environment", "unset HOME PATH LC_ALL"),
    ("sixteen files", "ulimit -n 16"),
    ("eight files", "ulimit -n 8"),
    ("no large file", "trap '' XFSZ; ulimit -f 0"),
    ("a small stack", "ulimit -s 256"),
    ("little memory", "ulimit -v 65536"),
    (ALONE, "ulimit -u 1 2>&- || ulimit -p 1"),
];

/// Root is not counted, so it becomes another user for this.
const ALONE: &str = "no process but its own";

#[test]
fn whatever_the_process_was_given() {
    let parent = folder();
    let commands = commands(parent.path());
    let mut cases = Vec::new();
    for given in GIVEN {
        cases.extend(commands.iter().map(|(name, request)| (given, name, request)));
    }
    deployment(parent.path());
    let ready = Laid::of(parent.path());
    each(&chosen("whatever_the_process_was_given", cases), |((given, shell), name, request)| {
        let parent = folder();
        let dir = ready.lay_out(parent.path());
        let keys =
            || snapshot(&dir.join("data")).into_iter().filter(|(path, ..)| path.to_string_lossy().ends_with(".key"));
        let (before, what) = (keys().collect::<Vec<_>>(), format!("{given}, {name}"));
        let inner = call(name, request, &dir, None);
        let mut command = Command::new(posix("sh"));
        command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]);
        let mut program = inner.get_program().into();
        if *given == ALONE && is_root() {
            let Some(own) = as_another(&mut command, parent.path(), &inner) else { return };
            program = own;
        }
        command.arg(program).args(inner.get_args());
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let end = end(command.current_dir_of(&inner), Duration::from_secs(60), &what);
        // With nowhere to write an answer to, or too little to start, no answer comes.
        let is_silent = ["no large file", "no standard output"].contains(given);
        if !(is_silent || *given == "little memory" && end.stdout.is_empty()) {
            answer(&end, name, &what);
        }
        assert!((0..=2).contains(&end.code) || end.stdout.is_empty(), "{what}: {}", end.code);
        let after = keys().collect::<Vec<_>>();
        assert!(before.iter().all(|key| after.contains(key)), "{what}: a key is gone");
        nothing_is_left(&dir, &what);
        helper(["certs", "check"]).dir(&dir).path(&[]).run().expect(0);
    });
}

/// Has a shell of root's become another user, whose the folder is from then on, and gives back the program in it, which
/// that user can reach. No two runs have the same one, because a user's processes are counted together. `None` where
/// there is no setpriv.
fn as_another(shell: &mut Command, folder: &Path, inner: &Command) -> Option<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let setpriv = which("setpriv")?;
    let user = 400_000_000 + std::process::id() % 100_000 * 1000 + NEXT.fetch_add(1, Ordering::Relaxed) % 1000;
    own(folder, user);
    let script: Vec<_> = shell.get_args().map(ToOwned::to_owned).collect();
    let user = user.to_string();
    *shell = Command::new(setpriv);
    shell.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(posix("sh")).args(script);
    let program = folder.join("program");
    let linked = std::fs::hard_link(inner.get_program(), &program);
    linked.or_else(|_| std::fs::copy(inner.get_program(), &program).map(drop)).unwrap();
    Some(program)
}

trait WithFolder {
    fn current_dir_of(self, other: &Command) -> Self;
}

impl WithFolder for Command {
    fn current_dir_of(mut self, other: &Command) -> Self {
        self.current_dir(other.get_current_dir().unwrap());
        self
    }
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    let of = |umask: &str| {
        let parent = folder();
        // A folder of the person's own, above the directory, is made as they would make it.
        let dir = parent.path().join("above/mcp-tunnel");
        let line = format!("umask {umask}; exec \"$0\" \"$@\"");
        let init = helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true}));
        init.under(&["sh", "-c", &line]).path(&[]).run().expect(0);
        let set = helper(["token", "set"]).dir(&dir).stdin(token("healthy"));
        set.under(&["sh", "-c", &line]).path(&[]).run().expect(0);
        let render = helper(["render"]).dir(&dir).json(json!({"log_level": "debug"}));
        render.under(&["sh", "-c", &line]).path(&[]).run().expect(0);
        (tree(&dir), crate::support::mode(&parent.path().join("above")))
    };
    let usual = of("022");
    assert_eq!(usual.1, 0o755);
    for (umask, above) in [("000", 0o755), ("077", 0o700), ("027", 0o750)] {
        let (files, of_parent) = of(umask);
        assert_eq!((files, of_parent), (usual.0.clone(), above), "umask {umask}");
    }
    // Nothing can be made in a folder that cannot be entered.
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let init = helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true}));
    init.under(&["sh", "-c", "umask 777; exec \"$0\" \"$@\""]).path(&[]).run().expect(0);
    let token = helper(["token", "set"]).dir(&dir).stdin(token("healthy"));
    token.under(&["sh", "-c", "umask 777; exec \"$0\" \"$@\""]).path(&[]).run().expect(0);
    assert_eq!(tree(&dir), usual.0);
}
