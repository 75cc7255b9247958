//! Findings: a row of the rule table with the facts of this case.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::macros::format_description;

use super::absence::Absent;
use super::columns::{Cure, Layer, Severity};
use super::remedy::{Gap, Remedy};
use super::table::RuleId;
use crate::caller::quote;
use crate::redact::{self, names};

/// Facts that one finding quotes at most.
pub(crate) const MOST_EVIDENCE: usize = 3;

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Subject {
    /// A service of the Compose project.
    Service {
        /// Its name in the compose file.
        name: String,
    },
    /// A route of the proxy.
    Route {
        /// Its key in `routes`.
        name: String,
    },
    /// A file of the deployment.
    File {
        /// Path inside the directory.
        name: String,
        /// Line, from 1, where one is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
    },
}

impl Subject {
    pub(crate) fn is_service(&self, service: &str) -> bool {
        matches!(self, Self::Service { name } if name == service)
    }

    pub(crate) fn service(name: impl Into<String>) -> Self {
        Self::Service { name: names::shown(&name.into()).to_owned() }
    }

    pub(crate) fn route(name: impl Into<String>) -> Self {
        Self::Route { name: names::shown_route(&name.into()).to_owned() }
    }

    /// Its name, without its kind.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Service { name } | Self::Route { name } | Self::File { name, .. } | Self::Variable { name } => name,
        }
    }

    /// A file, without a line.
    pub(crate) fn file(name: impl Into<String>) -> Self {
        Self::File { name: name.into(), line: None }
    }
}

/// A file inside the directory and its line, from 1, where one is known.
pub(crate) type At = (String, Option<usize>);

/// A fact, or a short excerpt: whose, which line, when, and the text, which is redacted as it is put in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Evidence {
    /// The program or file that is quoted.
    pub(crate) whose: Option<String>,
    /// Line of a file or a saved log, from 1.
    pub(crate) line: Option<u64>,
    /// How often it was logged, where more than once.
    pub(crate) times: Option<u32>,
    /// When it was logged.
    pub(crate) at: Option<OffsetDateTime>,
    /// How long ago that is, in seconds, where what is quoted runs now.
    pub(crate) age: Option<i64>,
    /// How long before the end of a saved log that is, in seconds.
    pub(crate) before_end: Option<i64>,
    pub(crate) text: String,
}

impl Evidence {
    /// What a file says, with the line where one is known.
    pub(crate) fn in_file(place: Option<At>, text: impl Into<String>) -> Self {
        let (whose, line) = place.unzip();
        Self { whose, line: line.flatten().map(|line| line as u64), text: text.into(), ..Self::default() }
    }

    /// A quotation of a program.
    pub(crate) fn of(whose: impl Into<String>, text: impl Into<String>) -> Self {
        let whose: String = whose.into();
        Self { whose: (!whose.is_empty()).then_some(whose), text: text.into(), ..Self::default() }
    }
}

impl<T: AsRef<str>> From<T> for Evidence {
    fn from(text: T) -> Self {
        Self { text: text.as_ref().to_owned(), ..Self::default() }
    }
}

impl From<Absent<'_>> for Evidence {
    fn from(absent: Absent<'_>) -> Self {
        Self::in_file(absent.line.map(|(file, line)| (file.to_owned(), Some(line))), absent.said())
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let at = self.at.and_then(|at| at.to_offset(time::UtcOffset::UTC).format(clock).ok());
        let at = at.map(|at| match (self.age, self.before_end) {
            (Some(age), _) => format!("{at} ({} ago)", ago(age)),
            (None, Some(before @ 1..)) => format!("{at} ({} before the log ends)", ago(before)),
            (None, Some(_)) => format!("{at} (at the log's end)"),
            (None, None) => at,
        });
        let head = [
            self.whose.clone(),
            self.line.map(|line| format!("line {line}")),
            self.times.map(|times| format!("{times} times")),
            at,
        ];
        let head: Vec<String> = head.into_iter().flatten().collect();
        if head.is_empty() { f.write_str(&self.text) } else { write!(f, "{}: {}", head.join(", "), self.text) }
    }
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redact::evidence(&self.to_string()))
    }
}

/// A time span in its largest unit, `5 s`, `3 min`, `2 h`, `4 days`.
pub(crate) fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

/// Says of every line that is quoted how long ago it was printed.
pub(crate) fn date<'a>(evidence: impl IntoIterator<Item = &'a mut Evidence>, now: OffsetDateTime) {
    for evidence in evidence {
        evidence.age = evidence.at.map(|at| (now - at).whole_seconds());
    }
}

/// Something that was looked at and found wanting: a row of the rule table with the facts of this case.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// Stable kebab-case name, a row of `rules`.
    pub(crate) id: RuleId,
    /// Where to look.
    pub(crate) layer: Layer,
    /// How severe it is.
    pub(crate) severity: Severity,
    /// What it is about, where that is one thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Subject>,
    /// What is wrong, in one line.
    pub(crate) title: String,
    /// Why it is so, where there is something to explain.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) cause: String,
    /// What to do.
    pub(crate) fix: String,
    /// Facts and short redacted excerpts: at most three, at most 300 characters each.
    #[schemars(with = "Vec<String>")]
    pub(crate) evidence: Vec<Evidence>,
    /// Where to read on: a page on the web, and the section of this project's table.
    pub(crate) docs: String,
    /// What the fix is: `next` is made of it, so that the two never disagree.
    #[serde(skip)]
    pub(crate) cure: Cure,
    /// Id of the finding that explains this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consequence_of: Option<RuleId>,
}

impl Finding {
    /// Adds a fact. Redacted and cut to size here, so that no caller can forget it; beyond three it is dropped.
    pub(crate) fn with(mut self, evidence: impl Into<Evidence>) -> Self {
        if self.evidence.len() < MOST_EVIDENCE {
            let mut evidence = evidence.into();
            evidence.text = redact::evidence(&evidence.text);
            self.evidence.push(evidence);
        }
        self
    }

    /// Adds several facts, as far as there is room.
    pub(crate) fn with_all(self, evidence: impl IntoIterator<Item = impl Into<Evidence>>) -> Self {
        evidence.into_iter().fold(self, Self::with)
    }

    /// The same, if there is one.
    pub(crate) fn with_each(self, facts: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut facts = facts.into_iter().peekable();
        facts.peek().is_some().then(|| self.with_all(facts))
    }

    /// Says what it is about, also where the row's texts leave a place for it.
    pub(crate) fn about(mut self, subject: Subject) -> Self {
        let rule = self.id.rule();
        self.title = filled(rule.title, Some(&subject));
        if self.fix == filled(rule.fix, None) {
            self.fix = filled(rule.fix, Some(&subject));
        }
        self.subject = Some(subject);
        self
    }

    /// Takes the words of a case in which the row's own do not help.
    pub(crate) fn with_remedy(mut self, remedy: Remedy<'_>) -> Self {
        if let Some(fix) = remedy.fix() {
            self.fix = filled(&fix, self.subject.as_ref());
            self.cure = remedy.cure();
        }
        self.cause = remedy.cause().map_or(self.cause, Into::into);
        self
    }

    /// Takes a fix by hand that is written in a table.
    pub(crate) fn with_fix(mut self, fix: &str) -> Self {
        (self.fix, self.cure) = (fix.to_owned(), Cure::ByHandThen);
        self
    }

    /// Fills a gap of the row's fix.
    pub(crate) fn fill(mut self, gap: Gap, value: &str) -> Self {
        self.fix = self.fix.replace(gap.as_str(), value);
        self
    }

    /// Says which finding explains this one.
    pub(crate) fn caused_by(mut self, id: RuleId) -> Self {
        self.consequence_of = Some(id);
        self
    }

    /// Another severity than the row's, where the same fault can be mild.
    pub(crate) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// A text of a row with its subject: `{subject|words}` becomes the subject's name, `{file|words}` the path of a file,
/// quoted for a shell; without a deployment, both become the words.
pub(crate) fn filled(template: &str, subject: Option<&Subject>) -> String {
    let file = match subject {
        Some(Subject::File { name, .. }) => Some(format!("{{dir}}/{}", quote(name.as_ref()))),
        _ => None,
    };
    let name = subject.map(|subject| format!("`{}`", subject.name()));
    let mut text = template.to_owned();
    for (place, value) in [("{subject|", name), ("{file|", file)] {
        while let Some((before, rest)) = text.split_once(place) {
            let Some((words, after)) = split_at_closing(rest) else { break };
            text = format!("{before}{}{after}", value.as_deref().unwrap_or(words));
        }
    }
    text
}

/// Splits at the `}` that closes what is open, past braces in between.
fn split_at_closing(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Marks the findings that others explain, by the column `caused_by`. A mark that is already there is kept.
pub(crate) fn explain(findings: &mut [Finding]) {
    let present: Vec<RuleId> = findings.iter().filter(|f| f.severity < Severity::Note).map(|f| f.id).collect();
    for finding in findings.iter_mut().filter(|f| f.consequence_of.is_none() && f.severity < Severity::Note) {
        let mut causes = finding.id.rule().caused_by.iter().copied().flatten().copied();
        let id = finding.id;
        finding.consequence_of = causes.find(|cause| *cause != id && present.contains(cause));
    }
}

/// A finding with the row's texts, to be completed with evidence.
pub(crate) fn finding(id: RuleId) -> Finding {
    let rule = id.rule();
    Finding {
        id,
        layer: rule.layer,
        severity: rule.severity,
        subject: None,
        title: filled(rule.title, None),
        cause: rule.cause.into(),
        fix: filled(rule.fix, None),
        evidence: Vec::new(),
        docs: format!("{} and docs/troubleshooting.md#{id}", rule.docs),
        cure: rule.cure,
        consequence_of: None,
    }
}

/// Takes the mark from findings whose cause is not among them: a finding without a cause is a cause itself.
fn unmark(findings: &mut [Finding]) {
    let present: Vec<RuleId> = findings.iter().map(|f| f.id).collect();
    for finding in findings {
        let id = finding.id;
        finding.consequence_of.take_if(|cause| *cause == id || !present.contains(cause));
    }
}

/// Severity of a finding with all that follows from it: a cause is as severe as the worst that it leads to.
pub(crate) fn weight(finding: &Finding, all: &[Finding]) -> Severity {
    let follows = all.iter().filter(|f| f.consequence_of == Some(finding.id)).map(|f| f.severity);
    follows.min().map_or(finding.severity, |worst| worst.min(finding.severity))
}

/// The root cause: what nothing else explains and is most severe. What keeps the tunnel from working comes before a
/// mere risk.
pub(crate) fn root(findings: &[Finding]) -> Option<&Finding> {
    let causes = findings.iter().filter(|f| f.consequence_of.is_none());
    causes.min_by_key(|f| (weight(f, findings), !f.id.rule().blocks, f.layer))
}

/// Puts causes before their consequences, then orders by severity, then by layer; drops exact repetitions.
pub(crate) fn order(findings: Vec<Finding>) -> Vec<Finding> {
    let mut sorted = findings;
    unmark(&mut sorted);
    let known = sorted.clone();
    sorted.sort_by_key(|f| (weight(f, &known), f.layer));
    let mut ordered: Vec<Finding> = Vec::with_capacity(sorted.len());
    // Bounded: every round places a finding. The first one of a cycle is taken for the cause of the others.
    while !sorted.is_empty() {
        let ready = sorted.iter().position(|f| match f.consequence_of {
            None => true,
            Some(cause) => !sorted.iter().any(|other| other.id == cause && other.id != f.id),
        });
        let mut finding = sorted.remove(ready.unwrap_or(0));
        if ready.is_none() {
            finding.consequence_of = None;
        }
        if !ordered.iter().any(|f| f.id == finding.id && f.subject == finding.subject && f.evidence == finding.evidence)
        {
            ordered.push(finding);
        }
    }
    ordered
}

#[cfg(test)]
mod tests;
