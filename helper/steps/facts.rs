//! What the steps are judged by.

use crate::caller::Caller;
use crate::certs::{Judged, Purpose};
use crate::config::gateway::Tls;
use crate::deployment::{Deployment, TokenState};
use crate::lint::facts::certificate_files;
use crate::model::current::Current;
use crate::model::pair;
use crate::model::token::{TokenOrigin, token_of};

/// What is seen of the running stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Live {
    /// It was not looked at, or could not be.
    #[default]
    Unknown,
    /// It does not run, or not well.
    Down,
    /// Connected, and every route callable.
    Ready {
        /// Whether a call through the tunnel was answered since its start.
        answered: bool,
    },
}

/// What is seen of a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StepFacts {
    /// `preflight` has just found nothing that keeps the tunnel from working.
    pub(crate) is_host_checked: bool,
    /// The tunnel's domain is known, or mistyped.
    pub(crate) names_tunnel: bool,
    /// A token is set; `None` where that cannot be seen.
    pub(crate) has_token: Option<bool>,
    /// CA and server certificate exist and meet their requirements; `None` where they cannot be seen.
    pub(crate) has_certificates: Option<bool>,
    /// The proxy's configuration has a route.
    pub(crate) has_routes: bool,
    /// There is a compose file.
    pub(crate) has_stack: bool,
    /// The proxy's configuration names no certificate or no key: the proxy would not start.
    pub(crate) lacks_pair: bool,
    /// A file of the deployment cannot be used.
    pub(crate) is_broken: bool,
    /// The running stack.
    pub(crate) live: Live,
}

impl StepFacts {
    /// What the files say, generated or written by hand; the running stack is not looked at.
    pub(crate) fn of(current: &Current, deployment: &Deployment, caller: &Caller) -> Self {
        let roles = current.found.roles();
        let token = token_of(&current.found, deployment, caller, roles.agent.as_deref());
        let is_unread = current.found.env_fault.is_some();
        let is_unseen = is_unread || matches!(token.origin, TokenOrigin::Unseen(_));
        let is_gone = matches!(token.origin, TokenOrigin::NotThere { .. });
        let domain = current.checked_domain();
        let names_tunnel = !matches!(domain, Ok(None));
        let is_mistyped = domain.is_err();
        let pair = pair::places(deployment, &current.found, roles.proxy.as_deref(), current.gateway.good());
        let has_certificates = match domain.ok().flatten() {
            None => Some(false),
            Some(domain) => certificate_files(deployment, &pair).map(|files| {
                let routes = current.labels(&domain);
                let judged = Judged::new(files, Purpose { domain: &domain, routes: &routes, now: caller.now });
                judged.is_good() || !current.found.is_ours() && judged.lacks_only_ca()
            }),
        };
        let is_named = |path: &Option<String>| path.as_deref().is_some_and(|path| !path.is_empty());
        let names_pair = |tls: &Tls| is_named(&tls.cert_file) && is_named(&tls.key_file);
        Self {
            is_host_checked: false,
            names_tunnel,
            has_token: (!is_unseen && !is_gone).then_some(matches!(token.state, TokenState::Set(_))),
            has_certificates,
            has_routes: !current.routes().is_empty(),
            has_stack: current.found.main.is_some(),
            lacks_pair: current.gateway.good().is_some_and(|gateway| !gateway.tls.as_ref().is_some_and(names_pair)),
            is_broken: is_mistyped
                || is_unread
                || is_gone
                || !current.found.faults().is_empty()
                || current.gateway_fault().is_some(),
            live: Live::Unknown,
        }
    }

    /// Whether the tunnel exists, as far as this directory tells.
    pub(super) fn has_begun(&self) -> bool {
        self.names_tunnel || self.has_token == Some(true)
    }
}
