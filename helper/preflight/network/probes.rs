//! Sends the probes, all at once, each in a thread of its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use simple_dns::TYPE;

use super::destinations::{EDGE_SRV, EDGE_TLS, REGIONS};
use super::row::{Family, Outcome, Row, Transport, words};
use super::{EDGE, FAMILIES, Network, Place, Plan, dns, quic, tls};
use crate::preflight::race::{Desk, remaining};

/// Addresses of a region that are tried; one that is down is no blocked port.
const TRIES: usize = 2;

/// An edge that accepts shakes hands at once; a test, or a firewall that accepts everything, may not.
const EDGE_HANDSHAKE: Duration = Duration::from_millis(700);

/// Starts every probe at once. `get` finds the network among the facts.
pub(in crate::preflight) fn start<F: 'static>(
    desk: &Desk<F>,
    get: fn(&mut F) -> &mut Network,
    plan: &Plan,
    network: &Network,
    limit: Duration,
) {
    let begun = Instant::now();
    let deadline = begun + limit;
    // What a name leads to must still be probed.
    let names_by = begun + limit.mul_f32(0.6);
    let resolvers: Arc<[SocketAddr]> = network.resolvers.as_slice().into();
    let for_srv = Arc::clone(&resolvers);
    desk.spawn(move |desk| {
        let started = Instant::now();
        let found = dns::look_up(EDGE_SRV, TYPE::SRV, &for_srv, names_by);
        let ms = ms(started);
        desk.put(move |facts| {
            let network = get(facts);
            network.targets.clone_from(&found.targets);
            network.note(Place::Srv, |row| named(row, &found, ms));
        });
    });
    for region in 0..REGIONS.len() {
        for family in FAMILIES {
            let (resolvers, plan) = (Arc::clone(&resolvers), plan.clone());
            desk.spawn(move |desk| probe_region(desk, get, (region, family), &plan, &resolvers, (names_by, deadline)));
        }
    }
    for (at, host) in Network::tls_hosts().into_iter().enumerate() {
        let (resolvers, plan) = (Arc::clone(&resolvers), plan.clone());
        desk.spawn(move |desk| probe_server(desk, get, (at, host), &plan, &resolvers, (names_by, deadline)));
    }
}

fn probe_server<F: 'static>(
    desk: &Desk<F>,
    get: fn(&mut F) -> &mut Network,
    (at, host): (usize, &str),
    plan: &Plan,
    resolvers: &[SocketAddr],
    (names_by, deadline): (Instant, Instant),
) {
    let mut found = dns::look_up(host, TYPE::A, resolvers, names_by);
    if found.outcome != Outcome::Ok {
        found = dns::look_up(host, TYPE::AAAA, resolvers, names_by);
    }
    let Some(address) = found.addresses.first().copied() else {
        return desk.put(move |facts| {
            let detail = found.detail;
            get(facts).note(Place::Server(at), |row| (row.outcome, row.detail) = (Outcome::NoAddress, detail));
        });
    };
    desk.put(move |facts| get(facts).note(Place::Server(at), |row| row.addresses = vec![address.to_string()]));
    let seen = tls::look(host, SocketAddr::new(address, plan.to.tls_port), &plan.roots, true, deadline);
    desk.put(move |facts| {
        let network = get(facts);
        network.note(Place::Server(at), |row| {
            (row.outcome, row.ms) = (seen.outcome, seen.ms);
            (row.issuer, row.detail) = (seen.issuer.clone(), seen.detail.clone());
        });
        if let Some(place) = network.servers.get_mut(at) {
            *place = Some(seen);
        }
    });
}

/// Looks up the names behind routes, as the Docker daemon's own DNS would in the end: with this host's resolver.
pub(in crate::preflight) fn look_up_upstreams<F: 'static>(
    desk: &Desk<F>,
    names: &[(String, String)],
    network: &Network,
    note: fn(&mut F, String, Ipv4Addr),
    limit: Duration,
) {
    let deadline = Instant::now() + limit;
    // More routes than this say nothing new about the engine's networks.
    for (words, host) in names.iter().take(8) {
        let (words, host, resolvers) = (words.clone(), host.clone(), network.resolvers.clone());
        desk.spawn(move |desk| {
            for address in dns::look_up(&host, TYPE::A, &resolvers, deadline).addresses {
                if let IpAddr::V4(address) = address {
                    let words = format!("{words} at {address}");
                    desk.put(move |facts| note(facts, words, address));
                }
            }
        });
    }
}

fn ms(started: Instant) -> Option<u64> {
    u64::try_from(started.elapsed().as_millis()).ok()
}

/// Notes a lookup in its row.
fn named(row: &mut Row, found: &dns::Found, ms: Option<u64>) {
    row.outcome = found.outcome;
    row.ms = ms.filter(|_| found.outcome != Outcome::Timeout);
    row.detail.clone_from(&found.detail);
    row.addresses = if found.targets.is_empty() {
        found.addresses.iter().map(ToString::to_string).collect()
    } else {
        found.targets.clone()
    };
}

fn probe_region<F: 'static>(
    desk: &Desk<F>,
    get: fn(&mut F) -> &mut Network,
    (region, family): (usize, Family),
    plan: &Plan,
    resolvers: &[SocketAddr],
    (names_by, deadline): (Instant, Instant),
) {
    let kind = match family {
        Family::Ipv4 => TYPE::A,
        Family::Ipv6 => TYPE::AAAA,
    };
    let started = Instant::now();
    let found = dns::look_up(REGIONS[region], kind, resolvers, names_by);
    let ms = ms(started);
    let addresses: Vec<SocketAddr> =
        found.addresses.iter().take(TRIES).map(|address| SocketAddr::new(*address, plan.to.edge_port)).collect();
    let nowhere = addresses.is_empty();
    desk.put(move |facts| {
        let network = get(facts);
        network.note(Place::Region(region, family), |row| named(row, &found, ms));
        for transport in EDGE.into_iter().filter(|_| nowhere) {
            network.note(Place::Edge(region, transport, family), |row| row.outcome = Outcome::NoAddress);
        }
    });
    for transport in EDGE.into_iter().filter(|_| !nowhere) {
        let (addresses, roots) = (addresses.clone(), Arc::clone(&plan.roots));
        desk.spawn(move |desk| {
            let reached = probe_edge(desk, get, Place::Edge(region, transport, family), &addresses, deadline);
            if let Some(address) = reached.filter(|_| transport == Transport::Tcp) {
                who_is_the_edge(desk, get, Place::Edge(region, transport, family), (address, &roots), deadline);
            }
        });
    }
}

/// Tries the addresses one after the other, each with its share of the time. Returns the one that answered.
fn probe_edge<F: 'static>(
    desk: &Desk<F>,
    get: fn(&mut F) -> &mut Network,
    place: Place,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Option<SocketAddr> {
    for (at, address) in addresses.iter().copied().enumerate() {
        desk.put(move |facts| get(facts).note(place, |row| row.addresses = vec![address.ip().to_string()]));
        let started = Instant::now();
        let share = remaining(deadline) / u32::try_from(addresses.len() - at).unwrap_or(1);
        let until = started + share;
        let tried = match place {
            Place::Edge(_, Transport::Udp, _) => quic::probe(address, until),
            Place::Edge(..) | Place::Srv | Place::Region(..) | Place::Server(_) => connect(address, until),
        };
        let ms = ms(started);
        let (outcome, detail) = match tried {
            Ok((outcome, versions)) => (outcome, (!versions.is_empty()).then(|| offered(&versions))),
            Err(fault) => {
                let outcome = Outcome::of(&fault);
                let said = fault.kind() == io::ErrorKind::PermissionDenied || outcome == Outcome::Unexpected;
                (outcome, said.then(|| words(&fault)))
            }
        };
        desk.put(move |facts| {
            get(facts).note(place, |row| {
                (row.outcome, row.detail) = (outcome, detail);
                row.ms = ms.filter(|_| outcome != Outcome::Timeout);
            });
        });
        if outcome == Outcome::Ok {
            return Some(address);
        }
    }
    None
}

/// Reads the certificate behind an open port: a firewall that opens TLS there is nobody whom cloudflared talks to.
fn who_is_the_edge<F: 'static>(
    desk: &Desk<F>,
    get: fn(&mut F) -> &mut Network,
    place: Place,
    (address, roots): (SocketAddr, &Arc<RootCertStore>),
    deadline: Instant,
) {
    let (name, organisation) = EDGE_TLS;
    let seen = tls::look(name, address, roots, false, deadline.min(Instant::now() + EDGE_HANDSHAKE));
    desk.put(move |facts| {
        let network = get(facts);
        let own = |issuer: &String| issuer.contains(organisation);
        if let Some(issuer) = seen.issuer.as_ref().filter(|issuer| seen.fault.is_some() && !own(issuer)) {
            network.foreign_edge = Some(issuer.clone());
        }
        network.note(place, |row| row.issuer = seen.issuer);
    });
}

fn connect(address: SocketAddr, until: Instant) -> io::Result<(Outcome, Vec<u32>)> {
    TcpStream::connect_timeout(&address, remaining(until).max(Duration::from_millis(1)))?;
    Ok((Outcome::Ok, Vec::new()))
}

fn offered(versions: &[u32]) -> String {
    // Servers add made-up versions, so that clients do not get used to a fixed list (RFC 9000, section 6.3).
    let real: Vec<String> = versions
        .iter()
        .filter(|version| *version & 0x0f0f_0f0f != 0x0a0a_0a0a)
        .take(2)
        .map(|version| if *version == 1 { "1".to_owned() } else { format!("{version:#x}") })
        .collect();
    format!("QUIC version {}", real.join(", "))
}
