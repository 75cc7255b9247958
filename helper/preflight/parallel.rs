//! Many questions at once with one deadline; a question that is not answered by then is abandoned.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// Threads that send facts of the kind `F` to one receiver.
pub(super) struct Tasks<F>(Sender<F>);

impl<F: Send + 'static> Tasks<F> {
    /// Without a thread so far, and the receiver of what they will send.
    pub(super) fn new() -> (Self, Receiver<F>) {
        let (send, receive) = mpsc::channel();
        (Self(send), receive)
    }

    /// Sends a fact. After the deadline it is dropped, which is not an error.
    pub(super) fn send(&self, fact: impl Into<F>) {
        let _ = self.0.send(fact.into());
    }

    /// Starts a thread. If the system refuses it, its question stays unanswered, like one that hangs.
    pub(super) fn spawn(&self, task: impl FnOnce(&Self) + Send + 'static) {
        let tasks = Self(self.0.clone());
        // 256 KiB: a TLS handshake needs less than half of it in a debug build.
        let _ = std::thread::Builder::new().stack_size(256 << 10).spawn(move || task(&tasks));
    }

    /// Takes facts until every thread has ended (`true`) or the deadline has passed (`false`). Threads that still hang
    /// do not keep the process from ending.
    pub(super) fn finish(self, facts: &Receiver<F>, deadline: Instant, mut take: impl FnMut(F)) -> bool {
        drop(self);
        loop {
            match facts.recv_timeout(remaining(deadline)) {
                Ok(fact) => take(fact),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}

/// Time until a deadline; zero afterwards.
pub(super) fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_arrive_from_nested_threads_and_a_hanging_one_is_abandoned() {
        let sum = |hangs: bool| {
            let (tasks, facts) = Tasks::<u32>::new();
            tasks.send(1_u32);
            tasks.spawn(move |tasks| {
                tasks.spawn(|tasks| tasks.send(2_u32));
                if hangs {
                    std::thread::park();
                }
            });
            let mut sum = 0;
            let all = tasks.finish(&facts, Instant::now() + Duration::from_millis(300), |fact| sum += fact);
            (all, sum)
        };
        assert_eq!(sum(false), (true, 3));
        assert_eq!(sum(true), (false, 3));
    }
}
