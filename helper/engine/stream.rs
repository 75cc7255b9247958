//! The logs of several containers at once, as they come.

use std::os::unix::process::CommandExt;
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::client::{Docker, read_lines};
use crate::answer::Error;

/// How long silence lasts before it is reported.
const SILENCE: Duration = Duration::from_millis(500);

impl Docker {
    /// Hands on each line of each log, with the place of its container in `sources` (name, id); `None` is a moment of
    /// silence. Ends when the logs do, when `take` wants no more, or when time is up; no child is left behind.
    pub(crate) fn stream(
        &self,
        args: &[&str],
        sources: &[(String, String)],
        limit: Duration,
        mut take: impl FnMut(Option<(usize, &str)>) -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        // Bounded, so that a log of gigabytes is never in memory as a whole.
        let (send, lines) = mpsc::sync_channel::<(usize, String)>(1024);
        let mut children: Vec<Child> = Vec::new();
        let mut failed = None;
        for (at, (_, id)) in sources.iter().enumerate() {
            let mut command = self.command(&[&["logs"], args, &[id]].concat());
            // On a terminal Ctrl-C must reach it.
            command.process_group(rustix::process::getpgrp().as_raw_nonzero().get());
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            let send = send.clone();
            failed = failed.or(read_lines(&mut child, move |text| send.send((at, text)).is_ok()).err());
            children.push(child);
        }
        drop(send);
        while failed.is_none() && Instant::now() < deadline {
            let wanted = match lines.recv_timeout(SILENCE) {
                Ok((at, text)) => take(Some((at, &text))),
                Err(RecvTimeoutError::Timeout) => take(None),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !wanted {
                break;
            }
        }
        drop(lines);
        for child in &mut children {
            let _ = child.kill();
            let _ = child.wait();
        }
        failed.map_or(Ok(()), |error| Err(Error::io("run", self.program(), error)))
    }
}
