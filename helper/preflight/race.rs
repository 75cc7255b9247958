//! Many probes at once with one deadline; a probe that has not answered by then is abandoned.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

/// Puts an answer where it belongs.
type Put<F> = Box<dyn FnOnce(&mut F) + Send>;

/// Where a thread hands in what it found, as often as it likes.
pub(super) struct Desk<F>(Sender<Put<F>>);

impl<F> Clone for Desk<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: 'static> Desk<F> {
    /// Hands in a fact. After the deadline it is dropped, which is not an error.
    pub(super) fn put(&self, put: impl FnOnce(&mut F) + Send + 'static) {
        let _ = self.0.send(Box::new(put));
    }

    /// Starts another thread that hands in here. A system that gives no more threads answers nothing, as a question that
    /// hangs does.
    pub(super) fn spawn(&self, job: impl FnOnce(&Self) + Send + 'static) {
        let desk = self.clone();
        // 256 KiB: a TLS handshake needs less than half of it in a debug build.
        let _ = std::thread::Builder::new().stack_size(256 << 10).spawn(move || job(&desk));
    }
}

/// One run.
pub(super) struct Race<F> {
    desk: Desk<F>,
    desk_out: Receiver<Put<F>>,
}

impl<F: 'static> Race<F> {
    /// No thread was started yet.
    pub(super) fn new() -> Self {
        let (send, receive) = mpsc::channel();
        Self { desk: Desk(send), desk_out: receive }
    }

    /// Where threads are started.
    pub(super) fn desk(&self) -> &Desk<F> {
        &self.desk
    }

    /// Takes what is handed in until every thread has ended (`true`) or the deadline has come (`false`). Threads that
    /// still hang do not keep the process from ending.
    pub(super) fn finish(self, deadline: Instant, facts: &mut F) -> bool {
        let Self { desk, desk_out } = self;
        drop(desk);
        loop {
            match desk_out.recv_timeout(remaining(deadline)) {
                Ok(put) => put(facts),
                Err(mpsc::RecvTimeoutError::Disconnected) => return true,
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}

/// Time until a deadline; zero afterwards.
pub(super) fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
