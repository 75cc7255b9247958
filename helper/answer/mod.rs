//! The envelope: what every command answers, and the one place where it is put together.

pub(crate) mod error;
mod named;
pub(crate) mod redact;
pub(crate) mod request;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub(crate) use error::Error;

use crate::caller::Caller;
use crate::rules::RuleId;

/// Version of the envelope. New keys keep it; removing or changing one raises it.
pub(crate) const SCHEMA: u32 = 1;

/// How much a finding weighs. Only an `error` makes the status `problems`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It does not work, or it leaks a secret.
    Error,
    /// It works, with a loss or a risk.
    Warning,
    /// Worth knowing.
    Note,
}

/// Where a finding sits, in the order in which to diagnose: a fault further up explains those further down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    /// Docker, Compose and the machine.
    Host,
    /// The deployment directory.
    Files,
    /// cloudflared, its token, and the way to the tunnel's edge.
    Edge,
    /// The inner TLS handshake.
    Tls,
    /// From the tunnel to the proxy, and from a host name to a route.
    Routing,
    /// The MCP server behind a route.
    Upstream,
}

/// Something that was looked at and found wanting: a row of the rule table with the facts of this case.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// Stable kebab-case name, a row of `rules`.
    pub(crate) id: RuleId,
    /// Where to look.
    pub(crate) layer: Layer,
    /// How much it weighs.
    pub(crate) severity: Severity,
    /// What is wrong, in one line.
    pub(crate) title: String,
    /// Why it is so.
    pub(crate) cause: String,
    /// What to do.
    pub(crate) fix: String,
    /// Facts and short redacted excerpts: at most three, at most 300 characters each.
    pub(crate) evidence: Vec<String>,
    /// Where to read on.
    pub(crate) docs: &'static str,
    /// Id of the finding that explains this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consequence_of: Option<RuleId>,
}

impl Finding {
    /// Adds a fact. Redacted and cut to size here, so that no caller can forget it; beyond three it is dropped.
    pub(crate) fn with(mut self, evidence: impl AsRef<str>) -> Self {
        if self.evidence.len() < 3 {
            self.evidence.push(redact::evidence(evidence.as_ref()));
        }
        self
    }

    /// Says which finding explains this one.
    pub(crate) fn caused_by(mut self, id: RuleId) -> Self {
        self.consequence_of = Some(id);
        self
    }

    /// Another weight than the row's, where the same fault can be mild.
    pub(crate) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// A check that could not run, and why: never silently absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Skipped {
    /// The rule, or the thing that could not be seen.
    pub(crate) id: String,
    /// Why it could not run.
    pub(crate) reason: String,
}

impl Skipped {
    /// A check that could not run.
    pub(crate) fn new(id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { id: id.into(), reason: redact::evidence(&reason.into()) }
    }
}

/// Who does a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// Only a person can (the Console, a terminal of their own).
    Person,
    /// A helper command does.
    Helper,
}

/// What to do now.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Next {
    /// Who does it.
    pub(crate) who: Who,
    /// What is to be done.
    pub(crate) what: String,
    /// A command that works as pasted, from any shell and folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
}

impl Next {
    /// A step for a person, without a command.
    pub(crate) fn person(what: impl Into<String>) -> Self {
        Self { who: Who::Person, what: what.into(), command: None }
    }

    /// A step that a helper command does.
    pub(crate) fn helper(what: impl Into<String>, command: String) -> Self {
        Self { who: Who::Helper, what: what.into(), command: Some(command) }
    }

    /// The command that belongs to the step.
    pub(crate) fn running(mut self, command: String) -> Self {
        self.command = Some(command);
        self
    }
}

/// What a command found out.
#[derive(Debug)]
pub(crate) struct Report<D> {
    /// One line that can be read to a person as it stands.
    pub(crate) summary: String,
    /// The command's own facts.
    pub(crate) data: D,
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
    /// What could not be looked at.
    pub(crate) skipped: Vec<Skipped>,
    /// What to do now, in order.
    pub(crate) next: Vec<Next>,
}

impl<D> Report<D> {
    /// A report without findings.
    pub(crate) fn new(summary: impl Into<String>, data: D) -> Self {
        Self { summary: summary.into(), data, findings: Vec::new(), skipped: Vec::new(), next: Vec::new() }
    }
}

/// Whether the question was answered, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Nothing above a warning. Exit code 0.
    Ok,
    /// At least one finding of severity `error`. Exit code 1.
    Problems,
    /// Could not answer. Exit code 2.
    Error,
}

impl Status {
    /// The exit code that goes with it, the same for every command.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Problems => 1,
            Self::Error => 2,
        }
    }
}

/// What is printed when a command could look.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Answer<D> {
    /// Version of the envelope.
    pub(crate) schema: u32,
    /// The command and its verb.
    pub(crate) command: String,
    /// `ok` or `problems`.
    pub(crate) status: Status,
    /// One line that can be read to a person as it stands.
    pub(crate) summary: String,
    /// The command's own facts.
    pub(crate) data: D,
    /// What is wrong: causes before their consequences, then by severity, then by layer.
    pub(crate) findings: Vec<Finding>,
    /// Checks that could not run.
    pub(crate) skipped: Vec<Skipped>,
    /// What to do now, in order.
    pub(crate) next: Vec<Next>,
}

/// What is printed when a command could not look.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Failure {
    /// Version of the envelope.
    pub(crate) schema: u32,
    /// The command and its verb, as far as they were understood.
    pub(crate) command: String,
    /// `error`.
    pub(crate) status: Status,
    /// Why there is no answer.
    pub(crate) error: ErrorText,
}

/// An error in words.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ErrorText {
    /// Stable kebab-case code.
    pub(crate) code: &'static str,
    /// The act, the object and the reason.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: String,
}

/// Puts causes before their consequences, then orders by severity, then by layer; drops exact repetitions.
fn order(findings: Vec<Finding>) -> Vec<Finding> {
    let mut sorted = findings;
    let known: Vec<(RuleId, Option<RuleId>, Severity)> =
        sorted.iter().map(|f| (f.id, f.consequence_of, f.severity)).collect();
    // A cause weighs as much as the worst that it leads to.
    let weight = |finding: &Finding| {
        let led_to = known.iter().filter(|(_, cause, _)| *cause == Some(finding.id)).map(|(_, _, severity)| *severity);
        led_to.min().map_or(finding.severity, |worst| worst.min(finding.severity))
    };
    sorted.sort_by_key(|f| (weight(f), f.layer));
    let mut ordered: Vec<Finding> = Vec::with_capacity(sorted.len());
    // Bounded: every round places at least one finding, a cycle is broken by taking the first.
    while !sorted.is_empty() {
        let ready = sorted.iter().position(|f| match f.consequence_of {
            None => true,
            Some(cause) => !sorted.iter().any(|other| other.id == cause && other.id != f.id),
        });
        let finding = sorted.remove(ready.unwrap_or(0));
        if !ordered.iter().any(|f| f.id == finding.id && f.evidence == finding.evidence) {
            ordered.push(finding);
        }
    }
    ordered
}

/// Turns what a command found, or its failure, into the one JSON object and the status that gives the exit code.
///
/// Every string passes the redaction gate: whatever a message quotes, no token and no key leaves the process.
pub(crate) fn finish<D: Serialize>(
    command: &str,
    result: Result<Report<D>, Error>,
    caller: &Caller,
) -> (Value, Status) {
    let command = command.to_owned();
    let (value, status) = match result {
        Ok(report) => {
            let mut findings = order(report.findings);
            for finding in &mut findings {
                finding.fix = caller.fill(&finding.fix);
                finding.cause = caller.fill(&finding.cause);
            }
            let errors = findings.iter().any(|f| f.severity == Severity::Error);
            let status = if errors { Status::Problems } else { Status::Ok };
            let answer = Answer {
                schema: SCHEMA,
                command: command.clone(),
                status,
                summary: redact::one_line(&report.summary),
                data: report.data,
                findings,
                skipped: report.skipped,
                next: report.next,
            };
            (serde_json::to_value(answer), status)
        }
        Err(error) => (serde_json::to_value(failure(&command, &error)), Status::Error),
    };
    match value {
        Ok(mut value) => {
            redact::gate(&mut value);
            (value, status)
        }
        Err(error) => {
            let error = Error::Internal(error.to_string());
            (serde_json::to_value(failure(&command, &error)).unwrap_or_default(), Status::Error)
        }
    }
}

/// The envelope of an error.
pub(crate) fn failure(command: &str, error: &Error) -> Failure {
    Failure {
        schema: SCHEMA,
        command: command.to_owned(),
        status: Status::Error,
        error: ErrorText {
            code: error.code(),
            message: redact::cut(&redact::strict(&redact::one_line(&error.to_string())), 1000),
            hint: redact::cut(&redact::strict(&error.hint()), 1000),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{self, RuleId};

    #[test]
    fn a_cause_stands_before_its_consequence_whatever_their_severity() {
        let cause = rules::finding(RuleId::ConfigNotApplied);
        let consequence = rules::finding(RuleId::CrashLoop).caused_by(RuleId::ConfigNotApplied);
        let ids: Vec<_> = order(vec![consequence, cause]).iter().map(|f| f.id).collect();
        assert_eq!(ids, [RuleId::ConfigNotApplied, RuleId::CrashLoop]);
    }

    #[test]
    fn findings_that_explain_each_other_are_all_kept() {
        let a = rules::finding(RuleId::CrashLoop).caused_by(RuleId::ConfigNotApplied);
        let b = rules::finding(RuleId::ConfigNotApplied).caused_by(RuleId::CrashLoop);
        assert_eq!(order(vec![a, b]).len(), 2);
    }

    #[test]
    fn the_same_finding_with_the_same_evidence_is_said_once() {
        let finding = rules::finding(RuleId::CrashLoop).with("x");
        assert_eq!(order(vec![finding.clone(), finding.clone(), finding.with("y")]).len(), 2);
    }
}
