//! Gathers what was seen of a stack's routes: the probe in the proxy's network namespace, then, where a server did not
//! answer there, the listening sockets of the container behind the route.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use super::container::{self, Place};
use super::sockets;
use super::state::Behind;
use super::target::Planned;
use super::wire::{Ask, Got, Listener, Metrics, ProbeTarget, Seen, Step, Told};
use crate::answer::Error;
use crate::engine::client::Docker;
use crate::engine::container::Container;

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
pub(crate) fn neighbours(proxy: &Container, containers: &[Container]) -> Vec<Neighbour> {
    let near = |c: &Container| {
        let name = if c.service.is_empty() { &c.name } else { &c.service };
        let addresses = c.addresses_shared_with(proxy).filter_map(|endpoint| endpoint.address).collect();
        Neighbour { id: c.id.clone(), name: name.clone(), addresses }
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
pub(crate) fn metrics_addresses(agent: &Container) -> Vec<String> {
    addresses_of(agent.metrics.as_deref())
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
pub(crate) fn metrics_of(docker: &Docker, agent: &Container) -> Result<Option<Metrics>, Error> {
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
    let told = match ask_routes(docker, place, targets, metrics)? {
        Ok(told) => told,
        Err(why) => return Ok(Err(why)),
    };
    let routes = look_behind(docker, told.routes, neighbours)?;
    let ask = |again: &[ProbeTarget]| Ok(ask_routes(docker, place, again, &[])?.map(|told| told.routes));
    Ok(confirm(targets, routes, ask)?.map(|routes| Observed { routes, metrics: told.metrics }))
}

/// Asks a server once more that was silent and whose port is open: it may have opened the port between the two looks, and
/// only an attempt after the second one tells that from a firewall.
fn confirm(
    targets: &[ProbeTarget],
    mut routes: Vec<(Seen, Behind)>,
    ask: impl FnOnce(&[ProbeTarget]) -> Result<Result<Vec<Seen>, String>, Error>,
) -> Result<Result<Vec<(Seen, Behind)>, String>, Error> {
    let (mut again, mut stale) = (Vec::new(), Vec::new());
    for (target, (seen, behind)) in targets.iter().zip(&mut routes) {
        let is_open = |all: &[Listener]| all.iter().any(|l| l.port == target.port && !l.is_loopback());
        if is_silent(seen) && behind.listening().is_some_and(is_open) {
            again.push(target.clone());
            stale.push(seen);
        }
    }
    if again.is_empty() {
        return Ok(Ok(routes));
    }
    let fresh = match ask(&again)? {
        Ok(fresh) => fresh,
        Err(why) => return Ok(Err(why)),
    };
    stale.into_iter().zip(fresh).for_each(|(stale, fresh)| *stale = fresh);
    Ok(Ok(routes))
}

/// What the probe says of the targets, one entry each in their order; an error text says why nothing could be tried.
fn ask_routes(
    docker: &Docker,
    place: Place<'_>,
    targets: &[ProbeTarget],
    metrics: &[String],
) -> Result<Result<Told, String>, Error> {
    let slowest = targets.iter().map(|target| target.limit_ms).max().unwrap_or_default();
    let ask =
        Ask { deadline_ms: slowest + SLACK, routes: targets.to_vec(), metrics: metrics.to_vec(), ..Ask::default() };
    Ok(container::run(docker, place, &ask)?.and_then(|told| match told.routes.len() == targets.len() {
        true => Ok(told),
        false => Err("the probe's answer is not about the routes that were asked".into()),
    }))
}

/// Each route with what is behind it: the listening sockets where no connection could be made.
fn look_behind(docker: &Docker, seen: Vec<Seen>, neighbours: &[Neighbour]) -> Result<Vec<(Seen, Behind)>, Error> {
    let mut looked: BTreeMap<String, Option<Vec<Listener>>> = BTreeMap::new();
    let mut routes = Vec::new();
    for seen in seen {
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
    Ok(routes)
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
    use crate::probe::wire::{Allowed, Server, Trust, Try};

    #[test]
    fn a_port_that_opened_between_the_two_looks_is_no_firewall() {
        let target = |port| ProbeTarget {
            route: None,
            https: false,
            host: "own".to_owned(),
            port,
            tunnel_host: String::new(),
            path: String::new(),
            other_paths: Vec::new(),
            allowed: Allowed::Private,
            trust: Trust::default(),
            limit_ms: 1,
        };
        let refused = || {
            let (path, host) = (String::new(), String::new());
            let entry = Try { step: Step::Connect, path, host, got: Got::Refused, ms: 0 };
            Seen { tries: vec![entry], ..Seen::default() }
        };
        let answered = || Seen { server: Some(Server::default()), ..Seen::default() };
        let listens = |address: &str| Behind::Container {
            name: "own".to_owned(),
            listening: Some(vec![Listener { address: address.parse().unwrap(), port: 9000 }]),
        };
        let seen = vec![
            (refused(), listens("0.0.0.0")),
            (refused(), listens("127.0.0.1")),
            (refused(), listens("::")),
            (answered(), listens("0.0.0.0")),
            (refused(), listens("::")),
        ];
        let targets = [9000, 9000, 8000, 9000, 9000].map(target);
        let ask = |again: &[ProbeTarget]| {
            assert_eq!(again.len(), 2);
            Ok(Ok(vec![answered(), refused()]))
        };
        let found = confirm(&targets, seen, ask).unwrap().unwrap();
        let silent: Vec<bool> = found.iter().map(|(seen, _)| is_silent(seen)).collect();
        assert_eq!(silent, [false, true, true, false, true]);
        let unasked = |_: &[ProbeTarget]| Err(Error::Internal("asked".to_owned()));
        assert!(confirm(&[target(8000)], vec![(refused(), listens("::"))], unasked).is_ok());
    }

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
