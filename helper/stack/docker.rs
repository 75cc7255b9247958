//! Runs the docker client: fixed arguments, a clean environment, a limit in time, nothing left behind.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::answer::Error;
use crate::child;
pub(crate) use crate::child::Output;

/// Variables that would make Compose look at other files, another project or another token than a shell without them.
const DROPPED: [&str; 11] = [
    "COMPOSE_DISABLE_ENV_FILE",
    "COMPOSE_ENV_FILES",
    "COMPOSE_FILE",
    "COMPOSE_IGNORE_ORPHANS",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_PROFILES",
    "COMPOSE_PROJECT_NAME",
    "COMPOSE_REMOVE_ORPHANS",
    "COMPOSE_STATUS_STDOUT",
    "TUNNEL_DOMAIN",
    "TUNNEL_TOKEN",
];

/// Without these the client finds neither its plugins nor its configuration.
const ALWAYS_KEPT: [&str; 6] = ["HOME", "LANG", "LOGNAME", "PATH", "TMPDIR", "USER"];

/// A docker client, and where it works.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    program: PathBuf,
    folder: PathBuf,
    dropped: BTreeSet<String>,
    progress: bool,
}

impl Docker {
    /// Finds docker on PATH; `None` when there is none.
    pub(crate) fn find(folder: &Path, variables: BTreeSet<String>, progress: bool) -> Option<Self> {
        let program = which::which("docker").ok()?;
        Some(Self { program, folder: folder.to_path_buf(), dropped: variables, progress })
    }

    /// Where the client is.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(&self.folder);
        for name in DROPPED {
            command.env_remove(name);
        }
        for name in &self.dropped {
            if !ALWAYS_KEPT.contains(&name.as_str()) && !name.starts_with("DOCKER_") {
                command.env_remove(name);
            }
        }
        // Texts are matched, so they must be the ones that were catalogued.
        command.env("LC_ALL", "C").env("NO_COLOR", "1").env("COMPOSE_ANSI", "never").env("COMPOSE_MENU", "false");
        command.env("DOCKER_CLI_HINTS", "false").env("BUILDKIT_PROGRESS", "plain");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Asks a quick question.
    ///
    /// # Errors
    /// `io` when the client cannot be started.
    pub(crate) fn ask(&self, args: &[&str], limit: Duration) -> Result<Output, Error> {
        let mut command = self.command(args);
        // A group of its own: the client starts plugins, and all of them must go when time is up.
        command.process_group(0);
        self.run(command, limit, false)
    }

    /// Lets Compose do something that takes as long as it takes; what it says goes to the terminal, if there is one.
    ///
    /// # Errors
    /// `io` when the client cannot be started.
    pub(crate) fn compose(&self, args: &[&str], limit: Duration) -> Result<Output, Error> {
        let mut all = vec!["compose"];
        all.extend_from_slice(args);
        let mut command = self.command(&all);
        if !self.progress {
            // On a terminal Ctrl-C must reach it; without one, everything that it started must go when time is up.
            command.process_group(0);
        }
        self.run(command, limit, self.progress)
    }

    fn run(&self, command: Command, limit: Duration, show: bool) -> Result<Output, Error> {
        child::run(command, limit, show).map_err(|e| Error::io("run", &self.program, e))
    }

    /// Reads a container's log line by line, oldest first within a stream, without keeping it.
    ///
    /// `args` go before the id. Returns whether docker could read it.
    ///
    /// # Errors
    /// `io` when the client cannot be started.
    pub(crate) fn logs(
        &self,
        args: &[&str],
        id: &str,
        limit: Duration,
        mut line: impl FnMut(&str),
    ) -> Result<bool, Error> {
        let mut all = vec!["logs"];
        all.extend_from_slice(args);
        all.push(id);
        let mut command = self.command(&all);
        command.process_group(0);
        let mut child = command.spawn().map_err(|e| Error::io("run", &self.program, e))?;
        let deadline = Instant::now() + limit;
        // Bounded, so that a log of gigabytes is never in memory as a whole.
        let (send, lines) = mpsc::sync_channel::<String>(1024);
        for stream in [
            child.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
            child.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
        ]
        .into_iter()
        .flatten()
        {
            let send = send.clone();
            std::thread::spawn(move || each_line(stream, |text| send.send(text).is_ok()));
        }
        drop(send);
        let mut timed_out = false;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(text) if Instant::now() < deadline => line(&text),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                // Also when there is always one more line.
                Ok(_) | Err(mpsc::RecvTimeoutError::Timeout) => {
                    timed_out = true;
                    break;
                }
            }
        }
        Ok(child::end(&mut child, deadline, &mut timed_out) == Some(0))
    }
}

impl Docker {
    /// Reads a container's log with the moment of each line, both of its streams in the order in which they were
    /// printed: exactly so within a thousand lines, which is more than one stream runs ahead of the other.
    ///
    /// # Errors
    /// As [`Docker::logs`].
    pub(crate) fn logs_in_order(
        &self,
        args: &[&str],
        id: &str,
        limit: Duration,
        mut take: impl FnMut(&str, &str),
    ) -> Result<bool, Error> {
        let mut batch: Vec<(String, String)> = Vec::with_capacity(BATCH);
        let mut pour = |batch: &mut Vec<(String, String)>| {
            batch.sort_by(|a, b| a.0.cmp(&b.0));
            for (stamp, text) in batch.drain(..) {
                take(&stamp, &text);
            }
        };
        let mut all = vec!["--timestamps"];
        all.extend_from_slice(args);
        let readable = self.logs(&all, id, limit, |line| {
            let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
            batch.push((stamp.to_owned(), text.to_owned()));
            if batch.len() >= BATCH {
                pour(&mut batch);
            }
        })?;
        pour(&mut batch);
        Ok(readable)
    }
}

/// Lines that are put in order together; with the longest line this bounds the memory.
const BATCH: usize = 1_000;

/// Longest line that is looked at, in bytes; the rest of a longer one is passed over.
const LONGEST_LINE: u64 = 4 << 10;

fn each_line(stream: impl Read, mut take: impl FnMut(String) -> bool) {
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if !bytes.ends_with(b"\n") && bytes.len() as u64 == LONGEST_LINE {
            let _ = reader.skip_until(b'\n');
        }
        let text = String::from_utf8_lossy(&bytes);
        if !take(text.trim_end_matches(['\r', '\n']).to_owned()) {
            return;
        }
    }
}

/// Whether a program is on PATH.
pub(crate) fn is_on_path(program: &str) -> bool {
    which::which(OsStr::new(program)).is_ok()
}
