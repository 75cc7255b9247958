//! What a deployment directory says about itself, where there is one: the stack that the host has to carry.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::Ipv4Net;

use crate::answer::{Error, Next};
use crate::caller::{Caller, Services};
use crate::config;
use crate::config::compose::Choices;
use crate::config::settings::Protocol;
use crate::config::yaml;
use crate::deployment::env_file::{self, EnvFault};
use crate::deployment::route::Host;
use crate::deployment::scaffold;
use crate::deployment::{Deployment, TokenState, Upstream, path};
use crate::model::current::Current;
use crate::steps;

/// What counts for the host's checks.
#[derive(Clone, Debug, Default)]
pub(super) struct Deployed {
    /// Where it is; `None` where that is not known.
    pub(super) root: Option<PathBuf>,
    /// Whether there are files of a stack in it.
    pub(super) is_deployment: bool,
    pub(super) has_env: bool,
    pub(super) services: Services,
    pub(super) project: Option<String>,
    /// cloudflared's protocol setting.
    pub(super) protocol: Option<Protocol>,
    pub(super) images: Vec<String>,
    /// Routes that lead to an address: in words, and the address.
    pub(super) upstreams: Vec<(String, Ipv4Net)>,
    /// Routes that lead to a name outside of Docker: in words, and the name.
    pub(super) names: Vec<(String, String)>,
    /// Docker networks from outside that the proxy joins.
    pub(super) joined: Vec<String>,
    /// DNS servers that the compose file gives to the proxy.
    pub(super) dns: Vec<IpAddr>,
    /// Bind mounts without an SELinux label, as `service: target`.
    pub(super) unlabelled: Vec<String>,
    pub(super) token: Option<TokenState>,
    /// The step after a `preflight` that found nothing wrong; empty where the directory was not read.
    pub(super) next: Vec<Next>,
}

impl Deployed {
    /// Nothing but the built-in images: the stack that `init` would write.
    pub(super) fn none(deployment: Option<&Deployment>) -> Self {
        let built_in = Choices::default();
        let root = deployment.map(|deployment| deployment.root().to_path_buf());
        Self { root, images: vec![built_in.proxy_image, built_in.cloudflared_image], ..Self::default() }
    }

    /// Reads the directory.
    ///
    /// # Errors
    /// Reading errors of the files that everything else depends on.
    pub(super) fn read(deployment: &Deployment, caller: &Caller) -> Result<Self, Error> {
        let mut this = Self::none(Some(deployment));
        let current = Current::read(deployment);
        this.next = steps::after_preflight(&current, deployment, caller);
        if !deployment.exists()? {
            return Ok(this);
        }
        // An unreadable file is an error here: everything else depends on it.
        let env = scaffold::read_env(deployment)?;
        if env.as_ref().is_some_and(|env| env.faults().contains(&EnvFault::Utf16)) {
            return Err(Error::Env { path: deployment.path(path::ENV), why: EnvFault::Utf16.to_string() });
        }
        let found = &current.found;
        this.has_env = env.is_some();
        this.is_deployment = env.is_some() || found.main.is_some();
        this.token = env.as_ref().map(|env| TokenState::of(env.get(env_file::TOKEN).as_deref()));
        let Some(main) = &found.main else { return Ok(this) };
        this.services = found.services();
        let (proxy, cloudflared) = (this.services.proxy.as_str(), this.services.cloudflared.as_str());
        this.project = found.project(deployment);
        let image = |service: &str| found.text(service, "image");
        let asked: Vec<String> = [image(proxy), image(cloudflared)].into_iter().flatten().collect();
        if main.value.is_ok() && !asked.is_empty() {
            this.images = asked;
        }
        let protocol = found.flag(cloudflared, "protocol");
        let protocol = protocol.or_else(|| found.variable(cloudflared, "TUNNEL_TRANSPORT_PROTOCOL"));
        this.protocol = protocol.and_then(|text| Protocol::named(&text));
        this.joined = found.external_networks(proxy);
        let dns = found.service(proxy, "dns");
        let dns = dns.map(|value| yaml::scalar(value).map_or_else(|| yaml::texts(value), |one| vec![one]));
        this.dns = dns.unwrap_or_default().iter().filter_map(|text| text.parse().ok()).take(3).collect();
        for service in [proxy, cloudflared, config::sample::SERVICE] {
            let mounts = found.mounts(service).into_iter();
            let bare = mounts.filter(|mount| mount.bind().is_some() && !mount.is_labelled);
            this.unlabelled.extend(bare.map(|mount| format!("{service}: {}", mount.target)));
        }
        for (name, text) in current.gateway.good().into_iter().flat_map(|gateway| &gateway.routes) {
            let Ok(upstream) = Upstream::parse(text) else { continue };
            let words = format!("route `{name}` leads to {}", upstream.host_text());
            match upstream.host() {
                Host::Address(address) => this.upstreams.push((words, Ipv4Net::from(address))),
                Host::Name(host) => this.names.push((words, host.to_owned())),
                // A container's name, or this host by Docker's.
                Host::Label(_) | Host::Engine => {}
            }
        }
        Ok(this)
    }
}
