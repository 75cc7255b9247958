//! Which routes mean the same in a cluster, and what to write for the others. Pure.

use super::values::NAMESPACE;
use crate::config::gateway::{Gateway, Route};
use crate::config::sample;
use crate::deployment::route::{Host, Scheme};
use crate::deployment::{Domain, Upstream};
use crate::export::parts::{ExportState, RouteExport};
use crate::lint::facts::Facts;
use crate::model::current::{RouteTarget, target};
use crate::redact;

pub(super) fn judge(facts: &Facts, gateway: &Gateway, domain: &Domain, has_sample: bool) -> Vec<RouteExport> {
    let judge = |route: Route| {
        let (state, instead, service) = match one(facts, gateway, &route, has_sample) {
            Ok(Way::Carried(only)) => (ExportState::Carried, only, None),
            Ok(Way::Service(name, why)) => (ExportState::NeedsService, Some(why), Some(name)),
            Err(why) => (ExportState::NotPortable, Some(why), None),
        };
        let upstream = gateway.routes.get(&route.key).map(|text| Upstream::shown(text)).unwrap_or_default();
        RouteExport { name: route.shown().to_owned(), upstream, state, instead, service, key: route.key }
    };
    gateway.parsed_routes(Some(domain)).into_iter().map(judge).collect()
}

/// How a route goes along.
enum Way {
    /// It is carried; where something is said, it works only so far.
    Carried(Option<String>),
    /// It needs a Service of this name.
    Service(String, String),
}

/// # Errors
/// Why the route is not written, and what to write instead.
fn one(facts: &Facts, gateway: &Gateway, route: &Route, has_sample: bool) -> Result<Way, String> {
    route.label.clone().map_err(|why| redact::cut(&why, 200))?;
    let upstream = route.upstream.clone().map_err(|why| redact::cut(&why, 200))?;
    let (scheme, port) = (if upstream.scheme() == Scheme::Https { "https" } else { "http" }, upstream.port());
    let in_cluster = format!("{scheme}://SERVICE.NAMESPACE:{port} for a server in the cluster");
    let host = upstream.host_text();
    if host.ends_with(".docker.internal") {
        return Err(format!(
            "only Docker knows {host}; write {in_cluster}, or {scheme}://ADDRESS:{port} with an address of this host that the pods reach"
        ));
    }
    if upstream.is_own_loopback() {
        return Err(format!("{host} is the pod itself there; write {in_cluster}"));
    }
    if let Some(why) = gateway.refusal(&upstream) {
        return Err(format!("it leads to {upstream}, {why}; list its range in `upstream.allowed_ips`"));
    }
    let note = private_ca(gateway, &upstream)?;
    Ok(match (upstream.host(), target(&upstream, &facts.found, &facts.services.proxy)) {
        (_, RouteTarget::Service(_)) if has_sample && upstream.to_string() == sample::URL => Way::Carried(note),
        (Host::Label(name), RouteTarget::Service(_)) if is_service_name(name) => {
            let why = format!(
                "make a Service `{name}` with port {port} in the namespace {NAMESPACE}, or write {scheme}://{name}.NAMESPACE:{port} for one in another namespace"
            );
            Way::Service(name.to_owned(), why)
        }
        (_, RouteTarget::Service(service)) => {
            return Err(format!(
                "`{host}` is a name of the Compose service `{service}` and cannot be one of a Service; write {in_cluster}"
            ));
        }
        (_, RouteTarget::Joined(_)) => {
            return Err(format!(
                "no service of the Compose project is `{host}`, and whether a container on a joined Docker network has that name is not known; write {in_cluster}"
            ));
        }
        (_, RouteTarget::NoService | RouteTarget::Unknown(_)) => {
            return Err(format!("nothing on this host says what `{host}` is; write {in_cluster}"));
        }
        (_, RouteTarget::Outside(_)) => Way::Carried(note),
    })
}

/// What a private CA for upstreams means for an `https` route: how to mount one in the chart is documented nowhere.
///
/// # Errors
/// Why the route is not written.
fn private_ca(gateway: &Gateway, upstream: &Upstream) -> Result<Option<String>, String> {
    let tls = gateway.upstream.as_ref().and_then(|rules| rules.tls.as_ref());
    if upstream.scheme() != Scheme::Https {
        return Ok(None);
    }
    let has_file = tls.and_then(|tls| tls.ca_file.as_ref()).is_some_and(|file| !file.is_empty());
    match tls.and_then(|tls| tls.include_system_cas) {
        Some(true) if has_file => Ok(Some(
            "it works if a public CA signed the server's certificate; the private CA of `ca_file` does not go along".into(),
        )),
        Some(true) => Ok(None),
        _ => Err(
            "the server's certificate needs the private CA of `upstream.tls.ca_file`, which the chart has no documented place for; give the server a certificate of a public CA and set `include_system_cas`, or write http:// for a server in the cluster"
                .into(),
        ),
    }
}

/// Whether a text can be the name of a Service (RFC 1035 label).
fn is_service_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(plain)
}
