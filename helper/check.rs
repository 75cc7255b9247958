//! The one runner of checks: each looks at facts that were gathered before, and says pass, fail or why it could not tell.

use crate::answer::{Finding, Severity, Skipped};

#[derive(Debug)]
pub(crate) enum Outcome {
    /// Looked, and found nothing wrong.
    Pass,
    /// Looked, and found this.
    Fail(Vec<Finding>),
    /// Could not look: why.
    Skip(String),
    /// Looked at several things: what was found, and what could not be looked at.
    Partly(Vec<Finding>, Vec<Skipped>),
}

impl Outcome {
    /// What several checks of one kind say together.
    pub(crate) fn of(findings: Vec<Finding>, skipped: Vec<Skipped>) -> Self {
        match (findings.is_empty(), skipped.is_empty()) {
            (true, true) => Self::Pass,
            (false, true) => Self::Fail(findings),
            (_, false) => Self::Partly(findings, skipped),
        }
    }

    /// The same, with more that could not be looked at.
    pub(crate) fn with_skipped(self, more: Vec<Skipped>) -> Self {
        match self {
            Self::Pass => Self::of(Vec::new(), more),
            Self::Fail(findings) => Self::of(findings, more),
            Self::Partly(findings, skipped) => Self::of(findings, [skipped, more].concat()),
            Self::Skip(why) => Self::Skip(why),
        }
    }
}

impl From<Finding> for Outcome {
    fn from(finding: Finding) -> Self {
        Self::Fail(vec![finding])
    }
}

impl From<Option<Finding>> for Outcome {
    fn from(finding: Option<Finding>) -> Self {
        finding.map_or(Self::Pass, Self::from)
    }
}

impl From<Vec<Finding>> for Outcome {
    fn from(findings: Vec<Finding>) -> Self {
        Self::of(findings, Vec::new())
    }
}

/// So many findings of one kind are listed.
const MOST: usize = 20;

/// At most twenty findings of one kind: what comes after them is counted.
pub(crate) fn capped(mut findings: impl Iterator<Item = Finding>) -> Outcome {
    let shown: Vec<Finding> = findings.by_ref().take(MOST).collect();
    match (shown.last().map(|finding| finding.id), findings.count()) {
        (Some(id), more @ 1..) => Outcome::Partly(shown, vec![Skipped::new(id, format!("{more} more are not listed"))]),
        _ => shown.into(),
    }
}

/// One check of facts of the kind `F`.
pub(crate) struct Check<F> {
    /// Its name; it is in `skipped` when the check could not tell.
    pub(crate) id: &'static str,
    pub(crate) test: fn(&F) -> Outcome,
}

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) findings: Vec<Finding>,
    pub(crate) skipped: Vec<Skipped>,
    /// Checks that found nothing wrong.
    pub(crate) passed: Vec<&'static str>,
}

impl Verdict {
    /// Whether anything found keeps the stack from working. What merely endangers a secret does not.
    pub(crate) fn is_fatal(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error && f.id.rule().blocks)
    }

    /// Asks every check, and adds what they say.
    pub(crate) fn ask<F>(&mut self, checks: &[Check<F>], facts: &F) {
        for check in checks {
            self.take(check.id, (check.test)(facts));
        }
    }

    fn take(&mut self, id: &'static str, outcome: Outcome) {
        match outcome {
            Outcome::Pass => self.passed.push(id),
            Outcome::Fail(findings) => self.findings.extend(findings),
            Outcome::Skip(why) => self.skipped.push(Skipped::new(id, why)),
            Outcome::Partly(findings, skipped) => {
                self.findings.extend(findings);
                self.skipped.extend(skipped);
            }
        }
    }
}

pub(crate) fn run<F>(checks: &[Check<F>], facts: &F) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.ask(checks, facts);
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{self, RuleId};

    #[test]
    fn every_check_leaves_a_trace() {
        let checks: &[Check<bool>] = &[
            Check { id: "a", test: |_| Outcome::Pass },
            Check { id: "b", test: |_| rules::finding(RuleId::CrashLoop).into() },
            Check { id: "c", test: |_| Outcome::Skip("no disk".into()) },
            Check { id: "d", test: |fact| if *fact { None.into() } else { Outcome::Skip(String::new()) } },
            Check {
                id: "e",
                test: |_| Outcome::of(vec![rules::finding(RuleId::GitTracked)], vec![Skipped::new("e:one", "why")]),
            },
        ];
        let verdict = run(checks, &true);
        assert_eq!(verdict.passed, ["a", "d"]);
        assert_eq!(verdict.findings.len(), 2);
        assert_eq!(verdict.skipped.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["c", "e:one"]);
        assert!(verdict.is_fatal());
    }
}
