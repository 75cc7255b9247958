//! Named pipes and devices, which may never end and may block the program that opens them.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

/// Opens a pipe for reading; without a writer an ordinary open would block forever.
///
/// # Errors
/// Those of `open`.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// A pipe, waited for until a moment and not a moment longer.
pub(crate) struct Patient<F> {
    pipe: F,
    until: Instant,
    late: bool,
}

impl<F: AsFd> Patient<F> {
    /// Waits at most so long in all.
    pub(crate) fn new(pipe: F, limit: Duration) -> Self {
        Self { pipe, until: Instant::now() + limit, late: false }
    }

    /// Whether the time was up before the end was there.
    pub(crate) fn is_late(&self) -> bool {
        self.late
    }
}

impl<F: AsFd> Read for &mut Patient<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.late = true;
                return Ok(0);
            }
            let wait = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut watched = [PollFd::new(&self.pipe, PollFlags::IN)];
            match poll(&mut watched, Some(&wait)) {
                Ok(0) => {}
                // Past the lock and the buffer of `Stdin`: `poll` would not see what it holds back.
                Ok(_) => return Ok(rustix::io::read(&self.pipe, buffer)?),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
