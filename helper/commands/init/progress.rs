//! The eight steps to a first call, and how far each is.

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::Who;

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepState {
    /// Done.
    Done,
    /// Waits for a helper command.
    Todo,
    /// Waits for the person.
    Person,
}

/// One of the eight steps.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Step {
    /// Stable name.
    pub(crate) id: &'static str,
    /// How far it is.
    pub(crate) state: StepState,
    /// Who does it.
    pub(crate) who: Who,
    /// What it is.
    pub(crate) what: &'static str,
}

/// What of the eight steps can be seen from the directory.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) token: bool,
    pub(super) certificates: bool,
    pub(super) routes: bool,
    pub(super) configuration: bool,
}

/// The eight steps in their order.
pub(super) fn steps(progress: &Progress) -> Vec<Step> {
    let step = |id, who, done: bool, what: &'static str| {
        let state = match (done, who) {
            (true, _) => StepState::Done,
            (false, Who::Person) => StepState::Person,
            (false, Who::Helper) => StepState::Todo,
        };
        Step { id, state, who, what }
    };
    vec![
        step("preflight", Who::Helper, false, "Docker, Compose 2.17 or newer; outbound 7844"),
        step("create-tunnel", Who::Person, progress.token, "create the tunnel, put its token in"),
        step("certificates", Who::Helper, progress.certificates, "CA and server certificate"),
        step("register-ca", Who::Person, false, "register data/ca.crt (only the Console shows it)"),
        step("upstream", Who::Person, progress.routes, "choose what to expose"),
        step("configuration", Who::Helper, progress.configuration, "proxy configuration, compose file"),
        step("start", Who::Helper, false, "`up`"),
        step("call", Who::Helper, false, "`connect`"),
    ]
}
