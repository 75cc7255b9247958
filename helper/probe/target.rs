//! What must be tried: the routes of the proxy's configuration as requests to the program in the container.

use std::collections::BTreeMap;

use super::wire::{Allowed, ProbeTarget, Trust};
use crate::config::gateway::{Gateway, data_file};
use crate::deployment::route::Scheme;
use crate::deployment::{Deployment, Upstream, path};
use crate::os::files;
use crate::redact::names;

/// Path of the MCP endpoint where none is kept, first; then the others that are usual.
pub(crate) const USUAL_PATHS: [&str; 4] = ["/mcp", "/mcp/", "/sse", "/"];

/// What a server is called in requests and URLs that is not a route yet.
pub(crate) const NAME: &str = "NAME";

/// One route to try.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// Its key in `routes`; the upstream of a server that is not a route yet.
    pub(crate) name: String,
    /// Host name that Claude calls, as it may be shown.
    pub(crate) host: String,
    /// Its value, as written.
    pub(crate) upstream: String,
    /// Whether a person chose its path.
    pub(crate) is_kept: bool,
    /// What is asked, or why it cannot be.
    pub(crate) target: Result<ProbeTarget, String>,
}

/// The routes of a configuration. `domain` is the tunnel's, `paths` are those that are kept.
pub(crate) fn plan(
    deployment: &Deployment,
    gateway: &Gateway,
    domain: &str,
    paths: &BTreeMap<String, String>,
    limit_ms: u64,
) -> Vec<Planned> {
    let trust = trust(deployment, gateway);
    let suffix = format!(".{domain}");
    let one = |(name, text): (&String, &String)| {
        let label = name.strip_suffix(&suffix).unwrap_or(name);
        let kept = paths.get(label).or_else(|| paths.get(name));
        let host = if label.contains('.') { label.to_owned() } else { format!("{label}{suffix}") };
        let shown = names::shown_route(&host).to_owned();
        let target = Upstream::parse(text).and_then(|upstream| {
            let trust = match upstream.scheme() {
                Scheme::Http => Trust::default(),
                Scheme::Https => trust.clone()?,
            };
            let chosen = kept.map_or(USUAL_PATHS[0], String::as_str);
            Ok(target(Some(name.clone()), &upstream, host, chosen, allowed(gateway), trust, limit_ms))
        });
        Planned {
            name: names::shown_route(name).to_owned(),
            host: shown,
            upstream: Upstream::shown(text),
            is_kept: kept.is_some(),
            target,
        }
    };
    gateway.routes.iter().map(one).collect()
}

pub(crate) fn target(
    route: Option<String>,
    upstream: &Upstream,
    tunnel_host: String,
    chosen: &str,
    allowed: Allowed,
    trust: Trust,
    limit_ms: u64,
) -> ProbeTarget {
    ProbeTarget {
        route,
        https: upstream.scheme() == Scheme::Https,
        host: upstream.host_text().to_owned(),
        port: upstream.port(),
        tunnel_host,
        path: chosen.to_owned(),
        other_paths: USUAL_PATHS.iter().filter(|path| **path != chosen).map(|path| (*path).to_owned()).collect(),
        allowed,
        trust,
        limit_ms,
    }
}

impl ProbeTarget {
    /// `scheme://host:port`.
    pub(super) fn url(&self) -> String {
        self.url_at(self.https, self.port)
    }

    /// The same host under another scheme or port.
    pub(super) fn url_at(&self, https: bool, port: u16) -> String {
        format!("{}://{}:{port}", if https { "https" } else { "http" }, self.host)
    }

    /// The route, or the URL of a server that is not one yet.
    pub(super) fn shown_name(&self) -> String {
        self.route.clone().unwrap_or_else(|| self.url())
    }
}

/// What the proxy may dial.
pub(crate) fn allowed(gateway: &Gateway) -> Allowed {
    match gateway.allowed_ips() {
        _ if gateway.dials_anything() => Allowed::Anything,
        None => Allowed::Private,
        Some(ranges) => Allowed::Ranges(ranges.to_vec()),
    }
}

/// What the proxy trusts behind `https` routes; an error where its CA file cannot be read from here.
pub(crate) fn trust(deployment: &Deployment, gateway: &Gateway) -> Result<Trust, String> {
    let Some(tls) = gateway.upstream.as_ref().and_then(|upstream| upstream.tls.as_ref()) else {
        return Ok(Trust::default());
    };
    let ca_pem = match tls.ca_file.as_deref().filter(|file| !file.is_empty()) {
        None => None,
        Some(file) => {
            let inside = data_file(file).map(|name| format!("{}/{name}", path::DATA));
            let text = inside.and_then(|inside| files::read_text(deployment, &inside).ok().flatten());
            Some(text.ok_or_else(|| format!("the CA file `{file}` of `upstream.tls` cannot be read from here"))?)
        }
    };
    Ok(Trust { ca_pem, public: tls.include_system_cas == Some(true) })
}
