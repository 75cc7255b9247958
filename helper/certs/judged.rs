//! The verdict over the four files: rows, findings, what was skipped, and both certificates for an answer.

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::audit::{CertFacts, Checked, Of, Optional, Purpose, Tested};
use super::file::{CertificateFile, File, Files};
use super::pem;
use super::rows::audit;
use super::x509::{Details, Extension};
use crate::answer::{Finding, Severity, Skipped, count};
use crate::deployment::Deployment;
use crate::rules::{self, Cure, Remedy, RuleId, State};

/// A certificate in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct CertificateInfo {
    /// The certificate itself, to be pasted into the Console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pem: Option<String>,
    /// Lower-case hex of the SHA-256 of the DER, as the Console's API shows it.
    pub(crate) fingerprint_sha256: String,
    /// Distinguished name.
    pub(crate) subject: String,
    /// Kind of key.
    pub(crate) key: String,
    /// Start of its validity, RFC 3339.
    pub(crate) not_before: String,
    /// End of its validity, RFC 3339.
    pub(crate) not_after: String,
    /// Whole days until its end; negative when it is over.
    pub(crate) days_left: i64,
    /// DNS names it is issued for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) dns_names: Vec<String>,
}

impl CertificateInfo {
    /// All but the PEM text.
    pub(crate) fn of(details: &Details, now: OffsetDateTime) -> Self {
        let date = |date: OffsetDateTime| date.format(&Rfc3339).unwrap_or_default();
        Self {
            pem: None,
            fingerprint_sha256: details.fingerprint_sha256(),
            subject: details.subject.clone(),
            key: details.key.to_string(),
            not_before: date(details.not_before),
            not_after: date(details.not_after),
            days_left: details.days_left(now),
            dns_names: details.dns_names().to_vec(),
        }
    }

    /// With the PEM text, encoded from the DER: nothing else of the file is ever shown.
    pub(crate) fn with_pem(mut self, details: &Details) -> Self {
        self.pem = Some(pem::encode(pem::CERTIFICATE, &details.der));
        self
    }

    /// The date of its end.
    pub(crate) fn until(&self) -> &str {
        self.not_after.get(..10).unwrap_or(&self.not_after)
    }

    /// `89 days left, until 2027-02-21`, or how long ago it ended.
    pub(crate) fn life(&self) -> String {
        match self.days_left {
            // Whole days, rounded down: -1 is the first day after the end.
            left if left < 0 => format!("ended {} ago, on {}", count(-left - 1, "day"), self.until()),
            left => format!("{} left, until {}", count(left, "day"), self.until()),
        }
    }
}

/// The first certificate of a file as PEM, encoded from its DER; nothing else of the file is ever shown.
pub(crate) fn shown_pem(deployment: &Deployment, inside: &str) -> Option<String> {
    let file = File::<CertificateFile>::read(deployment, inside);
    Some(pem::encode(pem::CERTIFICATE, &file.good()?.first.der))
}

/// How many days ahead the certificates are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// An end within that many days is an error.
    pub(crate) fail: u32,
    /// An end within that many days is a warning.
    pub(crate) warn: u32,
}

impl Default for Horizon {
    /// A month's notice.
    fn default() -> Self {
        Self { fail: 0, warn: 30 }
    }
}

/// The verdict over the four files.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The CA certificate, if it can be read.
    pub(crate) ca: Option<CertificateInfo>,
    /// The server certificate, if it can be read.
    pub(crate) server: Option<CertificateInfo>,
    /// Requirements that are not met, and what else is worth knowing.
    pub(crate) findings: Vec<Finding>,
    /// Requirements that could not be tested.
    pub(crate) skipped: Vec<Skipped>,
    /// How many requirements are met.
    pub(crate) met: usize,
    pub(crate) rows: Vec<Checked>,
    pub(crate) facts: CertFacts,
}

impl Judged {
    /// Judges files for a purpose, with a month's notice of their end.
    pub(crate) fn new(files: Files, purpose: Purpose<'_>) -> Self {
        Self::within(files, purpose, Horizon::default())
    }

    /// Judges files for a purpose and the days ahead.
    pub(crate) fn within(files: Files, purpose: Purpose<'_>, horizon: Horizon) -> Self {
        let facts = CertFacts::gather(files, purpose, horizon.fail);
        let rows = audit(&facts);
        let ca = facts.ca().map(|d| CertificateInfo::of(d, facts.now));
        let server = facts.server().map(|d| CertificateInfo::of(d, facts.now));
        let mut findings = findings(&rows, &facts);
        findings.extend(ending(RuleId::TlsExpiresSoon, "data/tls.crt", server.as_ref(), horizon));
        findings.extend(ending(RuleId::CaExpiresSoon, "data/ca.crt", ca.as_ref(), horizon));
        findings.extend(other_text(&facts));
        let mut skipped = Vec::new();
        if ca.is_some() && server.is_some() {
            if facts.files.ca_key.is_absent() {
                let replica = facts.files.replica.as_ref().map(|replica| replica.finding(Severity::Note));
                findings.push(replica.unwrap_or_else(|| rules::finding(RuleId::CaKeyMissing)));
            }
            skipped = skips(&rows, &facts);
            findings.extend(unproven(&rows, &facts, &findings));
        }
        let findings = findings.into_iter().map(|finding| in_state(finding, &facts.files)).collect();
        let met = rows.iter().filter(|row| row.verdict.ok() == Some(true)).count();
        Self { ca, server, findings, skipped, met, rows, facts }
    }

    /// Whether both certificates exist and nothing is wrong with them.
    pub(crate) fn is_good(&self) -> bool {
        self.ca.is_some() && self.server.is_some() && !self.has_errors()
    }

    /// Whether a requirement is not met without which calls fail.
    pub(crate) fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// Whether the CA is kept on another host, and nothing is wrong with the server's certificate and key.
    pub(crate) fn lacks_only_ca(&self) -> bool {
        let files = &self.facts.files;
        let mut errors = self.findings.iter().filter(|f| f.severity == Severity::Error);
        files.ca.is_absent() && files.ca_key.is_absent() && errors.all(|f| f.id == RuleId::CaMissing)
    }

    /// Whether the server's certificate is the one of a CA, which no client takes for a server's.
    pub(crate) fn server_is_ca(&self) -> bool {
        let is_ca = |c: &Details| matches!(c.basic_constraints, Extension::Present { value: true, .. });
        self.facts.server().is_some_and(|c| is_ca(c) && c.dns_names().is_empty())
    }

    /// Whether the CA of these files can certify the server's key once more.
    pub(crate) fn can_renew(&self) -> bool {
        let files = &self.facts.files;
        let has_all = files.ca.good().is_some() && files.ca_key.good().is_some() && files.server_key.good().is_some();
        has_all && !self.findings.iter().any(|f| f.id == RuleId::TlsUnknownCa || f.id.rule().blocks_signing)
    }

    pub(crate) fn finding(&self, rule: RuleId) -> Option<&Finding> {
        self.findings.iter().find(|f| f.id == rule)
    }

    /// The CA certificate with its PEM text, for an answer that offers it for registration.
    pub(crate) fn ca_with_pem(&self) -> Option<CertificateInfo> {
        let details = self.facts.ca()?;
        Some(CertificateInfo::of(details, self.facts.now).with_pem(details))
    }

    /// Whether the CA's end limits the server certificate's.
    pub(crate) fn ends_with_ca(&self) -> bool {
        match (self.facts.ca(), self.facts.server()) {
            (Some(ca), Some(server)) => server.not_after >= ca.not_after,
            _ => false,
        }
    }
}

/// The finding about a certificate that is in date and ends within the horizon.
fn ending(rule: RuleId, file: &str, info: Option<&CertificateInfo>, horizon: Horizon) -> Option<Finding> {
    let info = info.filter(|info| info.days_left >= 0)?;
    let within = |days: u32| info.days_left < i64::from(days);
    if !within(horizon.fail.max(horizon.warn)) {
        return None;
    }
    let severity = if within(horizon.fail) { Severity::Error } else { Severity::Warning };
    let text = format!("`{file}` ends on {}, {} left", info.not_after, count(info.days_left, "day"));
    Some(rules::finding(rule).with_severity(severity).with(text))
}

/// The note about harmless text in `ca.crt`; a secret in it fails a requirement.
fn other_text(facts: &CertFacts) -> Option<Finding> {
    let file = facts.files.ca.good().filter(|file| file.other_text > 0 && !file.holds_secret)?;
    let text = format!("`data/ca.crt`: {} in addition to the certificate", count(file.other_text as i64, "byte"));
    Some(rules::finding(RuleId::CaExtraText).with_severity(Severity::Note).with(text))
}

/// What could not be tested, without what a deployment may be without.
fn skips(rows: &[Checked], facts: &CertFacts) -> Vec<Skipped> {
    let missing = |optional| match optional {
        Optional::CaKey => facts.files.ca_key.is_absent(),
        Optional::Routes => facts.routes.is_empty(),
    };
    let asked = rows.iter().filter(|row| !row.of.optional.is_some_and(missing));
    asked
        .filter_map(|row| match &row.verdict {
            Tested::Skip(reason) => Some(Skipped::new(row.of.id, reason.clone())),
            Tested::Pass(_) | Tested::Warn(_) | Tested::Fail(_) => None,
        })
        .collect()
}

/// The finding about a signature or pair of keys that this helper cannot verify, unless another finding explains why.
fn unproven(rows: &[Checked], facts: &CertFacts, findings: &[Finding]) -> Option<Finding> {
    if findings.iter().any(|f| f.severity == Severity::Error) {
        return None;
    }
    let ca_key_is_readable = facts.files.ca_key.good().is_some();
    let proofs = rows.iter().filter(|row| row.of.is_proof);
    let mut asked = proofs.filter(|row| row.of.optional != Some(Optional::CaKey) || ca_key_is_readable);
    asked.find_map(|row| match &row.verdict {
        Tested::Skip(why) => Some(rules::finding(RuleId::CertsNotVerifiable).with(format!("{}: {why}", row.of.id))),
        Tested::Pass(_) | Tested::Warn(_) | Tested::Fail(_) => None,
    })
}

/// One finding a rule, with what was found for each requirement that is not met.
fn findings(rows: &[Checked], facts: &CertFacts) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for row in rows {
        let (severity, what) = match &row.verdict {
            Tested::Fail(what) => (Severity::Error, what),
            Tested::Warn(what) => (Severity::Warning, what),
            Tested::Pass(_) | Tested::Skip(_) => continue,
        };
        if row.of.is_date && is_in_date(row, facts) {
            // It fails at the horizon only, which has its own finding.
            continue;
        }
        let explained = row.of.explained_by.and_then(|id| rows.iter().find(|r| r.of.id == id));
        let explained = explained.filter(|other| matches!(other.verdict, Tested::Fail(_)));
        let rule = explained.unwrap_or(row).of.rule;
        let text = format!("{} ({}): {what}", row.of.of.as_str(), row.of.requirement);
        match found.iter_mut().find(|f| f.id == rule) {
            Some(finding) => *finding = finding.clone().with(text),
            None => {
                found.push(rules::finding(rule).with_severity(severity).with(text));
            }
        }
        if let Some(finding) = found.iter_mut().find(|f| f.id == rule && rule == row.of.rule)
            && let Some(fix) = row.of.fix
        {
            *finding = finding.clone().with_fix(fix);
        }
    }
    found
}

/// The finding with what ends it in this state of the files: nothing is offered that would be refused.
fn in_state(finding: Finding, files: &Files) -> Finding {
    let lacks_ca_key = files.ca.good().is_some() && files.ca_key.is_absent();
    let state = match finding.cure {
        Cure::Issue if !files.server.is_absent() && files.server_key.is_absent() => State::NoServerKey,
        Cure::RotateCa if files.server.is_absent() => State::NothingSigned,
        Cure::Issue | Cure::Renew if lacks_ca_key && files.replica.is_some() => State::OfReplica,
        Cure::Issue if lacks_ca_key => State::NoCaKey { then: "certs issue" },
        Cure::Renew if lacks_ca_key => State::NoCaKey { then: "certs renew" },
        _ => return finding,
    };
    finding.with_remedy(Remedy::State(state))
}

fn is_in_date(row: &Checked, facts: &CertFacts) -> bool {
    let details = match row.of.of {
        Of::Ca => facts.ca(),
        Of::Server | Of::Pair => facts.server(),
    };
    details.is_some_and(|d| d.not_before <= facts.now && facts.now <= d.not_after)
}
