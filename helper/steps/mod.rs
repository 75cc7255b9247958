//! The one order of steps from nothing to a first call: how far each is, which one to do now, and what `next` says of it.

mod cures;
mod facts;
mod next;
pub(crate) mod pair;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::Who;

pub(crate) use cures::{by_hand, cure, cures, new_ca, restart_step};
pub(crate) use facts::{Live, StepFacts};
pub(crate) use next::{after_preflight, again, before_start, next, of_files, register_step, start_step, token_step};

/// A step, by its stable name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepId {
    /// This host and its network are checked.
    Preflight,
    /// The tunnel exists in the Console, and its domain is known here.
    CreateTunnel,
    /// The directory with its certificates.
    Directory,
    /// The token is in `.env`.
    Token,
    /// The CA is registered in the Console.
    RegisterCa,
    /// What Claude may call is chosen.
    Upstream,
    /// Proxy configuration and compose file.
    Configure,
    /// The stack runs, is connected, and its routes answer.
    Start,
    /// A call through the tunnel was answered.
    Call,
    /// Nothing is left.
    Done,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepState {
    /// Done.
    Done,
    /// To do.
    Todo,
    /// Only the Console, the network or Docker shows it, and it was not seen.
    Unknown,
}

/// A step in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Step {
    /// Its name.
    pub(crate) id: StepId,
    /// How far it is.
    pub(crate) state: StepState,
    /// Who does it.
    pub(crate) who: Who,
    /// What it is; only when `verbose` asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) what: Option<&'static str>,
}

/// Every step, in order: who does it, and what it is.
const ORDER: [(StepId, Who, &str); 9] = [
    (StepId::Preflight, Who::Helper, "check this host"),
    (StepId::CreateTunnel, Who::Person, "create the tunnel in the Console"),
    (StepId::Directory, Who::Helper, "make the directory and certificates"),
    (StepId::Token, Who::Person, "set the token"),
    (StepId::RegisterCa, Who::Person, "register the CA in the Console"),
    (StepId::Upstream, Who::Person, "choose what Claude may call"),
    (StepId::Configure, Who::Helper, "write the configuration"),
    (StepId::Start, Who::Helper, "start the stack"),
    (StepId::Call, Who::Person, "call the tunnel from Claude"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    states: [StepState; ORDER.len()],
}

impl Progress {
    /// Judges what was seen.
    pub(crate) fn of(facts: &StepFacts) -> Self {
        Self { states: ORDER.map(|(id, ..)| state(id, facts)) }
    }

    pub(crate) fn state(&self, id: StepId) -> StepState {
        let at = ORDER.iter().position(|(known, ..)| *known == id);
        at.map_or(StepState::Done, |at| self.states[at])
    }

    /// Whether a step is to be done, or asked about, before the later ones.
    ///
    /// The Console alone shows whether a CA is registered: that is asked before the start. What `preflight` found does
    /// not last: it is asked of a host on which nothing has begun. A file that cannot be seen is not a missing one.
    fn is_open(&self, id: StepId) -> bool {
        match self.state(id) {
            StepState::Done => false,
            StepState::Todo => true,
            StepState::Unknown if id == StepId::RegisterCa => self.state(StepId::Start) != StepState::Done,
            StepState::Unknown => id == StepId::Start,
        }
    }

    /// The steps to do, in order.
    fn open(&self) -> impl Iterator<Item = StepId> {
        ORDER.iter().map(|(id, ..)| *id).filter(|id| self.is_open(*id))
    }

    pub(crate) fn step(&self) -> StepId {
        self.open().next().unwrap_or(StepId::Done)
    }

    pub(crate) fn done(&self) -> usize {
        self.states.iter().filter(|state| **state == StepState::Done).count()
    }

    /// Every step, in order.
    pub(crate) fn steps(&self, verbose: bool) -> Vec<Step> {
        let step = |((id, who, what), state): (&(StepId, Who, &'static str), StepState)| {
            let what = verbose.then_some(*what);
            Step { id: *id, state, who: *who, what }
        };
        ORDER.iter().zip(self.states).map(step).collect()
    }

    /// `3 of 9 steps done; next: set the token`.
    pub(crate) fn in_words(&self) -> String {
        let what = ORDER.iter().find(|(id, ..)| *id == self.step()).map(|(_, _, what)| *what);
        match what {
            Some(what) => format!("{} of {} steps done; next: {what}", self.done(), ORDER.len()),
            None => format!("all {} steps done", ORDER.len()),
        }
    }
}

fn state(id: StepId, facts: &StepFacts) -> StepState {
    let done = |is_done| if is_done { StepState::Done } else { StepState::Todo };
    let seen = |is_done: Option<bool>| is_done.map_or(StepState::Unknown, done);
    let is_ready = matches!(facts.live, Live::Ready { .. });
    let is_answered = facts.live == Live::Ready { answered: true };
    match id {
        // What is connected needed both: the host and its network.
        StepId::Preflight if facts.is_host_checked || is_ready => StepState::Done,
        StepId::Preflight if facts.has_begun() => StepState::Unknown,
        StepId::Preflight => StepState::Todo,
        StepId::CreateTunnel => done(facts.has_begun() || is_ready),
        StepId::Directory if !facts.names_tunnel || facts.is_broken => StepState::Todo,
        StepId::Directory => seen(facts.has_certificates),
        StepId::Token => seen(facts.has_token),
        StepId::RegisterCa if is_answered => StepState::Done,
        StepId::RegisterCa if facts.has_certificates == Some(false) => StepState::Todo,
        StepId::RegisterCa => StepState::Unknown,
        StepId::Upstream => done(facts.has_routes),
        StepId::Configure => done(facts.has_routes && facts.has_stack && !facts.lacks_pair && !facts.is_broken),
        StepId::Start => match facts.live {
            // Nothing runs that no file describes.
            Live::Unknown if !facts.has_stack => StepState::Todo,
            Live::Unknown => StepState::Unknown,
            Live::Down => StepState::Todo,
            Live::Ready { .. } => StepState::Done,
        },
        StepId::Call => done(is_answered),
        StepId::Done => StepState::Done,
    }
}
