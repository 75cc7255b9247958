//! What the checks of a deployment look at, read once.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::answer::Error;
use crate::caller::Caller;
use crate::certs::file::File;
use crate::certs::{Files, Judged, Purpose};
use crate::deployment::env_file::EnvFile;
use crate::deployment::{Deployment, path};
use crate::model::compose::{self, Asked};
use crate::model::current::{self, Current};
use crate::model::found::Found;
use crate::model::packages::Unbounded;
use crate::model::pair::{self, PairFile};
use crate::model::roles::Roles;
use crate::model::runs::{self, Listening};
use crate::model::token::{self, AgentToken};
use crate::os::files;
use crate::os::git::{self, GitState};
use crate::privileges::{Privileges, consent};
use crate::rules::Absence;

/// Everything that the checks ask for.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) deployment: Deployment,
    pub(super) caller: Caller,
    /// What the directory says; what the services get, as Compose says where it answers.
    pub(crate) current: Current,
    /// cloudflared's token.
    pub(crate) token: AgentToken,
    pub(super) git: GitState,
    pub(super) git_key: Option<GitState>,
    /// What Compose makes of them.
    pub(super) asked: Asked,
    /// The roles of the services.
    pub(crate) roles: Roles,
    /// Where the server certificate and its key lie.
    pub(crate) pair: (PairFile, PairFile),
    /// Why the proxy's container has no certificate and no key, where it has none.
    pub(super) absent_pair: [Option<Absence>; 2],
    pub(crate) certificates: Option<Judged>,
    /// Where the servers that routes lead to take calls, by service.
    pub(super) servers: BTreeMap<String, Listening>,
    /// Services that may install a version of `mcp` that their scripts do not work with.
    pub(super) unbounded: Vec<Unbounded>,
    /// What the stack may do to this host only when a person wants it.
    privileges: Privileges,
    /// Whether a person does.
    pub(super) is_allowed: bool,
    /// User and group that the proxy runs as.
    pub(super) user: (u32, u32),
}

impl Deref for Facts {
    type Target = Current;

    fn deref(&self) -> &Current {
        &self.current
    }
}

impl Facts {
    /// Reads what the checks need, Compose's view of the files included; decides nothing.
    ///
    /// # Errors
    /// `directory` without a deployment.
    pub(crate) fn gather(deployment: &Deployment, caller: &Caller) -> Result<Self, Error> {
        deployment.require()?;
        let mut found = Found::read(deployment);
        let asked = compose::resolve(&mut found, deployment, caller);
        Ok(Self::of(deployment, caller, found, asked))
    }

    fn of(deployment: &Deployment, caller: &Caller, found: Found, asked: Asked) -> Self {
        let roles = found.roles();
        let token = token::token_of(&found, deployment, caller, roles.agent.as_deref());
        let current = Current::of(deployment, found);
        let pair = pair::places(deployment, &current.found, roles.proxy.as_deref(), current.gateway.good());
        let absent_pair = pair::absences(deployment, &current.found, &current.services.proxy, current.gateway.good());
        let dialled = current.dialled().into_iter();
        let listening = |service: &str| runs::listening(deployment, &current.found, service);
        let servers = dialled.map(|service| (service.clone(), listening(&service))).collect();
        let names = current.found.service_names().into_iter();
        let unbounded = names.filter_map(|name| Unbounded::of(deployment, &current.found, &name)).collect();
        let certificates = current.domain.as_ref().and_then(|domain| {
            let purpose = Purpose { domain, routes: &current.labels(domain), now: caller.now };
            Some(Judged::new(certificate_files(deployment, &pair)?, purpose))
        });
        let git = git::state(deployment, path::ENV);
        let git_key = files::metadata(deployment, path::CA_KEY).ok().flatten().map(|_| match &git {
            GitState::NoRepository | GitState::Unknown(_) => git.clone(),
            GitState::Ignored | GitState::NotIgnored | GitState::Tracked => git::state(deployment, path::CA_KEY),
        });
        let user = current::proxy_user(&current.found, &current.services.proxy);
        let privileges = Privileges::of(&current.found, deployment);
        let is_allowed = !privileges.facts.is_empty() && consent::is_given(deployment, &privileges.digest, caller);
        Self {
            deployment: deployment.clone(),
            caller: caller.clone(),
            current,
            token,
            git,
            git_key,
            asked,
            roles,
            pair,
            absent_pair,
            certificates,
            servers,
            unbounded,
            privileges,
            is_allowed,
            user,
        }
    }

    /// What `.env` says.
    pub(crate) fn env(&self) -> Option<&EnvFile> {
        self.found.env()
    }

    /// What the stack may do to this host only when a person wants it.
    pub(crate) fn privileges(&self) -> &Privileges {
        &self.privileges
    }

    /// Name of the Compose project.
    pub(crate) fn project(&self) -> Option<String> {
        self.found.project(&self.deployment)
    }

    /// Whether there is a stack without Anthropic's proxy: then nothing is derived from one.
    pub(super) fn lacks_proxy(&self) -> bool {
        self.found.is_known() && !self.found.includes_others() && self.roles.proxy.is_none()
    }
}

/// The certificates and keys, those of the server from where the proxy has them; `None` where they cannot be seen.
pub(crate) fn certificate_files(deployment: &Deployment, (cert, key): &(PairFile, PairFile)) -> Option<Files> {
    let mut files = Files::read(deployment);
    match cert {
        PairFile::Inside(place) => files.server = File::read(deployment, place),
        PairFile::Unseen(_) => return None,
        PairFile::Nowhere => files.server = File::Absent,
    }
    match key {
        PairFile::Inside(place) => files.server_key = File::read(deployment, place),
        PairFile::Unseen(_) => return None,
        PairFile::Nowhere => files.server_key = File::Absent,
    }
    Some(files)
}
