//! What a log says of something that was restarted or replaced since: it is over, and no evidence.

use time::OffsetDateTime;

use crate::answer::Layer;
use crate::logs::Logs;
use crate::logs::fault::Fault;
use crate::logs::matcher::Writer;
use crate::logs::patterns::Effect;
use crate::model::current::RouteTarget;
use crate::rules::RuleId;
use crate::stack::declared::{Declared, DeclaredRoute};
use crate::stack::snapshot::{Container, Snapshot};

/// What only the start of the proxy makes up for.
const OF_PROXY: [RuleId; 2] = [RuleId::ProxyUnreachable, RuleId::ProxyNoAnswer];

/// Whether the proxy says that a call to a route failed at its server: by the host that was called, the upstream, or an
/// address of the server with the upstream's port.
fn is_about(fault: &Fault, route: &DeclaredRoute<'_>, server: &Container) -> bool {
    let is_of_proxy = fault.writer == Writer::Proxy && fault.effect == Effect::Call;
    if !is_of_proxy || fault.rule.is_none_or(|rule| rule.rule().layer != Layer::Upstream) {
        return false;
    }
    let subject = fault.subject.as_str();
    let is_host = subject == route.name || subject.split_once('.').is_some_and(|(label, _)| label == route.name);
    let port = route.upstream.as_ref().map(|upstream| upstream.port()).unwrap_or_default();
    let mut addresses = server.endpoints.iter().filter_map(|endpoint| endpoint.address);
    is_host || subject == route.text || addresses.any(|address| fault.text.contains(&format!(" {address}:{port}")))
}

/// Forgets what was printed before the server of a route, the proxy, or the certificate was what it is now.
pub(super) fn drop_stale(declared: &Declared, snapshot: &Snapshot, logs: &mut Logs) {
    let seconds = |at: OffsetDateTime| at.unix_timestamp();
    // The proxy reloads a new certificate by itself.
    if let Some(written) = snapshot.files.certificate_written {
        logs.forget_before(seconds(written), |fault| fault.rule.is_some_and(|rule| rule.rule().layer == Layer::Tls));
    }
    let running = |service: &str| snapshot.container(service).filter(|c| c.is_running());
    if let Some(started) = running(&declared.services.proxy).and_then(|proxy| proxy.started) {
        logs.forget_before(seconds(started), |fault| fault.rule.is_some_and(|rule| OF_PROXY.contains(&rule)));
    }
    for container in snapshot.all().iter().filter(|c| c.is_running() && c.is_settled(snapshot.now)) {
        logs.runs(&container.service);
    }
    for route in declared.routes() {
        let Some(RouteTarget::Service(service)) = &route.target else { continue };
        let Some(server) = running(service) else { continue };
        let Some(started) = server.started else { continue };
        logs.forget_before(seconds(started), |fault| is_about(fault, &route, server));
    }
}
