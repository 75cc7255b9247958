//! Many questions at once with one deadline; a question that is not answered by then is abandoned.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// Notes what a thread found.
type Note<F> = Box<dyn FnOnce(&mut F) + Send>;

/// Threads whose answers are noted in facts of the kind `F`, by one receiver.
pub(super) struct Tasks<F>(Sender<Note<F>>);

impl<F: 'static> Tasks<F> {
    /// Without a thread so far, and the receiver of what they will send.
    pub(super) fn new() -> (Self, Receiver<Note<F>>) {
        let (send, receive) = mpsc::channel();
        (Self(send), receive)
    }

    /// Sends a note. After the deadline it is dropped, which is not an error.
    pub(super) fn send(&self, note: impl FnOnce(&mut F) + Send + 'static) {
        let _ = self.0.send(Box::new(note));
    }

    /// Starts a thread. If the system refuses it, its question stays unanswered, like one that hangs.
    pub(super) fn spawn(&self, task: impl FnOnce(&Self) + Send + 'static) {
        let tasks = Self(self.0.clone());
        // 256 KiB: a TLS handshake needs less than half of it in a debug build.
        let _ = std::thread::Builder::new().stack_size(256 << 10).spawn(move || task(&tasks));
    }

    /// Notes answers until every thread has ended (`true`) or the deadline has passed (`false`). Threads that still hang
    /// do not keep the process from ending.
    pub(super) fn finish(self, notes: &Receiver<Note<F>>, deadline: Instant, facts: &mut F) -> bool {
        drop(self);
        loop {
            match notes.recv_timeout(remaining(deadline)) {
                Ok(note) => note(facts),
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
            let (tasks, notes) = Tasks::<u32>::new();
            tasks.send(|sum| *sum += 1);
            tasks.spawn(move |tasks| {
                tasks.spawn(|tasks| tasks.send(|sum| *sum += 2));
                if hangs {
                    std::thread::park();
                }
            });
            let mut sum = 0;
            let all = tasks.finish(&notes, Instant::now() + Duration::from_millis(300), &mut sum);
            (all, sum)
        };
        assert_eq!(sum(false), (true, 3));
        assert_eq!(sum(true), (false, 3));
    }
}
