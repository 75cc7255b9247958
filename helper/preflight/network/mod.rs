//! The network as seen from this host: DNS for the tunnel's edge, UDP and TCP 7844 to both regions, TLS to the API and the
//! registries. Every probe is a row from the start on, so that none is silently absent.

mod destinations;
mod dns;
pub(super) mod judge;
pub(super) mod probes;
mod quic;
pub(super) mod row;
mod socket;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use self::destinations::{API, Destinations, EDGE_SRV, EDGE_TLS, REGIONS, REGISTRIES};
use self::row::{Family, NetworkOutcome, Row, Transport};
use crate::answer::Error;
use crate::caller::Caller;

const RESOLV_CONF: &str = "/etc/resolv.conf";
const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];
const EDGE: [Transport; 2] = [Transport::Udp, Transport::Tcp];

/// What must be probed, and the results.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    rows: Vec<(RowId, Row)>,
    /// The DNS servers that were asked.
    resolvers: Vec<SocketAddr>,
    /// What answered on port 443, in the order of [`Network::tls_hosts`].
    servers: Vec<Option<tls::Handshake>>,
    /// Who issued the certificate that an edge showed, where cloudflared would not accept it.
    foreign_edge: Option<String>,
    /// Whether a test chose the destinations.
    pub(super) is_test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowId {
    /// The edge's SRV record.
    Srv,
    /// Addresses of a region's name.
    Region(usize, Family),
    /// A region's port.
    Edge(usize, Transport, Family),
    /// A server on port 443, in the order of [`Network::tls_hosts`].
    Server(usize),
}

impl Network {
    fn tls_hosts() -> [&'static str; 3] {
        [API, REGISTRIES[0], REGISTRIES[1]]
    }

    fn planned(to: &Destinations, resolvers: Vec<SocketAddr>, is_test: bool) -> Self {
        let dns = resolvers.first().map_or(53, SocketAddr::port);
        let mut rows = vec![(RowId::Srv, Row::planned(EDGE_SRV, dns, Transport::Dns, None))];
        for (at, region) in REGIONS.into_iter().enumerate() {
            let row = |family| Row::planned(region, dns, Transport::Dns, Some(family));
            rows.extend(FAMILIES.map(|family| (RowId::Region(at, family), row(family))));
        }
        for (at, region) in REGIONS.into_iter().enumerate() {
            for transport in EDGE {
                let row = |family| Row::planned(region, to.edge_port, transport, Some(family));
                rows.extend(FAMILIES.map(|family| (RowId::Edge(at, transport, family), row(family))));
            }
        }
        let server = |(at, host)| (RowId::Server(at), Row::planned(host, to.tls_port, Transport::Tls, None));
        rows.extend(Self::tls_hosts().into_iter().enumerate().map(server));
        Self { rows, resolvers, servers: vec![None; Self::tls_hosts().len()], foreign_edge: None, is_test }
    }

    /// Whether there is a DNS server to ask: only a test can take all of them away.
    pub(super) fn is_planned(&self) -> bool {
        !self.resolvers.is_empty()
    }

    fn row(&self, place: RowId) -> Option<&Row> {
        self.rows.iter().find(|(at, _)| *at == place).map(|(_, row)| row)
    }

    fn is_ok(&self, place: RowId) -> bool {
        self.row(place).is_some_and(Row::is_ok)
    }

    /// A name was looked up in so many milliseconds.
    fn named(&mut self, place: RowId, found: dns::Resolved, ms: Option<u64>) {
        self.change(place, |row| {
            row.outcome = found.outcome;
            row.ms = ms.filter(|_| found.outcome != NetworkOutcome::Timeout);
            row.detail = found.detail;
            let addresses = found.addresses.iter().map(ToString::to_string).collect();
            row.addresses = if found.targets.is_empty() { addresses } else { found.targets };
        });
    }

    /// The name has no address, so nothing could be sent.
    fn no_address(&mut self, place: RowId, detail: Option<String>) {
        self.change(place, |row| (row.outcome, row.detail) = (NetworkOutcome::NoAddress, detail));
    }

    fn tries(&mut self, place: RowId, address: IpAddr) {
        self.change(place, |row| row.addresses = vec![address.to_string()]);
    }

    /// A server on port 443 shook hands.
    fn greeted(&mut self, at: usize, seen: tls::Handshake) {
        self.change(RowId::Server(at), |row| {
            (row.outcome, row.ms) = (seen.outcome, seen.ms);
            (row.issuer, row.detail) = (seen.issuer.clone(), seen.detail.clone());
        });
        self.servers[at] = Some(seen);
    }

    /// The edge showed a certificate.
    fn certified(&mut self, place: RowId, seen: tls::Handshake) {
        if seen.fault.is_some() && seen.issuer.as_ref().is_some_and(|issuer| !issuer.contains(EDGE_TLS.1)) {
            self.foreign_edge.clone_from(&seen.issuer);
        }
        self.change(place, |row| row.issuer = seen.issuer);
    }

    fn change(&mut self, place: RowId, change: impl FnOnce(&mut Row)) {
        if let Some((_, row)) = self.rows.iter_mut().find(|(at, _)| *at == place) {
            change(row);
        }
    }

    /// What had not answered at the deadline: it hangs, or could not be sent because the name was not found.
    pub(super) fn settle(&mut self) {
        for region in 0..REGIONS.len() {
            for family in FAMILIES {
                let named = self.is_ok(RowId::Region(region, family));
                for transport in EDGE {
                    self.change(RowId::Edge(region, transport, family), |row| {
                        if !named && row.addresses.is_empty() {
                            row.outcome = NetworkOutcome::NoAddress;
                        }
                    });
                }
            }
        }
    }

    /// The rows as they are answered. Unless all is asked for: two addresses of a name, what worked says no more, what
    /// failed alike for both address families is said once, and missing IPv6 is not reported next to IPv4.
    pub(super) fn rows(&self, verbose: bool) -> Vec<Row> {
        let mut rows: Vec<Row> = self.rows.iter().map(|(_, row)| row.clone()).collect();
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
            // With IPv4 that works.
            let works: Vec<Transport> = rows.iter().filter(|row| row.is_ok()).map(|row| row.transport).collect();
            rows.retain(|row| !(row.has_no_ipv6() && works.contains(&row.transport)));
            rows = Row::fold(rows);
        }
        rows
    }

    /// The servers' clocks minus this host's, in seconds.
    pub(super) fn clock_offset(&self) -> Option<(&'static str, i64)> {
        // A server behind an inspecting proxy still sends its time; a server with another name may send a wrong one.
        Self::tls_hosts()
            .into_iter()
            .zip(&self.servers)
            .find_map(|(host, seen)| Some((host, seen.as_ref()?.clock_offset?)))
    }
}

/// Where to probe, ready to go.
#[derive(Clone, Debug)]
pub(super) struct ProbePlan {
    to: Destinations,
    roots: Arc<RootCertStore>,
}

/// Prepares the probes. `own_dns` are the DNS servers that the compose file gives to the proxy, if any.
///
/// # Errors
/// `request` when a test's destinations cannot be read.
pub(super) fn plan(caller: &Caller, own_dns: &[IpAddr]) -> Result<(ProbePlan, Network), Error> {
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
    Ok((ProbePlan { to, roots: Arc::new(roots) }, network))
}
