//! `certs check`: one row for each documented requirement, a TLS handshake for each route, and who can read the keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::disk::{CertificateInfo, Horizon, OnDisk, in_days};
use super::handshake::rehearse;
use super::{Row, Verdict, rollover};
use crate::answer::{Error, Finding, Next, Report, Severity, Skipped};
use crate::caller::Caller;
use crate::deployment::modes;
use crate::deployment::{Deployment, path};
use crate::model::current;
use crate::model::found::Found;
use crate::rules;
use crate::rules::RuleId;

/// The request of `certs check`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CheckRequest {
    /// An end within that many days is an error (0).
    fail_within_days: Option<u32>,
    /// An end within that many days is a warning (30).
    warn_within_days: Option<u32>,
    /// All requirements, not only those that are not met.
    verbose: bool,
}

/// One requirement in an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RequirementRow {
    /// Stable kebab-case name.
    id: String,
    /// `ca`, `server` or `pair`.
    of: &'static str,
    /// Whether it is met; `null` where it could not be tested.
    ok: Option<bool>,
    /// The requirement in words.
    requirement: String,
    /// What was found.
    found: String,
}

/// What `certs check` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckData {
    /// The CA certificate.
    ca: Option<CertificateInfo>,
    /// The server certificate.
    server: Option<CertificateInfo>,
    /// How many requirements are met, handshakes included.
    met: usize,
    /// How many there are.
    of: usize,
    /// The requirements that are not met or could not be tested; all of them with `verbose`.
    requirements: Vec<RequirementRow>,
}

fn shown(row: &Row) -> RequirementRow {
    let (Verdict::Pass(found) | Verdict::Fail(found) | Verdict::Skip(found)) = &row.verdict;
    RequirementRow {
        id: row.id.to_owned(),
        of: row.of.as_str(),
        ok: row.verdict.ok(),
        requirement: row.requirement.to_owned(),
        found: found.clone(),
    }
}

/// A row about who may do what with the files.
fn access(id: &str, requirement: &str, against: &[Finding]) -> RequirementRow {
    let facts: Vec<&str> = against.iter().flat_map(|f| f.evidence.iter().map(|e| e.text.as_str())).collect();
    RequirementRow {
        id: id.to_owned(),
        of: "pair",
        ok: Some(against.is_empty()),
        requirement: requirement.to_owned(),
        found: if facts.is_empty() { "as it should be".to_owned() } else { facts.join("; ") },
    }
}

/// The command.
///
/// # Errors
/// `directory` when there is no deployment directory that knows its domain; reading errors.
pub(crate) fn run(
    deployment: &Deployment,
    request: CheckRequest,
    caller: &mut Caller,
) -> Result<Report<CheckData>, Error> {
    deployment.require()?;
    let domain = current::require_domain(deployment)?;
    let found = Found::read(deployment)?;
    caller.services = found.services();
    let routes = current::route_labels(deployment, &domain);
    let default = Horizon::default();
    let horizon = Horizon {
        fail: request.fail_within_days.unwrap_or(default.fail),
        warn: request.warn_within_days.unwrap_or(default.warn),
    };
    let disk = OnDisk::read(deployment);
    let judged = disk.judge_within(&domain, &routes, caller.now, horizon);
    let mut findings = judged.findings;
    let mut skipped = judged.skipped;
    let mut rows: Vec<RequirementRow> = judged.rows.iter().map(shown).collect();

    let readable = judged.ca.is_some() && judged.server.is_some();
    // One refusal for all hosts is one row; the words are the same for each.
    for (host, verdict) in rehearse(&judged.facts) {
        let (Verdict::Pass(text) | Verdict::Fail(text) | Verdict::Skip(text)) = &verdict;
        match verdict {
            Verdict::Pass(_) => {}
            Verdict::Fail(_) => {
                let mut finding = rules::finding(RuleId::TlsHandshake).with(format!("{host}: {text}"));
                if let Some(cause) = findings.iter().find(|f| f.severity == Severity::Error && f.id != finding.id) {
                    finding = finding.caused_by(cause.id);
                }
                if !findings.iter().any(|f| f.id == finding.id) {
                    findings.push(finding);
                }
            }
            Verdict::Skip(_) => {
                if readable {
                    skipped.push(Skipped::new(format!("handshake:{host}"), text.clone()));
                }
                let known =
                    findings.iter().any(|f| f.severity == Severity::Error || f.id == RuleId::CertsNotVerifiable);
                if !known {
                    findings.push(rules::finding(RuleId::CertsNotVerifiable).with(format!("{host}: {text}")));
                }
            }
        }
        rows.push(RequirementRow {
            id: format!("handshake:{host}"),
            of: "pair",
            ok: verdict.ok(),
            requirement: format!("a client that trusts only ca.crt completes a TLS 1.3 handshake with {host}"),
            found: text.clone(),
        });
    }
    findings.extend(modes::open_directory(deployment));
    let modes = modes::key_modes(deployment);
    rows.push(access("key-modes", "nobody but their owner can read ca.key, or write either key", &modes));
    findings.extend(modes);
    let user = current::proxy_user(&found, &caller.services.proxy);
    let denied = Vec::from_iter(modes::unreadable_certificates(deployment, user));
    rows.push(access("proxy-may-read", "the proxy's user can read tls.crt and tls.key", &denied));
    findings.extend(denied);
    findings.extend(rollover::open_finding(deployment)?);

    let (met, of) = (rows.iter().filter(|row| row.ok == Some(true)).count(), rows.len());
    let failed = rows.iter().filter(|row| row.ok == Some(false)).count();
    let life = judged.server.as_ref().map(|server| {
        let date = &server.not_after[..10.min(server.not_after.len())];
        match server.days_left {
            // Whole days, rounded down: minus one is the first day after the end.
            left if left < 0 => format!("ended {} ago, on {date}", in_days(-left - 1)),
            left => format!("{} left, until {date}", in_days(left)),
        }
    });
    let life = life.unwrap_or_else(|| match disk.tls_crt {
        super::disk::Content::Absent => "there is no server certificate".into(),
        super::disk::Content::Unreadable(_) | super::disk::Content::Bytes(_) => {
            "data/tls.crt cannot be read as a certificate".into()
        }
    });
    let summary = match failed {
        0 if met == of => format!("CA and server certificate meet all {of} requirements; {life}"),
        0 => format!("CA and server certificate meet {met} of {of} requirements, none is failed; {life}"),
        1 => format!("1 of {of} requirements is not met; {life}"),
        n => format!("{n} of {of} requirements are not met; {life}"),
    };
    let mut ca = judged.ca;
    if let Some(ca) = &mut ca
        && failed == 0
    {
        ca.pem = super::disk::shown_pem(deployment, path::CA_CRT);
    }
    // What cannot be tested because a file cannot be read is said once, by the row of that file.
    rows.retain(|row| request.verbose || row.ok == Some(false) || (readable && row.ok.is_none()));
    let ending =
        findings.iter().any(|f| matches!(f.id, RuleId::TlsExpiresSoon | RuleId::TlsExpired | RuleId::TlsBadCert));
    let mut report = Report::new(summary, CheckData { ca, server: judged.server, met, of, requirements: rows });
    let outlived = match (&report.data.ca, &report.data.server) {
        (Some(ca), Some(server)) => server.not_after >= ca.not_after,
        _ => false,
    };
    if ending && !outlived {
        report.next.push(Next::helper(
            "issue the server certificate anew, same CA and same key; the proxy takes it up by itself",
            caller.command(&["certs", "renew"]),
        ));
    }
    if outlived || findings.iter().any(|f| f.id == RuleId::CaExpiresSoon) {
        report.next.push(super::renewal::new_ca(caller));
    }
    report.findings = findings;
    report.skipped = skipped;
    Ok(report)
}
