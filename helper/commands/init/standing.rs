//! The state of a deployment: its files, and the running stack.

use std::time::Duration;

use crate::answer::{Error, Skipped};
use crate::caller::Caller;
use crate::deployment::Deployment;
use crate::model::current::Current;
use crate::rules::RuleId;
use crate::stack::Stack;
use crate::stack::judge::StackState;
use crate::stack::observe::{Ask, Depth};
use crate::stack::outcome::{self, Command};
use crate::steps::{Live, Progress, StepFacts, StepId, StepState};

/// How far each step is, and what was seen of the running stack.
pub(super) struct Standing {
    pub(super) progress: Progress,
    /// The stack in one sentence, where one runs, or ran.
    stack: Option<String>,
    /// What could not be looked at.
    pub(super) skipped: Vec<Skipped>,
}

impl Standing {
    /// As far as the files tell.
    pub(super) fn of_files(current: &Current, deployment: &Deployment, caller: &Caller) -> Self {
        Self { progress: Progress::of(&StepFacts::of(current, deployment, caller)), stack: None, skipped: Vec::new() }
    }

    /// Looks at the running stack, too, where there may be one.
    pub(super) fn live(current: &Current, deployment: &Deployment, caller: &Caller) -> Self {
        let mut facts = StepFacts::of(current, deployment, caller);
        let progress = Progress::of(&facts);
        if progress.state(StepId::Configure) != StepState::Done {
            return Self { progress, stack: None, skipped: Vec::new() };
        }
        let (stack, skipped) = match look(current, deployment, caller) {
            Ok(state) => {
                facts.live = live(&state);
                let is_there = !state.has(RuleId::StackStopped);
                let words = || outcome::summary(Command::Status, Some(&state), &state.findings);
                (is_there.then(words), state.skipped)
            }
            Err(why) => (None, vec![Skipped::new("containers", why)]),
        };
        Self { progress: Progress::of(&facts), stack, skipped }
    }

    /// `6 of 9 steps done; next: start the stack`, and how the stack is where it runs.
    pub(super) fn in_words(&self) -> String {
        let stack = self.stack.as_ref().map_or_else(String::new, |stack| format!("; {stack}"));
        format!("{}{stack}", self.progress.in_words())
    }
}

/// The running stack, its servers asked once, or why it cannot be seen.
fn look(current: &Current, deployment: &Deployment, caller: &Caller) -> Result<StackState, String> {
    let unseen = |error: Error| error.to_string();
    let mut caller = caller.clone();
    caller.domain = current.known_domain().ok().flatten().map(|domain| domain.to_string());
    let stack = match Stack::of(deployment, current.clone(), &mut caller).map_err(unseen)? {
        Ok(stack) => stack,
        Err(refusal) => {
            let why = refusal.findings.into_iter().next().map(|finding| finding.title);
            return Err(why.unwrap_or_else(|| "docker could not be asked".to_owned()));
        }
    };
    let waited = stack.wait(Depth::Live, Duration::ZERO, Ask::Now, &caller).map_err(unseen)?;
    Ok(waited.state)
}

fn live(state: &StackState) -> Live {
    let counted = state.metrics.as_ref().and_then(|metrics| Some((metrics.requests?, metrics.errors.unwrap_or(0))));
    match state.is_ready() {
        Some(true) => Live::Ready { answered: counted.is_some_and(|(total, errors)| total > errors) },
        Some(false) => Live::Down,
        None => Live::Unknown,
    }
}
