//! Runs a child program: a limit in time, and nothing of it left behind.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::answer::redact;

/// Longest output that is kept of one run, in bytes.
const KEEP: usize = 8 << 20;

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// Whether the exit code was 0.
    pub(crate) success: bool,
    /// The exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Standard error, as text.
    pub(crate) stderr: String,
    /// Whether it was stopped because it took too long.
    pub(crate) timed_out: bool,
}

impl Output {
    /// Both streams as one text, for what docker prints to either.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.stderr, String::from_utf8_lossy(&self.stdout))
    }
}

/// Runs a command whose outputs are pipes; with `show` standard error also goes to ours. When time is up, the child and
/// everything that it started is killed, as far as it can be found.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn run(mut command: Command, limit: Duration, show: bool) -> io::Result<Output> {
    let deadline = Instant::now() + limit;
    let mut child = command.spawn()?;
    let (done, finished) = mpsc::channel();
    if let Some(stream) = child.stdout.take() {
        let done = done.clone();
        std::thread::spawn(move || done.send((true, collect(stream, false))));
    }
    if let Some(stream) = child.stderr.take() {
        std::thread::spawn(move || done.send((false, collect(stream, show))));
    }
    let mut output = Output::default();
    for _ in 0..2 {
        match finished.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((true, bytes)) => output.stdout = bytes,
            Ok((false, bytes)) => output.stderr = String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => {
                output.timed_out = true;
                break;
            }
        }
    }
    output.code = end(&mut child, deadline, &mut output.timed_out);
    output.success = output.code == Some(0) && !output.timed_out;
    Ok(output)
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
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) => *timed_out = true,
            Err(_) => return None,
        }
    }
}

fn kill_all(child: &mut Child) {
    if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A client that opens a session of its own for a helper (docker does for ssh) takes it out of the group.
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
        std::thread::sleep(Duration::from_millis(2));
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
            // Compose quotes `.env` in one of its errors.
            eprint!("{}", redact::redact(&String::from_utf8_lossy(&line)));
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
