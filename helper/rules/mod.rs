//! Rules: what a finding can be. `table` holds the rows; ids are checked by the compiler.

mod table;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::answer::{Error, Finding, Layer, Report, Severity};
use crate::caller::Caller;

pub(crate) use table::{RULES, RuleId};

/// What a person or the helper does to end a fault, where one act always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cure {
    /// `restart` of the stack, cloudflared included.
    Restart,
    /// What the row's `fix` says.
    ByHand,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// Stable name.
    pub(crate) id: RuleId,
    /// Where to look.
    pub(crate) layer: Layer,
    /// Severity, unless the case is milder.
    pub(crate) severity: Severity,
    /// What is wrong, in one line.
    pub(crate) title: &'static str,
    /// What a person sees of it.
    pub(crate) symptom: &'static str,
    /// Why it is so.
    pub(crate) cause: &'static str,
    /// What to do.
    pub(crate) fix: &'static str,
    /// Where to read on.
    pub(crate) docs: &'static str,
    /// Whether an error of this rule keeps the stack from working; a mere risk to a secret does not.
    pub(crate) blocks: bool,
    /// What ends it.
    pub(crate) cure: Cure,
    /// Rules that explain this one where both are found, the likeliest first.
    pub(crate) caused_by: &'static [&'static [RuleId]],
}

macro_rules! rules {
    ($($name:ident = $id:literal { $($key:ident : $value:expr),* $(,)? })*) => {
        /// Id of a rule: a row of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum RuleId {
            $(#[doc = $id] $name),*
        }

        impl RuleId {
            /// The stable kebab-case name.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }
        }

        /// All rows, in the order of [`RuleId`].
        pub(crate) static RULES: &[Rule] = &[$(Rule {
            $($key: $value,)*
            ..Rule::of($name)
        }),*];
    };
}
use rules;

impl Rule {
    /// The columns that most rows leave as they are.
    const fn of(id: RuleId) -> Self {
        Self {
            id,
            layer: Layer::Host,
            severity: Severity::Error,
            title: "",
            symptom: "",
            cause: "",
            fix: "",
            docs: "",
            blocks: true,
            cure: Cure::ByHand,
            caused_by: &[],
        }
    }
}

impl RuleId {
    /// Its row.
    pub(crate) fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<RuleId> for String {
    fn from(id: RuleId) -> Self {
        id.as_str().to_owned()
    }
}

impl Serialize for RuleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for RuleId {
    fn schema_name() -> Cow<'static, str> {
        "RuleId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"})
    }

    fn inline_schema() -> bool {
        true
    }
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
        title: rule.title.into(),
        cause: rule.cause.into(),
        fix: rule.fix.into(),
        evidence: Vec::new(),
        docs: rule.docs,
        consequence_of: None,
    }
}

/// The request of `rules`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RulesRequest {
    /// Only this row.
    id: Option<String>,
}

/// What `rules` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RulesData {
    /// The rows, in the order of the layers.
    rules: Vec<FilledRule>,
}

/// One row with its placeholders filled.
#[derive(Debug, Serialize, JsonSchema)]
struct FilledRule {
    /// Stable kebab-case name.
    id: RuleId,
    /// Where to look.
    layer: Layer,
    /// How much it weighs, unless the case is milder.
    severity: Severity,
    /// What is wrong, in one line.
    title: &'static str,
    /// What a person sees of it.
    symptom: &'static str,
    /// Why it is so.
    cause: String,
    /// What to do.
    fix: String,
    /// Where to read on.
    docs: &'static str,
}

/// Prints the table.
///
/// # Errors
/// `request` for an id that no row has.
pub(crate) fn run(request: &RulesRequest, caller: &Caller) -> Result<Report<RulesData>, Error> {
    let asked = request.id.as_deref();
    let mut rows: Vec<&Rule> = RULES.iter().filter(|r| asked.is_none_or(|id| id == r.id.as_str())).collect();
    rows.sort_by_key(|r| r.layer);
    if rows.is_empty() {
        return Err(Error::request(
            format!("there is no rule `{}`", request.id.as_deref().unwrap_or_default()),
            "`mcp-tunnels-helper rules` prints them all",
        ));
    }
    let summary = match rows.as_slice() {
        [one] => one.title.to_owned(),
        many => format!("{} findings that a command can make", many.len()),
    };
    let rules = rows
        .into_iter()
        .map(|r| FilledRule {
            id: r.id,
            layer: r.layer,
            severity: r.severity,
            title: r.title,
            symptom: r.symptom,
            cause: caller.fill(r.cause),
            fix: caller.fill(r.fix),
            docs: r.docs,
        })
        .collect();
    Ok(Report::new(summary, RulesData { rules }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    #[test]
    fn ids_are_unique_and_kebab_case_and_texts_are_no_sentences() {
        let ids: BTreeSet<_> = RULES.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids.len(), RULES.len());
        for (at, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.id as usize, at);
            assert!(rule.id.as_str().chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-')), "{}", rule.id);
            for text in [rule.title, rule.symptom, rule.cause, rule.fix] {
                assert!(!text.is_empty() && !text.ends_with('.') || text.ends_with("valid."), "{}: {text}", rule.id);
            }
        }
    }

    /// Every row is raised somewhere: none is a promise only.
    #[test]
    fn every_row_is_raised() {
        fn sources(dir: &Path, into: &mut String) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    sources(&path, into);
                } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("rules/table.rs") {
                    into.push_str(&fs::read_to_string(&path).unwrap());
                }
            }
        }
        let mut all = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("helper"), &mut all);
        for rule in RULES {
            let name = format!("{:?}", rule.id);
            assert!(all.split(|c: char| !c.is_alphanumeric()).any(|word| word == name), "no command raises `{name}`");
        }
    }
}
