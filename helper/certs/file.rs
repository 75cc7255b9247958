//! The four certificate files: read once, parsed once; a fault is a value.

use super::key::{Key, KeyFault};
use super::pem::{self, PemFault};
use super::x509::Details;
use crate::deployment::{Deployment, Replica, path};
use crate::os::files;
use crate::redact;

/// One file, read and parsed.
#[derive(Debug, Default)]
pub(crate) enum File<T> {
    /// It does not exist.
    #[default]
    Absent,
    /// It exists and cannot be read; the reason.
    Unreadable(String),
    /// It was read and is not what its name says.
    Faulty(PemFault),
    /// It was read and parsed.
    Good(T),
}

impl<T> File<T> {
    /// The parsed content.
    pub(crate) fn good(&self) -> Option<&T> {
        match self {
            Self::Good(content) => Some(content),
            Self::Absent | Self::Unreadable(_) | Self::Faulty(_) => None,
        }
    }

    /// Why a file that was read is not what its name says.
    pub(super) fn fault(&self) -> Option<&PemFault> {
        match self {
            Self::Faulty(fault) => Some(fault),
            Self::Absent | Self::Unreadable(_) | Self::Good(_) => None,
        }
    }

    /// The parsed content, or why there is none.
    pub(crate) fn usable(&self) -> Result<&T, String> {
        match self {
            Self::Good(content) => Ok(content),
            Self::Absent => Err("it does not exist".into()),
            Self::Unreadable(why) => Err(why.clone()),
            Self::Faulty(fault) => Err(fault.to_string()),
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// What can be read from a file of `data/`.
pub(crate) trait Content: Sized {
    fn parse(bytes: &[u8]) -> Result<Self, PemFault>;
}

impl<T: Content> File<T> {
    /// Parses content that is already in memory.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        T::parse(bytes).map_or_else(Self::Faulty, Self::Good)
    }

    pub(crate) fn read(deployment: &Deployment, inside: &str) -> Self {
        match files::read(deployment, inside) {
            Ok(None) => Self::Absent,
            Ok(Some(bytes)) => Self::parse(&bytes),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

/// A file that holds at least one well-formed certificate.
#[derive(Clone, Debug)]
pub(crate) struct CertificateFile {
    /// The first certificate, the one that a TLS server shows.
    pub(crate) first: Details,
    /// The certificates after it, as DER.
    pub(crate) others: Vec<Vec<u8>>,
    /// Number of private key blocks.
    pub(crate) private_keys: usize,
    pub(crate) size: usize,
    /// Bytes outside the certificate and private key blocks, white space not counted.
    pub(crate) other_text: usize,
    /// Whether the redactor takes a part of that text for a secret.
    pub(crate) holds_secret: bool,
    /// See [`pem::go_finds_a_block`].
    pub(crate) go_finds_it: bool,
}

impl Content for CertificateFile {
    /// CRLF, a byte-order mark, text around the blocks and trailing white space are not faults.
    fn parse(bytes: &[u8]) -> Result<Self, PemFault> {
        let blocks = pem::blocks(bytes)?;
        let mut ders = Vec::new();
        for block in blocks.iter().filter(|b| b.label == pem::CERTIFICATE) {
            let der = block.decode()?;
            pem::framed(&der, "certificate")?;
            ders.push(der);
        }
        let private_keys = blocks.iter().filter(|b| b.is_private_key()).count();
        if ders.is_empty() {
            return Err(if private_keys > 0 { PemFault::KeyInsteadOfCertificate } else { pem::none_of_these(&blocks) });
        }
        let rest = pem::outside_blocks(bytes, &blocks);
        Ok(Self {
            first: Details::read(ders.remove(0))?,
            others: ders,
            private_keys,
            size: bytes.len(),
            other_text: rest.bytes().filter(|b| !b.is_ascii_whitespace()).count(),
            holds_secret: holds_secret(&rest),
            go_finds_it: pem::go_finds_a_block(bytes),
        })
    }
}

/// Whether a part of a text has the form of a secret, or is the value of a `NAME=value` that names one. Not what the
/// redactor knows by heart: `openssl pkcs12` writes the same lines into certificate and key.
fn holds_secret(text: &str) -> bool {
    let is_secret_setting = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (is_name && redact::is_secret(name) && !value.is_empty()).then_some(())
    };
    redact::has_secret_form(text) || text.lines().any(|line| is_secret_setting(line).is_some())
}

impl CertificateFile {
    /// How many certificates the file holds.
    pub(crate) fn certificates(&self) -> usize {
        1 + self.others.len()
    }

    /// The certificates after the first that can be parsed.
    pub(super) fn other_certificates(&self) -> impl Iterator<Item = Details> {
        self.others.iter().filter_map(|der| Details::read(der.clone()).ok())
    }
}

/// A private key file with the outcome of loading the key.
#[derive(Debug)]
pub(crate) struct KeyFile {
    pub(crate) key: Key,
    /// Whether this program can sign with it; for the kinds that it can use, this proves that both halves belong together.
    pub(crate) loads: Result<(), KeyFault>,
    /// See [`pem::go_finds_a_block`].
    pub(crate) go_finds_it: bool,
}

impl Content for KeyFile {
    fn parse(bytes: &[u8]) -> Result<Self, PemFault> {
        let key = Key::parse(bytes)?;
        let loads = key.signing().map(|_| ());
        Ok(Self { key, loads, go_finds_it: pem::go_finds_a_block(bytes) })
    }
}

/// Paths of the certificate and key of a CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CaFiles {
    pub(crate) certificate: &'static str,
    pub(crate) key: &'static str,
}

impl CaFiles {
    /// The CA in use.
    pub(crate) const CURRENT: Self = Self { certificate: path::CA_CRT, key: path::CA_KEY };
    /// The CA to change to.
    pub(crate) const NEXT: Self = Self { certificate: path::CA_NEXT_CRT, key: path::CA_NEXT_KEY };
    /// The CA that was in use before the change.
    pub(crate) const OLD: Self = Self { certificate: path::CA_OLD_CRT, key: path::CA_OLD_KEY };
}

/// The CA's certificate and key, the server's certificate and key.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// `ca.crt`
    pub(crate) ca: File<CertificateFile>,
    /// Path of the CA's certificate where it is not the layout's.
    pub(crate) ca_beside: Option<String>,
    /// `ca.key`
    pub(crate) ca_key: File<KeyFile>,
    /// `tls.crt`
    pub(crate) server: File<CertificateFile>,
    /// `tls.key`
    pub(crate) server_key: File<KeyFile>,
    /// What the directory is a replica of: then the CA's key is elsewhere for good.
    pub(crate) replica: Option<Replica>,
}

impl Files {
    /// Reads the files of `data/`; nothing fails, faults are values.
    pub(crate) fn read(deployment: &Deployment) -> Self {
        Self::read_with(deployment, CaFiles::CURRENT)
    }

    pub(crate) fn read_with(deployment: &Deployment, ca: CaFiles) -> Self {
        Self {
            ca: File::read(deployment, ca.certificate),
            ca_beside: None,
            ca_key: File::read(deployment, ca.key),
            server: File::read(deployment, path::TLS_CRT),
            server_key: File::read(deployment, path::TLS_KEY),
            replica: Replica::of(deployment),
        }
    }

    /// Whether none of the four exists.
    pub(crate) fn is_empty(&self) -> bool {
        self.ca.is_absent() && self.ca_key.is_absent() && self.server.is_absent() && self.server_key.is_absent()
    }
}
