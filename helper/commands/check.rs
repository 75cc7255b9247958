//! `check`: lints the files of a deployment, also of one written by hand.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Error, Report, Severity, Who, count};
use crate::caller::Caller;
use crate::certs::Judged;
use crate::deployment::{Deployment, Domain};
use crate::lint::checks;
use crate::lint::facts::Facts;
use crate::rules::{self, Cure};
use crate::steps;

/// The request of `check`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CheckRequest {}

/// What `check` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckData {
    /// The tunnel's domain.
    domain: Option<Domain>,
    /// The compose file that counts.
    compose_file: Option<String>,
    /// Name of the Compose project.
    project: Option<String>,
    /// The routes.
    routes: BTreeMap<String, String>,
    /// How many checks ran.
    checks: usize,
    /// How many of the certificates' requirements are met.
    requirements_met: usize,
}

/// The command.
///
/// # Errors
/// `directory` when there is no deployment directory, reading errors.
pub(crate) fn run(deployment: &Deployment, caller: &mut Caller) -> Result<Report<CheckData>, Error> {
    let for_facts = caller.clone();
    let facts = Facts::gather(deployment, &for_facts)?;
    caller.services = facts.services.clone();
    caller.domain = facts.domain.as_ref().map(ToString::to_string);
    let mut verdict = checks::judge(&facts);
    rules::explain(&mut verdict.findings);
    let number = |severity| verdict.findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
    let mut all_errors = verdict.findings.iter().filter(|f| f.severity == Severity::Error);
    let waits_for_leave = all_errors.all(|f| f.cure == Cure::Allow);
    let summary = match (errors, warnings) {
        (0, 0) => "the files of the deployment are sound".to_owned(),
        (0, n) => format!("the stack can start, with {} to read first", count(n, "warning")),
        (n, _) if waits_for_leave => {
            format!(
                "`up` starts the stack once a person allows what it asks for: {} to decide about",
                count(n, "finding")
            )
        }
        (n, _) if verdict.is_fatal() => format!("the stack cannot work yet: {} to fix", count(n, "error")),
        (n, _) => format!("the stack can start, with {} to fix", count(n, "error")),
    };
    let data = CheckData {
        domain: facts.domain.clone(),
        compose_file: facts.found.main.as_ref().map(|main| main.name.to_owned()),
        project: facts.project(),
        routes: facts.routes(),
        checks: checks::CHECKS.len(),
        requirements_met: facts.certificates.as_ref().map_or(0, |judged| judged.met),
    };
    let ends_with_ca = facts.certificates.as_ref().is_some_and(Judged::ends_with_ca);
    let before = steps::before_start(&facts, deployment, caller);
    let next = match before {
        // What a person has not done yet comes before what is merely a risk.
        Some(step) if errors == 0 && step.who == Who::Person => vec![step],
        before => {
            let mut next = steps::cures(&verdict.findings, ends_with_ca, before.as_ref(), &["check"], caller);
            if errors == 0 {
                next.splice(0..0, steps::by_hand(&verdict.findings, &next, caller));
            }
            next.extend((errors == 0).then(|| before.unwrap_or_else(|| steps::start_step(caller))));
            next
        }
    };
    Ok(Report { findings: verdict.findings, skipped: verdict.skipped, next, ..Report::new(summary, data) })
}
