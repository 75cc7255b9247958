//! Asks Compose for the resolved files: its own merge, interpolation, `extends`, `include` and `env_file`.

use std::time::Duration;

use super::environment;
use super::found::Found;
use super::merge;
use crate::answer::{Finding, Subject};
use crate::caller::Caller;
use crate::config::yaml::{self, Value};
use crate::deployment::{Deployment, path};
use crate::engine::client::Docker;
use crate::os::process::Output;
use crate::redact::names;
use crate::rules::{self, RuleId};

/// Reading a few files takes a fifth of a second.
const LIMIT: Duration = Duration::from_secs(5);
/// Largest model that is taken, in bytes.
const LARGEST: usize = 4 << 20;

#[derive(Debug)]
pub(crate) enum Asked {
    /// What the services get is known.
    Resolved,
    /// It refuses the files, so that nothing can be started.
    Refused(Box<Finding>),
    /// It could not be asked: why.
    Unasked(String),
}

/// Asks Compose, and puts what it says in place of what the files say. Their secrets are known to the redactor by now;
/// those of the variables that are handed on are made known before it runs.
pub(crate) fn resolve(found: &mut Found, deployment: &Deployment, caller: &Caller) -> Asked {
    let passed = environment::passed(deployment, found, caller);
    environment::guard(&passed);
    found.merge(passed.iter().map(|(name, value)| (name.clone(), value.to_string_lossy().into_owned())).collect());
    found.read_ingress(deployment);
    if found.main.is_none() {
        return Asked::Unasked("there is no compose file".into());
    }
    let Some(docker) = Docker::find(deployment.root(), passed, false) else {
        return Asked::Unasked("docker is not installed".into());
    };
    let output = match docker.ask(&["compose", "--profile", "*", "config", "--format", "json"], LIMIT) {
        Ok(output) => output,
        Err(error) => return Asked::Unasked(error.to_string()),
    };
    if output.timed_out {
        return Asked::Unasked(format!("docker compose config did not answer within {} s", LIMIT.as_secs()));
    }
    // Compose's own codes for files that it cannot open, and for files that it cannot use.
    if matches!(output.code, Some(14 | 15)) {
        return Asked::Refused(Box::new(refusal(&output, found, deployment)));
    }
    if !output.success {
        return Asked::Unasked("docker compose config failed".into());
    }
    if output.stdout.len() > LARGEST {
        return Asked::Unasked("docker compose config printed more than 4 MB".into());
    }
    match serde_json::from_slice::<Value>(&output.stdout) {
        Ok(tree) if yaml::at(&tree, &["services"]).is_some() => {
            found.resolved(plain(tree));
            found.read_ingress(deployment);
            Asked::Resolved
        }
        Ok(_) | Err(_) => Asked::Unasked("docker compose config did not print a model".into()),
    }
}

/// `config` doubles every `$`, so that its output could be read again.
fn plain(value: Value) -> Value {
    merge::interpolate(value, &|text| Some(text.replace("$$", "$")))
}

fn refusal(output: &Output, found: &Found, deployment: &Deployment) -> Finding {
    let main = found.main.as_ref().map_or(path::COMPOSE, |main| main.name.as_str());
    let finding = rules::finding(RuleId::ComposeConfigInvalid);
    let root = deployment.root().to_string_lossy();
    let lines = output.stderr.lines().filter(|line| !line.starts_with("time="));
    let said = lines.filter_map(|line| shown(line, &root)).next();
    finding.about(Subject::file(main)).with(said.unwrap_or_else(|| "Compose refuses the files".into()))
}

/// Words of Compose's errors about files; between them are names, paths and values of the person's.
const KNOWN: [&str; 16] = [
    "Additional property",
    "dependency cycle detected",
    "unsupported env_file format",
    "cannot extend service",
    "depends on undefined service",
    "did not find expected",
    "has neither an image nor a build context",
    "invalid interpolation format",
    "must be a",
    "mutually exclusive",
    "no such file or directory",
    "not found",
    "refers to undefined",
    "required variable",
    "unterminated",
    "yaml:",
];

/// A line of Compose's, as far as it can be shown: names and paths, no values. `None` for one that is not known.
fn shown(line: &str, root: &str) -> Option<String> {
    if !KNOWN.iter().any(|known| line.contains(known)) {
        return None;
    }
    // The person's own words, or the value itself, come behind this.
    let line = line.split(" is missing a value").next().unwrap_or_default();
    let line = line.replace(&format!("{root}/"), "");
    let words = line.split(' ').map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_plain = bare.is_empty()
            || bare.len() <= 100 && bare.split(['/', '.']).all(|part| part.is_empty() || names::is_valid(part));
        if is_plain { word } else { "…" }
    });
    Some(words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_without_values() {
        for (line, expected) in [
            (
                "env file /d/a.env not found: stat /d/a.env: no such file or directory",
                Some("env file a.env not found: stat a.env: no such file or directory"),
            ),
            (
                "validating /d/docker-compose.yaml: services.a Additional property foo is not allowed",
                Some("validating docker-compose.yaml: services.a Additional property foo is not allowed"),
            ),
            (
                "error while interpolating services.a.image: required variable X is missing a value: hunter2",
                Some("error while interpolating services.a.image: required variable X"),
            ),
            (
                "yaml: line 3: did not find expected key \"p@ss;word\"",
                Some("yaml: line 3: did not find expected key …"),
            ),
            (
                "service \"a\" refers to undefined network n: invalid compose project",
                Some("service \"a\" refers to undefined network n: invalid compose project"),
            ),
            ("dependency cycle detected: a -> b -> a", Some("dependency cycle detected: a -> b -> a")),
            ("${SECRET", None),
        ] {
            assert_eq!(shown(line, "/d").as_deref(), expected);
        }
    }

    #[test]
    fn doubled_dollars_are_single_ones() {
        let tree = serde_json::from_str::<Value>(r#"{"a":["echo","$$HOME"],"b":{"c":"$$$$"}}"#).unwrap();
        assert_eq!(plain(tree), yaml::from_text::<Value>("{a: [echo, $HOME], b: {c: $$}}").unwrap());
    }
}
