//! Judges a CA and a server certificate by Anthropic's documented requirements: gathers the facts once, then asks the table in [`super::rows`].

use time::OffsetDateTime;

use super::key::{Key, KeyFault};
use super::pem::{self, CertificateFile, PemFault};
use super::rows::REQUIREMENTS;
use super::x509::{Details, Signature};
use crate::deployment::Domain;
use crate::rules::RuleId;

/// One file as the caller found it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Input<'a> {
    /// There is no such file.
    #[default]
    Absent,
    /// There is one and it cannot be read; says why.
    Unreadable(&'a str),
    /// Its content.
    Bytes(&'a [u8]),
}

/// The four files of `data/`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Files<'a> {
    /// `ca.crt`
    pub(crate) ca_crt: Input<'a>,
    /// `ca.key`
    pub(crate) ca_key: Input<'a>,
    /// `tls.crt`
    pub(crate) tls_crt: Input<'a>,
    /// `tls.key`
    pub(crate) tls_key: Input<'a>,
}

/// What the certificates have to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The tunnel's domain.
    pub(crate) domain: &'a Domain,
    /// Names of the configured routes.
    pub(crate) routes: &'a [String],
    /// The time at which they are judged.
    pub(crate) now: OffsetDateTime,
    /// They must be valid for that many more days.
    pub(crate) fail_within_days: u32,
}

/// One file, read.
#[derive(Debug)]
pub(crate) enum File<T> {
    /// There is no such file.
    Absent,
    /// It cannot be read; says why.
    Unreadable(String),
    /// It is not what it should be.
    Faulty(PemFault),
    /// It is.
    Good(T),
}

impl<T> File<T> {
    fn read(input: Input<'_>, parse: impl FnOnce(&[u8]) -> Result<T, PemFault>) -> Self {
        match input {
            Input::Absent => Self::Absent,
            Input::Unreadable(why) => Self::Unreadable(why.to_owned()),
            Input::Bytes(bytes) => parse(bytes).map_or_else(Self::Faulty, Self::Good),
        }
    }

    /// The content, if it is good.
    pub(crate) fn good(&self) -> Option<&T> {
        match self {
            Self::Good(content) => Some(content),
            Self::Absent | Self::Unreadable(_) | Self::Faulty(_) => None,
        }
    }

    /// The fault, if the file was read and is not what it should be.
    pub(super) fn fault(&self) -> Option<&PemFault> {
        match self {
            Self::Faulty(fault) => Some(fault),
            Self::Absent | Self::Unreadable(_) | Self::Good(_) => None,
        }
    }
}

/// A private key file, read, with the outcome of loading it.
#[derive(Debug)]
pub(crate) struct KeyFile {
    /// The key.
    pub(crate) key: Key,
    /// Whether it can sign here; for the kinds that can, this proves that its halves belong together.
    pub(crate) loads: Result<(), KeyFault>,
    /// See [`pem::go_finds_a_block`].
    pub(crate) go_finds_it: bool,
}

/// Everything that the rows of the table ask for.
#[derive(Debug)]
pub(crate) struct Facts {
    /// `ca.crt`
    pub(crate) ca: File<CertificateFile>,
    /// `ca.key`
    pub(crate) ca_key: File<KeyFile>,
    /// `tls.crt`
    pub(crate) server: File<CertificateFile>,
    /// `tls.key`
    pub(crate) server_key: File<KeyFile>,
    /// The server certificate's signature under the CA's key, if both are there.
    pub(crate) server_signature: Option<Signature>,
    /// The CA certificate's signature under its own key, if it names itself as issuer.
    pub(crate) ca_self_signature: Option<Signature>,
    /// The tunnel's domain.
    pub(crate) domain: Domain,
    /// Names of the configured routes.
    pub(crate) routes: Vec<String>,
    /// The time at which the certificates are judged.
    pub(crate) now: OffsetDateTime,
    /// They must be valid for that many more days.
    pub(crate) fail_within_days: u32,
}

impl Facts {
    /// Reads the files and verifies the signatures; nothing is judged yet, and nothing fails: faults are facts.
    pub(crate) fn gather(files: Files<'_>, asked: Asked<'_>) -> Self {
        let ca = File::read(files.ca_crt, CertificateFile::parse);
        let server = File::read(files.tls_crt, CertificateFile::parse);
        let server_signature = match (&ca, &server) {
            (File::Good(ca), File::Good(server)) => Some(server.first.signed_by(&ca.first.spki_der)),
            _ => None,
        };
        let ca_self_signature =
            ca.good().map(|f| &f.first).filter(|c| c.subject_der == c.issuer_der).map(|c| c.signed_by(&c.spki_der));
        Self {
            ca_key: File::read(files.ca_key, key_file),
            server_key: File::read(files.tls_key, key_file),
            ca,
            server,
            server_signature,
            ca_self_signature,
            domain: asked.domain.clone(),
            routes: asked.routes.to_vec(),
            now: asked.now,
            fail_within_days: asked.fail_within_days,
        }
    }

    /// The CA certificate, if there is a readable one.
    pub(crate) fn ca_details(&self) -> Option<&Details> {
        self.ca.good().map(|f| &f.first)
    }

    /// The server certificate, if there is a readable one.
    pub(crate) fn server_details(&self) -> Option<&Details> {
        self.server.good().map(|f| &f.first)
    }
}

fn key_file(bytes: &[u8]) -> Result<KeyFile, PemFault> {
    let key = Key::parse(bytes)?;
    let loads = key.signing().map(|_| ());
    Ok(KeyFile { key, loads, go_finds_it: pem::go_finds_a_block(bytes) })
}

/// What a requirement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The CA's certificate or key.
    Ca,
    /// The server's certificate or key.
    Server,
    /// How they fit together.
    Pair,
}

impl Of {
    /// `ca`, `server` or `pair`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Server => "server",
            Self::Pair => "pair",
        }
    }
}

/// One row of the table: a requirement, how it is tested, and which finding its failure raises.
pub(crate) struct Requirement {
    /// Stable, kebab-case.
    pub(crate) id: &'static str,
    /// What it is about.
    pub(crate) of: Of,
    /// The requirement in words.
    pub(crate) requirement: &'static str,
    /// Id of the finding that a failure raises.
    pub(crate) rule: RuleId,
    /// The test.
    pub(crate) test: fn(&Facts) -> Verdict,
}

/// The outcome of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Met; with what was found.
    Pass(String),
    /// Not met; with what was found.
    Fail(String),
    /// Not tested; with the reason.
    Skip(String),
}

impl Verdict {
    pub(super) fn pass(found: impl Into<String>) -> Self {
        Self::Pass(found.into())
    }

    pub(super) fn fail(found: impl Into<String>) -> Self {
        Self::Fail(found.into())
    }

    pub(super) fn skip(reason: impl Into<String>) -> Self {
        Self::Skip(reason.into())
    }

    /// [`Self::Pass`] if `ok`, else [`Self::Fail`], with the same words.
    pub(super) fn of(ok: bool, found: impl Into<String>) -> Self {
        if ok { Self::pass(found) } else { Self::fail(found) }
    }

    /// What was found, or why nothing was tested.
    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Pass(text) | Self::Fail(text) | Self::Skip(text) => text,
        }
    }

    /// Met, not met, or (`None`) not tested.
    pub(crate) fn ok(&self) -> Option<bool> {
        match self {
            Self::Pass(_) => Some(true),
            Self::Fail(_) => Some(false),
            Self::Skip(_) => None,
        }
    }
}

/// One requirement with its verdict.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// [`Requirement::id`]
    pub(crate) id: &'static str,
    /// [`Requirement::of`]
    pub(crate) of: Of,
    /// [`Requirement::requirement`]
    pub(crate) requirement: &'static str,
    /// [`Requirement::rule`]
    pub(crate) rule: RuleId,
    /// The outcome.
    pub(crate) verdict: Verdict,
}

/// Every requirement's verdict, in the table's order.
pub(crate) fn audit(facts: &Facts) -> Vec<Row> {
    REQUIREMENTS
        .iter()
        .map(|r| Row { id: r.id, of: r.of, requirement: r.requirement, rule: r.rule, verdict: (r.test)(facts) })
        .collect()
}
