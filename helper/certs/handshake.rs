//! A real TLS 1.3 handshake in memory: our certificates on one side, a client that trusts only our CA on the other.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, RootCertStore, ServerConfig, ServerConnection};

use super::audit::{CertFacts, Tested};
use crate::answer::{Finding, Severity};
use crate::rules::{self, Remedy, RuleId};

/// The moment at which certificates are judged, for both sides.
#[derive(Debug)]
struct At(UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// The handshakes with every route's host name.
#[derive(Debug)]
pub(crate) struct Handshakes(pub(crate) Vec<(String, Tested)>);

impl Handshakes {
    /// The finding about the first that failed, explained by a finding about the certificates if there is one.
    pub(crate) fn finding(&self, others: &[Finding]) -> Option<Finding> {
        let (host, why) = self.0.iter().find_map(|(host, verdict)| match verdict {
            Tested::Fail(why) => Some((host, why)),
            Tested::Pass(_) | Tested::Warn(_) | Tested::Skip(_) => None,
        })?;
        let finding = rules::finding(RuleId::TlsHandshake).with(format!("{host}: {why}"));
        Some(match others.iter().find(|f| f.severity == Severity::Error) {
            // What ends the cause ends this one; the row's own fix is for a handshake that nothing explains.
            Some(cause) => finding.with_remedy(Remedy::CauseFirst { cause: cause.id }).caused_by(cause.id),
            None => finding,
        })
    }
}

/// Shakes hands with every route's host name, or with any one if there is no route yet.
pub(crate) fn rehearse(facts: &CertFacts) -> Handshakes {
    let any = ["any-route".to_owned()];
    let routes = if facts.routes.is_empty() { &any[..] } else { &facts.routes };
    let rehearsal = Rehearsal::prepare(facts);
    let shake = |host: &str| match &rehearsal {
        Ok(rehearsal) => rehearsal.shake(host),
        Err(verdict) => verdict.clone(),
    };
    let hosts = routes.iter().map(|route| format!("{route}.{}", facts.domain));
    Handshakes(hosts.map(|host| (host.clone(), shake(&host))).collect())
}

/// Both sides, ready to shake hands for any host name.
struct Rehearsal {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Rehearsal {
    /// Prepares both sides.
    ///
    /// # Errors
    /// Why there can be no handshake: something is wrong (`Fail`), or missing, or of a kind that rustls on ring cannot use
    /// (`Skip`).
    fn prepare(facts: &CertFacts) -> Result<Self, Tested> {
        let files = &facts.files;
        let (Some(ca), Some(server), Some(key)) = (files.ca.good(), files.server.good(), files.server_key.good())
        else {
            return Err(Tested::skip("a certificate or the server key is missing or cannot be read"));
        };
        if let Err(fault) = &key.loads {
            return Err(Tested::skip(format!("the server key cannot be loaded here: {fault}")));
        }
        // What every TLS 1.3 implementation has (RFC 8446, 9.1): the certificates decide, not the cipher.
        let provider = Arc::new(CryptoProvider {
            cipher_suites: vec![TLS13_AES_128_GCM_SHA256],
            ..rustls::crypto::ring::default_provider()
        });
        let seconds = u64::try_from(facts.now.unix_timestamp()).unwrap_or_default();
        let now = Arc::new(At(UnixTime::since_unix_epoch(Duration::from_secs(seconds))));

        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(ca.first.der.clone()))
            .map_err(|e| Tested::fail(format!("the client rejects the CA certificate as a trust anchor: {e}")))?;
        let verifier: Arc<dyn ServerCertVerifier> =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|e| Tested::fail(e.to_string()))?;
        let client = ClientConfig::builder_with_details(provider.clone(), now.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| Tested::skip(e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();

        let chain = std::iter::once(&server.first.der).chain(&server.others);
        let chain = chain.map(|der| CertificateDer::from(der.clone())).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.key.pkcs8().to_vec()));
        let mut server = ServerConfig::builder_with_details(provider, now)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| Tested::skip(e.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| match e {
                rustls::Error::InconsistentKeys(_) => Tested::fail("the key does not belong to the certificate"),
                other => Tested::skip(format!("rustls cannot use the server's key or certificate: {other}")),
            })?;
        // No session is resumed.
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }

    /// Shakes hands as Claude's side would for this host name.
    fn shake(&self, host: &str) -> Tested {
        match self.run(host) {
            Ok(suite) => Tested::pass(suite),
            Err(rustls::Error::InvalidCertificate(why)) => {
                use rustls::CertificateError as Why;
                match why {
                    Why::UnsupportedSignatureAlgorithmContext { .. }
                    | Why::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                        Tested::skip("rustls on ring cannot verify the CA's kind of signature")
                    }
                    why => Tested::fail(format!("the client rejects the certificate: {why}")),
                }
            }
            Err(other) => Tested::fail(other.to_string()),
        }
    }

    fn run(&self, host: &str) -> Result<String, rustls::Error> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| rustls::Error::General(format!("{host} is not a host name")))?;
        let mut client = ClientConnection::new(self.client.clone(), name)?;
        let mut server = ServerConnection::new(self.server.clone())?;
        // A TLS 1.3 handshake takes three flights; the bound is for a defect, not for a slow peer.
        for _ in 0..16 {
            if !client.is_handshaking() && !server.is_handshaking() {
                break;
            }
            flight(&mut client, &mut server)?;
            flight(&mut server, &mut client)?;
        }
        if client.is_handshaking() || server.is_handshaking() {
            return Err(rustls::Error::General("the handshake did not end".into()));
        }
        let suite = client.negotiated_cipher_suite().map_or_else(String::new, |s| format!("{:?}", s.suite()));
        Ok(format!("TLS 1.3, {suite}"))
    }
}

/// Everything that one side has to send, read by the other.
fn flight<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) -> Result<(), rustls::Error> {
    let broken = |e: std::io::Error| rustls::Error::General(e.to_string());
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).map_err(broken)?;
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).map_err(broken)?;
        to.process_new_packets()?;
    }
    Ok(())
}
