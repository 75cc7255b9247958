//! Waiting for the live state.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::Stack;
use super::judge::{StackState, judge};
use super::observe::{Ask, Depth, Observer};
use super::snapshot::{SETTLED, Snapshot};
use crate::answer::Error;
use crate::caller::Caller;

/// `wait_seconds` of a request, at most an hour.
///
/// # Errors
/// `request` for more.
pub(crate) fn limit(asked: Option<u32>, default: u32) -> Result<Duration, Error> {
    let seconds = asked.unwrap_or(default);
    if seconds > 3600 {
        return Err(Error::request(
            format!("`wait_seconds` is {seconds}; it must be at most 3600"),
            format!("leave it out for {default}"),
        ));
    }
    Ok(Duration::from_secs(seconds.into()))
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(400);

/// What was seen last, and how long it took.
pub(crate) struct Waited {
    pub(crate) snapshot: Snapshot,
    /// What it adds up to.
    pub(crate) state: StackState,
    /// From the first look to the last.
    pub(crate) elapsed: Duration,
}

/// Times that a wait asks the servers before their answer counts as a fault: a busy machine, or a server that opens its port
/// between two looks, answers otherwise the second time.
const ASKS: u32 = 2;

/// How often the servers were asked.
#[derive(Clone, Copy, Debug, Default)]
struct Asks {
    all: u32,
    /// The last of them, in a row, that found a fault that does not pass.
    settled: u32,
}

impl Asks {
    fn count(&mut self, state: &StackState) {
        self.all += 1;
        self.settled = if state.gave_up_route { self.settled + 1 } else { 0 };
    }

    /// Whether a fault of a server has been seen so often that it stays.
    fn gave_up(self) -> bool {
        self.settled >= ASKS
    }
}

/// Whether another look can change anything, after the servers were asked so often.
fn is_over(state: &StackState, asks: Asks, elapsed: Duration, limit: Duration) -> bool {
    // A glance at a container that was just revived would call it healthy, or broken, by chance.
    let limit = if state.recently_restarted { limit.max(SETTLED + PAUSE) } else { limit };
    let is_done = match state.is_worth_asking_again {
        true => asks.all >= ASKS,
        false => state.ready && state.pending.is_empty(),
    };
    state.gave_up || asks.gave_up() || is_done || elapsed >= limit
}

impl Stack<'_> {
    /// Looks until the tunnel is ready and nothing is on its way, nothing can come of it, or time is up.
    pub(crate) fn wait(&self, depth: Depth, limit: Duration, ask: Ask, caller: &Caller) -> Result<Waited, Error> {
        let started = Instant::now();
        let mut observer = Observer::new(self, depth)?;
        let (mut printed, mut asks) = (String::new(), Asks::default());
        let probing = ask != Ask::No;
        // Who waits may wait for a server, too.
        let mut ask = if probing && !limit.is_zero() { Ask::IfSettled } else { ask };
        loop {
            let mut snapshot = observer.observe(ask)?;
            let mut state = judge(&self.declared, &snapshot);
            if observer.has_asked() {
                asks.count(&state);
            }
            // The servers are asked once all that they need is there, and in the end in any case.
            if probing && !observer.has_asked() && is_over(&state, asks, started.elapsed(), limit) {
                observer.probe(&mut snapshot)?;
                state = judge(&self.declared, &snapshot);
                asks.count(&state);
            }
            ask = match () {
                () if asks.settled > 0 => Ask::Now,
                () if state.only_cloudflared_knows => Ask::IfSettled,
                () => Ask::No,
            };
            let elapsed = started.elapsed();
            if caller.progress && limit > Duration::ZERO && printed != state.progress() {
                printed = state.progress();
                // A closed terminal is not an error.
                let _ = writeln!(io::stderr(), "{:>4}s  {printed}", elapsed.as_secs());
            }
            if is_over(&state, asks, elapsed, limit) {
                return Ok(Waited { snapshot, state, elapsed });
            }
            thread::sleep(PAUSE);
            self.deployment.look_again();
        }
    }

    /// Asks the servers behind the routes until all of them answer, one of them never will, or time is up; whether there
    /// is a tunnel does not count.
    pub(crate) fn wait_for_calls(&self, limit: Duration, caller: &Caller) -> Result<Waited, Error> {
        let started = Instant::now();
        let mut observer = Observer::new(self, Depth::Live)?;
        let mut asks = Asks::default();
        loop {
            let snapshot = observer.observe(Ask::Now)?;
            let state = judge(&self.declared, &snapshot);
            asks.count(&state);
            let elapsed = started.elapsed();
            if state.is_callable() || asks.gave_up() || elapsed >= limit {
                return Ok(Waited { snapshot, state, elapsed });
            }
            if caller.progress {
                let _ = writeln!(io::stderr(), "{:>4}s  {}", elapsed.as_secs(), state.progress());
            }
            thread::sleep(PAUSE);
            self.deployment.look_again();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_nothing_more_can_come_of_it() {
        let seconds = Duration::from_secs;
        let (ready, pending) = (StackState { ready: true, ..StackState::default() }, vec!["3 of 4".to_owned()]);
        let waiting = StackState { pending: pending.clone(), ..StackState::default() };
        let connecting = StackState { pending, ..ready.clone() };
        let gave_up = StackState { gave_up: true, ..StackState::default() };
        let revived = StackState { recently_restarted: true, ..StackState::default() };
        let silent = StackState { is_worth_asking_again: true, ..StackState::default() };
        let faulty = StackState { gave_up_route: true, ..StackState::default() };
        let unasked = StackState { ready: true, ..silent.clone() };
        for (state, times, elapsed, limit, over) in [
            (&ready, 1, 0, 240, true),
            (&waiting, 1, 239, 240, false),
            (&waiting, 1, 240, 240, true),
            (&connecting, 1, 1, 240, false),
            (&connecting, 1, 0, 0, true),
            (&gave_up, 1, 0, 240, true),
            (&revived, 1, 4, 0, false),
            (&revived, 1, 6, 0, true),
            (&revived, 1, 6, 240, false),
            (&silent, 1, 5, 240, false),
            (&silent, 2, 15, 240, true),
            (&unasked, 1, 5, 240, false),
            (&unasked, 2, 5, 240, true),
            (&unasked, 1, 1, 0, true),
            (&faulty, 1, 1, 240, false),
            (&faulty, 1, 1, 0, true),
            (&faulty, 2, 2, 240, true),
        ] {
            let mut asks = Asks::default();
            (0..times).for_each(|_| asks.count(state));
            let found = is_over(state, asks, seconds(elapsed), seconds(limit));
            assert_eq!(found, over, "{state:?} {times} {elapsed} {limit}");
        }
    }

    #[test]
    fn a_fault_of_a_server_stays_once_two_looks_in_a_row_show_it() {
        let faulty = StackState { gave_up_route: true, ..StackState::default() };
        let starting = StackState::default();
        for (looks, stays) in [
            (&[&faulty][..], false),
            (&[&faulty, &faulty], true),
            (&[&starting, &faulty], false),
            (&[&faulty, &starting, &faulty], false),
            (&[&starting, &faulty, &faulty], true),
        ] {
            let mut asks = Asks::default();
            looks.iter().for_each(|state| asks.count(state));
            assert_eq!(asks.gave_up(), stays, "{asks:?}");
        }
    }
}
