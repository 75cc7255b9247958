//! Which server answers: a handshake that accepts any certificate, and records what is wrong with it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConnection, RootCertStore};
use time::OffsetDateTime;
use time::macros::format_description;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use super::row::{NetworkOutcome, explained};
use crate::certs::client::{Judge, Shown, client};
use crate::os::network::Timed;
use crate::preflight::parallel::remaining;
use crate::redact;

/// An answer to the one request that follows the handshake is worth this much time, and no more.
const HEADERS: Duration = Duration::from_millis(700);

/// What is wrong with the server that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::preflight) enum TlsFault {
    /// The certificate leads to no publicly trusted CA.
    Untrusted,
    /// It is another host's: these names.
    OtherName(String),
    /// It is not in date by this host's clock.
    NotInDate,
    /// No TLS at all.
    NotTls,
}

/// What was seen of a server.
#[derive(Clone, Debug)]
pub(in crate::preflight) struct Handshake {
    pub(super) outcome: NetworkOutcome,
    /// Milliseconds to the end of the handshake.
    pub(super) ms: Option<u64>,
    /// Name of the certificate's issuer.
    pub(super) issuer: Option<String>,
    pub(super) fault: Option<TlsFault>,
    /// What else was seen.
    pub(super) detail: Option<String>,
    /// The server's clock minus this host's, in seconds.
    pub(super) clock_offset: Option<i64>,
}

impl Handshake {
    fn failed(fault: &io::Error) -> Self {
        let (outcome, detail) = explained(fault);
        Self { outcome, ms: None, issuer: None, fault: None, detail, clock_offset: None }
    }
}

#[derive(Debug, Default)]
struct Noted {
    issuer: Option<String>,
    fault: Option<TlsFault>,
}

/// Takes every certificate, and notes what a careful client would have said. Nothing secret is ever sent behind it.
#[derive(Debug)]
struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    noted: Mutex<Noted>,
}

impl Judge for Witness {
    fn judge(&self, (leaf, others, name): Shown<'_>, now: UnixTime) -> Result<(), rustls::Error> {
        let misnamed = ParsedCertificate::try_from(leaf).is_ok_and(|parsed| verify_server_name(&parsed, name).is_err());
        let fault = match self.judge.verify_server_cert(leaf, others, name, &[], now) {
            Ok(_) => None,
            Err(_) if misnamed => Some(TlsFault::OtherName(names(leaf))),
            Err(rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            )) => Some(TlsFault::NotInDate),
            Err(_) => Some(TlsFault::Untrusted),
        };
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = Noted { issuer: issuer(leaf), fault };
        Ok(())
    }
}

/// `Common name (Organisation)`, as far as there are any.
fn issuer(der: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let name = certificate.issuer();
    let text = |mut found: Box<dyn Iterator<Item = &str> + '_>| found.next().map(str::to_owned);
    let common = text(Box::new(name.iter_common_name().filter_map(|part| part.as_str().ok())));
    let organisation = text(Box::new(name.iter_organization().filter_map(|part| part.as_str().ok())));
    let whole = match (common, organisation) {
        (Some(common), Some(organisation)) => format!("{common} ({organisation})"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => X509Name::to_string(name),
    };
    Some(redact::cut(&redact::one_line(&whole), 80))
}

/// The host names of a certificate, the first two.
fn names(der: &CertificateDer<'_>) -> String {
    let names: Vec<String> = X509Certificate::from_der(der)
        .ok()
        .and_then(|(_, certificate)| {
            let all = certificate.subject_alternative_name().ok()??;
            let names = all.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            });
            Some(names.take(2).collect())
        })
        .unwrap_or_default();
    if names.is_empty() { "no host".to_owned() } else { redact::cut(&redact::one_line(&names.join(", ")), 80) }
}

/// Shakes hands; with `clock` it then asks for nothing but the headers, for the server's clock.
pub(super) fn look(
    host: &str,
    address: SocketAddr,
    roots: &Arc<RootCertStore>,
    clock: bool,
    deadline: Instant,
) -> Handshake {
    shake(host, address, roots, clock, deadline).unwrap_or_else(|fault| Handshake::failed(&fault))
}

fn shake(
    host: &str,
    address: SocketAddr,
    roots: &Arc<RootCertStore>,
    clock: bool,
    deadline: Instant,
) -> io::Result<Handshake> {
    let started = Instant::now();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider).build();
    let judge = judge.map_err(io::Error::other)?;
    let witness = Arc::new(Witness { judge, noted: Mutex::default() });
    let mut client = client(host, Arc::<Witness>::clone(&witness)).map_err(io::Error::other)?;
    let tcp = TcpStream::connect_timeout(&address, remaining(deadline).max(Duration::from_millis(1)))?;
    let mut stream = Timed { connection: Box::new(tcp), deadline };
    while client.is_handshaking() {
        if let Err(fault) = client.complete_io(&mut stream) {
            let tls = fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let plain = matches!(tls, Some(rustls::Error::InvalidMessage(_)));
            let mut seen = Handshake::failed(&fault);
            if plain {
                (seen.fault, seen.detail) = (Some(TlsFault::NotTls), Some("the peer did not speak TLS".into()));
            } else if fault.kind() == io::ErrorKind::UnexpectedEof || fault.kind() == io::ErrorKind::ConnectionReset {
                seen.detail = Some("the connection is cut during the TLS handshake".into());
            } else if seen.outcome == NetworkOutcome::Timeout {
                seen.detail = Some("connected, then silence".into());
            }
            return Ok(seen);
        }
    }
    let ms = u64::try_from(started.elapsed().as_millis()).ok();
    let noted = std::mem::take(&mut *witness.noted.lock().unwrap_or_else(PoisonError::into_inner));
    stream.deadline = deadline.min(Instant::now() + HEADERS);
    let date = if clock { date(host, &mut client, &mut stream) } else { None };
    let clock_offset = date.map(|date| (date - OffsetDateTime::now_utc()).whole_seconds());
    let outcome = if noted.fault.is_none() { NetworkOutcome::Ok } else { NetworkOutcome::Unexpected };
    Ok(Handshake { outcome, ms, issuer: noted.issuer, fault: noted.fault, detail: None, clock_offset })
}

/// The `Date` of the answer to a request for nothing.
fn date(host: &str, client: &mut ClientConnection, stream: &mut Timed) -> Option<OffsetDateTime> {
    let mut tls = rustls::Stream::new(client, stream);
    let agent = concat!("mcp-tunnels-helper/", env!("CARGO_PKG_VERSION"));
    let request = format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n");
    tls.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    while answer.len() < 8 << 10 && !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match tls.read(&mut chunk) {
            Ok(n) if n > 0 => answer.extend_from_slice(&chunk[..n]),
            Ok(_) | Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then(|| value.trim().to_owned())
    })?;
    http_date(&value)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<OffsetDateTime> {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    time::PrimitiveDateTime::parse(text, &format).ok().map(time::PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().unix_timestamp(), 784_111_777);
        assert_eq!(http_date("yesterday"), None);
    }
}
