//! From what was found at a deployment to one line, one thing to do, and whether it is healthy.

use super::DiagnoseData;
use super::live::Looked;
use crate::answer::{Finding, Next, Report, Severity};
use crate::caller::Caller;
use crate::rules::{Cure, RuleId};

/// Cured by what `token set` asks for.
const CURED_BY_TOKEN: [RuleId; 3] = [RuleId::TokenMissing, RuleId::TokenPlaceholder, RuleId::TokenMalformed];

/// Whether a finding endangers a stack that works all the same.
pub(super) fn only_endangers(finding: &Finding) -> bool {
    !finding.id.rule().blocks
}

/// How much a finding weighs with all that follows from it.
fn weight(finding: &Finding, all: &[Finding]) -> Severity {
    let follows = all.iter().filter(|f| f.consequence_of == Some(finding.id)).map(|f| f.severity);
    follows.min().map_or(finding.severity, |worst| worst.min(finding.severity))
}

/// What to mend first: what nothing else explains and weighs most. What keeps the tunnel from working comes before what
/// endangers it.
pub(super) fn root(findings: &[Finding]) -> Option<&Finding> {
    let causes = findings.iter().filter(|f| f.consequence_of.is_none());
    causes.min_by_key(|f| (weight(f, findings), only_endangers(f), f.layer))
}

/// The answer.
pub(super) fn report(looked: Looked, caller: &Caller) -> Report<DiagnoseData> {
    let mut findings = looked.findings;
    crate::rules::unmark(&mut findings);
    // Within a severity and a layer the order stays: what merely endangers goes last.
    findings.sort_by_key(only_endangers);
    let ready = looked.picture.as_ref().is_some_and(|p| p.ready);
    let broken = findings.iter().any(|f| f.severity == Severity::Error && !only_endangers(f));
    let first = root(&findings);
    // What endangers is no reason why it is not live.
    let first = first.filter(|f| ready || !only_endangers(f) || weight(f, &findings) == Severity::Error);
    let weight_of_first = first.map(|f| weight(f, &findings));
    let progress = looked.picture.as_ref().map(|picture| picture.progress());
    let summary = match (first, weight_of_first) {
        (Some(f), Some(Severity::Error)) if ready && !broken => format!("the tunnel is live, but {}", f.title),
        (Some(f), Some(Severity::Error)) => {
            let more = findings.iter().filter(|f| f.severity == Severity::Error && f.consequence_of.is_none());
            let more = more.filter(|other| other.id != f.id).count();
            let also = if more > 0 { format!(" (and {more} more, see the findings)") } else { String::new() };
            format!("{}{also}", f.title)
        }
        (Some(f), Some(Severity::Warning)) if ready => format!("the tunnel is live, but {}", f.title),
        (Some(f), Some(Severity::Warning)) => match progress {
            Some(progress) => format!("{}; {progress}", f.title),
            None => format!("{}; the containers could not be looked at", f.title),
        },
        _ if ready => "healthy: the tunnel is live and nothing is wrong".to_owned(),
        _ => match progress {
            Some(progress) => format!("nothing wrong was found, and the tunnel is not live yet: {progress}"),
            None => "nothing wrong was found in the files; the containers could not be looked at".to_owned(),
        },
    };
    let data = DiagnoseData {
        healthy: ready && !broken,
        signals: looked.signals,
        lines: looked.extent.lines,
        bytes: looked.extent.bytes,
        containers: looked.picture.as_ref().map(|p| p.containers.clone()).unwrap_or_default(),
        bundle: None,
    };
    let mut report = Report::new(summary, data);
    report.next.push(next(first, ready, looked.only_stopped, caller));
    report.findings = findings;
    report.skipped = looked.skipped;
    report
}

/// The one thing to do now.
fn next(first: Option<&Finding>, ready: bool, only_stopped: bool, caller: &Caller) -> Next {
    let up = || Next::helper("start it", caller.command(&["up"]));
    match first {
        Some(f) if [RuleId::StackStopped, RuleId::ServiceStopped].contains(&f.id) => up(),
        Some(f) if f.id == RuleId::UpstreamDown && only_stopped => up(),
        Some(f) if f.id.rule().cure == Cure::Restart => {
            Next::helper("restart the stack, cloudflared included", caller.command(&["restart"]))
        }
        Some(f) if f.severity == Severity::Error && CURED_BY_TOKEN.contains(&f.id) => {
            Next::person("in a terminal of your own, never in a chat: put the token in")
                .running(caller.command(&["token", "set"]))
        }
        Some(f) if f.severity < Severity::Note => Next::person(caller.fill(&f.fix)),
        _ if ready => Next::helper("see how to call it from Claude", caller.command(&["connect"])),
        _ => Next::helper("look again", caller.command(&["status", "--json", "{\"wait_seconds\":60}"])),
    }
}
