//! The passwords of a deployment: what its files call by a name of secrets must not show, wherever it turns up.

use std::collections::BTreeSet;

use super::compose::words;
use super::found::Found;
use super::yaml::{self, Value};
use crate::answer::redact::{self, REDACTED, SHORTEST, is_secret};
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::{Deployment, path};
use crate::os::files;

/// Values to hide, the longest first.
#[derive(Debug, Default)]
pub(crate) struct Hidden(Vec<String>);

impl Hidden {
    /// Those in `.env` and in the compose files, and the lines of the private keys.
    pub(crate) fn of(deployment: &Deployment, env: Option<&EnvFile>, found: &Found) -> Self {
        let mut values = BTreeSet::new();
        if let Some(env) = env {
            for name in env.keys().iter().filter(|name| is_secret(name) && !ours(name)) {
                values.extend(env.get(name));
            }
        }
        for file in [found.main.as_ref(), found.over.as_ref()].into_iter().flatten() {
            if let Ok(value) = &file.value {
                collect(value, &mut values);
            }
        }
        // Names that answers must be able to say. Whoever has `postgres` for a password has hidden nothing.
        let services = found.service_names();
        let domain = env.and_then(|env| env.get(env_file::DOMAIN)).unwrap_or_default();
        values.retain(|value| !services.contains(value) && value.trim() != domain.trim());
        values.extend(key_lines(deployment));
        Self::new(values)
    }

    fn new(values: BTreeSet<String>) -> Self {
        let parts = values.iter().flat_map(|value| value.lines()).map(|line| line.trim().to_owned());
        let worth =
            |value: &String| value.len() >= SHORTEST && !value.starts_with('$') && !is_path(value) && !is_plain(value);
        let mut all: Vec<String> = parts.filter(worth).collect();
        // Inside JSON they are spelt with escapes.
        let escaped: Vec<String> = all.iter().map(|value| value.replace('\\', "\\\\").replace('"', "\\\"")).collect();
        all.extend(escaped);
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        Self(all)
    }

    /// Keeps them out of this process's answer, too.
    pub(crate) fn guard(&self) {
        for value in &self.0 {
            redact::guard_named(value);
        }
    }

    /// A text without them.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, value| {
            if text.contains(value.as_str()) { text.replace(value.as_str(), REDACTED) } else { text }
        })
    }
}

/// The base64 lines of the private keys in `data`, but those that certificates have, too: a line of a key may be
/// nothing but its public half.
fn key_lines(deployment: &Deployment) -> Vec<String> {
    let entries = std::fs::read_dir(deployment.path(path::DATA)).into_iter().flatten().flatten();
    let names: Vec<String> = entries.take(200).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let read = |kind: &str| -> String {
        let names = names.iter().filter(|name| name.contains(kind));
        // What cannot be read here nobody prints who reads the same file.
        names
            .filter_map(|name| files::read_text(deployment, &format!("{}/{name}", path::DATA)).ok().flatten())
            .collect()
    };
    let (keys, public) = (read(".key"), read(".crt"));
    let lines = keys.lines().map(str::trim).filter(|line| line.len() >= 8 && !line.starts_with("---"));
    lines.filter(|line| !public.contains(line)).take(500).map(str::to_owned).collect()
}

/// Written by the helper, and no secret.
fn ours(name: &str) -> bool {
    [env_file::DOMAIN, env_file::CONFIG_HASH, env_file::TOKEN_FINGERPRINT].contains(&name)
}

/// Where a secret lies is none; base64 may begin like a path.
fn is_path(value: &str) -> bool {
    value.starts_with('/') && value.len() < 60 && !value.contains(['+', '='])
}

/// A switch is no secret.
fn is_plain(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "none")
}

/// Values behind a secret's name: keys of maps, `NAME=value` in lists, flags of a command.
fn collect(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Mapping(map) => {
            for (key, value) in map {
                let key = yaml::scalar(key).unwrap_or_default();
                match yaml::scalar(value) {
                    Some(text) if is_secret(&key) && !text.starts_with('$') => {
                        into.insert(text);
                    }
                    _ if matches!(key.as_str(), "command" | "entrypoint") => flags(&words(value), into),
                    _ => collect(value, into),
                }
            }
        }
        Value::Sequence(list) => {
            for item in list {
                match item.as_str().and_then(|text| text.split_once('=')) {
                    Some((name, value)) if is_secret(name) => {
                        into.insert(value.to_owned());
                    }
                    _ => collect(item, into),
                }
            }
        }
        Value::Tagged(tagged) => collect(&tagged.value, into),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn flags(words: &[String], into: &mut BTreeSet<String>) {
    for (at, word) in words.iter().enumerate() {
        match word.split_once('=') {
            Some((flag, value)) if is_secret(flag) => {
                into.insert(value.to_owned());
            }
            None if word.starts_with('-') && is_secret(word) => {
                into.extend(words.get(at + 1).cloned());
            }
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_their_names_and_nothing_else_is() {
        let text = r#"
services:
  db:
    image: postgres:16
    environment: { POSTGRES_PASSWORD: "pa\"ss", POSTGRES_USER: someone }
    command: ["serve", "--api-key", "flagged", "--auth=joined", "--token-file", "/run/x"]
    secrets: [tunnel_token]
  app:
    environment: [DB_PASS=listed, "MODE=open", "TOKEN=${TOKEN}"]
    x-settings:
      password: |
        first line
        second line
secrets:
  tunnel_token: { environment: TUNNEL_TOKEN }
"#;
        let mut values = BTreeSet::new();
        collect(&yaml::from_text(text).unwrap(), &mut values);
        let mut hidden = Hidden::new(values).0;
        hidden.sort();
        let mut expected = ["pa\"ss", "pa\\\"ss", "flagged", "joined", "listed", "first line", "second line"];
        expected.sort_unstable();
        assert_eq!(hidden, expected);
    }

    #[test]
    fn hidden_values_go_wherever_they_stand() {
        let hidden = Hidden::new(BTreeSet::from(["abcd".to_owned(), "abcdef".to_owned(), "no".to_owned()]));
        assert_eq!(hidden.clean("abcdef abcd no"), "[redacted] [redacted] no");
    }
}
