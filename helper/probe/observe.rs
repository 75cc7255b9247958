//! Gathers what was seen of a stack's routes: the probe in the proxy's network namespace, then, where a server did not
//! answer there, the listening sockets of the container behind the route.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use super::container::{self, Place};
use super::sockets;
use super::state::Behind;
use super::target::Planned;
use super::wire::{Ask, Got, Listener, Metrics, ProbeTarget, Seen, Step};
use crate::answer::Error;
use crate::engine::client::Docker;
use crate::engine::container::Inspected;

/// Time for the program's start and end in addition to the slowest route, in milliseconds.
const SLACK: u64 = 3_000;

/// A container that may be behind a route.
#[derive(Clone, Debug)]
pub(crate) struct Neighbour {
    pub(crate) id: String,
    /// Its service, or its name where it has none.
    pub(crate) name: String,
    /// Its addresses on networks that the proxy is on as well.
    pub(crate) addresses: Vec<IpAddr>,
}

/// The containers that may be behind the routes of a proxy.
pub(crate) fn neighbours(proxy: &Inspected, containers: &[Inspected]) -> Vec<Neighbour> {
    let networks: Vec<String> = proxy.endpoints().into_iter().map(|endpoint| endpoint.network).collect();
    let near = |c: &Inspected| {
        let shared = c.endpoints().into_iter().filter(|endpoint| networks.contains(&endpoint.network));
        let name = if c.service().is_empty() { c.name() } else { c.service() };
        let addresses = shared.filter_map(|endpoint| endpoint.address).collect();
        Neighbour { id: c.id.clone(), name: name.to_owned(), addresses }
    };
    containers.iter().filter(|c| c.id != proxy.id).map(near).collect()
}

/// What was seen of the routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// One entry a target, in their order: what was seen, and what is behind it.
    pub(crate) routes: Vec<(Seen, Behind)>,
    /// cloudflared's numbers, if they were asked for here and something answered.
    pub(crate) metrics: Option<Metrics>,
}

impl Observed {
    /// Puts kept answers of servers in containers where none was asked for: one entry a target, in their order.
    pub(crate) fn with(self, kept: Vec<Option<Seen>>) -> Self {
        let mut fresh = self.routes.into_iter();
        let of_container = |seen| (seen, Behind::Container { name: String::new(), listening: None });
        let routes = kept.into_iter().filter_map(|seen| seen.map(of_container).or_else(|| fresh.next())).collect();
        Self { routes, metrics: self.metrics }
    }
}

/// A probe of a stack's routes.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    pub(crate) planned: Vec<Planned>,
    /// What was seen, or why nothing was.
    pub(crate) observed: Result<Observed, String>,
}

/// Where cloudflared serves its metrics where neither its command line nor `TUNNEL_METRICS` says so (its own defaults).
pub(crate) fn metrics_addresses(agent: &Inspected) -> Vec<String> {
    addresses_of(agent.flag("--metrics").or_else(|| agent.variable("TUNNEL_METRICS")))
}

fn addresses_of(named: Option<&str>) -> Vec<String> {
    let named = named.and_then(|address| {
        let (host, port) = address.rsplit_once(':')?;
        // A name, nothing, or all addresses: its own loopback is one of them.
        let host = host.parse().ok().filter(|host: &Ipv4Addr| !host.is_unspecified()).unwrap_or(Ipv4Addr::LOCALHOST);
        Some(SocketAddr::from((host, port.parse().ok().filter(|port| *port != 0)?)))
    });
    match named {
        Some(address) => vec![address.to_string()],
        None => (20241..=20245).map(|port| format!("127.0.0.1:{port}")).collect(),
    }
}

/// cloudflared's numbers, read in its own network namespace; `None` where nothing answers there.
pub(crate) fn metrics_of(docker: &Docker, agent: &Inspected) -> Result<Option<Metrics>, Error> {
    let ask = Ask { deadline_ms: SLACK, metrics: metrics_addresses(agent), ..Ask::default() };
    Ok(container::run(docker, Place::Namespace(&agent.id), &ask)?.ok().and_then(|told| told.metrics))
}

/// Tries the targets; an error text says why nothing could be tried.
pub(crate) fn observe(
    docker: &Docker,
    place: Place<'_>,
    targets: &[ProbeTarget],
    metrics: &[String],
    neighbours: &[Neighbour],
) -> Result<Result<Observed, String>, Error> {
    let slowest = targets.iter().map(|target| target.limit_ms).max().unwrap_or_default();
    let ask =
        Ask { deadline_ms: slowest + SLACK, routes: targets.to_vec(), metrics: metrics.to_vec(), ..Ask::default() };
    let told = match container::run(docker, place, &ask)? {
        Ok(told) => told,
        Err(why) => return Ok(Err(why)),
    };
    if told.routes.len() != targets.len() {
        return Ok(Err("the probe's answer is not about the routes that were asked".into()));
    }
    let mut looked: BTreeMap<String, Option<Vec<Listener>>> = BTreeMap::new();
    let mut routes = Vec::new();
    for seen in told.routes {
        let behind = match neighbour(&seen, neighbours) {
            Some(neighbour) if is_silent(&seen) => {
                if !looked.contains_key(&neighbour.id) {
                    looked.insert(neighbour.id.clone(), sockets_of(docker, &neighbour.id)?);
                }
                let listening = looked.get(&neighbour.id).cloned().flatten();
                Behind::Container { name: neighbour.name.clone(), listening }
            }
            Some(neighbour) => Behind::Container { name: neighbour.name.clone(), listening: None },
            None if seen.addresses.iter().any(|address| is_of_this_host(*address)) => {
                Behind::Host { listening: is_silent(&seen).then(sockets::listening).flatten() }
            }
            None => Behind::Unknown,
        };
        routes.push((seen, behind));
    }
    Ok(Ok(Observed { routes, metrics: told.metrics }))
}

/// Whether no connection could be made.
fn is_silent(seen: &Seen) -> bool {
    let failed = |got: &Got| matches!(got, Got::Refused | Got::Timeout | Got::Unreachable);
    seen.server.is_none() && seen.tries.iter().any(|entry| entry.step == Step::Connect && failed(&entry.got))
}

fn neighbour<'a>(seen: &Seen, neighbours: &'a [Neighbour]) -> Option<&'a Neighbour> {
    let has = |n: &&Neighbour| seen.addresses.iter().any(|address| n.addresses.contains(&IpAddr::V4(*address)));
    neighbours.iter().find(has)
}

/// Whether an address is one of this machine's own, as `host.docker.internal` is for a local engine.
fn is_of_this_host(address: Ipv4Addr) -> bool {
    // Binding a UDP socket sends nothing; it works for addresses of this machine only.
    !address.is_unspecified() && !address.is_loopback() && UdpSocket::bind((address, 0)).is_ok()
}

/// The listening sockets of a container, without those of Docker's own DNS; `None` where they cannot be seen.
fn sockets_of(docker: &Docker, id: &str) -> Result<Option<Vec<Listener>>, Error> {
    let ask = Ask { deadline_ms: SLACK, sockets: true, ..Ask::default() };
    let told = container::run(docker, Place::Namespace(id), &ask)?;
    let of_docker = |l: &Listener| l.address == IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
    Ok(told.ok().and_then(|told| told.listening).map(|all| all.into_iter().filter(|l| !of_docker(l)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_where_the_setting_says_or_at_the_documented_defaults() {
        for (named, expected) in [
            ("127.0.0.1:2000", "127.0.0.1:2000"),
            ("localhost:2000", "127.0.0.1:2000"),
            ("0.0.0.0:2000", "127.0.0.1:2000"),
            (":2000", "127.0.0.1:2000"),
            ("[::]:2000", "127.0.0.1:2000"),
            ("tunnel:2000", "127.0.0.1:2000"),
            ("172.20.0.3:2000", "172.20.0.3:2000"),
        ] {
            assert_eq!(addresses_of(Some(named)), [expected], "{named}");
        }
        for named in [None, Some(""), Some("localhost"), Some("0.0.0.0:0"), Some("x:y")] {
            assert_eq!(addresses_of(named).len(), 5, "{named:?}");
            assert_eq!(addresses_of(named)[0], "127.0.0.1:20241");
        }
    }
}
