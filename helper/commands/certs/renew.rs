//! `certs renew`: a new server certificate from the same CA for the same key, safe on any schedule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::kept::CertificateShort;
use super::Served;
use super::schedule::schedule;
use crate::answer::{Error, Finding, Report, Severity};
use crate::caller::Caller;
use crate::certs::file::CaFiles;
use crate::certs::judged::Horizon;
use crate::certs::provision::{self, Lives};
use crate::certs::renewal::{self, Decision, Renewed, Wish};
use crate::certs::{CertificateInfo, Files, Judged};
use crate::deployment::{Deployment, OPEN_MODE, Replica, path};
use crate::lint;
use crate::model::current::Current;
use crate::model::pair::ProxyPair;
use crate::os::batch;
use crate::os::files::{self, Action, FileEntry};
use crate::rules::RuleId;
use crate::steps;
use crate::steps::pair::Other;

/// The request of `certs renew`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RenewRequest {
    /// Do nothing while more days than these are left (30).
    renew_before_days: Option<u32>,
    /// Renew regardless of the days left.
    force: bool,
    /// Life of the new certificate, in days (90).
    server_days: Option<u32>,
    /// Both ways to schedule it: systemd and cron.
    verbose: bool,
}

/// What `certs renew` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RenewData {
    /// Whether there is a new certificate.
    renewed: bool,
    /// Why, or why not.
    reason: String,
    /// The server certificate that is in place now.
    server: Option<CertificateShort>,
    /// The file.
    files: Vec<FileEntry>,
}

/// Days below which a certificate is renewed unless a request says otherwise.
const RENEW_BEFORE_DAYS: u32 = 30;

impl RenewRequest {
    fn wish(self) -> Result<Wish, Error> {
        let server_days = Lives::asked(self.server_days, None)?.server;
        let before_days = self.renew_before_days.unwrap_or(RENEW_BEFORE_DAYS);
        if before_days >= server_days {
            return Err(Error::request(
                format!(
                    "`renew_before_days` is {before_days} and the new certificate is valid for {server_days} days: every run would renew it"
                ),
                format!("leave it out for {RENEW_BEFORE_DAYS}, or ask for a longer life with `server_days`"),
            ));
        }
        Ok(Wish { force: self.force, before_days, server_days })
    }
}

/// The command.
///
/// # Errors
/// `directory` if there is no deployment directory that knows its domain; reading and writing errors.
pub(crate) fn run(deployment: &Deployment, request: RenewRequest, caller: &Caller) -> Result<Report<RenewData>, Error> {
    let wish = request.wish()?;
    deployment.require()?;
    deployment.require_own(caller)?;
    let _lock = deployment.lock()?;
    let current = Current::read(deployment);
    let target = Served::of(&current, deployment, caller)?;
    let other = Other::of(deployment, &current, target.purpose(), Horizon::default());
    let (note, names_ca) = other.as_ref().map_or((None, false), |other| (Some(other.note()), other.names_ca));
    let (place, judged) = match other {
        Some(other) => (other.cert, other.judged),
        None => {
            let judged = Judged::new(Files::read(deployment), target.purpose());
            (path::TLS_CRT.to_owned(), lint::pair::layout(judged, &current))
        }
    };
    // A link or a directory in its place must not be renamed over.
    files::read(deployment, &place)?;
    let target = Renewal { deployment, place: &place, of: &target };
    let mut report = match renewal::decide(&judged, wish) {
        _ if names_ca => {
            let summary = format!("not renewed: the proxy's configuration names the certificate of a CA, `{place}`");
            target.unchanged(judged.server, summary, "it is the certificate of a CA".into(), judged.findings)
        }
        Decision::NotDue => target.not_due(judged),
        Decision::EndsWithCa(finding) => target.ends_with_ca(judged, finding),
        Decision::OtherCa(finding) => {
            let summary = format!(
                "not renewed: another CA than data/ca.crt signed {place}, and only the Console shows which of them is registered"
            );
            let reason = finding.title.clone();
            target.unchanged(judged.server, summary, reason, vec![finding])
        }
        Decision::Blocked { reason, by } => {
            target.unchanged(judged.server, format!("not renewed: {}", by.title), reason, vec![by])
        }
        Decision::Renew { reason } => target.renew(judged, wish, reason)?,
    };
    // A renewal of a file that the proxy does not read keeps nothing alive.
    report.findings.extend(note.or_else(|| ProxyPair::of(deployment, &current).finding()));
    // A replica is given its certificates.
    let is_in_vain = |f: &Finding| f.severity == Severity::Error || f.id == RuleId::CaMissing;
    if !report.findings.iter().any(is_in_vain) && Replica::of(deployment).is_none() {
        report.next.extend(schedule(deployment, &target.of.domain, request.verbose, caller));
    }
    Ok(report)
}

fn short(server: CertificateInfo) -> CertificateShort {
    CertificateShort::of(server, false)
}

/// The certificate that is to be renewed.
struct Renewal<'a> {
    deployment: &'a Deployment,
    /// Its path inside the directory.
    place: &'a str,
    of: &'a Served<'a>,
}

impl Renewal<'_> {
    fn entry(&self, action: Action) -> Vec<FileEntry> {
        match files::metadata(self.deployment, self.place) {
            Ok(Some(_)) => vec![FileEntry::of(self.deployment, self.place, action)],
            Ok(None) | Err(_) => Vec::new(),
        }
    }

    fn unchanged(
        &self,
        server: Option<CertificateInfo>,
        summary: String,
        reason: String,
        findings: Vec<Finding>,
    ) -> Report<RenewData> {
        let files = self.entry(Action::Unchanged);
        let data = RenewData { renewed: false, reason, server: server.map(short), files };
        Report { findings, ..Report::new(summary, data) }
    }

    fn not_due(&self, judged: Judged) -> Report<RenewData> {
        let life = judged.server.as_ref().map(CertificateInfo::life).unwrap_or_default();
        self.unchanged(judged.server, format!("nothing to renew: {life}"), life, judged.findings)
    }

    fn ends_with_ca(&self, judged: Judged, finding: Finding) -> Report<RenewData> {
        let until = judged.ca.as_ref().map(|ca| ca.until().to_owned()).unwrap_or_default();
        let mut findings = judged.findings;
        findings.push(finding);
        let mut report = self.unchanged(
            judged.server,
            format!("not renewed: the CA ends on the same day as the server certificate, {until}; change the CA first"),
            "the CA ends on the same day".into(),
            findings,
        );
        report.next.push(steps::new_ca(self.of.caller));
        report
    }

    fn renew(&self, before: Judged, wish: Wish, reason: String) -> Result<Report<RenewData>, Error> {
        let other_ca = before.finding(RuleId::TlsUnknownCa).is_some();
        let ca_place = before.facts.files.ca_beside.clone();
        let Renewed { made, mut judged } =
            renewal::renew(before.facts.files, CaFiles::CURRENT, self.of.purpose(), wish.server_days)?;
        if judged.has_errors() {
            let why = judged.findings.first().map_or("see the findings", |f| f.title.as_str());
            return Ok(self.unchanged(before.server, format!("not renewed: {why}"), reason, judged.findings));
        }
        batch::replace(self.deployment, self.place, made.certificate.as_bytes(), None, OPEN_MODE)?;
        let life = judged.server.as_ref().map(CertificateInfo::life).unwrap_or_default();
        let data =
            RenewData { renewed: true, reason, server: judged.server.map(short), files: self.entry(Action::Updated) };
        let summary = format!("the server certificate is renewed: {life}; the proxy reloads it by itself");
        let mut report = Report::new(summary, data);
        if made.shortened {
            judged.findings.extend(judged.ca.as_ref().map(provision::ends_first));
            report.next.push(steps::new_ca(self.of.caller));
        }
        if other_ca {
            report.next.push(steps::register_step(self.deployment, ca_place.as_deref().unwrap_or(path::CA_CRT)));
        }
        report.findings = judged.findings;
        report.skipped = judged.skipped;
        Ok(report)
    }
}
