//! A settings file as a support bundle shows it: its structure, images and the like, and of variables, arguments, labels
//! and flags only those that are known to be harmless.

use crate::config::compose::words;
use crate::config::yaml::{self, Value};
use crate::deployment::Upstream;
use crate::redact::{REDACTED, foreign};
use crate::redact::{is_drawn, is_harmless, is_secret};

/// Keys whose values are a person's own: names of variables, build arguments, labels.
const NAMED: [&str; 6] = ["environment", "args", "labels", "annotations", "driver_opts", "options"];
/// Keys that hold a command line.
const COMMANDS: [&str; 4] = ["command", "entrypoint", "test", "post_start"];
/// Keys that hold whole files: any line of them may have a secret in it.
const FILES: [&str; 2] = ["content", "dockerfile_inline"];
/// Flags of cloudflared, the proxy and Python whose values say nothing of a secret, besides harmless names.
const FLAGS: [&str; 8] =
    ["url", "metrics", "loglevel", "no-autoupdate", "edge-ip-version", "config", "grace-period", "m"];

/// A file as it is shown. Comments are left out: anything may be in them.
pub(super) fn settings(text: &str) -> String {
    let parsed = yaml::from_text::<Value>(text).ok().and_then(|mut value| {
        value.apply_merge().ok()?;
        clean(&mut value, false);
        yaml::to_text(&value).ok()
    });
    parsed.unwrap_or_else(|| broken(text))
}

/// Replaces what may be a secret. `named` where the keys are a person's own.
fn clean(value: &mut Value, named: bool) {
    match value {
        Value::Mapping(map) => {
            let entries = std::mem::take(map);
            for (key, mut value) in entries {
                let name = yaml::scalar(&key).unwrap_or_default();
                if FILES.contains(&name.as_str()) && value.is_string() {
                    value = Value::String(REDACTED.to_owned());
                } else if COMMANDS.contains(&name.as_str()) && !matches!(value, Value::Mapping(_)) {
                    value = command(&value);
                } else if NAMED.contains(&name.as_str()) || name.starts_with("x-") {
                    clean(&mut value, true);
                } else if name == "routes" {
                    routes(&mut value);
                } else if let Some(text) = yaml::scalar(&value) {
                    value = shown(&name, &text, named).map_or(value, Value::String);
                } else {
                    clean(&mut value, named);
                }
                map.insert(Value::String(foreign(&name)), value);
            }
        }
        Value::Sequence(items) => {
            for item in items {
                match item.as_str().and_then(|text| text.split_once('=')) {
                    Some((name, text)) => {
                        let text = shown(name, text, named).unwrap_or_else(|| text.to_owned());
                        *item = Value::String(format!("{}={text}", foreign(name)));
                    }
                    None => clean(item, named),
                }
            }
        }
        Value::Tagged(tagged) => clean(&mut tagged.value, named),
        Value::String(text) => *text = if named { REDACTED.to_owned() } else { foreign(text) },
        Value::Number(_) if named => *value = Value::String(REDACTED.to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The value behind a name as it is shown, where that is not as it is written.
fn shown(name: &str, text: &str, named: bool) -> Option<String> {
    if is_reference(text) || matches!(text, "" | "true" | "false") {
        return None;
    }
    let hidden = is_secret(name) || named && !is_harmless(name);
    Some(if hidden { REDACTED.to_owned() } else { foreign(text) }).filter(|shown| shown != text)
}

/// `${NAME}`, without a default.
fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).or_else(|| text.strip_prefix('$'));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// A command line, word by word: the value of a flag is shown where the flag is harmless.
fn command(value: &Value) -> Value {
    let mut out = Vec::new();
    let mut behind: Option<bool> = None;
    // A shell's line may be one item of a list.
    let words: Vec<String> =
        words(value).iter().flat_map(|word| word.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    for word in words {
        let harmless = |flag: &str| {
            let flag = flag.trim_start_matches('-');
            FLAGS.contains(&flag) || is_harmless(flag)
        };
        let text = match (word.split_once('='), behind.take()) {
            (Some((flag, text)), _) if flag.starts_with('-') || !flag.contains(char::is_whitespace) => {
                let text = if harmless(flag) || is_reference(text) { foreign(text) } else { REDACTED.to_owned() };
                format!("{}={text}", foreign(flag))
            }
            (_, _) if word.starts_with("--") => {
                behind = Some(harmless(&word));
                foreign(&word)
            }
            // `-pSECRET` and `-p SECRET`; `-config FILE`.
            (_, _) if word.starts_with('-') && word.len() > 1 => {
                behind = Some(harmless(&word));
                if word.len() == 2 || harmless(&word) {
                    foreign(&word)
                } else {
                    format!("{}{REDACTED}", foreign(&word[..1]))
                }
            }
            (_, Some(false)) if !is_reference(&word) => REDACTED.to_owned(),
            // An operand whose place says nothing.
            (_, _) if is_drawn(&word, 16) => REDACTED.to_owned(),
            (_, _) => foreign(&word),
        };
        out.push(Value::String(text));
    }
    Value::Sequence(out)
}

/// Routes: what is an upstream, and nothing else.
fn routes(value: &mut Value) {
    let Value::Mapping(map) = value else { return clean(value, true) };
    for (_, url) in map.iter_mut() {
        let text = yaml::scalar(url).unwrap_or_default();
        *url = Value::String(Upstream::shown(&text));
    }
}

/// A file that is not YAML: its keys, and the values of those that are Compose's own and hold no secret.
fn broken(text: &str) -> String {
    const PLAIN: [&str; 8] =
        ["image", "container_name", "network_mode", "restart", "user", "name", "listen_addr", "tunnel_domain"];
    let mut out = String::from("# not readable as YAML: keys only\n");
    for line in text.lines().take(2000) {
        let content = line.trim_start_matches([' ', '-']);
        let indent = &line[..line.len() - content.len()];
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let (key, value) = content.split_once(':').map_or(("", content), |(key, value)| (key, value.trim()));
        let is_key =
            !key.is_empty() && key.len() <= 63 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        let shown = match (is_key, value) {
            (true, "") => format!("{key}:"),
            (true, value) if PLAIN.contains(&key) => format!("{key}: {}", foreign(value)),
            (true, _) => format!("{key}: {REDACTED}"),
            (false, _) => REDACTED.to_owned(),
        };
        out.push_str(&foreign(indent));
        out.push_str(&shown);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_unless_their_names_are_harmless() {
        let text = r#"
# password: in a comment
x-env: &env { ENCRYPTION_KEY: anchor-secret }
services:
  db:
    image: postgres:16
    environment: { <<: *env, SESSION: map-secret, POSTGRES_USER: someone, NUMBER: 1234, ON: true, URL: "${URL}", D: "${D:-default-secret}" }
    command: ["serve", "--requirepass", "flag-secret", "--port", "80", "-pshort-secret", "--opt=joined-secret", "--url", "http://x:1"]
    labels: ["com.example.thing=label-secret", "com.example.version=7"]
    build: { context: ., args: [PIP_INDEX=arg-secret, TZ=UTC] }
    healthcheck: { test: ["CMD-SHELL", "mysqladmin ping -pjoined-secret || redis-cli -a 'apart-secret' ping"] }
  app:
    build: { dockerfile_inline: "FROM x\nENV A inline-secret" }
    command: redis-server --requirepass words-secret k7q2mx9vd4t8bhw3secret
configs:
  ini: { content: "[db]\nkey = content-secret" }
routes:
  wiki: http://u:url-secret@wiki:80
  echo: http://hello-mcp:9000
"#;
        let shown = settings(text);
        assert!(!shown.contains("secret") && !shown.contains("1234") && !shown.contains("password"), "{shown}");
        for stays in [
            "postgres:16",
            "POSTGRES_USER: someone",
            "TZ=UTC",
            "version=7",
            "http://hello-mcp:9000",
            "${URL}",
            "'80'",
            "ON: true",
        ] {
            assert!(shown.contains(stays), "{stays}: {shown}");
        }
    }

    #[test]
    fn of_a_broken_file_the_keys_are_shown() {
        let shown = settings(
            "services:\n  db:\n    image: postgres:16\n    environment: [A=secret\n      - B=secret\n    x: {secret\n",
        );
        assert!(shown.contains("image: postgres:16") && shown.contains("    environment: [redacted]"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
