//! The envelope: what every command answers, and the one place where it is put together.

mod bound;
pub(crate) mod error;
pub(crate) mod request;
pub(crate) mod text;

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub(crate) use crate::rules::{Evidence, Finding, Layer, Severity, Subject};
pub(crate) use error::{Error, reason};

use crate::caller::Caller;
use crate::redact;
use crate::rules::{self, RuleId};

/// Version of the envelope. New keys keep it; removing or changing one raises it.
pub(crate) const SCHEMA: u32 = 1;

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
    /// What to do.
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

    pub(crate) fn helper(what: impl Into<String>, command: String) -> Self {
        Self { who: Who::Helper, what: what.into(), command: Some(command) }
    }

    /// The command that belongs to the step.
    pub(crate) fn running(mut self, command: String) -> Self {
        self.command = Some(command);
        self
    }
}

/// `1 route`, `2 routes`, `-1 days`.
pub(crate) fn count<N: fmt::Display + PartialEq + From<u8>>(n: N, what: &str) -> String {
    let ending = if n == N::from(1) { "" } else { "s" };
    format!("{n} {what}{ending}")
}

/// What a command found out.
#[derive(Debug)]
pub(crate) struct Report<D> {
    /// One sentence for a person.
    pub(crate) summary: String,
    /// The command's own facts.
    pub(crate) data: D,
    pub(crate) findings: Vec<Finding>,
    /// What could not be looked at.
    pub(crate) skipped: Vec<Skipped>,
    /// What to do now, in order.
    pub(crate) next: Vec<Next>,
    /// Whether the data stay whole, however long they are: all was asked for.
    pub(crate) is_whole: bool,
}

impl<D> Report<D> {
    /// A report without findings.
    pub(crate) fn new(summary: impl Into<String>, data: D) -> Self {
        Self {
            summary: summary.into(),
            data,
            findings: Vec::new(),
            skipped: Vec::new(),
            next: Vec::new(),
            is_whole: false,
        }
    }

    /// Keeps the data whole, however long they are.
    pub(crate) fn whole(mut self, is_asked: bool) -> Self {
        self.is_whole = is_asked;
        self
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
    /// One sentence for a person.
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

/// Turns what a command found, or its failure, into the one JSON object and the status that gives the exit code.
///
/// Every string passes the redaction gate, so that no token and no key leaves the process in a quotation.
pub(crate) fn finish<D: Serialize>(
    command: &str,
    result: Result<Report<D>, Error>,
    caller: &Caller,
) -> (Value, Status) {
    let command = command.to_owned();
    let is_whole = result.as_ref().is_ok_and(|report| report.is_whole);
    let (value, status) = match result {
        Ok(report) => {
            let mut findings = rules::order(report.findings);
            let mut skipped = report.skipped;
            if !is_whole {
                limit(&mut findings, &mut skipped);
            }
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
                summary: redact::cut(&redact::one_line(&report.summary), LONGEST_SUMMARY),
                data: report.data,
                findings,
                skipped,
                next: report.next,
            };
            (serde_json::to_value(answer), status)
        }
        Err(error) => (serde_json::to_value(failure(&command, &error)), Status::Error),
    };
    match value {
        Ok(mut value) => {
            redact::gate(&mut value);
            if !is_whole {
                bound::cut(&mut value);
            }
            (value, status)
        }
        Err(error) => {
            let error = Error::Internal(error.to_string());
            (serde_json::to_value(failure(&command, &error)).unwrap_or_default(), Status::Error)
        }
    }
}

/// Findings, and checks that could not run, of one answer: what comes after them is counted. A model reads all of it.
const MOST: usize = 20;

/// Longest summary, in characters: some name every route.
const LONGEST_SUMMARY: usize = 2000;

/// Cuts both lists; errors come first, so that none makes room for a note.
fn limit(findings: &mut Vec<Finding>, skipped: &mut Vec<Skipped>) {
    let more = [("findings", findings.len()), ("skipped", skipped.len())];
    findings.truncate(MOST);
    skipped.truncate(MOST);
    for (id, number) in more.into_iter().filter(|(_, number)| *number > MOST) {
        skipped.push(Skipped::new(id, format!("{} more are not listed", number - MOST)));
    }
    let kept: Vec<RuleId> = findings.iter().map(|finding| finding.id).collect();
    for finding in findings {
        finding.consequence_of.take_if(|cause| !kept.contains(cause));
    }
}

pub(crate) fn failure(command: &str, error: &Error) -> Failure {
    let hint = match error {
        Error::Usage(_) if !command.is_empty() => {
            format!("run `mcp-tunnels-helper {command} --help`, or `mcp-tunnels-helper schema` for every request")
        }
        error => error.hint(),
    };
    Failure {
        schema: SCHEMA,
        command: command.to_owned(),
        status: Status::Error,
        error: ErrorText {
            code: error.code(),
            message: redact::cut(&redact::foreign(&error.to_string()), 1000),
            hint: redact::cut(&redact::foreign(&hint), 1000),
        },
    }
}
