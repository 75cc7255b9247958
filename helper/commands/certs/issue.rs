//! `certs issue`: makes what is missing of the four files, and replaces nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Served;
use crate::answer::{Error, Report, count};
use crate::caller::Caller;
use crate::certs::CertificateInfo;
use crate::certs::judged::Horizon;
use crate::certs::provision::{self, Issued, Lives};
use crate::deployment::modes::Places;
use crate::deployment::{Deployment, path};
use crate::lint;
use crate::model::current::Current;
use crate::os::files::{Action, FileEntry};
use crate::steps;
use crate::steps::pair::Other;

/// The request of `certs issue`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IssueRequest {
    /// Life of the server certificate, in days (90).
    server_days: Option<u32>,
    /// Life of the CA, in days (3650).
    ca_days: Option<u32>,
}

/// What `certs issue` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IssueData {
    /// The four files.
    files: Vec<FileEntry>,
    /// The CA certificate.
    ca: Option<CertificateInfo>,
    /// The server certificate.
    server: Option<CertificateInfo>,
}

/// The command.
///
/// # Errors
/// `directory` if there is no deployment directory that knows its domain; reading and writing errors.
pub(crate) fn run(deployment: &Deployment, request: IssueRequest, caller: &Caller) -> Result<Report<IssueData>, Error> {
    let lives = Lives::asked(request.server_days, request.ca_days)?;
    deployment.require()?;
    deployment.require_own(caller)?;
    let _lock = deployment.lock()?;
    let current = Current::read(deployment);
    let target = Served::of(&current, deployment, caller)?;
    if let Some(other) = Other::of(deployment, &current, target.purpose(), Horizon::default()) {
        return Ok(nothing(other));
    }
    let Issued { files, judged } = provision::issue(deployment, target.purpose(), lives)?;
    let judged = lint::pair::layout(judged, &current);
    let created = files.iter().filter(|file| file.action == Action::Created).count();
    let summary = match &judged.server {
        Some(server) if judged.is_good() => format!(
            "CA and server certificate meet all {}; {}{}",
            count(judged.met, "requirement"),
            server.life(),
            if created == 0 { "; nothing to issue" } else { "" },
        ),
        _ => match judged.findings.first() {
            Some(finding) => format!("no certificate was issued: {}", finding.title),
            None => "no certificate was issued".to_owned(),
        },
    };
    let data = IssueData { files, ca: judged.ca_with_pem(), server: judged.server };
    let mut report = Report::new(summary, data);
    report.findings = judged.findings;
    report.findings.extend(Places::of_layout(deployment).open_directory());
    report.skipped = judged.skipped;
    if created > 0 {
        report.next.push(steps::register_step(deployment, path::CA_CRT));
        report.next.extend(steps::before_start(&current, deployment, caller));
    }
    Ok(report)
}

/// The proxy has a pair elsewhere: a second CA in `data` would only be registered by mistake.
fn nothing(other: Other) -> Report<IssueData> {
    let note = other.note();
    let life = other.judged.server.as_ref().map(|server| format!(": {}", server.life())).unwrap_or_default();
    let summary = format!("nothing to issue: the proxy reads `{}`{life}", other.cert);
    let data = IssueData { files: Vec::new(), ca: other.judged.ca_with_pem(), server: other.judged.server };
    let findings = other.judged.findings.into_iter().chain([note]).collect();
    Report { findings, skipped: other.judged.skipped, ..Report::new(summary, data) }
}
