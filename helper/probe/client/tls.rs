//! TLS towards an upstream, with the trust that the proxy has.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};

use crate::probe::wire::{TlsFault, Trust};

/// How a server's certificate is checked.
#[derive(Debug)]
enum Verifier {
    /// As the proxy does.
    Anchored {
        /// The chain and the name; `None` without an anchor.
        chain: Option<Arc<WebPkiServerVerifier>>,
        /// Certificates of `ca_file`: Go trusts a server certificate that is itself among the roots.
        anchors: Vec<CertificateDer<'static>>,
    },
    /// Not at all: only whether the server speaks TLS is asked.
    Any,
}

/// A client for the upstream `host`. `None` for `trust` checks nothing.
///
/// # Errors
/// Why no handshake can be begun.
pub(super) fn connection(host: &str, trust: Option<&Trust>) -> Result<ClientConnection, TlsFault> {
    let provider = Arc::new(ring::default_provider());
    let verifier = match trust {
        None => Verifier::Any,
        Some(trust) => anchored(trust, &provider)?,
    };
    let other = |error: Error| TlsFault::Other(error.to_string());
    let name = ServerName::try_from(host.to_owned()).map_err(|error| TlsFault::Other(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Checked { verifier, provider }))
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), name).map_err(other)
}

fn anchored(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Verifier, TlsFault> {
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
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok();
    Ok(Verifier::Anchored { chain, anchors })
}

/// Why a handshake failed, as far as rustls knows.
pub(super) fn fault(error: &Error) -> TlsFault {
    match error {
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYetValid,
            CertificateError::NotValidForName => TlsFault::OtherName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                TlsFault::OtherName(presented.iter().take(3).cloned().collect())
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::UnknownIssuer,
            other => TlsFault::Other(format!("{other:?}")),
        },
        Error::AlertReceived(AlertDescription::CertificateRequired) => TlsFault::ClientCertificate,
        Error::InvalidMessage(_) => TlsFault::NotTls,
        other => TlsFault::Other(other.to_string()),
    }
}

#[derive(Debug)]
struct Checked {
    verifier: Verifier,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Verifier::Anchored { chain, anchors } = &self.verifier else { return Ok(ServerCertVerified::assertion()) };
        let checked = match chain {
            Some(chain) => chain.verify_server_cert(end_entity, intermediates, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        match checked {
            Err(Error::InvalidCertificate(_)) if anchors.contains(end_entity) => {
                let leaf = rustls::server::ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&leaf, name)?;
                Ok(ServerCertVerified::assertion())
            }
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
