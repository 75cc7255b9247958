//! Issues the CA and the server certificate, to the profile of the documented quickstart.

use std::fmt;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
    SigningKey,
};
use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use time::{Duration, OffsetDateTime, UtcOffset, macros::datetime};

use super::der::{self, CONTEXT_0, Reader, SEQUENCE};
use super::file::CertificateFile;
use super::key::{Key, KeyFault};
use super::pem::{self, PemFault};
use super::x509::{Details, Signature};
use crate::deployment::Domain;

/// The CA's common name in the documented quickstart.
const CA_NAME: &str = "mcp-tunnel-ca";
/// RFC 5280 appendix A, `ub-common-name`: openssl refuses to make a longer one and strict verifiers refuse to take it.
const LONGEST_COMMON_NAME: usize = 64;
/// For clocks that are behind ours.
const SKEW: Duration = Duration::hours(1);
/// What a certificate's dates can say: UTCTime begins in 1950, GeneralizedTime ends with 9999 (RFC 5280 §4.1.2.5).
const EARLIEST: OffsetDateTime = datetime!(1950-01-01 00:00:00 UTC);
const LATEST: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

/// Why no certificate was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IssueError {
    /// The key of the CA cannot sign here.
    #[error("the CA's private key is not usable: {0}")]
    CaKey(KeyFault),
    /// The server's key cannot be used.
    #[error("the server's private key is not usable: {0}")]
    ServerKey(KeyFault),
    /// `ca.key` and `ca.crt` are of different CAs.
    #[error("the CA's private key does not belong to its certificate")]
    CaMismatch,
    /// The server certificate's AuthorityKeyIdentifier must equal it.
    #[error("the CA certificate has no subjectKeyIdentifier, which the tunnel requires; make a new CA and register it")]
    CaWithoutKeyId,
    /// The CA has expired.
    #[error("the CA certificate expired on {0}; make a new CA and register it")]
    CaExpired(String),
    /// The CA is not valid yet.
    #[error("the CA certificate is not valid before {0}; is this machine's clock right?")]
    CaNotYetValid(String),
    /// The system's source of randomness failed.
    #[error("the operating system returned no random bytes")]
    Random,
    /// rcgen refused; its text holds no key material.
    #[error("the certificate could not be made: {0}")]
    Library(String),
    /// What was made could not be read back.
    #[error("the certificate just made cannot be read back: {0}")]
    Unreadable(PemFault),
}

impl From<rcgen::Error> for IssueError {
    fn from(error: rcgen::Error) -> Self {
        Self::Library(error.to_string())
    }
}

/// A private key as PKCS#8 PEM, to be written to a file and nowhere else: no `Display`, no `Clone`, and `Debug` shows nothing of it.
pub(crate) struct SecretPem(String);

impl SecretPem {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretPem(..)")
    }
}

/// A CA that can sign: its key, and the parts of its certificate that go into those it signs.
pub(crate) struct Ca {
    key: KeyPair,
    subject: Vec<u8>,
    key_id: Vec<u8>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ca(until {})", self.not_after)
    }
}

/// A CA just made, with what must be written to files.
#[derive(Debug)]
pub(crate) struct NewCa {
    /// The CA, ready to sign.
    pub(crate) ca: Ca,
    /// `ca.crt`.
    pub(crate) certificate: String,
    /// `ca.key`, if the key is new.
    pub(crate) key: Option<SecretPem>,
}

/// A server certificate just made, with what must be written to files.
#[derive(Debug)]
pub(crate) struct ServerCertificate {
    /// `tls.crt`.
    pub(crate) certificate: String,
    /// `tls.key`, if the key is new.
    pub(crate) key: Option<SecretPem>,
    /// Whether it ends earlier than was asked for, because the CA does.
    pub(crate) shortened: bool,
}

impl Ca {
    /// A new CA with a new ECDSA P-256 key, valid from an hour before `now` until `days` after it.
    ///
    /// # Errors
    /// No randomness.
    pub(crate) fn create(now: OffsetDateTime, days: u32) -> Result<NewCa, IssueError> {
        let (key, pem) = new_key()?;
        let new = Self::certify(key, None, None, now, days)?;
        Ok(NewCa { key: Some(pem), ..new })
    }

    /// The certificate of a CA again, from its key, if only `ca.key` is left. Subject and key identifier become what they were:
    /// taken from `issued`, a certificate that this key signed, otherwise the quickstart's.
    ///
    /// # Errors
    /// The key cannot sign.
    pub(crate) fn recreate(
        key: &Key,
        issued: Option<&CertificateFile>,
        now: OffsetDateTime,
        days: u32,
    ) -> Result<NewCa, IssueError> {
        let signing = key.signing().map_err(IssueError::CaKey)?;
        let witness =
            issued.map(|f| &f.first).filter(|d| d.signed_by(&signing.subject_public_key_info()) == Signature::Good);
        let subject = witness.map(|d| d.issuer_der.clone());
        let key_id = witness.and_then(|d| d.authority_key_id.value().cloned().flatten());
        Self::certify(signing, subject, key_id, now, days)
    }

    /// A CA from its certificate and key.
    ///
    /// # Errors
    /// They do not belong together, the key cannot sign, or the certificate has no key identifier.
    pub(crate) fn load(certificate: &CertificateFile, key: &Key) -> Result<Self, IssueError> {
        let details = &certificate.first;
        let signing = key.signing().map_err(IssueError::CaKey)?;
        if signing.public_key_raw() != details.public_key.as_slice() {
            return Err(IssueError::CaMismatch);
        }
        Self::of(signing, details)
    }

    fn of(key: KeyPair, details: &Details) -> Result<Self, IssueError> {
        Ok(Self {
            key,
            subject: details.subject_der.clone(),
            key_id: details.subject_key_id.value().cloned().ok_or(IssueError::CaWithoutKeyId)?,
            not_before: details.not_before,
            not_after: details.not_after,
        })
    }

    fn certify(
        key: KeyPair,
        subject: Option<Vec<u8>>,
        key_id: Option<Vec<u8>>,
        now: OffsetDateTime,
        days: u32,
    ) -> Result<NewCa, IssueError> {
        let key_id = key_id.unwrap_or_else(|| key_identifier(&key));
        let mut params = CertificateParams::default();
        params.not_before = earlier(now, SKEW);
        params.not_after = later(now, days);
        params.serial_number = Some(serial()?);
        params.distinguished_name = common_name(CA_NAME);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.key_identifier_method = KeyIdMethod::PreSpecified(key_id);
        let draft = params.self_signed(&Draft(&key))?;
        let der = finish(draft.der(), &key, subject.as_deref(), subject.as_deref())?;
        let details = Details::read(der).map_err(IssueError::Unreadable)?;
        let certificate = pem::encode(pem::CERTIFICATE, &details.der);
        Ok(NewCa { ca: Self::of(key, &details)?, certificate, key: None })
    }

    /// A server certificate for `domain` and all names one level below it, for `key` or a new ECDSA P-256 key, valid from an hour
    /// before `now` until `days` after it, but never outside of the CA's own life.
    ///
    /// # Errors
    /// The CA is not in date, or the key cannot be used.
    pub(crate) fn issue(
        &self,
        domain: &Domain,
        key: Option<&Key>,
        now: OffsetDateTime,
        days: u32,
    ) -> Result<ServerCertificate, IssueError> {
        if self.not_after < now {
            return Err(IssueError::CaExpired(self.not_after.date().to_string()));
        }
        if self.not_before > now {
            return Err(IssueError::CaNotYetValid(self.not_before.date().to_string()));
        }
        let is_rsa = key.is_some_and(|key| key.kind().is_rsa());
        let (key, pem) = match key {
            Some(key) => (key.signing().map_err(IssueError::ServerKey)?, None),
            None => new_key().map(|(key, pem)| (key, Some(pem)))?,
        };
        let wanted = later(now, days);
        let not_after = wanted.min(self.not_after);
        let mut params = CertificateParams::default();
        params.not_before = earlier(now, SKEW).max(self.not_before);
        params.not_after = not_after;
        params.serial_number = Some(serial()?);
        // Without a subject rcgen marks the subjectAltName critical, as RFC 5280 §4.2.1.6 wants it then.
        params.distinguished_name = if domain.as_str().len() <= LONGEST_COMMON_NAME {
            common_name(domain.as_str())
        } else {
            DistinguishedName::new()
        };
        params.subject_alt_names =
            vec![SanType::DnsName(domain.as_str().try_into()?), SanType::DnsName(format!("*.{domain}").try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if is_rsa {
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_identifier_method = KeyIdMethod::PreSpecified(key_identifier(&key));
        // Written by hand: rcgen would take it from an issuer that it made itself.
        params.custom_extensions = vec![authority_key_identifier(&self.key_id)];
        let issuer = Issuer::new(CertificateParams::default(), Draft(&self.key));
        let draft = params.signed_by(&key, &issuer)?;
        let der = finish(draft.der(), &self.key, Some(&self.subject), None)?;
        Ok(ServerCertificate {
            certificate: pem::encode(pem::CERTIFICATE, &der),
            key: pem,
            shortened: not_after < wanted,
        })
    }
}

/// A new ECDSA P-256 key.
fn new_key() -> Result<(KeyPair, SecretPem), IssueError> {
    let key = KeyPair::generate()?;
    let pem = SecretPem(pem::encode(pem::PKCS8, &key.serialize_der()));
    Ok((key, pem))
}

/// Signs nothing while rcgen writes a draft: the signature is made once, over the finished certificate.
struct Draft<'a>(&'a KeyPair);

impl PublicKeyData for Draft<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        PublicKeyData::algorithm(self.0)
    }
}

impl SigningKey for Draft<'_> {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Vec::new())
    }
}

/// Puts `issuer` and `subject` into rcgen's draft and signs. Go and webpki compare names byte for byte, and rcgen's
/// `DistinguishedName` is a map: it loses the second `OU=` of a name and sets of several attributes (seen with 0.14.10).
fn finish(draft: &[u8], key: &KeyPair, issuer: Option<&[u8]>, subject: Option<&[u8]>) -> Result<Vec<u8>, IssueError> {
    let malformed = IssueError::Unreadable(PemFault::Malformed("certificate"));
    let (body, algorithm) = with_names(draft, issuer, subject).ok_or(malformed)?;
    let signature = key.sign(&body)?;
    Ok(der::write(SEQUENCE, &[&body, algorithm, &der::write(der::BIT_STRING, &[&[0], &signature])]))
}

/// The part of `draft` to be signed, with its names replaced, and its signature algorithm.
fn with_names<'a>(draft: &'a [u8], issuer: Option<&[u8]>, subject: Option<&[u8]>) -> Option<(Vec<u8>, &'a [u8])> {
    let mut outer = Reader::new(draft).expect(SEQUENCE)?.inside();
    let mut inner = outer.expect(SEQUENCE)?.inside();
    let algorithm = outer.expect(SEQUENCE)?.whole;
    let version = inner.expect(CONTEXT_0)?.whole;
    let (serial, inner_algorithm) = (inner.any()?.whole, inner.any()?.whole);
    let (draft_issuer, validity, draft_subject) = (inner.any()?.whole, inner.any()?.whole, inner.any()?.whole);
    let (key, extensions) = (inner.any()?.whole, inner.any()?.whole);
    let names = (issuer.unwrap_or(draft_issuer), subject.unwrap_or(draft_subject));
    let body = der::write(SEQUENCE, &[version, serial, inner_algorithm, names.0, validity, names.1, key, extensions]);
    Some((body, algorithm))
}

/// RFC 5280 §4.2.1.2 method (1), SHA-1 of the public key's bits. Not a security function; taken because openssl (the quickstart),
/// Go and Python use the same, so that a CA of theirs gets its identifier back from the key alone.
fn key_identifier(key: &KeyPair) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key.public_key_raw()).as_ref().to_vec()
}

/// The keyIdentifier form of RFC 5280 §4.2.1.1.
fn authority_key_identifier(key_id: &[u8]) -> CustomExtension {
    CustomExtension::from_oid_content(&[2, 5, 29, 35], der::write(SEQUENCE, &[&der::write(0x80, &[key_id])]))
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// 126 random bits in 16 bytes, positive (RFC 5280 §4.1.2.2: at most 20 bytes; CA/Browser Forum: at least 64 bits).
fn serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| IssueError::Random)?;
    bytes[0] = (bytes[0] & 0x3f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

/// `time` as a certificate can express it: in UTC, whole seconds, within the years that the encodings have.
fn expressible(time: OffsetDateTime) -> OffsetDateTime {
    let time = time.clamp(EARLIEST, LATEST);
    time.checked_to_offset(UtcOffset::UTC).and_then(|t| t.replace_nanosecond(0).ok()).unwrap_or(time)
}

fn earlier(now: OffsetDateTime, by: Duration) -> OffsetDateTime {
    expressible(now.checked_sub(by).unwrap_or(EARLIEST))
}

fn later(now: OffsetDateTime, days: u32) -> OffsetDateTime {
    expressible(now.checked_add(Duration::days(i64::from(days))).unwrap_or(LATEST))
}
