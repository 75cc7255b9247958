//! The network as seen from this host: DNS for the tunnel's edge, UDP and TCP 7844 to both regions, TLS to the API and the
//! registries. Every probe is a row from the start on, so that none is silently absent.

mod destinations;
mod dns;
pub(super) mod judge;
mod quic;
pub(crate) mod row;
mod tls;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::SecureRandom;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use simple_dns::TYPE;

use self::destinations::{API, Destinations, EDGE_SRV, EDGE_TLS, REGIONS, REGISTRIES};
use self::row::{Family, Outcome, Row, Transport, words};
use super::race::{Desk, remaining};
use crate::answer::Error;
use crate::caller::Caller;

const RESOLV_CONF: &str = "/etc/resolv.conf";
const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];
const EDGE: [Transport; 2] = [Transport::Udp, Transport::Tcp];
/// Addresses of a region that are tried; one that is down is no blocked port.
const TRIES: usize = 2;

/// An edge that accepts shakes hands at once; a test, or a firewall that accepts everything, may not.
const EDGE_HANDSHAKE: Duration = Duration::from_millis(700);

/// Random bytes; predictable ones where the system has none, which no probe's truth depends on.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0x5a; N];
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    bytes
}

/// Waits on a socket again when a signal (that a child has ended, say) cut the wait short: Linux does not by itself where
/// there is a limit, see signal(7). `wait` gets what is left of the time.
fn patiently<T>(deadline: Instant, mut wait: impl FnMut(Duration) -> io::Result<T>) -> io::Result<T> {
    loop {
        let left = remaining(deadline);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match wait(left) {
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// What is to be probed, and what came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    rows: Vec<Row>,
    /// The DNS servers that were asked.
    resolvers: Vec<SocketAddr>,
    /// What the SRV record names.
    targets: Vec<String>,
    /// What answered on port 443, in the order of [`Network::tls_hosts`].
    servers: Vec<Option<tls::Seen>>,
    /// Who issued the certificate that an edge showed, where cloudflared would not accept it.
    foreign_edge: Option<String>,
    /// Whether a test chose the destinations.
    pub(super) is_test: bool,
}

/// A row's place in the list.
#[derive(Clone, Copy, Debug)]
enum Place {
    Srv,
    Region(usize, Family),
    Edge(usize, Transport, Family),
    Server(usize),
}

impl Place {
    fn index(self) -> usize {
        let family = |family| usize::from(family == Family::Ipv6);
        match self {
            Self::Srv => 0,
            Self::Region(region, f) => 1 + 2 * region + family(f),
            Self::Edge(region, transport, f) => {
                5 + 4 * region + 2 * usize::from(transport == Transport::Tcp) + family(f)
            }
            Self::Server(at) => 13 + at,
        }
    }
}

impl Network {
    fn tls_hosts() -> [&'static str; 3] {
        [API, REGISTRIES[0], REGISTRIES[1]]
    }

    fn planned(to: &Destinations, resolvers: Vec<SocketAddr>, is_test: bool) -> Self {
        let dns = resolvers.first().map_or(53, SocketAddr::port);
        let mut rows = vec![Row::planned(EDGE_SRV, dns, Transport::Dns, None)];
        for region in REGIONS {
            rows.extend(FAMILIES.map(|family| Row::planned(region, dns, Transport::Dns, Some(family))));
        }
        for region in REGIONS {
            for transport in EDGE {
                rows.extend(FAMILIES.map(|family| Row::planned(region, to.edge_port, transport, Some(family))));
            }
        }
        rows.extend(Self::tls_hosts().map(|host| Row::planned(host, to.tls_port, Transport::Tls, None)));
        Self {
            rows,
            resolvers,
            targets: Vec::new(),
            servers: vec![None; Self::tls_hosts().len()],
            foreign_edge: None,
            is_test,
        }
    }

    /// Whether there is anybody to ask: only a test can take all DNS servers away.
    pub(super) fn is_planned(&self) -> bool {
        !self.resolvers.is_empty()
    }

    fn row(&self, place: Place) -> Option<&Row> {
        self.rows.get(place.index())
    }

    fn is_ok(&self, place: Place) -> bool {
        self.row(place).is_some_and(Row::is_ok)
    }

    fn note(&mut self, place: Place, note: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows.get_mut(place.index()) {
            note(row);
        }
    }

    /// What had not answered at the deadline: it hangs, or could not be sent because the name was not found.
    pub(super) fn settle(&mut self) {
        for region in 0..REGIONS.len() {
            for family in FAMILIES {
                let named = self.is_ok(Place::Region(region, family));
                for transport in EDGE {
                    self.note(Place::Edge(region, transport, family), |row| {
                        if !named && row.addresses.is_empty() {
                            row.outcome = Outcome::NoAddress;
                        }
                    });
                }
            }
        }
    }

    /// The rows as they are answered. Unless all is asked for: two addresses of a name, and what worked says no more.
    pub(super) fn rows(&self, verbose: bool) -> Vec<Row> {
        let mut rows = self.rows.clone();
        for row in rows.iter_mut().filter(|_| !verbose) {
            let most = match (row.transport, row.is_ok()) {
                (Transport::Dns, _) => 2,
                (Transport::Udp | Transport::Tcp | Transport::Tls, true) => 0,
                (Transport::Udp | Transport::Tcp | Transport::Tls, false) => 1,
            };
            row.addresses.truncate(most);
            if row.is_ok() {
                row.detail = None;
            }
            if row.issuer.as_deref().is_some_and(|issuer| issuer.contains(EDGE_TLS.1)) {
                row.issuer = None;
            }
        }
        rows
    }

    /// The servers' clocks minus this host's, in seconds.
    pub(super) fn clock_offset(&self) -> Option<(&'static str, i64)> {
        // A server behind an inspecting proxy still tells the time; one that is not who it should be may not.
        Self::tls_hosts()
            .into_iter()
            .zip(&self.servers)
            .find_map(|(host, seen)| Some((host, seen.as_ref()?.clock_offset?)))
    }
}

/// Where to probe, ready to go.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    to: Destinations,
    roots: Arc<RootCertStore>,
}

/// Prepares the probes. `own_dns` are the DNS servers that the compose file gives to the proxy, if any.
///
/// # Errors
/// `request` when a test's destinations cannot be read.
pub(crate) fn plan(caller: &Caller, own_dns: &[IpAddr]) -> Result<(Plan, Network), Error> {
    let (to, is_test) = Destinations::of(caller)?;
    let resolvers = match &to.resolvers {
        Some(resolvers) => resolvers.clone(),
        None if !own_dns.is_empty() => own_dns.iter().map(|address| SocketAddr::new(*address, 53)).collect(),
        None => {
            let text = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
            destinations::resolvers(&text, destinations::interface)
        }
    };
    let mut roots = RootCertStore::empty();
    match &to.roots {
        Some(file) => {
            let bytes = std::fs::read(file).map_err(|e| Error::io("read", file, e))?;
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bytes).flatten());
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let network = Network::planned(&to, resolvers, is_test);
    Ok((Plan { to, roots: Arc::new(roots) }, network))
}

/// Starts every probe at once. `get` finds the network among the facts.
pub(super) fn start<F: 'static>(
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
    {
        let resolvers = Arc::clone(&resolvers);
        desk.spawn(move |desk| {
            let started = Instant::now();
            let found = dns::look_up(EDGE_SRV, TYPE::SRV, &resolvers, names_by);
            let ms = ms(started);
            desk.put(move |facts| {
                let network = get(facts);
                network.targets.clone_from(&found.targets);
                network.note(Place::Srv, |row| named(row, &found, ms));
            });
        });
    }
    for region in 0..REGIONS.len() {
        for family in FAMILIES {
            let (resolvers, plan) = (Arc::clone(&resolvers), plan.clone());
            desk.spawn(move |desk| probe_region(desk, get, (region, family), &plan, &resolvers, (names_by, deadline)));
        }
    }
    for (at, host) in Network::tls_hosts().into_iter().enumerate() {
        let (resolvers, port, roots) = (Arc::clone(&resolvers), plan.to.tls_port, Arc::clone(&plan.roots));
        desk.spawn(move |desk| {
            let found = [TYPE::A, TYPE::AAAA].into_iter().map(|kind| dns::look_up(host, kind, &resolvers, names_by));
            let mut last = None;
            for found in found {
                let known = found.outcome == Outcome::Ok;
                last = Some(found);
                if known {
                    break;
                }
            }
            let addresses = last.as_ref().map(|found| found.addresses.clone()).unwrap_or_default();
            let Some(address) = addresses.first().copied() else {
                let detail = last.and_then(|found| found.detail);
                return desk.put(move |facts| {
                    get(facts).note(Place::Server(at), |row| (row.outcome, row.detail) = (Outcome::NoAddress, detail));
                });
            };
            desk.put(move |facts| get(facts).note(Place::Server(at), |row| row.addresses = vec![address.to_string()]));
            let seen = tls::look(host, SocketAddr::new(address, port), &roots, true, deadline);
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
        });
    }
}

/// Looks up the names behind routes, as the Docker daemon's own DNS would in the end: with this host's resolver.
pub(super) fn look_up_upstreams<F: 'static>(
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
