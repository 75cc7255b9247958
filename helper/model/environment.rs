//! Which variables of the calling shell a Compose run gets: those that the person's own files name, and `.env` does
//! not set. A file that the helper wrote takes everything from `.env`.

use std::collections::BTreeSet;

use crate::answer::{Finding, Subject};
use crate::caller::Caller;
use crate::config::stamp::{Authorship, origin};
use crate::config::yaml::{self, Value};
use crate::deployment::Deployment;
use crate::deployment::env_file;
use crate::engine::client::Passed;
use crate::model::found::Found;
use crate::model::sources::ComposeFile;
use crate::rules::{self, RuleId};

/// Variables that every shell has, one started by cron or at boot as well.
const EVERYWHERE: [&str; 9] = ["HOME", "HOSTNAME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "UID", "USER"];

/// The variables to hand on.
pub(crate) fn passed(deployment: &Deployment, found: &Found, caller: &Caller) -> Passed {
    taken(found)
        .into_iter()
        .filter_map(|name| {
            // A person runs Compose in the directory.
            let here = (name == "PWD").then(|| deployment.root().as_os_str().to_owned());
            let value = here.or_else(|| caller.var(&name).map(ToOwned::to_owned))?;
            Some((name, value))
        })
        .collect()
}

/// The names that a shell may set for this deployment.
pub(crate) fn taken(found: &Found) -> BTreeSet<String> {
    let env = found.env();
    let (foreign, own): (Vec<&ComposeFile>, Vec<_>) =
        found.files().partition(|file| origin(&file.text) == Authorship::Foreign);
    let named = |file: &ComposeFile| file.tree().map_or_else(|| interpolated(&file.text), of_compose);
    let ours: BTreeSet<String> = own.into_iter().flat_map(named).collect();
    let mut theirs: BTreeSet<String> = foreign.iter().copied().flat_map(named).collect();
    if !foreign.is_empty() {
        theirs.extend(env.into_iter().flat_map(|env| interpolated(&String::from_utf8_lossy(env.as_bytes()))));
        for file in found.env_files() {
            let text = String::from_utf8_lossy(file.as_bytes());
            theirs.extend(interpolated(&text));
            // A name alone is taken from the shell.
            theirs.extend(text.lines().map(str::trim).filter(|line| is_name(line)).map(str::to_owned));
        }
    }
    let values = env.map(env_file::EnvFile::values).unwrap_or_default();
    let set = |name: &String| values.get(name.as_str()).is_some_and(|value| !value.is_empty());
    theirs.retain(|name| !ours.contains(name) && !set(name) && !name.starts_with("COMPOSE_") && name != "PATH");
    theirs
}

/// The warning about values that only the calling shell has: the next reboot or cron job does not have them.
pub(crate) fn finding(passed: &Passed) -> Option<Finding> {
    let names = passed.iter().map(|(name, _)| name.as_str());
    let names: Vec<&str> = names.filter(|name| !EVERYWHERE.contains(name)).collect();
    let subject = Subject::Variable { name: (*names.first()?).to_owned() };
    let text = format!("not in `.env`: {}", names.join(", "));
    Some(rules::finding(RuleId::VariableOfShell).about(subject).with(text))
}

/// Names that a compose file takes from the shell.
fn of_compose(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    yaml::each_text(value, &mut |_, text| names.extend(interpolated(text)));
    for service in entries(value, "services") {
        let given = [&["environment"][..], &["build", "args"]].into_iter().filter_map(|path| yaml::at(service, path));
        let alone = given.flat_map(yaml::assignments).filter(|(_, value)| value.is_none());
        names.extend(alone.map(|(name, _)| name));
    }
    for kind in ["secrets", "configs"] {
        names.extend(entries(value, kind).filter_map(|entry| yaml::text(entry, &["environment"])));
    }
    names
}

fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    yaml::at(value, &[key]).and_then(Value::as_mapping).into_iter().flat_map(|map| map.values())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && name_of(text) == text
}

/// The name of a variable that a text begins with; empty if it begins with none.
pub(super) fn name_of(text: &str) -> &str {
    let is_begun = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let length = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    if is_begun { &text[..length] } else { "" }
}

/// Names in `$NAME` and `${NAME…}`; `$$` is an escaped dollar.
pub(super) fn interpolated(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        names.insert(name_of(rest.strip_prefix('{').unwrap_or(rest)).to_owned());
    }
    names.remove("");
    names
}

/// Keeps their values out of everything that is printed.
pub(crate) fn guard(passed: &Passed) {
    use crate::redact;
    let is_plain = |name: &str| name == env_file::DOMAIN || EVERYWHERE.contains(&name);
    for (name, value) in passed.iter().filter(|(name, _)| !is_plain(name)) {
        let value = value.to_string_lossy();
        // A short value that is not a secret by its name is a tag or a port, and must differ visibly from others.
        if redact::is_secret(name) { redact::guard_named(&value) } else { redact::guard(&value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: BTreeSet<String>) -> Vec<String> {
        names.into_iter().collect()
    }

    #[test]
    fn variables_are_found_in_all_their_spellings() {
        assert_eq!(list(interpolated("a: $A ${B:-x} ${C?y} $$NOT ${D} $1 $")), ["A", "B", "C", "D"]);
    }

    #[test]
    fn a_compose_file_names_variables_in_five_places() {
        let text = "
services:
  a:
    image: x:${TAG:-1}   # ${COMMENT}
    environment: [BARE, SET=1, 'MIXED=${INNER}']
    build: { args: { ARG: , OTHER: 2 } }
  b:
    environment: { NULL_ONE: , B: '', dotted.name: }
secrets: { t: { environment: SECRET }, f: { file: './${FOLDER}/t' } }
configs: { c: { environment: CONFIG } }
";
        let names = of_compose(&yaml::from_text(text).unwrap());
        assert_eq!(
            list(names),
            ["ARG", "BARE", "CONFIG", "FOLDER", "INNER", "NULL_ONE", "SECRET", "TAG", "dotted.name"]
        );
    }
}
