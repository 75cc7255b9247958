//! What the checks of a deployment look at, read once.

use std::collections::BTreeMap;

use crate::answer::{Error, Finding};
use crate::caller::{Caller, Services};
use crate::certs::{Files, Judged, Purpose};
use crate::config::gateway::Gateway;
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::scaffold::{read_env, unreadable_env};
use crate::deployment::{Deployment, Domain, TokenState, path};
use crate::model::current::{self, GatewayFile};
use crate::model::found::Found;
use crate::os::files;
use crate::os::git::{self, GitState};

/// Everything that the checks ask for.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) caller: &'a Caller,
    /// The tunnel's domain.
    pub(crate) domain: Option<Domain>,
    /// Why the domain is not known, where something else stands in its place.
    pub(super) domain_fault: Option<Finding>,
    pub(super) env: Option<EnvFile>,
    /// Why `.env` cannot be read.
    pub(super) env_fault: Option<Finding>,
    pub(super) token: TokenState,
    pub(super) git: GitState,
    pub(super) git_key: Option<GitState>,
    /// The compose files.
    pub(crate) found: Found,
    /// What the services are called.
    pub(crate) services: Services,
    /// Where the proxy's configuration lies, as a path inside the directory if it is there.
    pub(crate) gateway_path: String,
    /// The proxy's configuration.
    pub(crate) gateway: GatewayFile,
    pub(crate) certificates: Option<Judged>,
    /// User and group that the proxy runs as.
    pub(super) user: (u32, u32),
}

impl<'a> Facts<'a> {
    /// Reads what the checks need; decides nothing.
    ///
    /// # Errors
    /// `directory` when there is none. A file that cannot be read is a finding.
    pub(crate) fn gather(deployment: &'a Deployment, caller: &'a Caller) -> Result<Self, Error> {
        deployment.require()?;
        let (env, env_fault) = match read_env(deployment) {
            Ok(env) => (env, None),
            Err(error) => (None, Some(unreadable_env(&error))),
        };
        let found = Found::read(deployment);
        let services = found.services();
        let gateway_path = current::gateway_path(deployment, &found, &services);
        let gateway = current::read_gateway(deployment, &found, gateway_path.as_deref());
        let (domain, domain_fault) = match current::domain(deployment, env.as_ref(), &found) {
            Ok(domain) => (domain, None),
            Err(fault) => (None, Some(fault.finding())),
        };
        let labels = match (gateway.good(), &domain) {
            (Some(gateway), Some(domain)) => current::labels(gateway.routes.keys(), domain),
            (None, _) | (_, None) => Vec::new(),
        };
        let certificates = domain
            .as_ref()
            .map(|domain| Judged::new(Files::read(deployment), Purpose { domain, routes: &labels, now: caller.now }));
        let token = TokenState::of(env.as_ref().and_then(|env| env.get(env_file::TOKEN)).as_deref());
        let git = git::state(deployment, path::ENV);
        let git_key = files::metadata(deployment, path::CA_KEY).ok().flatten().map(|_| match &git {
            GitState::NoRepository | GitState::Unknown(_) => git.clone(),
            GitState::Ignored | GitState::NotIgnored | GitState::Tracked => git::state(deployment, path::CA_KEY),
        });
        let user = current::proxy_user(&found, &services.proxy);
        Ok(Self {
            deployment,
            caller,
            domain,
            domain_fault,
            env,
            env_fault,
            token,
            git,
            git_key,
            found,
            services,
            gateway_path: gateway_path.unwrap_or_else(|| path::GATEWAY.into()),
            gateway,
            certificates,
            user,
        })
    }

    /// What `.env` says.
    pub(crate) fn env(&self) -> Option<&EnvFile> {
        self.env.as_ref()
    }

    /// The routes as an answer may show them, as far as the configuration can be read.
    pub(crate) fn routes(&self) -> BTreeMap<String, String> {
        self.gateway.good().map(Gateway::shown_routes).unwrap_or_default()
    }

    /// Name of the Compose project.
    pub(crate) fn project(&self) -> Option<String> {
        self.found.project(self.deployment, self.env.as_ref())
    }
}
