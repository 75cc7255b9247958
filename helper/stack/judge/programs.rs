//! The proxy and cloudflared as programs: whether they run and stay up, and run what the files say.

use super::super::snapshot::Container;
use super::state::{StackState, View, about};
use crate::answer::{Finding, Subject};
use crate::logs::patterns::{self, Pattern};
use crate::logs::{self, fault::Fault};
use crate::rules::{self, RuleId};

/// Restarts without a known reason after which waiting is in vain.
pub(super) const GIVE_UP: u32 = 3;

/// Whether a program runs and stays up; what keeps it from that is a finding.
pub(super) fn judge(
    view: &View<'_>,
    name: &str,
    container: Option<&Container>,
    patterns: &[Pattern],
    state: &mut StackState,
) -> bool {
    let Some(container) = container else {
        state.findings.push(about(RuleId::ServiceStopped, name).with(format!("`{name}` has no container")));
        return false;
    };
    if container.is_settled(view.snapshot.now) {
        return true;
    }
    match container.status.as_str() {
        "running" => judge_short_life(view, container, state),
        "created" => {
            let text = format!("`{name}` was created and never started");
            state.findings.push(about(RuleId::ServiceStopped, name).with(text));
        }
        "restarting" => judge_loop(view, container, reason(view, name, patterns), state),
        _ => judge_end(view, container, reason(view, name, patterns), state),
    }
    false
}

/// A program that ended before and was revived a moment ago. Only what it printed since counts: the fault of the life
/// before may have been fixed.
fn judge_short_life(view: &View<'_>, container: &Container, state: &mut StackState) {
    let started = container.started.map(time::OffsetDateTime::unix_timestamp);
    let of_this_life = |fault: &&Fault| fault.at.zip(started).is_none_or(|(at, started)| at >= started);
    let stream = view.snapshot.logs.of(&container.service);
    match stream.and_then(|stream| stream.proof()).filter(of_this_life) {
        Some(fault @ Fault { rule: Some(rule), .. }) => {
            let cause = about(*rule, &container.service).with(logs::quote(&container.service, fault));
            judge_loop(view, container, Some(cause), state);
        }
        _ => state.recently_restarted = true,
    }
}

fn judge_loop(view: &View<'_>, container: &Container, cause: Option<Finding>, state: &mut StackState) {
    let service = &container.service;
    let text = format!("`{service}` was {}, {}", container.times(), container.ending());
    let finding = about(RuleId::CrashLoop, service).with(text);
    let finding = match (container.back_off(), container.next_start(view.snapshot.now)) {
        (Some(wait), Some(left)) if wait.as_secs() > 0 => finding.with(format!(
            "the engine waits up to {} before it starts it again, at most {} from now",
            seconds(wait),
            seconds(left)
        )),
        _ => finding,
    };
    state.gave_up |= cause.is_some() || container.restarts >= GIVE_UP;
    explain(view, finding, cause, state);
}

/// A wait of the engine, which begins at a tenth of a second.
fn seconds(wait: std::time::Duration) -> String {
    format!("{} s", (wait.as_secs_f64() * 10.0).round() / 10.0)
}

fn judge_end(view: &View<'_>, container: &Container, cause: Option<Finding>, state: &mut StackState) {
    let service = &container.service;
    let text = format!("`{service}` is {}, {}", container.status, container.ending());
    state.gave_up |= cause.is_some();
    explain(view, about(RuleId::ServiceStopped, service).with(text), cause, state);
}

/// Puts a finding behind its cause, or adds the program's last line to it.
fn explain(view: &View<'_>, finding: Finding, cause: Option<Finding>, state: &mut StackState) {
    let Some(cause) = cause else {
        state.findings.push(with_last_line(view, finding));
        return;
    };
    let finding = finding.caused_by(cause.id);
    state.findings.push(cause);
    state.findings.push(finding);
}

/// A finding about a service with the last line that the service printed.
pub(super) fn with_last_line(view: &View<'_>, finding: Finding) -> Finding {
    let Some(Subject::Service { name }) = &finding.subject else { return finding };
    match view.snapshot.last_line(name).map(|line| line.quoted(name)) {
        Some(line) => finding.with(line),
        None => finding,
    }
}

/// Why a program ended, from its last lines. A message of several lines is one text; the last life's lines come last.
fn reason(view: &View<'_>, name: &str, patterns: &[Pattern]) -> Option<Finding> {
    let lines = view.snapshot.last_lines.get(name)?;
    let (rule, line) = lines.iter().rev().find_map(|line| Some((patterns::proof(&line.text, patterns)?, line)))?;
    Some(about(rule, name).with(line.quoted(name)))
}

/// Whether the running proxy was made with this configuration, or restarted after the last edit of it.
pub(super) fn runs_current_configuration(view: &View<'_>, proxy: &Container) -> bool {
    let files = &view.snapshot.files;
    if proxy.config_label.is_none() || proxy.config_label == files.config_hash {
        return true;
    }
    // Restarted by hand after the edit: the label is old, what runs is not.
    files.config_written.zip(proxy.started).is_some_and(|(written, started)| written < started)
}

/// What the files say and the containers do not run with.
pub(super) fn judge_applied(view: &View<'_>, state: &mut StackState) {
    let files = &view.snapshot.files;
    let service = &view.declared.services.proxy;
    if let Some(proxy) = view.proxy.filter(|c| c.is_running()) {
        let later = files.config_written.zip(proxy.started).map(|(written, started)| written - started);
        let edited = later.filter(|later| later.is_positive());
        let is_stale = match proxy.config_label {
            Some(_) => !runs_current_configuration(view, proxy),
            // Nothing labels the configuration of a stack made by hand.
            None => edited.is_some(),
        };
        if is_stale {
            let path = &view.declared.gateway_path;
            let text = match edited {
                Some(later) => {
                    format!("`{path}` was written {} after the start of `{service}`", rules::ago(later.whole_seconds()))
                }
                None => format!("`{path}` is not the file that `{service}` was created with"),
            };
            state.findings.push(rules::finding(RuleId::ConfigNotApplied).with(text));
        }
    }
    let running = view.cloudflared.and_then(|c| c.token_label.as_ref().or(c.token_fingerprint.as_ref()));
    if let (Some(running), Some(now)) = (running, &files.token_fingerprint)
        && running != now
    {
        let text = format!("fingerprint of the running token {running}, of the one in .env {now}");
        state.findings.push(rules::finding(RuleId::TokenNotApplied).with(text));
    }
}
