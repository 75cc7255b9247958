//! Runs the docker client: fixed arguments, a made environment, a limit in time, nothing left behind.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::answer::Error;
use crate::os::lock::Lock;
use crate::os::process;
pub(crate) use crate::os::process::{Input, Output};

/// How the client gets out: Docker hands these on to builds, too.
const PROXIES: [&str; 10] = [
    "ALL_PROXY",
    "FTP_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "all_proxy",
    "ftp_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Sockets of the session by which the client reaches an engine over ssh, and its credential helpers their store.
const SESSION: [&str; 4] = ["DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "WSL_INTEROP", "XDG_RUNTIME_DIR"];

/// What makes the client's output the same everywhere, and keeps Compose from files of other places.
const OURS: [(&str, &str); 7] = [
    ("BUILDKIT_PROGRESS", "plain"),
    ("COMPOSE_ANSI", "never"),
    ("COMPOSE_EXPERIMENTAL_GIT_REMOTE", "false"),
    ("COMPOSE_EXPERIMENTAL_OCI_REMOTE", "false"),
    ("COMPOSE_MENU", "false"),
    ("DOCKER_CLI_HINTS", "false"),
    ("NO_COLOR", "1"),
];

/// Variables of the calling shell that a Compose run gets because its files name them.
pub(crate) type Passed = Vec<(String, OsString)>;

/// A docker client, and where it works.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    program: PathBuf,
    folder: PathBuf,
    passed: Passed,
    progress: bool,
}

impl Docker {
    pub(crate) fn find(folder: &Path, passed: Passed, progress: bool) -> Option<Self> {
        let program = process::find("docker")?;
        Some(Self { program, folder: folder.to_path_buf(), passed, progress })
    }

    /// The same client in another folder, where the files of this one have no say.
    pub(crate) fn elsewhere(&self, folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), passed: Passed::new(), ..self.clone() }
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = process::command(&self.program);
        command.args(args).current_dir(&self.folder);
        command.envs(self.passed.iter().map(|(name, value)| (name, value)));
        command.envs(process::inherited(&PROXIES)).envs(process::inherited(&SESSION));
        command.envs(std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DOCKER_")));
        command.envs(OURS);
        command
    }

    /// Asks a quick question.
    pub(crate) fn ask(&self, args: &[&str], limit: Duration) -> Result<Output, Error> {
        self.run(self.command(args), limit, false)
    }

    /// Runs a command that reads its standard input.
    pub(crate) fn fed(&self, args: &[&str], input: Input, limit: Duration) -> Result<Output, Error> {
        process::run_fed(self.command(args), Some(input), limit, false).map_err(|e| Error::io("run", &self.program, e))
    }

    /// Runs a Compose command that changes the stack; what it prints goes to the terminal, if there is one. It holds
    /// the lock, too: a helper that is killed leaves no Compose run behind that another one could run into.
    pub(crate) fn compose(&self, args: &[&str], limit: Duration, lock: &Lock) -> Result<Output, Error> {
        let mut command = self.command(&["compose"]);
        command.args(args);
        if self.progress {
            // On a terminal Ctrl-C must reach it.
            command.process_group(rustix::process::getpgrp().as_raw_nonzero().get());
        }
        let _held = lock.inheritable();
        self.run(command, limit, self.progress)
    }

    fn run(&self, command: Command, limit: Duration, show: bool) -> Result<Output, Error> {
        process::run(command, limit, show).map_err(|e| Error::io("run", &self.program, e))
    }

    /// Reads a container's log line by line, oldest first within a stream, without keeping it.
    ///
    /// `args` go before the id. Returns whether docker could read it.
    pub(crate) fn logs(
        &self,
        args: &[&str],
        id: &str,
        limit: Duration,
        mut line: impl FnMut(&str),
    ) -> Result<bool, Error> {
        let command = [&["logs"], args, &[id]].concat();
        let mut child = self.command(&command).spawn().map_err(|e| Error::io("run", &self.program, e))?;
        let deadline = Instant::now() + limit;
        // Bounded, so that a log of gigabytes is never in memory as a whole.
        let (send, lines) = mpsc::sync_channel::<String>(1024);
        if let Err(e) = read_lines(&mut child, move |text| send.send(text).is_ok()) {
            process::end(&mut child, deadline, &mut true);
            return Err(Error::io("run", &self.program, e));
        }
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
        Ok(process::end(&mut child, deadline, &mut timed_out) == Some(0))
    }

    /// Reads a container's log with the moment of each line, both of its streams in the order in which they were
    /// printed: exactly so within a thousand lines, which is more than one stream runs ahead of the other.
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
        let readable = self.logs(&[&["--timestamps"], args].concat(), id, limit, |line| {
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

/// Longest line that is looked at, in bytes; the rest of a longer one is skipped.
const LONGEST_LINE: u64 = 4 << 10;

/// Hands on each line of both outputs of a child, in threads of their own, until it is not wanted any more.
pub(super) fn read_lines(child: &mut Child, take: impl Fn(String) -> bool + Clone + Send + 'static) -> io::Result<()> {
    let out = child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    let err = child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    out.into_iter().chain(err).try_for_each(|stream| {
        let take = take.clone();
        process::spawn(move || each_line(stream, take))
    })
}

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
            // Half a word may be half a secret: a password without the `@` behind it.
            let words = bytes.iter().rposition(|b| b.is_ascii_whitespace()).unwrap_or_default();
            bytes.truncate(words);
        }
        let text = String::from_utf8_lossy(&bytes);
        if !take(text.trim_end_matches(['\r', '\n']).to_owned()) {
            return;
        }
    }
}
