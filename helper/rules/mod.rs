//! Rules: what a finding can be. `table` holds the rows; ids are checked by the compiler.

mod absence;
mod columns;
mod finding;
mod refused;
mod remedy;
mod table;
mod unusable;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

pub(crate) use absence::{Absence, Absent, path as shown_path};
pub(crate) use columns::{Cure, Layer, Severity};
pub(crate) use finding::{
    At, Evidence, Finding, MOST_EVIDENCE, Subject, ago, date, explain, filled, finding, order, root, weight,
};
pub(crate) use refused::Refused;
pub(crate) use remedy::{Gap, OfService, Remedy, State, Written};
pub(crate) use table::{RULES, Rule, RuleId};
pub(crate) use unusable::Unusable;

impl RuleId {
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

    /// Helper commands that a fix names, without their program; those with a place for a name of the person's are marked.
    fn commands(fix: &str) -> Vec<(&str, bool)> {
        const NAMES: [&str; 8] = ["NAME", "HOST", "PORT", "ROUTE", "PATH", "PROJECT", "FILE", "NEW"];
        let quoted = fix.split('`').skip(1).step_by(2);
        let commands = quoted.filter_map(|text| text.strip_prefix("{helper} "));
        let has_place = |text: &str| text.split(|c: char| !c.is_ascii_uppercase()).any(|word| NAMES.contains(&word));
        commands.map(|command| (command, has_place(command) || !command.contains("--dir {dir}"))).collect()
    }

    /// A fix with a command of the helper says in the column `cure` what that does, and the other way round.
    #[test]
    fn the_command_of_a_fix_is_its_cure() {
        for rule in RULES {
            let commands = commands(rule.fix);
            let ready = commands.iter().find(|(_, has_place)| !has_place);
            match rule.cure.words() {
                Some(words) => {
                    let first = ready.unwrap_or_else(|| panic!("{}: no command in {}", rule.id, rule.fix)).0;
                    assert!(first.starts_with(&format!("{words} ")), "{}: `{first}` is not `{words}`", rule.id);
                }
                None => assert_eq!(ready.is_none(), rule.cure == Cure::ByHand, "{}: {}", rule.id, rule.fix),
            }
        }
    }

    #[test]
    fn the_subject_is_filled_in() {
        let texts = |subject: Option<&Subject>| filled("`x {file|{dir}/y}`: {subject|it}", subject);
        assert_eq!(texts(None), "`x {dir}/y`: it");
        assert_eq!(texts(Some(&Subject::file("a b"))), "`x {dir}/'a b'`: `a b`");
        assert_eq!(texts(Some(&Subject::service("s"))), "`x {dir}/y`: `s`");
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
        let words: BTreeSet<&str> = all.split(|c: char| !c.is_alphanumeric()).collect();
        for rule in RULES {
            let name = format!("{:?}", rule.id);
            assert!(words.contains(name.as_str()), "no command raises `{name}`");
        }
    }
}
