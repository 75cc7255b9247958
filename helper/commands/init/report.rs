//! What `init` answers: the state of the deployment, and what is next.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::standing::Standing;
use crate::answer::{Error, Finding, Report, Severity, count};
use crate::caller::Caller;
use crate::certs::{Judged, Purpose};
use crate::commands::kept::{CertificateShort, token_name};
use crate::deployment::modes::{self, Places};
use crate::deployment::token::TokenStateName;
use crate::deployment::{Deployment, Domain, Maker, Replica, kind, scaffold};
use crate::model::current::Current;
use crate::os::files::{Action, FileEntry};
use crate::render::plan::Diff;
use crate::rules::{self, RuleId};
use crate::steps::{self, Step, StepId, StepState};

/// What `init` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InitData {
    /// Absolute path of the deployment directory.
    pub(super) dir: String,
    /// The tunnel's domain.
    pub(super) domain: Option<Domain>,
    /// Every file of the deployment that was looked at.
    pub(super) files: Vec<FileEntry>,
    /// The CA certificate.
    pub(super) ca: Option<CertificateShort>,
    /// The server certificate.
    pub(super) server: Option<CertificateShort>,
    /// The state of the token.
    pub(super) token: TokenStateName,
    /// The routes.
    pub(super) routes: BTreeMap<String, String>,
    /// Who made the deployment; `null` before it is made.
    pub(super) made_by: Option<Maker>,
    /// The deployment that this one is a replica of: only there is the CA's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replica_of: Option<String>,
    /// The step to do now.
    pub(super) step: StepId,
    /// Every step to a first call, in order.
    pub(super) steps: Vec<Step>,
    /// Diffs of files that were edited by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) diffs: Vec<Diff>,
}

#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) files: Vec<FileEntry>,
    pub(super) findings: Vec<Finding>,
    pub(super) diffs: Vec<Diff>,
    /// Whether the answer has every detail.
    pub(super) verbose: bool,
    /// What the directory says, where nothing was written since it was read.
    pub(super) current: Option<Current>,
}

pub(super) fn report(
    deployment: &Deployment,
    domain: &Domain,
    made: Made,
    caller: &Caller,
    only_report: bool,
) -> Result<Report<InitData>, Error> {
    let current = made.current.unwrap_or_else(|| Current::read(deployment));
    let labels = current.labels(domain);
    let judged = steps::pair::judged(deployment, &current, Purpose { domain, routes: &labels, now: caller.now });
    let standing = match only_report {
        true => Standing::live(&current, deployment, caller),
        false => Standing::of_files(&current, deployment, caller),
    };
    let made_by = kind::look(deployment)?.maker();
    let findings = findings(deployment, domain, &current, &judged, made.findings);
    let broken = findings.iter().any(|f| f.severity == Severity::Error);
    let created = made.files.iter().filter(|f| matches!(f.action, Action::Created | Action::Updated)).count();
    let is_todo = |id| standing.progress.state(id) == StepState::Todo;
    // A deployment without routes is one that waits for the choice of a server.
    let has_gap = is_todo(StepId::Directory) || is_todo(StepId::Configure) && !is_todo(StepId::Upstream);
    let what = match (broken, only_report, created) {
        (true, ..) => INCOMPLETE.to_owned(),
        (false, true, _) if has_gap => INCOMPLETE.to_owned(),
        (false, true, _) => "the deployment is set up".to_owned(),
        (false, false, 0) => "nothing to change".to_owned(),
        (false, false, n) => format!("{} written", count(n, "file")),
    };
    let summary = format!("{domain}: {what}; {}", standing.in_words());
    let mut next = Vec::new();
    if broken {
        // Where something is broken, the later steps would be refused.
        next.push(steps::again(&current, caller));
        let has_token = standing.progress.state(StepId::Token) == StepState::Done;
        next.extend((!has_token).then(|| steps::token_step(caller)));
    } else {
        next = steps::next(&standing.progress, &current, deployment, caller);
    }
    let data = InitData {
        dir: deployment.root().to_string_lossy().into_owned(),
        domain: Some(domain.clone()),
        files: made.files,
        ca: judged.ca.map(|ca| CertificateShort::of(ca, true)),
        server: judged.server.map(|server| CertificateShort::of(server, false)),
        token: token_name(&current.found, deployment, caller),
        routes: current.routes(),
        made_by,
        replica_of: Replica::of(deployment).map(|replica| replica.origin()),
        step: standing.progress.step(),
        steps: standing.progress.steps(made.verbose),
        diffs: made.diffs,
    };
    let skipped = judged.skipped.into_iter().chain(standing.skipped).collect();
    Ok(Report { findings, skipped, next, ..Report::new(summary, data) })
}

/// What a summary says of a deployment that lacks a part.
const INCOMPLETE: &str = "the deployment is not complete";

/// Findings about what is there now, and those about what was made that are not among them.
fn findings(
    deployment: &Deployment,
    domain: &Domain,
    current: &Current,
    judged: &Judged,
    made: Vec<Finding>,
) -> Vec<Finding> {
    // Issuing judged the certificates without the routes: its findings count only where the present audit has none.
    let mut findings = if judged.facts.files.is_empty() { Vec::new() } else { judged.findings.clone() };
    findings.extend(made.into_iter().filter(|f| !judged.findings.iter().any(|known| known.id == f.id)));
    findings.extend(current.found.env().and_then(scaffold::env_fault));
    findings.extend(Places::of_layout(deployment).open_directory());
    findings.extend(modes::foreign_data(&kind::foreign_data(deployment, &[])));
    if !domain.is_usual() {
        findings.push(rules::finding(RuleId::DomainUnusual).with(format!("the domain is {domain}")));
    }
    for fault in current.found.faults().into_iter().chain(current.gateway_fault()) {
        if !findings.iter().any(|f| f.id == fault.id) {
            findings.push(fault);
        }
    }
    findings
}
