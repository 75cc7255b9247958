//! The facts that the requirements are judged by, and what a requirement is.
//!
//! Requirements are not [`crate::check::Check`]s, whose outcome is findings: `certs check` shows what was found for each
//! requirement, also for one that is met; several requirements share one finding, one may be explained by another, and the
//! days ahead decide how severe it is. `judged` makes the findings of all of them together, and `lint` takes those as one
//! check.

use time::OffsetDateTime;

use super::file::Files;
use super::x509::{Details, Signature};
use crate::deployment::Domain;
use crate::rules::RuleId;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose<'a> {
    pub(crate) domain: &'a Domain,
    /// Names of the configured routes.
    pub(crate) routes: &'a [String],
    /// The time at which they are judged.
    pub(crate) now: OffsetDateTime,
}

/// Everything that the tests of the requirements read.
#[derive(Debug)]
pub(crate) struct CertFacts {
    pub(crate) files: Files,
    /// The server's certificate where it is not the first in `tls.crt`: the one that `tls.key` belongs to.
    misplaced: Option<Details>,
    /// The server certificate's signature under the CA's key, if both exist.
    pub(crate) server_signature: Option<Signature>,
    /// The CA certificate's signature under its own key, if it names itself as issuer.
    pub(crate) ca_self_signature: Option<Signature>,
    pub(crate) domain: Domain,
    /// Names of the configured routes.
    pub(crate) routes: Vec<String>,
    pub(crate) now: OffsetDateTime,
    /// Days for which they must still be valid.
    pub(crate) fail_within_days: u32,
}

impl CertFacts {
    /// Verifies the signatures; nothing is judged yet, and nothing fails.
    pub(crate) fn gather(files: Files, purpose: Purpose<'_>, fail_within_days: u32) -> Self {
        let mut facts = Self {
            misplaced: misplaced(&files),
            files,
            server_signature: None,
            ca_self_signature: None,
            domain: purpose.domain.clone(),
            routes: purpose.routes.to_vec(),
            now: purpose.now,
            fail_within_days,
        };
        if let Some(ca) = facts.ca() {
            let signature = facts.server().map(|server| server.signed_by(&ca.spki_der));
            let own = (ca.subject_der == ca.issuer_der).then(|| ca.signed_by(&ca.spki_der));
            (facts.server_signature, facts.ca_self_signature) = (signature, own);
        }
        facts
    }

    /// The CA certificate, if `ca.crt` can be read.
    pub(crate) fn ca(&self) -> Option<&Details> {
        self.files.ca.good().map(|file| &file.first)
    }

    /// The server certificate, if `tls.crt` can be read.
    pub(crate) fn server(&self) -> Option<&Details> {
        self.misplaced.as_ref().or_else(|| self.files.server.good().map(|file| &file.first))
    }

    /// Whether another certificate is before the server's in `tls.crt`.
    pub(super) fn server_is_misplaced(&self) -> bool {
        self.misplaced.is_some()
    }
}

/// The certificate in `tls.crt` that `tls.key` belongs to, if it is not the first.
fn misplaced(files: &Files) -> Option<Details> {
    let (file, key) = (files.server.good()?, files.server_key.good()?);
    let public = key.key.public_key()?;
    if file.first.public_key == public {
        return None;
    }
    file.other_certificates().find(|certificate| certificate.public_key == public)
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

/// What a deployment may be without; a requirement about it is then skipped without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Optional {
    /// `ca.key` may be kept on another host.
    CaKey,
    /// There may be no route yet.
    Routes,
}

/// One row of the table: a requirement, its test, and the finding that a failure raises.
pub(crate) struct Requirement {
    /// Stable, kebab-case.
    pub(crate) id: &'static str,
    pub(crate) of: Of,
    pub(crate) requirement: &'static str,
    /// The finding that a failure raises.
    pub(crate) rule: RuleId,
    /// Id of the row whose failure explains a failure of this one; that row's finding then tells of both.
    pub(crate) explained_by: Option<&'static str>,
    /// Whether it proves a signature or a pair of keys: if it is skipped, that is a finding.
    pub(crate) is_proof: bool,
    /// Whether it is about dates, which also fail at a horizon in the future.
    pub(crate) is_date: bool,
    /// What it is about, if a deployment may be without it.
    pub(crate) optional: Option<Optional>,
    /// What ends a failure of this row, where that is not what the rule's row says.
    pub(crate) fix: Option<&'static str>,
    pub(crate) test: fn(&CertFacts) -> Tested,
}

/// A row with the columns that every row has.
pub(super) const fn row(
    id: &'static str,
    of: Of,
    rule: RuleId,
    requirement: &'static str,
    test: fn(&CertFacts) -> Tested,
) -> Requirement {
    let (explained_by, is_proof, is_date, optional, fix) = (None, false, false, None, None);
    Requirement { id, of, requirement, rule, explained_by, is_proof, is_date, optional, fix, test }
}

impl Requirement {
    /// See [`Self::fix`].
    pub(super) const fn fix(mut self, fix: &'static str) -> Self {
        self.fix = Some(fix);
        self
    }

    /// See [`Self::explained_by`].
    pub(super) const fn explained_by(mut self, id: &'static str) -> Self {
        self.explained_by = Some(id);
        self
    }

    /// See [`Self::is_proof`].
    pub(super) const fn proof(mut self) -> Self {
        self.is_proof = true;
        self
    }

    /// See [`Self::is_date`].
    pub(super) const fn date(mut self) -> Self {
        self.is_date = true;
        self
    }

    /// See [`Self::optional`].
    pub(super) const fn about(mut self, optional: Optional) -> Self {
        self.optional = Some(optional);
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tested {
    /// Met; what was found.
    Pass(String),
    /// Not met, and the tunnel still works; what was found.
    Warn(String),
    /// Not met; what was found.
    Fail(String),
    /// Not tested; the reason.
    Skip(String),
}

impl Tested {
    pub(super) fn pass(found: impl Into<String>) -> Self {
        Self::Pass(found.into())
    }

    pub(super) fn fail(found: impl Into<String>) -> Self {
        Self::Fail(found.into())
    }

    pub(super) fn skip(reason: impl Into<String>) -> Self {
        Self::Skip(reason.into())
    }

    /// [`Self::Pass`] if `ok`, otherwise [`Self::Fail`], with the same words.
    pub(super) fn of(ok: bool, found: impl Into<String>) -> Self {
        if ok { Self::pass(found) } else { Self::fail(found) }
    }

    /// What was found, or why nothing was tested.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Pass(text) | Self::Warn(text) | Self::Fail(text) | Self::Skip(text) => text,
        }
    }

    /// Met, not met, or (`None`) not tested.
    pub(crate) fn ok(&self) -> Option<bool> {
        match self {
            Self::Pass(_) => Some(true),
            Self::Warn(_) | Self::Fail(_) => Some(false),
            Self::Skip(_) => None,
        }
    }
}

/// One requirement with its verdict.
#[derive(Clone)]
pub(crate) struct Checked {
    pub(crate) of: &'static Requirement,
    pub(crate) verdict: Tested,
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?}", self.of.id, self.verdict)
    }
}
