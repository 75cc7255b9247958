//! Rules: what a finding can be. `table` holds the rows; ids are checked by the compiler.

mod columns;
mod finding;
mod table;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

pub(crate) use columns::{Cure, Layer, Severity};
pub(crate) use finding::{Evidence, Finding, MOST_EVIDENCE, Subject, explain, finding, order, root, titled, weight};
pub(crate) use table::{RULES, Rule, RuleId};

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
            for (text, needed) in [(rule.title, true), (rule.symptom, true), (rule.cause, false), (rule.fix, true)] {
                assert!(
                    !(needed && text.is_empty()) && (!text.ends_with('.') || text.ends_with("valid.")),
                    "{}: {text}",
                    rule.id
                );
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
