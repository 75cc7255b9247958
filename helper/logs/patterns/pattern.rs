//! One wording of a program: its texts, and what they mean.

use super::engine_text::{behind_level, is_engine_error, is_runtime_error};
use crate::rules::RuleId;

/// What a line says of the state of the program that printed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The program ends of it: what follows is another life.
    Fatal,
    /// An attempt to reach the tunnel's edge failed; a registration makes up for it.
    Attempt,
    /// A connection is gone.
    Lost,
    /// One call failed; a later one that passes makes up for it.
    Call,
    /// The program failed at work of its own, a tool or a call to another host: calls through the tunnel
    /// are answered all the same.
    Outgoing,
    /// Nothing is wrong, whatever the words.
    Noise,
    /// A step of the program's life.
    Event(Event),
}

/// Steps of a program's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// cloudflared begins.
    AgentStart,
    /// cloudflared prints its settings.
    Settings,
    /// cloudflared received its configuration from the edge.
    RemoteConfig,
    /// Fewer addresses than connections.
    AtMost,
    /// One dial over QUIC begins.
    Dialling,
    /// A connection is registered.
    Registered,
    /// A connection was closed on purpose.
    Unregistered,
    /// cloudflared received a signal to stop.
    Stopping,
    /// cloudflared waits before the next attempt.
    Retrying,
    /// cloudflared gives up QUIC.
    Fallback,
    /// cloudflared's own words for UDP that is blocked.
    UdpHint,
    /// The proxy applied a route.
    Route,
    /// The proxy begins.
    ProxyStart,
    /// A call arrived at the proxy.
    CallStarted,
    /// The proxy passed an answer on, whatever its status.
    CallDone,
    /// A server begins.
    ServerStart,
    /// An application begins that may listen, or read its standard input.
    AppStart,
    /// A server begins a worker, the first one or in the place of another.
    Worker,
    /// A server listens.
    Listening,
    /// A server says that it stops in good order.
    Stopped,
    /// The engine's daemon started.
    EngineStart,
    /// A cluster started a container of a pod.
    PodStarted,
    /// A server was asked for a session that it does not have.
    SessionGone,
    /// pip's first words in a container: a start of the documented sample.
    Pip,
    /// A Python program begins to say why it fails.
    Traceback,
    /// A program that is not Anthropic's proxy says its name: nginx, another `mcp-proxy`.
    OtherProxy,
}

/// What else a wording tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// Only this program prints it, so it counts without a prefix, a time or a level.
    Own,
    /// A connection existed until now.
    Held,
    /// Nothing arrived on a QUIC connection.
    Silence,
    /// The attempt was made over QUIC.
    Quic,
    /// No address of the edge is left to try.
    NoAddresses,
    /// A row of cloudflared's own checks at its start (2026.5.2 and later).
    Precheck,
    /// Counts only while nothing is registered: it does not concern the tunnel's own connections.
    Early,
    /// Counts only where nothing else explains the failure, or says as much.
    Weak,
    /// The client hung up: the error whose exception or stack this line is of was no more than that.
    HungUp,
    /// Counts only where the line, behind its level, begins with the first text.
    Start,
    /// Counts only where the line, behind its level, is no more than the first text.
    Whole,
    /// Counts only in a line that reports a failure: the word alone is also in what docker prints about itself.
    Failure,
    /// Counts only in the output of a build.
    Build,
    /// Counts at any level: its own program prints it below a warning.
    Quiet,
    /// Counts only in a line without a level: behind one, a program speaks of another.
    Plain,
    /// Another program prints it as well, whose line it is unless something tells that.
    Shared,
    /// Counts only in a line that names a container by its whole id.
    WholeId,
    /// Counts only in a life in which the program neither listened nor answered: later it is what a call met.
    Starting,
    /// Counts only among the last words: a shell that continues did not need it.
    Last,
}

/// Wordings of one meaning: in whose line all texts of one are, the rule is proven (or the step made). A table's row has
/// several, a pattern that was found has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pattern {
    /// A row of the table; `None` for noise, steps, and a refused registration whose reason cloudflared hides.
    pub(crate) rule: Option<RuleId>,
    /// What it says of the program.
    pub(crate) effect: Effect,
    /// Texts of each with `…` between them, in any order.
    wordings: &'static [&'static str],
    /// What else it tells.
    tells: &'static [Tell],
    /// Advice for this wording, where the row's does not fit.
    pub(crate) fix: Option<&'static str>,
    /// Whether it is the container's own, whatever program prints it.
    pub(crate) is_anyones: bool,
}

impl Pattern {
    pub(super) const fn new(rule: Option<RuleId>, effect: Effect, wordings: &'static [&'static str]) -> Self {
        Self { rule, effect, wordings, tells: &[], fix: None, is_anyones: false }
    }

    pub(super) const fn tells(mut self, tells: &'static [Tell]) -> Self {
        self.tells = tells;
        self
    }

    pub(super) const fn fix(mut self, fix: &'static str) -> Self {
        self.fix = Some(fix);
        self
    }

    /// A pattern for each wording.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> {
        let all = *self;
        (0..all.wordings.len()).map(move |at| Self { wordings: &all.wordings[at..=at], ..all })
    }

    /// The texts of the wording.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'static str> {
        self.wordings[0].split('…')
    }

    /// The text that tells most.
    pub(crate) fn head(&self) -> &'static str {
        self.texts().next().unwrap_or_default()
    }

    /// Whether it tells this, too.
    pub(crate) fn has(&self, tell: Tell) -> bool {
        self.tells.contains(&tell)
    }

    /// Whether it says that something is wrong.
    pub(crate) fn is_fault(&self) -> bool {
        !matches!(self.effect, Effect::Noise | Effect::Event(_))
    }

    /// Whether a line has all the texts of a wording, where they count.
    pub(crate) fn fits(&self, line: &str) -> bool {
        self.each().any(|one| one.texts().all(|text| line.contains(text)) && one.counts_in(line))
    }

    /// Whether a line that has all the texts has them where they count.
    pub(crate) fn counts_in(&self, line: &str) -> bool {
        if self.has(Tell::Start) {
            return behind_level(line).starts_with(self.head());
        }
        if self.has(Tell::WholeId) {
            return line.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() == 64);
        }
        if self.has(Tell::Whole) {
            return behind_level(line).trim_end() == self.head();
        }
        !self.has(Tell::Failure) || is_engine_error(line) || is_runtime_error(line)
    }

    /// A line of this wording.
    #[cfg(test)]
    pub(crate) fn sample(&self) -> String {
        let front = if self.has(Tell::Failure) { "Error response from daemon: " } else { "" };
        let id = if self.has(Tell::WholeId) { format!(": {}", "4f".repeat(32)) } else { String::new() };
        format!("{front}{}{id}", self.wordings[0].replace('…', " … "))
    }
}

pub(super) const fn fatal(rule: RuleId, wordings: &'static [&'static str]) -> Pattern {
    Pattern::new(Some(rule), Effect::Fatal, wordings)
}
pub(super) const fn attempt(rule: RuleId, wordings: &'static [&'static str]) -> Pattern {
    Pattern::new(Some(rule), Effect::Attempt, wordings)
}
pub(super) const fn call(rule: RuleId, wordings: &'static [&'static str]) -> Pattern {
    Pattern::new(Some(rule), Effect::Call, wordings)
}
pub(super) const fn outgoing(rule: RuleId, wordings: &'static [&'static str]) -> Pattern {
    Pattern::new(Some(rule), Effect::Outgoing, wordings)
}
pub(super) const fn lost(wordings: &'static [&'static str]) -> Pattern {
    Pattern::new(Some(RuleId::EdgeConnLost), Effect::Lost, wordings)
}
pub(super) const fn noise(wordings: &'static [&'static str]) -> Pattern {
    Pattern::new(None, Effect::Noise, wordings)
}
pub(super) const fn event(event: Event, wordings: &'static [&'static str]) -> Pattern {
    Pattern::new(None, Effect::Event(event), wordings)
}
