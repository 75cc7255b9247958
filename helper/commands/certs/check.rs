//! `certs check`: one row for each requirement, a TLS handshake for each route, and who can read the keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Served;
use crate::answer::{Error, Finding, Report, Severity, Skipped, count};
use crate::caller::Caller;
use crate::certs::audit::{Checked, Of, Tested};
use crate::certs::handshake::{Handshakes, rehearse};
use crate::certs::judged::Horizon;
use crate::certs::rotation::Stage;
use crate::certs::{CertificateInfo, Files, Judged};
use crate::deployment::modes::Places;
use crate::deployment::{Deployment, path};
use crate::lint;
use crate::model::current::Current;
use crate::model::pair::{self, PairFile, ProxyPair};
use crate::rules::{self, RuleId};
use crate::steps;
use crate::steps::pair::Other;

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
    /// Whether it is met; `null` if it could not be tested.
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

impl RequirementRow {
    fn of(row: &Checked) -> Self {
        Self {
            id: row.of.id.to_owned(),
            of: row.of.of.as_str(),
            ok: row.verdict.ok(),
            requirement: row.of.requirement.to_owned(),
            found: row.verdict.text().to_owned(),
        }
    }

    fn handshake(host: &str, verdict: &Tested) -> Self {
        let requirement = format!("a client that trusts only ca.crt completes a TLS 1.3 handshake with {host}");
        let (id, of, found) = (format!("handshake:{host}"), Of::Pair.as_str(), verdict.text().to_owned());
        Self { id, of, ok: verdict.ok(), requirement, found }
    }

    /// A row about who may do what with the files.
    fn access(id: &str, requirement: &str, against: &[Finding]) -> Self {
        let facts: Vec<&str> = against.iter().flat_map(|f| f.evidence.iter().map(|e| e.text.as_str())).collect();
        let found = if facts.is_empty() { "the modes allow no more".to_owned() } else { facts.join("; ") };
        let (id, requirement) = (id.to_owned(), requirement.to_owned());
        Self { id, of: Of::Pair.as_str(), ok: Some(against.is_empty()), requirement, found }
    }
}

/// The command.
///
/// # Errors
/// `directory` if there is no deployment directory that knows its domain; reading errors.
pub(crate) fn run(
    deployment: &Deployment,
    request: CheckRequest,
    caller: &mut Caller,
) -> Result<Report<CheckData>, Error> {
    deployment.require()?;
    // What the compose files do not say is taken to be as the helper writes it.
    let current = Current::read(deployment);
    caller.services = current.services.clone();
    let target = Served::of(&current, deployment, caller)?;
    let default = Horizon::default();
    let horizon = Horizon {
        fail: request.fail_within_days.unwrap_or(default.fail),
        warn: request.warn_within_days.unwrap_or(default.warn),
    };
    let other = Other::of(deployment, &current, target.purpose(), horizon);
    let note = other.as_ref().map(Other::note);
    let ca_place = other.as_ref().map_or(Some(path::CA_CRT.to_owned()), |other| other.ca().map(str::to_owned));
    let ours = || lint::pair::layout(Judged::within(Files::read(deployment), target.purpose(), horizon), &current);
    let mut judged = other.map_or_else(ours, |other| other.judged);
    let mut rows: Vec<RequirementRow> = judged.rows.iter().map(RequirementRow::of).collect();
    let handshakes = rehearse(&judged.facts);
    rows.extend(handshakes.0.iter().map(|(host, verdict)| RequirementRow::handshake(host, verdict)));
    add_handshakes(&mut judged, &handshakes);
    rows.extend(add_access(&mut judged, deployment, &current));
    let stage = Stage::of(deployment)?;
    judged.findings = judged.findings.into_iter().map(|f| stage.continued(f)).collect();
    judged.findings.extend(stage.finding());
    let unknown = || ProxyPair::of(deployment, &current).finding().map(|f| f.with_severity(Severity::Warning));
    judged.findings.extend(note.or_else(unknown));

    let summary = summary(&judged, &rows);
    let mut next = steps::cures(&judged.findings, judged.ends_with_ca(), None, &["certs", "check"], caller);
    let (met, of) = (rows.iter().filter(|row| row.ok == Some(true)).count(), rows.len());
    let readable = judged.ca.is_some() && judged.server.is_some();
    // What cannot be tested because a file cannot be read is said once, by the row of that file; that there are no routes
    // by the summary.
    let is_told = !readable || (target.routes.is_empty() && met + 1 == of);
    rows.retain(|row| request.verbose || row.ok == Some(false) || (row.ok.is_none() && !is_told));
    let registrable = !judged.rows.iter().any(|row| row.of.of == Of::Ca && matches!(row.verdict, Tested::Fail(_)));
    if next.is_empty() && !judged.has_errors() && judged.ca.is_some() {
        next.extend(ca_place.map(|place| steps::register_step(deployment, &place)));
    }
    let ca = if registrable { judged.ca_with_pem() } else { judged.ca };
    let report = Report::new(summary, CheckData { ca, server: judged.server, met, of, requirements: rows })
        .whole(request.verbose);
    Ok(Report { findings: judged.findings, skipped: judged.skipped, next, ..report })
}

/// Adds what the handshakes found. If one was not possible, that is a finding unless another explains it.
fn add_handshakes(judged: &mut Judged, handshakes: &Handshakes) {
    judged.findings.extend(handshakes.finding(&judged.findings));
    let readable = judged.ca.is_some() && judged.server.is_some();
    for (host, verdict) in &handshakes.0 {
        let Tested::Skip(why) = verdict else { continue };
        if readable {
            judged.skipped.push(Skipped::new(format!("handshake:{host}"), why.clone()));
        }
        let is_explained =
            [RuleId::CertsNotVerifiable, RuleId::CaMissing].iter().any(|id| judged.finding(*id).is_some());
        if !judged.has_errors() && !is_explained {
            judged.findings.push(rules::finding(RuleId::CertsNotVerifiable).with(format!("{host}: {why}")));
        }
    }
}

fn add_access(judged: &mut Judged, deployment: &Deployment, current: &Current) -> [RequirementRow; 2] {
    let proxy = current.found.roles().proxy;
    let pair = pair::places(deployment, &current.found, proxy.as_deref(), current.gateway.good());
    let of_pair = [&pair.0, &pair.1].into_iter().filter_map(PairFile::inside).map(str::to_owned);
    let places = Places::look(deployment, of_pair.collect());
    judged.findings.extend(places.open_directory());
    let keys = places.key_modes();
    let proxy = Vec::from_iter(lint::pair::unreadable(&places, current, &pair));
    let rows = [
        RequirementRow::access("key-modes", "only their owner can read ca.key, or write either key", &keys),
        RequirementRow::access("proxy-may-read", "the proxy's user can read tls.crt and tls.key", &proxy),
    ];
    judged.findings.extend(keys.into_iter().chain(proxy));
    rows
}

/// `CA and server certificate meet all 38 requirements; 89 days left, until 2027-02-21`.
fn summary(judged: &Judged, rows: &[RequirementRow]) -> String {
    let life = match &judged.server {
        Some(server) => server.life(),
        None if judged.facts.files.server.is_absent() => "the server certificate is missing".to_owned(),
        None => "`data/tls.crt` cannot be read as a certificate".to_owned(),
    };
    let of = rows.len();
    let number = |verdict: Option<bool>| rows.iter().filter(|row| row.ok == verdict).count();
    let met = format!("{} met", count(number(Some(true)), "requirement"));
    match (number(Some(false)), number(None)) {
        (0, 0) => format!("CA and server certificate meet all {}; {life}", count(of, "requirement")),
        (0, 1) => {
            let why = rows.iter().find(|row| row.ok.is_none()).map_or("", |row| row.found.as_str());
            format!("{met}; 1 not checked ({why}); {life}")
        }
        (0, n) => format!("{met}; {n} not checked; {life}"),
        (n, _) => format!("{n} of {} not met; {life}", count(of, "requirement")),
    }
}
