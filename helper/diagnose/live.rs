//! A deployment as it is: its files (as `check` judges them), its containers and their logs (as `status` sees them).

use std::time::Duration;

use super::bundle;
use super::call;
use super::data::{DiagnoseData, DiagnoseRequest, moment};
use super::judge::{self, Diagnosis};
use crate::answer::{Error, Report, Severity};
use crate::caller::Caller;
use crate::deployment::Deployment;
use crate::lint::checks;
use crate::lint::facts::Facts;
use crate::os::archive;
use crate::rules::RuleId;
use crate::stack::Stack;
use crate::stack::observe::{Ask, Depth};
use crate::stack::outcome::{self, Command};
use crate::steps;

/// Diagnoses the deployment.
///
/// # Errors
/// `directory` without a deployment, `io` and `tool` from docker, `request` for a `since` that makes no sense or a bundle
/// that cannot be written.
pub(crate) fn run(
    deployment: &Deployment,
    request: &DiagnoseRequest,
    caller: &mut Caller,
) -> Result<Report<DiagnoseData>, Error> {
    let since = request.since.as_deref().map(|text| moment(text, caller.now)).transpose()?;
    if request.max_seconds.is_some() {
        return Err(Error::request(
            "`max_seconds` is for a log on standard input",
            "leave it out, or add `\"logs\":\"-\"`",
        ));
    }
    let limit = request.wait_for_call_seconds.map(call::limit).transpose()?;
    deployment.require_begun()?;
    let target = request.bundle.as_ref().map(|target| archive::require_new("bundle", target, caller)).transpose()?;
    let snapshot = caller.clone();
    let facts = Facts::gather(deployment, &snapshot)?;
    caller.domain = facts.domain.as_ref().map(ToString::to_string);
    let lint = checks::judge(&facts);
    let mut call = None;
    let (diagnosis, stack) = match Stack::of(deployment, facts.current.clone(), caller)? {
        Err(refusal) => (judge::of_files(lint, refusal.findings), None),
        Ok(stack) => {
            call = limit.map(|limit| call::wait(&stack, limit, caller)).transpose()?;
            let waited = stack.wait(Depth::Full(since), Duration::ZERO, Ask::Now, caller)?;
            let mut lint = lint;
            lint.findings.extend(stack.findings.iter().cloned());
            (judge::judge(&stack.declared, &waited.snapshot, waited.state, lint), Some(stack))
        }
    };
    let mut report = report(diagnosis, call, &facts, caller);
    if let Some(target) = &target {
        let packed = bundle::write(target, deployment, &facts, stack.as_ref(), &report, caller)?;
        report.data.bundle = Some(packed);
    }
    Ok(report)
}

/// The answer.
fn report(diagnosis: Diagnosis, call: Option<call::Waited>, facts: &Facts, caller: &Caller) -> Report<DiagnoseData> {
    let Diagnosis { mut findings, mut skipped, signals, extent, state } = diagnosis;
    let mut sentence = String::new();
    // Within a severity and a layer the order stays: what is merely a risk goes last.
    findings.sort_by_key(|f| !f.id.rule().blocks);
    let of_stack = outcome::summary(Command::Diagnose, state.as_ref(), &findings);
    let call = call.map(|waited| {
        findings = judge::merged([std::mem::take(&mut findings), waited.findings]);
        // What may keep a call from coming is said of this very call.
        findings.retain(|f| f.id != RuleId::ProxyReachesNothing);
        findings.sort_by_key(|f| !f.id.rule().blocks);
        skipped.extend(waited.skipped);
        sentence = waited.sentence;
        waited.data
    });
    let is_broken = findings.iter().any(|f| f.severity == Severity::Error && f.id.rule().blocks);
    let summary = if sentence.is_empty() { of_stack } else { format!("{sentence}; {of_stack}") };
    let before_start = || steps::before_start(facts, &facts.deployment, caller);
    let next = outcome::next(Command::Diagnose, state.as_ref(), &findings, caller, before_start);
    let healthy = state.as_ref().is_some_and(|state| state.ready) && !is_broken;
    // That a call was answered says more than its containers.
    let answered = call.as_ref().is_some_and(call::CallData::is_answered);
    let containers = state.map(|state| state.containers).filter(|_| !answered).unwrap_or_default();
    let data =
        DiagnoseData { healthy, signals, lines: extent.lines, bytes: extent.bytes, containers, call, bundle: None };
    let mut report = Report::new(summary, data);
    report.next.push(next);
    report.findings = findings;
    report.skipped = skipped;
    report
}
