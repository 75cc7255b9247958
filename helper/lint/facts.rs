//! What the checks of a deployment look at, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
#[cfg(test)]
use std::path::Path;

use crate::answer::Error;
use crate::caller::Caller;
use crate::certs::file::{CertificateFile, File};
use crate::certs::rotation::Stage;
use crate::certs::{Files, Judged, Purpose};
use crate::config::gateway::Gateway;
use crate::config::stamp::{Authorship, origin};
#[cfg(test)]
use crate::deployment::TokenState;
use crate::deployment::env_file::EnvFile;
use crate::deployment::modes::Places;
use crate::deployment::{Deployment, kind, path};
use crate::engine::client::Passed;
use crate::model::compose::{self, Asked};
use crate::model::current::{self, Current};
use crate::model::environment;
use crate::model::found::Found;
use crate::model::mounts::{MountSource, Mounted};
use crate::model::packages::{self, Unbounded};
use crate::model::pair::{self, PairFile};
use crate::model::refused::{self, Refusal};
use crate::model::roles::Roles;
use crate::model::runs::{self, Listening, Served};
use crate::model::token::{self, AgentToken, TokenOrigin};
use crate::os::files;
use crate::os::git::{self, GitState};
use crate::privileges::{Privileges, consent};
use crate::rules::{Absence, At, Refused, Unusable};

/// Everything that the checks ask for.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Where it was read. The checks open nothing: what they ask is in the other fields.
    pub(crate) deployment: Deployment,
    pub(super) caller: Caller,
    /// What the directory says; what the services get, as Compose says where it answers.
    pub(crate) current: Current,
    pub(crate) token: AgentToken,
    pub(super) git: GitState,
    pub(super) git_key: Option<GitState>,
    /// The files as Compose resolves them.
    pub(super) asked: Asked,
    /// What Compose refuses in them, as they are read here.
    pub(super) refused: Vec<Refusal>,
    /// Variables that only the calling shell has.
    pub(super) passed: Passed,
    /// Modes and owners, also of every file inside the directory that the containers read by a setting.
    pub(super) places: Places,
    /// Sources of bind mounts that are missing or empty, as they are written.
    pub(super) mounted: BTreeMap<String, MountSource>,
    /// Names of what else is in `data`, where the proxy can read all of it.
    pub(super) foreign_data: Vec<String>,
    /// Links to the pair that lead nowhere in the proxy's container: the link, and what it says.
    pub(super) dead_links: Vec<(String, String)>,
    pub(crate) roles: Roles,
    /// Where the server certificate and its key are.
    pub(crate) pair: (PairFile, PairFile),
    /// Whether those are the ones that `certs` keeps.
    pub(super) keeps_pair: bool,
    /// Why the proxy's container has no certificate and no key, where it has none.
    pub(super) absent_pair: [Option<Absence>; 2],
    pub(crate) certificates: Option<Judged>,
    /// How far a change of the CA is.
    pub(super) rotation: Stage,
    /// Where the servers that routes lead to take calls, by service and port of the route.
    pub(super) servers: BTreeMap<(String, u16), Listening>,
    /// Which host names those servers answer to, and in how many processes, by service.
    pub(super) served: BTreeMap<String, Served>,
    /// Those whose script their container does not have, or cannot run, with the line of the Dockerfile that names it.
    pub(super) unusable: BTreeMap<String, (Unusable, Option<At>)>,
    /// Services that may install a version of `mcp` that their scripts do not work with.
    pub(super) unbounded: Vec<Unbounded>,
    /// What the stack may do to this host only when a person wants it.
    pub(crate) privileges: Privileges,
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
        let (found, proxy, gateway) = (&current.found, &current.services.proxy, current.gateway.good());
        let pair = pair::places(deployment, found, roles.proxy.as_deref(), gateway);
        let certificates = current.domain.as_ref().and_then(|domain| {
            let purpose = Purpose { domain, routes: &current.labels(domain), now: caller.now };
            Some(Judged::new(certificate_files(deployment, &pair)?, purpose))
        });
        let git = git::state(deployment, path::ENV);
        let git_key = files::metadata(deployment, path::CA_KEY).ok().flatten().map(|_| match &git {
            GitState::NoRepository | GitState::Unknown(_) => git.clone(),
            GitState::Ignored | GitState::NotIgnored | GitState::Tracked => git::state(deployment, path::CA_KEY),
        });
        let listening = |(service, port): (String, u16)| {
            let of_route = runs::listening(deployment, found, &service, port);
            ((service, port), of_route)
        };
        let dialled: BTreeSet<String> = current.dialled().into_iter().map(|(service, _)| service).collect();
        let served = |service: &String| {
            let sdk = packages::sdk_of(deployment, found, service);
            (service.clone(), runs::served(deployment, found, service, sdk))
        };
        let unusable = |service: &String| Some((service.clone(), runs::unusable(deployment, found, service)?));
        let unbounded = |service: String| Unbounded::of(deployment, found, &service);
        let privileges = Privileges::of(found, deployment, &|name| caller.var(name).is_some());
        Self {
            refused: refused::of(found, deployment, &token.origin),
            passed: environment::passed(deployment, found, caller),
            places: places(deployment, &current, &pair, &token.origin),
            mounted: mounted(deployment, found),
            foreign_data: foreign_data(deployment, found, proxy, &pair),
            dead_links: pair::links_to_nowhere(deployment, found, proxy, gateway),
            rotation: Stage::of(deployment).unwrap_or(Stage::Idle),
            keeps_pair: pair::is_kept(deployment, &pair),
            absent_pair: pair::absences(deployment, found, proxy, gateway),
            servers: current.dialled().into_iter().map(listening).collect(),
            served: dialled.iter().map(served).collect(),
            unusable: dialled.iter().filter_map(unusable).collect(),
            unbounded: found.service_names().into_iter().filter_map(unbounded).collect(),
            user: current::proxy_user(found, proxy),
            is_allowed: !privileges.facts.is_empty() && consent::is_given(deployment, &privileges.digest, caller),
            deployment: deployment.clone(),
            caller: caller.clone(),
            token,
            git,
            git_key,
            asked,
            roles,
            pair,
            certificates,
            privileges,
            current,
        }
    }

    /// Files of a stack as texts, without a directory around them: it has no certificate, no token and no `.env`.
    #[cfg(test)]
    pub(super) fn of_texts(compose: &str, gateway: &str) -> Self {
        let found = Found::of_text(compose);
        let current = Current::of_texts(found, gateway);
        Self {
            token: AgentToken { origin: TokenOrigin::Nowhere, state: TokenState::Missing },
            roles: current.found.roles(),
            deployment: Deployment::at(Path::new("/nowhere")),
            caller: Caller::with_env(&[]),
            git: GitState::NoRepository,
            git_key: None,
            asked: Asked::Unasked("there is no Compose".into()),
            refused: Vec::new(),
            passed: Passed::default(),
            places: Places::default(),
            mounted: BTreeMap::new(),
            foreign_data: Vec::new(),
            dead_links: Vec::new(),
            pair: (PairFile::Nowhere, PairFile::Nowhere),
            keeps_pair: false,
            rotation: Stage::Idle,
            absent_pair: [None, None],
            certificates: None,
            servers: BTreeMap::new(),
            served: BTreeMap::new(),
            unusable: BTreeMap::new(),
            unbounded: Vec::new(),
            privileges: Privileges::default(),
            is_allowed: false,
            user: current::IMAGE_USER,
            current,
        }
    }

    /// What `.env` says.
    pub(crate) fn env(&self) -> Option<&EnvFile> {
        self.found.env()
    }

    pub(crate) fn project(&self) -> Option<String> {
        self.found.project(&self.deployment)
    }

    /// Whether `render` changes the files: it leaves those alone that a person wrote or edited.
    pub(super) fn renders(&self) -> bool {
        let is_ours = |text: &str| origin(text) == Authorship::Ours;
        self.found.main.as_ref().is_some_and(|main| is_ours(&main.text)) && is_ours(&self.gateway_text)
    }

    /// Whether there is a stack without Anthropic's proxy: then nothing is derived from one.
    pub(super) fn lacks_proxy(&self) -> bool {
        self.found.is_known() && !self.found.includes_others() && self.roles.proxy.is_none()
    }

    /// Whether cloudflared has a key that Compose does not know and that is meant for one of those with the token.
    pub(super) fn has_unknown_setting(&self) -> bool {
        let own = format!("services.{}", self.services.cloudflared);
        let is_it = |why: &Refused| {
            matches!(why, Refused::Key { place, near: Some("environment" | "env_file" | "secrets" | "command"), .. }
                if *place == own)
        };
        self.refused.iter().any(|refusal| is_it(&refusal.why))
    }

    /// Whether a service joins a network that the files do not declare, which is to be declared first.
    pub(super) fn joins_undeclared(&self, name: &str) -> bool {
        let is_it =
            |why: &Refused| matches!(why, Refused::Undeclared { service, kind: "networks", .. } if service == name);
        self.refused.iter().any(|refusal| is_it(&refusal.why))
    }
}

/// Looks at every file inside the directory that a container reads by a setting.
fn places(
    deployment: &Deployment,
    current: &Current,
    (cert, key): &(PairFile, PairFile),
    token: &TokenOrigin,
) -> Places {
    let pair = [cert, key].into_iter().filter_map(PairFile::inside).map(str::to_owned);
    let of_token = match token {
        TokenOrigin::File(place) => Some(place.clone()),
        _ => None,
    };
    let upstream_ca = current.gateway.good().and_then(Gateway::upstream_ca);
    let upstream_ca =
        upstream_ca.and_then(|file| files::inside(&current.found.source_of(&current.services.proxy, file)?));
    let further = pair.chain([current.gateway_path.clone()]).chain(of_token).chain(upstream_ca);
    Places::look(deployment, further.collect())
}

fn mounted(deployment: &Deployment, found: &Found) -> BTreeMap<String, MountSource> {
    let names = found.service_names().into_iter();
    let sources = names.flat_map(|service| found.mounts(&service)).filter_map(|mount| match mount.source {
        Mounted::Bind(source) => Some(source),
        Mounted::Volume(_) | Mounted::Other => None,
    });
    let sources: BTreeSet<String> = sources.collect();
    let look = |source: String| Some((source.clone(), MountSource::look(&deployment.path(&source))?));
    sources.into_iter().filter_map(look).collect()
}

fn foreign_data(
    deployment: &Deployment,
    found: &Found,
    proxy: &str,
    (cert, key): &(PairFile, PairFile),
) -> Vec<String> {
    if !found.mounts(proxy).iter().any(|mount| mount.bind() == Some(path::DATA)) {
        return Vec::new();
    }
    let pair: Vec<&str> = [cert, key].into_iter().filter_map(PairFile::inside).collect();
    kind::foreign_data(deployment, &pair)
}

/// The certificates and keys, those of the server from where the proxy has them; `None` where they cannot be seen.
pub(crate) fn certificate_files(deployment: &Deployment, (cert, key): &(PairFile, PairFile)) -> Option<Files> {
    let mut files = Files::read(deployment);
    match cert {
        PairFile::Inside(place) => {
            files.server = File::read(deployment, place);
            if place != path::TLS_CRT {
                take_ca_beside(deployment, place, &mut files);
            }
        }
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

/// So many files of a folder are tried as the CA.
const MOST_BESIDE: usize = 64;

/// Takes the CA that signed a certificate from that one's folder, with its key, where the CA of `data` did not sign it.
fn take_ca_beside(deployment: &Deployment, cert: &str, files: &mut Files) {
    let Some(server) = files.server.good() else { return };
    let signed = |ca: &File<CertificateFile>| ca.good().is_some_and(|ca| server.first.is_signed_by(&ca.first));
    if signed(&files.ca) {
        return;
    }
    let folder = cert.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut names = files::names(deployment, folder, MOST_BESIDE).unwrap_or_default();
    names.sort();
    let stems = names.iter().filter_map(|name| {
        let (stem, kind) = name.rsplit_once('.')?;
        ["crt", "pem", "cer"].contains(&kind).then(|| (format!("{folder}/{name}"), format!("{folder}/{stem}.key")))
    });
    let beside =
        stems.filter(|(place, _)| place != cert).map(|(place, key)| (File::read(deployment, &place), place, key));
    if let Some((ca, place, key)) = { beside }.find(|(ca, ..)| signed(ca)) {
        (files.ca, files.ca_beside, files.ca_key) = (ca, Some(place), File::read(deployment, &key));
    } else if files.ca.is_absent() {
        files.ca_key = File::Absent;
    }
}
