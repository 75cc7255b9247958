//! Sends the probes, all at once, each in its own thread.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use simple_dns::TYPE;

use super::destinations::{EDGE_SRV, EDGE_TLS, REGIONS};
use super::row::{Family, NetworkOutcome, Transport, explained};
use super::{EDGE, FAMILIES, Network, ProbePlan, RowId, dns, quic, tls};
use crate::preflight::facts::HostFacts;
use crate::preflight::parallel::{Tasks, remaining};

/// Addresses of a region that are tried: one server that is down does not mean that the port is blocked.
const TRIES: usize = 2;

/// An edge that accepts shakes hands at once; a test, or a firewall that accepts everything, may not.
const EDGE_HANDSHAKE: Duration = Duration::from_millis(700);

/// Starts every probe at once.
pub(in crate::preflight) fn start(tasks: &Tasks<HostFacts>, plan: &ProbePlan, network: &Network, limit: Duration) {
    let begun = Instant::now();
    let deadline = begun + limit;
    // What a name leads to must still be probed.
    let names_by = begun + limit.mul_f32(0.6);
    let resolvers: Arc<[SocketAddr]> = network.resolvers.as_slice().into();
    let for_srv = Arc::clone(&resolvers);
    tasks.spawn(move |tasks| {
        let started = Instant::now();
        let found = dns::look_up(EDGE_SRV, TYPE::SRV, &for_srv, names_by);
        let ms = ms(started);
        tasks.send(move |facts| facts.network.named(RowId::Srv, found, ms));
    });
    for region in 0..REGIONS.len() {
        for family in FAMILIES {
            let (resolvers, plan) = (Arc::clone(&resolvers), plan.clone());
            tasks.spawn(move |tasks| probe_region(tasks, (region, family), &plan, &resolvers, (names_by, deadline)));
        }
    }
    for (at, host) in Network::tls_hosts().into_iter().enumerate() {
        let (resolvers, plan) = (Arc::clone(&resolvers), plan.clone());
        tasks.spawn(move |tasks| probe_server(tasks, (at, host), &plan, &resolvers, (names_by, deadline)));
    }
}

fn probe_server(
    tasks: &Tasks<HostFacts>,
    (at, host): (usize, &str),
    plan: &ProbePlan,
    resolvers: &[SocketAddr],
    (names_by, deadline): (Instant, Instant),
) {
    let mut found = dns::look_up(host, TYPE::A, resolvers, names_by);
    if found.outcome != NetworkOutcome::Ok {
        found = dns::look_up(host, TYPE::AAAA, resolvers, names_by);
    }
    let Some(address) = found.addresses.first().copied() else {
        return tasks.send(move |facts| facts.network.no_address(RowId::Server(at), found.detail));
    };
    tasks.send(move |facts| facts.network.tries(RowId::Server(at), address));
    let address = SocketAddr::new(address, plan.to.tls_port);
    let seen = tls::look(host, address, &plan.roots, true, deadline);
    tasks.send(move |facts| facts.network.greeted(at, seen));
}

/// Looks up the names behind routes with this host's resolver, which the Docker daemon's own DNS asks in the end.
pub(in crate::preflight) fn look_up_upstreams(
    tasks: &Tasks<HostFacts>,
    names: &[(String, String)],
    network: &Network,
    limit: Duration,
) {
    let deadline = Instant::now() + limit;
    // More routes than this say nothing new about the engine's networks.
    for (words, host) in names.iter().take(8) {
        let (words, host, resolvers) = (words.clone(), host.clone(), network.resolvers.clone());
        tasks.spawn(move |tasks| {
            for address in dns::look_up(&host, TYPE::A, &resolvers, deadline).addresses {
                if let IpAddr::V4(address) = address {
                    let upstream = (format!("{words} at {address}"), address.into());
                    tasks.send(|facts| facts.deployed.upstreams.push(upstream));
                }
            }
        });
    }
}

fn ms(started: Instant) -> Option<u64> {
    u64::try_from(started.elapsed().as_millis()).ok()
}

fn probe_region(
    tasks: &Tasks<HostFacts>,
    (region, family): (usize, Family),
    plan: &ProbePlan,
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
    tasks.send(move |facts| facts.network.named(RowId::Region(region, family), found, ms));
    for transport in EDGE {
        let place = RowId::Edge(region, transport, family);
        if addresses.is_empty() {
            tasks.send(move |facts| facts.network.no_address(place, None));
            continue;
        }
        let (addresses, roots) = (addresses.clone(), Arc::clone(&plan.roots));
        tasks.spawn(move |tasks| {
            let reached = probe_edge(tasks, place, &addresses, deadline);
            if let Some(address) = reached.filter(|_| transport == Transport::Tcp) {
                let until = deadline.min(Instant::now() + EDGE_HANDSHAKE);
                // Behind an open port: cloudflared does not accept a firewall that opens TLS there.
                let seen = tls::look(EDGE_TLS.0, address, &roots, false, until);
                tasks.send(move |facts| facts.network.certified(place, seen));
            }
        });
    }
}

/// Tries the addresses one after the other, each with its share of the time. Returns the one that answered.
fn probe_edge(
    tasks: &Tasks<HostFacts>,
    place: RowId,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Option<SocketAddr> {
    for (at, address) in addresses.iter().copied().enumerate() {
        tasks.send(move |facts| facts.network.tries(place, address.ip()));
        let started = Instant::now();
        let share = remaining(deadline) / u32::try_from(addresses.len() - at).unwrap_or(1);
        let until = started + share;
        let tried = match place {
            RowId::Edge(_, Transport::Udp, _) => quic::probe(address, until),
            RowId::Edge(..) | RowId::Srv | RowId::Region(..) | RowId::Server(_) => connect(address, until),
        };
        let ms = ms(started);
        let (outcome, detail) = match tried {
            Ok((outcome, versions)) => (outcome, (!versions.is_empty()).then(|| offered(&versions))),
            Err(fault) => explained(&fault),
        };
        tasks.send(move |facts| {
            facts.network.change(place, |row| {
                (row.outcome, row.detail) = (outcome, detail);
                row.ms = ms.filter(|_| outcome != NetworkOutcome::Timeout);
            });
        });
        if outcome == NetworkOutcome::Ok {
            return Some(address);
        }
    }
    None
}

fn connect(address: SocketAddr, until: Instant) -> io::Result<(NetworkOutcome, Vec<u32>)> {
    TcpStream::connect_timeout(&address, remaining(until).max(Duration::from_millis(1)))?;
    Ok((NetworkOutcome::Ok, Vec::new()))
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
