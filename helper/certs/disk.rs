//! The four files of `data/`, read from the disk and judged.

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::pem::{self, CertificateFile};
use super::{Asked, Details, Facts, Files, Input, Row, Verdict, audit};
use crate::answer::{Finding, Severity, Skipped};
use crate::deployment::{Deployment, Domain, path};
use crate::os::files;
use crate::rules::{self, RuleId};

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
    /// Beginning of its validity, RFC 3339.
    pub(crate) not_before: String,
    /// End of its validity, RFC 3339.
    pub(crate) not_after: String,
    /// Whole days until its end; negative when it is over.
    pub(crate) days_left: i64,
    /// DNS names it is made for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) dns_names: Vec<String>,
}

/// The first certificate of a file, written anew from its DER: nothing else that stands in the file, and no byte of it
/// that is not the certificate's.
pub(crate) fn shown_pem(deployment: &Deployment, inside: &str) -> Option<String> {
    let bytes = files::read(deployment, inside).ok()??;
    Some(pem_of(&CertificateFile::parse(&bytes).ok()?.first))
}

/// A certificate as PEM.
pub(super) fn pem_of(details: &Details) -> String {
    pem::encode("CERTIFICATE", &details.der)
}

impl CertificateInfo {
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
}

/// What one file of the four is.
#[derive(Debug, Default)]
pub(crate) enum Content {
    #[default]
    /// It is not there.
    Absent,
    /// It is there and cannot be read; says why.
    Unreadable(String),
    /// Its content.
    Bytes(Vec<u8>),
}

impl Content {
    /// Reads one file; what cannot be read is a fact too.
    fn read(deployment: &Deployment, inside: &str) -> Self {
        match files::read(deployment, inside) {
            Ok(None) => Self::Absent,
            Ok(Some(bytes)) => Self::Bytes(bytes),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    /// Its content, if it could be read.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    fn input(&self) -> Input<'_> {
        match self {
            Self::Absent => Input::Absent,
            Self::Unreadable(why) => Input::Unreadable(why),
            Self::Bytes(bytes) => Input::Bytes(bytes),
        }
    }
}

/// The four files as they are.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    pub(crate) ca_crt: Content,
    pub(crate) ca_key: Content,
    pub(crate) tls_crt: Content,
    pub(crate) tls_key: Content,
}

impl OnDisk {
    /// Reads the files; what cannot be read is a fact too.
    pub(crate) fn read(deployment: &Deployment) -> Self {
        let read = |inside: &str| Content::read(deployment, inside);
        Self {
            ca_crt: read(path::CA_CRT),
            ca_key: read(path::CA_KEY),
            tls_crt: read(path::TLS_CRT),
            tls_key: read(path::TLS_KEY),
        }
    }

    /// The same server files with another CA.
    pub(crate) fn with_ca(self, deployment: &Deployment, certificate: &str, key: &str) -> Self {
        Self { ca_crt: Content::read(deployment, certificate), ca_key: Content::read(deployment, key), ..self }
    }

    /// Whether none of the four is there.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.ca_crt, &self.ca_key, &self.tls_crt, &self.tls_key].iter().all(|c| matches!(c, Content::Absent))
    }

    /// Judges them for a domain and its routes, now.
    pub(crate) fn judge(&self, domain: &Domain, routes: &[String], now: OffsetDateTime) -> Judged {
        self.judge_within(domain, routes, now, Horizon::default())
    }

    /// Judges them for a domain and its routes, now and for the days ahead.
    pub(crate) fn judge_within(
        &self,
        domain: &Domain,
        routes: &[String],
        now: OffsetDateTime,
        horizon: Horizon,
    ) -> Judged {
        let files = Files {
            ca_crt: self.ca_crt.input(),
            ca_key: self.ca_key.input(),
            tls_crt: self.tls_crt.input(),
            tls_key: self.tls_key.input(),
        };
        let facts = Facts::gather(files, Asked { domain, routes, now, fail_within_days: horizon.fail });
        let rows = audit(&facts);
        let ca = facts.ca_details().map(|d| CertificateInfo::of(d, now));
        let server = facts.server_details().map(|d| CertificateInfo::of(d, now));
        let mut findings = findings(&rows, &facts);
        findings.extend(ending(RuleId::TlsExpiresSoon, "data/tls.crt", server.as_ref(), horizon));
        findings.extend(ending(RuleId::CaExpiresSoon, "data/ca.crt", ca.as_ref(), horizon));
        let mut skips = Vec::new();
        if ca.is_some() && server.is_some() {
            if matches!(self.ca_key, Content::Absent) {
                findings.push(rules::finding(RuleId::CaKeyMissing));
            }
            // Without routes there is nothing that the names could fail to cover.
            let asked = rows.iter().filter(|row| !routes.is_empty() || row.id != "server-san-routes");
            // That the CA's key is elsewhere is said once, as a note.
            let key_there = !matches!(self.ca_key, Content::Absent);
            skips =
                asked.filter(|row| key_there || !row.rule.as_str().starts_with("ca-key")).filter_map(skipped).collect();
            // A file that is missing or broken is a finding of its own, and explains what could not be verified.
            let explained = findings.iter().any(|f| f.severity == Severity::Error);
            let unverified = skips.iter().find(|skip| VERIFIED.contains(&skip.id.as_str()));
            if let Some(skip) = unverified.filter(|_| !explained) {
                findings.push(rules::finding(RuleId::CertsNotVerifiable).with(format!("{}: {}", skip.id, skip.reason)));
            }
        }
        let met = rows.iter().filter(|row| row.verdict.ok() == Some(true)).count();
        Judged { ca, server, findings, skipped: skips, met, rows, facts }
    }
}

/// Rows that prove a signature or a pair of keys.
const VERIFIED: [&str; 5] =
    ["ca-self-signature", "pair-signed-by-ca", "pair-server-key", "pair-ca-key", "ca-key-usable"];

/// How many days ahead the certificates are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// An end within that many days is an error.
    pub(crate) fail: u32,
    /// An end within that many days is a warning.
    pub(crate) warn: u32,
}

impl Default for Horizon {
    /// Renewal wants a month's notice.
    fn default() -> Self {
        Self { fail: 0, warn: 30 }
    }
}

/// The finding about a certificate that is in date and ends within the horizon.
fn ending(id: RuleId, file: &str, info: Option<&CertificateInfo>, horizon: Horizon) -> Option<Finding> {
    let info = info.filter(|info| info.days_left >= 0)?;
    let within = |days: u32| info.days_left < i64::from(days);
    if !within(horizon.fail.max(horizon.warn)) {
        return None;
    }
    let severity = if within(horizon.fail) { Severity::Error } else { Severity::Warning };
    let text = format!("{file} ends on {}, {} left", info.not_after, in_days(info.days_left));
    Some(rules::finding(id).with_severity(severity).with(text))
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
    /// Requirements that could not be judged.
    pub(crate) skipped: Vec<Skipped>,
    /// How many requirements are met.
    pub(crate) met: usize,
    /// Every requirement.
    pub(crate) rows: Vec<Row>,
    /// What was judged.
    pub(crate) facts: Facts,
}

impl Judged {
    /// Whether both certificates are there and nothing is wrong with them.
    pub(crate) fn is_good(&self) -> bool {
        self.ca.is_some() && self.server.is_some() && !self.has_errors()
    }

    /// Whether a requirement is not met.
    pub(crate) fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }
}

fn skipped(row: &Row) -> Option<Skipped> {
    match &row.verdict {
        Verdict::Skip(reason) => Some(Skipped::new(row.id, reason.clone())),
        Verdict::Pass(_) | Verdict::Fail(_) => None,
    }
}

/// One finding a rule, with what was found for each requirement that is not met.
fn findings(rows: &[Row], facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for row in rows {
        let Verdict::Fail(what) = &row.verdict else { continue };
        // In date today and not at the horizon: a finding of its own.
        let details = match row.id {
            "server-in-date" => facts.server_details(),
            "ca-in-date" => facts.ca_details(),
            _ => None,
        };
        if details.is_some_and(|d| d.not_before <= facts.now && facts.now <= d.not_after) {
            continue;
        }
        let text = format!("{} ({}): {what}", row.of.as_str(), row.requirement);
        match found.iter_mut().find(|f| f.id == row.rule) {
            Some(finding) => *finding = finding.clone().with(text),
            None => found.push(rules::finding(row.rule).with(text)),
        }
    }
    found
}

/// `1 day`, `2 days`.
pub(crate) fn in_days(n: i64) -> String {
    if n == 1 { "1 day".into() } else { format!("{n} days") }
}
