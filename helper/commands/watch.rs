//! `status --watch`: the same picture again and again, for a person at a terminal.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use time::OffsetDateTime;

use crate::answer::Error;
use crate::answer::text;
use crate::caller::Screen;
use crate::probe::observe::Probed;
use crate::stack::Stack;
use crate::stack::judge::judge;
use crate::stack::observe::{Ask, Depth, Observer};
use crate::stack::snapshot::Snapshot;
use crate::stack::wait::Waited;

/// Between two pictures.
const PAUSE: Duration = Duration::from_secs(2);
/// Servers are asked at most this often.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// Cursor to the top left, and everything below it cleared.
const CLEAR: &str = "\x1b[H\x1b[J";

/// What the servers answered last, and of which containers.
struct Asked {
    at: Instant,
    lives: Vec<(String, Option<OffsetDateTime>)>,
    probed: Probed,
}

/// Id and start of every container.
fn lives(snapshot: &Snapshot) -> Vec<(String, Option<OffsetDateTime>)> {
    snapshot.all().iter().map(|c| (c.id.clone(), c.started)).collect()
}

impl Asked {
    /// Whether the servers may be asked again.
    fn is_due(asked: Option<&Self>, now: Instant) -> bool {
        asked.is_none_or(|asked| now.duration_since(asked.at) >= ASK_EVERY)
    }

    /// The answers, for the containers that gave them and no others. cloudflared's numbers are of that moment only.
    fn reused(&self, snapshot: &Snapshot) -> Option<Probed> {
        let mut probed = (self.lives == lives(snapshot)).then(|| self.probed.clone())?;
        if let Ok(observed) = &mut probed.observed {
            observed.metrics = None;
        }
        Some(probed)
    }
}

/// Shows the state until the terminal is closed or the command interrupted. Returns the last picture.
pub(super) fn watch(
    stack: &Stack<'_>,
    probing: bool,
    screen: Screen,
    answer: impl Fn(Waited) -> Value,
) -> Result<Waited, Error> {
    let mut observer = Observer::new(stack, Depth::Live)?;
    let mut asked: Option<Asked> = None;
    loop {
        let mut snapshot = observer.observe(Ask::No)?;
        if probing && Asked::is_due(asked.as_ref(), Instant::now()) {
            observer.probe(&mut snapshot)?;
            let probed = snapshot.probed.clone();
            // A proxy that does not run cannot be asked through: that was no question.
            asked = probed.map(|probed| Asked { at: Instant::now(), lives: lives(&snapshot), probed });
        } else {
            snapshot.probed = asked.as_ref().and_then(|asked| asked.reused(&snapshot));
        }
        let state = judge(&stack.declared, &snapshot);
        let picture = |snapshot, state| Waited { snapshot, state, elapsed: Duration::ZERO };
        let value = answer(picture(snapshot.clone(), state.clone()));
        let mut out = io::stdout().lock();
        let page = text::render(&value, screen);
        if writeln!(out, "{CLEAR}{}", page.trim_end()).and_then(|()| out.flush()).is_err() {
            return Ok(picture(snapshot, state));
        }
        drop(out);
        thread::sleep(PAUSE);
        stack.deployment.look_again();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::observe::Observed;
    use crate::probe::wire::Metrics;
    use crate::stack::judge::tests::Fixture;

    #[test]
    fn servers_are_asked_once_a_minute_and_again_for_other_containers() {
        let (_, snapshot) = Fixture::live().seen();
        let observed = Observed { routes: Vec::new(), metrics: Some(Metrics::default()) };
        let probed = Probed { planned: Vec::new(), observed: Ok(observed) };
        let asked = Asked { at: Instant::now(), lives: lives(&snapshot), probed };
        assert!(Asked::is_due(None, Instant::now()));
        assert!(!Asked::is_due(Some(&asked), asked.at + Duration::from_secs(59)));
        assert!(Asked::is_due(Some(&asked), asked.at + Duration::from_secs(60)));
        let reused = asked.reused(&snapshot).unwrap();
        assert!(reused.observed.is_ok_and(|observed| observed.metrics.is_none()), "numbers are never old");
        let (_, other) = Fixture::live().change("own", |c| c.started = None).seen();
        assert!(asked.reused(&other).is_none(), "another life of the server");
    }
}
