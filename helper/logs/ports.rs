//! The ports that servers say they listen on, compared with the one that the proxy dials.

use serde_json::json;

use super::fault::Fault;
use super::line::upstream;
use super::matcher::Writer;
use super::quote::{quote, quote_line, same_service};
use super::stream::Stream;
use super::stream::ports::{Said, leading};
use crate::answer::{Finding, Subject};
use crate::rules::{self, Remedy, RuleId};

/// The port that the proxy dialled: of the address, otherwise of the route.
fn dialled(text: &str) -> Option<u16> {
    let address = text.split_once("dial tcp ").and_then(|(_, rest)| rest.split(": ").next());
    leading(address?.rsplit_once(':')?.1)
}

/// The server behind a host name: what is called so, otherwise the only one that may be.
fn behind<'a>(streams: &'a [Stream], host: &str) -> Option<&'a Stream> {
    let mut like = streams.iter().filter(|s| same_service(&s.name, host));
    streams.iter().find(|s| s.name == host).or_else(|| like.next().filter(|_| like.next().is_none()))
}

/// A route whose server refuses connections on the port of the route, and says that it listens on another one.
fn other_port(streams: &[Stream], proxy: &Stream, fault: &Fault) -> Option<Finding> {
    let route = fault.subject.split('.').next().filter(|_| !fault.subject.contains("://"))?;
    let named = Some(upstream(&fault.text)).filter(|host| !host.is_empty());
    let host = named.or_else(|| proxy.routes.get(route).map(String::as_str))?;
    let server = behind(streams, host).filter(|s| s.listening)?;
    let dialled = dialled(&fault.text)?;
    let (port, Said { number, text, .. }) = server.ports.only_other(dialled)?;
    let said = quote_line(&server.name, *number, text);
    let request = json!({"routes": {route: format!("http://{host}:{port}")}});
    let finding = rules::finding(RuleId::UpstreamWrongPort).about(Subject::route(route));
    let finding = finding.with_remedy(Remedy::OtherUrl { request: &request });
    let ports = format!("the route says port {dialled}, the server listens on port {port}");
    Some(finding.with(quote(&proxy.name, fault)).with(said).with(ports))
}

/// Compares the ports of the routes with those of the servers behind them.
pub(super) fn judge(streams: &[Stream], findings: &mut Vec<Finding>) {
    let refused = |f: &&Fault| f.rule == Some(RuleId::UpstreamRefused) && f.writer == Writer::Proxy;
    let faults = streams.iter().flat_map(|s| s.faults.open().filter(refused).map(move |fault| (s, fault)));
    findings.extend(faults.filter_map(|(proxy, fault)| other_port(streams, proxy, fault)));
}
