//! The network as seen from this host: DNS for the tunnel's edge, UDP and TCP 7844 to both regions, TLS to the API and the
//! registries. Every probe is a row from the start on, so that none is silently absent.

mod destinations;
mod dns;
pub(super) mod judge;
mod probes;
mod quic;
pub(crate) mod row;
mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use probes::{look_up_upstreams, start};

use ring::rand::SecureRandom;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use self::destinations::{API, Destinations, EDGE_SRV, EDGE_TLS, REGIONS, REGISTRIES};
use self::row::{Family, Outcome, Row, Transport};
use super::race::remaining;
use crate::answer::Error;
use crate::caller::Caller;

const RESOLV_CONF: &str = "/etc/resolv.conf";
const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];
const EDGE: [Transport; 2] = [Transport::Udp, Transport::Tcp];

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

    /// The rows as they are answered. Unless all is asked for: two addresses of a name, what worked says no more, and what
    /// failed alike for both address families is said once.
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
        if !verbose {
            rows.dedup_by(|second, first| {
                let alike = !second.is_ok() && *second == Row { family: second.family, ms: second.ms, ..first.clone() };
                if alike {
                    first.family = None;
                }
                alike
            });
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
