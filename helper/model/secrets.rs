//! The secrets of a deployment's files, handed to the redactor before anything else reads the files: whatever
//! they turn up in later, a container's last words or an error of Compose, they do not show.

use std::collections::BTreeSet;

use super::merge;
use crate::config::compose::words;
use crate::config::sample;
use crate::config::yaml::{self, Value, at};
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::{Deployment, Token, path};
use crate::os::files::{self, inside};
use crate::redact::known::{self, SHORTEST};
use crate::redact::{is_harmless, is_secret, names};

/// Files that are read for secrets, of each kind.
const MOST: usize = 100;

/// Makes the redactor know the secrets of `.env`, of the compose files, and of every `env_file:`, secret and
/// configuration that they name inside the directory, and the private keys in `data`.
///
/// `compose` are the texts of the compose files and what they say; `services` may be named in answers. What cannot be
/// read is skipped: the checks report what is wrong with a file.
pub(crate) fn learn<'a>(
    deployment: &Deployment,
    compose: impl Iterator<Item = (&'a str, Option<&'a Value>)>,
    services: &BTreeSet<String>,
) {
    let env = EnvFile::new(text_of(deployment, path::ENV).unwrap_or_default());
    // Names that answers must be able to say. A password such as `postgres` is not a secret.
    let domain = env.get(env_file::DOMAIN).unwrap_or_default();
    let keep = |value: &str| {
        if !services.contains(value) && value.trim() != domain.trim() {
            guard(value);
        }
    };
    of_env_file(&env, &mut |value| keep(value));
    let mut values = BTreeSet::new();
    for (text, value) in compose {
        match value {
            Some(value) => {
                collect(value, &mut values);
                of_named_files(deployment, value, &env, &mut values);
            }
            // Nothing is known of a file that is not YAML but what its lines look like.
            None => values.extend(names::values(text)),
        }
    }
    values.iter().for_each(|value| keep(value));
    if let Some(text) = text_of(deployment, path::GATEWAY) {
        learn_settings(&text);
    }
    // A private package index is named with its password.
    for text in sample::BUILD_INPUTS.iter().filter_map(|inside| text_of(deployment, inside)) {
        text.split_whitespace().filter_map(password).for_each(|password| guard(&password));
    }
    keys(deployment);
}

/// Makes the redactor know the secrets of a settings file: upstreams with a password, values behind secret names.
pub(crate) fn learn_settings(text: &str) {
    let mut values = BTreeSet::new();
    match yaml::from_text::<Value>(text) {
        Ok(value) => collect(&value, &mut values),
        Err(_) => values.extend(names::values(text)),
    }
    values.iter().for_each(|value| guard(value));
}

/// Guards a value, and each line of it, with and without its quotes.
fn guard(value: &str) {
    for line in value.lines().map(str::trim) {
        let bare = line.trim_matches(['"', '\'']);
        for text in [line, bare] {
            if text.len() >= SHORTEST && !text.starts_with('$') && !is_path(text) && !is_plain(text) {
                known::guard_named(text);
            }
            // The parts of a token are known with it.
            let _ = Token::is_within(text);
        }
    }
}

/// A file inside the directory as text, read lossily.
fn text_of(deployment: &Deployment, inside: &str) -> Option<String> {
    let bytes = files::read(deployment, inside).ok().flatten()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The values of a file in the format of `.env`: there may be a hundred thousand.
fn of_env_file(env: &EnvFile, take: &mut dyn FnMut(&str)) {
    for (name, value) in env.assignments().filter(|(name, _)| !ours(name)) {
        if is_secret(&name) || known::is_random(&value) && !is_harmless(&name) {
            take(&value);
        }
    }
    // As they are written, quotes and all; and where Compose cannot read the file, its error quotes a line of it.
    let faulty = !env.faults().is_empty();
    for line in String::from_utf8_lossy(env.as_bytes()).lines() {
        let Some((name, value)) = line.split_once(['=', ':']) else { continue };
        let name = name.trim().trim_start_matches("export ").trim();
        if !ours(name) && (is_secret(name) || faulty && !is_harmless(name)) {
            take(value.trim());
        }
    }
}

/// The values of the files that a compose file names: `env_file`, `secrets`, `configs`.
fn of_named_files(deployment: &Deployment, compose: &Value, env: &EnvFile, into: &mut BTreeSet<String>) {
    let env_files = merge::env_files(compose).into_iter().take(MOST);
    for text in env_files.filter_map(|(file, _)| text_of(deployment, &inside(&file)?)) {
        of_env_file(&EnvFile::new(text), &mut |value| into.extend([value.to_owned()]));
    }
    let each = |kind: &str| at(compose, &[kind]).and_then(Value::as_mapping).into_iter().flat_map(|map| map.values());
    for secret in each("secrets").take(MOST) {
        let said = |key: &str| yaml::text(secret, &[key]);
        into.extend(said("environment").and_then(|name| env.get(&name)));
        if let Some(text) = said("file").and_then(|file| text_of(deployment, &inside(&file)?)) {
            guard_key(&text);
            into.insert(text);
        }
    }
    for config in each("configs").take(MOST) {
        let said = |key: &str| yaml::text(config, &[key]);
        let file = said("file").and_then(|file| text_of(deployment, &inside(&file)?));
        for text in [file, said("content")].into_iter().flatten() {
            guard_key(&text);
            into.extend(names::values(&text));
        }
    }
}

/// The private keys in `data`, those of a CA that is being replaced and copies of them too.
fn keys(deployment: &Deployment) {
    let names = files::names(deployment, path::DATA, 2 * MOST).unwrap_or_default();
    for name in names.into_iter().filter(|name| name.contains(".key")) {
        if let Some(text) = text_of(deployment, &format!("{}/{name}", path::DATA)) {
            guard_key(&text);
        }
    }
}

/// The base64 of private keys, without line breaks: a piece of it is recognized at every line length.
fn guard_key(text: &str) {
    let mut body = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("-----") {
            known::guard(&std::mem::take(&mut body));
        } else if !line.contains(':') {
            body.push_str(line);
        }
    }
    // A key that lost its END line.
    if text.contains("PRIVATE KEY-----") {
        known::guard(&body);
    }
}

/// Written by the helper, and no secret.
fn ours(name: &str) -> bool {
    [env_file::DOMAIN, env_file::CONFIG_HASH, env_file::TOKEN_FINGERPRINT].contains(&name)
}

/// A path to a secret is not secret; base64 may start like a path.
fn is_path(value: &str) -> bool {
    value.starts_with('/') && value.len() < 60 && !value.contains(['+', '='])
}

/// A switch is not a secret.
fn is_plain(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "none")
}

/// Takes the value of a variable, a key or a flag, if that is called like a secret or it looks like one.
fn take(name: &str, value: &str, into: &mut BTreeSet<String>) {
    if is_secret(name) || known::is_random(value) && !is_harmless(name) {
        into.insert(value.to_owned());
        // What Compose takes where the variable is not set: `${DB_PASSWORD:-changeme}`.
        into.extend(variables(value).into_iter().map(|(_, default)| default.to_owned()));
    } else {
        // Those of other variables may be secrets by the variable's own name.
        let secret = variables(value).into_iter().filter(|(variable, _)| is_secret(variable));
        into.extend(secret.map(|(_, default)| default.to_owned()));
    }
    into.extend(password(value));
    // What a URL carries behind its path.
    let query = value.split_once("://").and_then(|(_, rest)| rest.split_once('?'));
    let pairs = query.into_iter().flat_map(|(_, query)| query.split('&')).filter_map(|pair| pair.split_once('='));
    into.extend(pairs.map(|(_, value)| value).filter(|value| known::is_random(value)).map(str::to_owned));
}

/// Variables with a default in `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}`.
fn variables(value: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for part in value.split("${").skip(1) {
        let length = part.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let (name, rest) = part.split_at(length);
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        if let Some(default) = rest.strip_prefix(['-', '+']) {
            found.push((name, default.split('}').next().unwrap_or_default()));
        }
    }
    found
}

/// The password in front of a URL's host.
fn password(value: &str) -> Option<String> {
    let (login, _) = value.split_once("://")?.1.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    Some(password.to_owned())
}

/// Values behind names: keys of maps, `NAME=value` in lists, flags of a command.
fn collect(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Mapping(map) => {
            for (key, value) in map {
                let key = yaml::scalar(key).unwrap_or_default();
                match yaml::scalar(value) {
                    Some(text) if !matches!(key.as_str(), "command" | "entrypoint" | "image") => {
                        take(&key, &text, into);
                    }
                    Some(_) | None if matches!(key.as_str(), "command" | "entrypoint") => flags(&words(value), into),
                    Some(_) | None => collect(value, into),
                }
            }
        }
        Value::Sequence(list) => {
            for item in list {
                match item.as_str().and_then(|text| text.split_once('=')) {
                    Some((name, value)) => take(name, value, into),
                    None => collect(item, into),
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
            Some((flag, value)) => take(flag, value, into),
            None if word.starts_with('-') && is_secret(word) => {
                into.extend(words.get(at + 1).cloned());
            }
            None => into.extend(password(word)),
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
    environment: { POSTGRES_PASSWORD: "pa\"ss", POSTGRES_USER: someone, DATABASE_URL: "postgres://u:in-url@db/x" }
    command: ["serve", "--api-key", "flagged", "--auth=joined", "--token-file", "/run/x"]
    secrets: [tunnel_token]
  app:
    environment: [DB_PASS=listed, "MODE=open", "TOKEN=${TOKEN}", "PW=${PW:-defaulted}", "X=${A_KEY-other}"]
    x-settings:
      password: |
        first line
        second line
      SESSION: 9f1c2b7de04a5f6388aa
secrets:
  tunnel_token: { environment: TUNNEL_TOKEN }
"#;
        let mut values = BTreeSet::new();
        collect(&yaml::from_text(text).unwrap(), &mut values);
        let expected = [
            "pa\"ss",
            "in-url",
            "flagged",
            "joined",
            "listed",
            "${TOKEN}",
            "${PW:-defaulted}",
            "defaulted",
            "other",
            "first line\nsecond line\n",
            "9f1c2b7de04a5f6388aa",
        ];
        assert_eq!(values, expected.map(str::to_owned).into());
    }

    #[test]
    fn a_file_that_compose_cannot_read_is_known_line_by_line() {
        let of = |text: &str| {
            let mut values = BTreeSet::new();
            of_env_file(&EnvFile::new(text), &mut |value| values.extend([value.to_owned()]));
            values
        };
        let values = of("TZ=UTC\nA='x'\nB=\"never closed\nC=value of c\n");
        assert!(values.contains("\"never closed") && values.contains("value of c"), "{values:?}");
        assert!(!values.contains("UTC"), "{values:?}");
        let values = of("TZ=UTC\nDB_PASSWORD='it is'\nMODE=open\n");
        assert_eq!(values, ["it is", "'it is'"].map(str::to_owned).into());
    }
}
