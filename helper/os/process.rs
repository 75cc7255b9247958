//! Runs a child program: in an environment that is made for it, within a limit in time, and nothing of it left behind.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::redact;

/// Longest output that is kept of one run, in bytes.
const KEEP: usize = 8 << 20;

/// How much of either end of an output is looked at as text, in bytes.
const END: usize = 64 << 10;

/// The absolute entries of a search path: a relative or empty one would run programs of the current directory.
fn absolute(path: &OsStr) -> OsString {
    let entries = std::env::split_paths(path).filter(|entry| entry.is_absolute());
    std::env::join_paths(entries).unwrap_or_default()
}

/// The search path of every child: the absolute entries of this process's.
fn search_path() -> OsString {
    std::env::var_os("PATH").map(|path| absolute(&path)).unwrap_or_default()
}

/// Where a program is, in an absolute entry of PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = search_path();
    // An empty list of entries would be the current directory.
    (!path.is_empty()).then(|| which::which_in(program, Some(path), "/").ok())?
}

/// Variables of this process that have one of these names, as far as they are set.
pub(crate) fn inherited(names: &[&str]) -> Vec<(OsString, OsString)> {
    names.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect()
}

/// A child with pipes for both outputs, nothing to read, its own process group, and an environment of three
/// variables: PATH, HOME and the locale. No token or key that the calling shell exports reaches it.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", search_path()).envs(inherited(&["HOME"]));
    // Texts are matched, so they must be the ones that were catalogued.
    command.env("LC_ALL", "C");
    // Its own group: what it starts must go with it when time is up.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// Whether the exit code was 0.
    pub(crate) success: bool,
    /// The exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    /// Standard error, as text: the lines at its two ends.
    pub(crate) stderr: String,
    /// Whether it was stopped because it took too long.
    pub(crate) timed_out: bool,
}

impl Output {
    /// Both streams as one text, for what docker prints to either; of a long one the first and the last lines.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.stderr, ends(&self.stdout))
    }
}

/// What a child reads on its standard input.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    /// Whether the pipe stays open behind them until the child ends.
    pub(crate) held: bool,
}

/// The whole lines in the first and in the last [`END`] bytes of an output: hundreds of patterns are looked for in it, and
/// a program reports its failure at one end.
fn ends(bytes: &[u8]) -> String {
    let Some(rest) = bytes.len().checked_sub(2 * END).map(|_| &bytes[bytes.len() - END..]) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let head = &bytes[..END];
    let head = head.iter().rposition(|byte| *byte == b'\n').map_or(head, |at| &head[..=at]);
    let tail = rest.iter().position(|byte| *byte == b'\n').map_or(&[][..], |at| &rest[at + 1..]);
    String::from_utf8_lossy(&[head, tail].concat()).into_owned()
}

/// Runs a command whose outputs are pipes; with `show` standard error also goes to ours. When time is up, the child and
/// everything that it started is killed, as far as it can be found.
pub(crate) fn run(command: Command, limit: Duration, show: bool) -> io::Result<Output> {
    run_fed(command, None, limit, show)
}

/// The same for a command that reads.
pub(crate) fn run_fed(mut command: Command, input: Option<Input>, limit: Duration, show: bool) -> io::Result<Output> {
    let deadline = Instant::now() + limit;
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn()?;
    let (done, finished) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let mut readers = Ok(());
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        readers = spawn(move || {
            // A child that ends without reading says why in its own words.
            let _ = stdin.write_all(&input.bytes);
            if input.held {
                let _ = released.recv();
            }
        });
    }
    if let Some(stream) = child.stdout.take() {
        let done = done.clone();
        readers = readers.and_then(|()| spawn(move || done.send((true, collect(stream, false)))));
    }
    if let Some(stream) = child.stderr.take() {
        readers = readers.and_then(|()| spawn(move || done.send((false, collect(stream, show)))));
    }
    if let Err(error) = readers {
        end(&mut child, deadline, &mut true);
        return Err(error);
    }
    let mut output = Output::default();
    for _ in 0..2 {
        match finished.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((true, bytes)) => output.stdout = bytes,
            Ok((false, bytes)) => output.stderr = ends(&bytes),
            Err(_) => {
                output.timed_out = true;
                break;
            }
        }
    }
    output.code = end(&mut child, deadline, &mut output.timed_out);
    drop(release);
    output.success = output.code == Some(0) && !output.timed_out;
    Ok(output)
}

/// Starts a thread.
///
/// # Errors
/// When the system has none left: a limit of processes (`RLIMIT_NPROC`) or of memory.
pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(work).map(drop).map_err(|e| {
        let why = e.to_string();
        let why = why.split(" (os error").next().unwrap_or_default();
        io::Error::new(e.kind(), format!("the system has no threads left ({why}); see `ulimit -u` and `ulimit -v`"))
    })
}

/// Does two things at once; one after the other where the system has no thread left.
pub(crate) fn both<A: Send, B>(first: impl Fn() -> A + Sync, second: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, &first);
        let second = second();
        let first = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => first(),
        };
        (first, second)
    })
}

/// Waits for the child until the deadline, then ends it with everything that it started. Returns its exit code, if it
/// ended by itself.
pub(crate) fn end(child: &mut Child, deadline: Instant, timed_out: &mut bool) -> Option<i32> {
    loop {
        if *timed_out {
            // Also when the child itself has gone: what still holds its pipes is in its group, or below it.
            kill_all(child);
            let _ = child.wait();
            return None;
        }
        match child.try_wait() {
            Ok(Some(status)) => return status.code(),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) => *timed_out = true,
            Err(_) => return None,
        }
    }
}

fn kill_all(child: &mut Child) {
    if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A client that opens its own session for a helper (docker does for ssh) takes it out of the group.
        let below = descendants(id);
        // Fails for a child in the caller's group, which is then ended alone.
        let _ = kill_process_group(id, Signal::KILL);
        for id in below {
            let _ = kill_process(id, Signal::KILL);
        }
    }
    let _ = child.kill();
}

/// Kills everything below this process: what was orphaned stays below it once it is a subreaper (Linux).
pub(crate) fn sweep() {
    // A process that forks faster than this would be a fork bomb.
    for _ in 0..5 {
        let below = descendants(rustix::process::getpid());
        if below.is_empty() {
            return;
        }
        for id in &below {
            let _ = kill_process(*id, Signal::KILL);
        }
        thread::sleep(Duration::from_millis(2));
        while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
    }
}

/// Lets orphans of its children fall to this process instead of to init, so that [`sweep`] finds them.
pub(crate) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Processes below one, as `/proc` shows them; none where there is no `/proc`.
fn descendants(root: Pid) -> Vec<Pid> {
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let below = children(found[at]);
        found.extend(below.into_iter().filter(|id| !found.contains(id)).collect::<Vec<_>>());
        at += 1;
    }
    found.remove(0);
    found
}

/// Children of one process. The kernel lists them for each thread (proc_pid_task(5)), which is much faster than reading
/// about every process on the machine.
fn children(parent: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero()));
    let lists = threads.into_iter().flatten().flatten().map(|thread| thread.path().join("children"));
    let texts = lists.filter_map(|list| std::fs::read_to_string(list).ok());
    texts
        .flat_map(|text| text.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect::<Vec<_>>())
        .collect()
}

fn collect(mut stream: impl Read, show: bool) -> Vec<u8> {
    let mut kept = Vec::new();
    if show {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            // Compose quotes `.env` in one of its errors. A closed terminal is not an error.
            let _ = writeln!(io::stderr(), "{}", redact::foreign(String::from_utf8_lossy(&line).trim_end()));
            if kept.len() < KEEP {
                kept.extend_from_slice(&line);
            }
            line.clear();
        }
    } else {
        let mut chunk = [0; 16 << 10];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                // Read on beyond the limit: a full pipe would hang the child.
                Ok(n) if kept.len() < KEEP => kept.extend_from_slice(&chunk[..n]),
                Ok(_) => {}
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_the_whole_lines_at_both_ends_are_looked_at() {
        assert_eq!(ends(b"short\ntext"), "short\ntext");
        let long: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
        let seen = ends(long.as_bytes());
        assert!(seen.len() <= 2 * END && seen.starts_with("line 0\n") && seen.ends_with("line 99999\n"));
        let number = |line: &str| {
            line.strip_prefix("line ").is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n.to_string() == line[5..]))
        };
        assert!(seen.lines().all(number));
        // A single line begins where it begins.
        let one = format!("begin{}", "x".repeat(9 * END));
        assert!(ends(one.as_bytes()).starts_with("begin") && ends(one.as_bytes()).len() == END);
    }

    #[test]
    fn only_absolute_entries_of_a_search_path_are_kept() {
        for (path, kept) in
            [("/usr/bin:/bin", "/usr/bin:/bin"), (".:/usr/bin::bin:../x:/bin:", "/usr/bin:/bin"), (".", ""), ("", "")]
        {
            assert_eq!(absolute(OsStr::new(path)), OsStr::new(kept), "{path}");
        }
    }

    #[test]
    fn a_child_gets_three_variables() {
        let output = run(command(Path::new("/usr/bin/env")), Duration::from_secs(10), false).unwrap();
        let names: Vec<String> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| line.split('=').next().unwrap_or_default().to_owned())
            .collect();
        assert!(names.iter().all(|name| ["PATH", "HOME", "LC_ALL"].contains(&name.as_str())), "{names:?}");
        assert!(names.iter().any(|name| name == "PATH"), "{names:?}");
    }
}
