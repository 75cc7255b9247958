//! TLS towards an upstream, with the trust that the proxy has.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{AlertDescription, CertificateError, ClientConnection, Error, RootCertStore};

use crate::certs::Details;
use crate::certs::client::{Judge, Shown, client};
use crate::probe::wire::{TlsFault, Trust};

/// A client for the upstream `host`. `None` for `trust` checks nothing: only whether the server speaks TLS is asked.
///
/// # Errors
/// Why no handshake can be begun.
pub(super) fn connection(host: &str, trust: Option<&Trust>) -> Result<ClientConnection, TlsFault> {
    let judge: Arc<dyn Judge> = match trust {
        None => Arc::new(Any),
        Some(trust) => Arc::new(Anchored::of(trust)?),
    };
    client(host, judge).map_err(|error| TlsFault::Other(error.to_string()))
}

#[derive(Debug)]
struct Any;

impl Judge for Any {
    fn judge(&self, _: Shown<'_>, _: UnixTime) -> Result<(), Error> {
        Ok(())
    }
}

/// Decides as the proxy does.
#[derive(Debug)]
struct Anchored {
    /// The chain and the name; `None` without an anchor.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates of `ca_file`: Go trusts a server certificate that is itself among the roots.
    anchors: Vec<CertificateDer<'static>>,
}

impl Anchored {
    fn of(trust: &Trust) -> Result<Self, TlsFault> {
        let pem = trust.ca_pem.as_deref().unwrap_or_default();
        let anchors: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect();
        let mut roots = RootCertStore::empty();
        if trust.public {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots.add_parsable_certificates(anchors.iter().cloned());
        if roots.is_empty() && anchors.is_empty() {
            return Err(TlsFault::NoAnchor);
        }
        let provider = Arc::new(ring::default_provider());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok();
        Ok(Self { chain, anchors })
    }
}

impl Judge for Anchored {
    fn judge(&self, (leaf, others, name): Shown<'_>, now: UnixTime) -> Result<(), Error> {
        let checked = match &self.chain {
            Some(chain) => chain.verify_server_cert(leaf, others, name, &[], now).map(drop),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        match checked {
            Err(Error::InvalidCertificate(_)) if self.anchors.contains(leaf) => {
                verify_server_name(&ParsedCertificate::try_from(leaf)?, name)
            }
            checked => checked.map_err(|error| explain(leaf, error)),
        }
    }
}

/// Why a handshake failed, as far as rustls knows.
pub(super) fn fault(error: &Error) -> TlsFault {
    match error {
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
            CertificateError::NotValidForName => TlsFault::OtherName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                TlsFault::OtherName(presented.iter().take(3).map(|name| bare(name)).collect())
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                TlsFault::NotForServers
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::UnknownIssuer,
            other => TlsFault::Other(format!("{other:?}")),
        },
        Error::AlertReceived(AlertDescription::CertificateRequired) => TlsFault::ClientCertificate,
        Error::InvalidMessage(_) => TlsFault::NotTls,
        other => TlsFault::Other(other.to_string()),
    }
}

/// A name as webpki prints it, without the kind: `DnsName("wiki")`.
fn bare(name: &str) -> String {
    let inside = name.split_once('(').and_then(|(_, inside)| inside.strip_suffix(')')).unwrap_or(name);
    inside.trim_matches('"').to_owned()
}

/// What Go says of a certificate that webpki does not look at any further: of an old version, or a CA's.
fn explain(leaf: &CertificateDer<'_>, error: Error) -> Error {
    let Error::InvalidCertificate(CertificateError::Other(_)) = &error else { return error };
    match Details::read(leaf.to_vec()) {
        Ok(leaf) if leaf.issuer_der == leaf.subject_der => CertificateError::UnknownIssuer.into(),
        Ok(leaf) if leaf.dns_names().is_empty() => CertificateError::NotValidForName.into(),
        _ => error,
    }
}
