//! What a secret is called, and the values behind such names: in settings, in headers, in flags and in the middle of a
//! log line. Also which texts are names at all.

use std::borrow::Cow;

use super::letters::{is_letter, is_name, is_unseen, name_before, name_length};
use super::schemes;
use super::text::REDACTED;
use super::words::{end_of_quoted, is_next_name, is_secret};

/// Replaces a text that should be a name and is not one.
pub(crate) const INVALID_NAME: &str = "<invalid name>";

/// Whether a text is a name that Docker and Compose accept: `[a-zA-Z0-9._-]{1,63}`. No other text from a file goes into
/// a command or an instruction.
pub(crate) fn is_valid(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(is_name)
}

/// A name as it may be shown.
pub(crate) fn shown(text: &str) -> &str {
    if is_valid(text) { text } else { INVALID_NAME }
}

/// The name of a route as it may be shown: a label, or a whole host name.
pub(crate) fn shown_route(text: &str) -> &str {
    if text.len() <= 253 && text.split('.').all(is_valid) { text } else { INVALID_NAME }
}

/// A line of a settings file without its value, if it is called like a secret: the whole rest of the line, whatever is in
/// it. References stay: `${NAME}`.
pub(crate) fn without_setting(line: &str) -> Cow<'_, str> {
    let Some(at) = line.find([':', '=']) else { return Cow::Borrowed(line) };
    let name = line[..at].trim().trim_start_matches(['+', '-', '#', ' ']).trim_start_matches("export ");
    let name = name.trim().trim_matches(['"', '\'']);
    let value = line[at + 1..].trim();
    let is_reference = value.starts_with('$') && !value.contains(":-");
    let stays = value.is_empty() || is_reference || value.starts_with(['{', '[', '#', '|', '>', '&', '*']);
    if stays || !name.chars().all(is_letter) || !is_secret(name) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(format!("{} {REDACTED}", &line[..=at]))
}

/// Replaces the values of secret names, and what follows the schemes of HTTP authentication.
pub(super) fn without_named(text: &str) -> String {
    let text = replaced(text, schemes::credentials(text));
    without_pairs(&without_flags(&without_assigned(&text))).into_owned()
}

/// The values behind secret names in any text: a configuration file of an unknown kind.
pub(crate) fn values(text: &str) -> Vec<String> {
    assigned(text).into_iter().map(|(start, end)| text[start..end].to_owned()).collect()
}

/// A text with ranges replaced. Those that overlap are one: what a first name takes for its value may begin another's.
fn replaced(text: &str, mut ranges: Vec<(usize, usize)>) -> Cow<'_, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    ranges.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end) in ranges {
        if start >= from {
            out.push_str(&text[from..start]);
            out.push_str(REDACTED);
        }
        from = from.max(end);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// Replaces the word behind a flag: `--password X`.
fn without_flags(text: &str) -> Cow<'_, str> {
    let mut ranges = Vec::new();
    for (at, _) in text.match_indices("--") {
        let end = at + 2 + name_length(&text[at + 2..]);
        if text[..at].ends_with('-') || !is_secret(&text[at + 2..end]) {
            continue;
        }
        // In a list the next word has quotes of its own.
        let gap = text[end..].bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b',' | b'\\')).count();
        let start = end + gap;
        let length = text[start..]
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ']'))
            .unwrap_or(text.len() - start);
        let value = &text[start..start + length];
        if gap > 0 && length > 0 && !value.starts_with(['-', '$']) && !value.starts_with("[redacted") {
            ranges.push((start, start + value.trim_end_matches('\\').len()));
        }
    }
    replaced(text, ranges)
}

/// Replaces the other half of pairs: `("x-api-key", "…")`, `(b'x-api-key', b'…')`, `{"name":"x-api-key","value":"…"}`.
fn without_pairs(text: &str) -> Cow<'_, str> {
    let mut ranges = Vec::new();
    for (at, quote) in text.match_indices(['"', '\'']) {
        let name = name_length(&text[at + 1..]);
        let end = at + 1 + name;
        let slashes = text[end..].bytes().take_while(|b| *b == b'\\').count();
        if name == 0 || !text[end + slashes..].starts_with(quote) || !is_secret(&text[at + 1..end]) {
            continue;
        }
        let after = text[end + slashes + 1..].trim_start();
        let Some(after) = after.strip_prefix(',').map(str::trim_start) else { continue };
        let value = match after.trim_start_matches(['\\', '"', '\'']).strip_prefix("value") {
            // What joins `"value"` to its value: quotes, a colon, blanks.
            Some(rest) => {
                rest.trim_start_matches(['\\', '"', '\'']).trim_start().strip_prefix([':', '=']).map(str::trim_start)
            }
            None => Some(after.strip_prefix('b').filter(|rest| rest.starts_with(['"', '\''])).unwrap_or(after)),
        };
        let Some(value) = value else { continue };
        let slashes = value.bytes().take_while(|b| *b == b'\\').count();
        if !value[slashes..].starts_with(['"', '\'']) {
            continue;
        }
        let opening = &value[..=slashes];
        let value = &value[opening.len()..];
        let length = end_of_quoted(value, opening);
        // `["--password", "--host"]`, `["password", "token"]`: names again.
        if length > 0 && !value.starts_with(REDACTED) && !value.starts_with('-') && !is_next_name(&value[..length]) {
            let start = value.as_ptr() as usize - text.as_ptr() as usize;
            ranges.push((start, start + length));
        }
    }
    replaced(text, ranges)
}

/// Replaces the value of `password=…`, `"cookie":"…"`, `X-Auth-Token: …` and the like, also where the quotes of JSON
/// inside of JSON have backslashes.
fn without_assigned(text: &str) -> Cow<'_, str> {
    replaced(text, assigned(text))
}

/// Byte ranges of the values behind secret names.
fn assigned(text: &str) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    for (at, sign) in text.match_indices(['=', ':']) {
        let before = text[..at].trim_end_matches(['\\', '"', '\'']);
        let quoted = before.len() < at;
        let before = if sign == "=" || text[at..].starts_with(":=") { before.trim_end_matches(' ') } else { before };
        let before = before.trim_end_matches(['"', '\'']);
        let name = name_before(before);
        let front = &before[..before.len() - name.len()];
        if !is_secret(name) {
            continue;
        }
        // `=>` of Ruby and PHP, `:=` of Go and make.
        let operator = text[at + 1..].starts_with(['>', '=']) && !text[at + 1..].starts_with("==");
        let assigned = quoted || sign == "=" || operator;
        // The message of an error begins behind a path, too: `/run/secrets/tunnel_token: permission denied`.
        if !assigned && front.ends_with('/') {
            continue;
        }
        if let Some((start, end)) = value(text, at + 1 + usize::from(operator), name, assigned) {
            ranges.push((start, end));
        }
    }
    ranges
}

/// The range of the value to remove: from its first byte to behind its last one.
fn value(text: &str, behind: usize, name: &str, assigned: bool) -> Option<(usize, usize)> {
    let rest = &text[behind..];
    let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
    let after = line.trim_start_matches([' ', '\t']);
    // A list, as headers are logged: `"cookie":["…"]`.
    let list = after.strip_prefix('[').map(str::trim_start).filter(|list| list.starts_with(['"', '\'', '\\']));
    // A map as Go prints it: `map[X-Api-Key:[…] Accept:[*/*]]`.
    let printed = line.strip_prefix('[').filter(|_| list.is_none() && !assigned && !line.starts_with(REDACTED));
    let after = list.or(printed).unwrap_or(after);
    let slashes = after.bytes().take_while(|b| *b == b'\\').count();
    let opening = if after[slashes..].starts_with(['"', '\'']) { &after[..=slashes] } else { "" };
    let value = &after[opening.len()..];
    let name = name.to_ascii_lowercase();
    // A name of which letters are lost may have been any of them.
    let is_broken = name.contains(is_unseen);
    let is_cookie = name.ends_with("cookie") && !name.ends_with("set-cookie") || is_broken && assigned;
    let is_authorization = name.ends_with("authorization") || is_broken;
    let length = if list.is_some() {
        let inside = &value[..value.find(']').unwrap_or(value.len())];
        inside.rfind(['"', '\'']).map_or(inside.len(), |end| inside[..end].trim_end_matches('\\').len())
    } else if printed.is_some() {
        value.find(']').unwrap_or(value.len())
    } else if !(opening.is_empty() || name.ends_with("set-cookie") && value.contains(';')) {
        end_of_quoted(value, opening)
    } else if is_cookie {
        cookies(value, assigned)
    } else if is_authorization && !assigned {
        value.len()
    } else {
        word(value)
    };
    let found = &value[..length];
    let lower = found.to_ascii_lowercase();
    let scheme = is_authorization && schemes::is_all(&lower);
    let harmless = is_reference(found)
        || found.bytes().all(|b| b == b'*')
        || opening.is_empty() && found.starts_with(['{', '#'])
        || opening.is_empty() && found.starts_with('[') && !found.starts_with(REDACTED)
        || [REDACTED, "true", "false", "null", "none"].contains(&lower.as_str())
        || name.ends_with("pwd") && found.starts_with('/')
        || scheme;
    // Words behind a colon: `invalid token: signature is wrong`. Behind these names they are not a message.
    let strong = ["cookie", "authorization", "api-key", "apikey", "password", "passwd", "passphrase"]
        .iter()
        .any(|end| name.ends_with(end))
        || name.contains('-')
        || is_broken;
    let is_prose = is_prose(found, &value[length..]);
    // Nothing was assigned, and the next header follows.
    let is_header = after.len() < line.len() && found.strip_suffix(':').is_some_and(is_next_name);
    let is_flag = found.strip_prefix("--").is_some_and(is_next_name);
    let is_place = !assigned && name.contains('.') && (!line.starts_with(' ') || name.ends_with(".key"));
    if harmless || is_header || is_flag || is_place || !assigned && !strong && opening.is_empty() && is_prose {
        return None;
    }
    let start = behind + (line.len() - value.len());
    Some((start, start + length))
}

/// Whether a value is the name of a variable: `$NAME`, `${NAME:-x}`, `$(command)`; `$2b$10$…` is a password.
fn is_reference(value: &str) -> bool {
    value.strip_prefix('$').is_some_and(|name| name.starts_with(['{', '(', '$']) || name.bytes().all(is_name))
}

/// Whether a word and what follows it are the middle of a sentence.
fn is_prose(word: &str, behind: &str) -> bool {
    let next = behind.strip_prefix(' ').and_then(|more| more.split(' ').next()).unwrap_or_default();
    word.bytes().all(|b| b.is_ascii_alphabetic())
        && next.starts_with(|c: char| c.is_ascii_alphabetic())
        && !next.contains('=')
}

/// Up to the end of a header with cookies: its line, the quote around it, or, in `cookie=…`, the last pair.
fn cookies(value: &str, assigned: bool) -> usize {
    let (mut inside, mut last) = (false, ' ');
    for (at, c) in value.char_indices() {
        match c {
            '"' if inside => inside = false,
            '"' if last == '=' => inside = true,
            '"' | '\'' | '\\' if !inside => return before_name(&value[..at]),
            ' ' if assigned && !inside && last != ';' => return at,
            _ => {}
        }
        last = c;
    }
    value.len()
}

/// Up to the name that a text ends with, where a sign of assignment is behind it: the quote that follows opens its value.
fn before_name(text: &str) -> usize {
    let Some(named) = text.trim_end_matches([' ', '\t']).strip_suffix([':', '=']) else { return text.len() };
    let named = named.trim_end_matches([' ', '\t']);
    let length = named.chars().rev().take_while(|c| is_letter(*c)).map(char::len_utf8).sum::<usize>();
    if length == 0 { text.len() } else { named.len() - length }
}

/// Up to the end of a value without quotes. A comma, a semicolon or an ampersand ends it where another assignment, or
/// nothing, follows; elsewhere it is a part of the value.
fn word(value: &str) -> usize {
    let escape =
        |at: usize| value[at + 1..].chars().next().is_none_or(|c| matches!(c, 'n' | 'r' | 't' | '"' | '\'' | '\\'));
    let end =
        value.char_indices().find(|(at, c)| c.is_whitespace() || matches!(c, '"' | '\'') || *c == '\\' && escape(*at));
    let text = &value[..end.map_or(value.len(), |(at, _)| at)];
    let separator = text.match_indices([',', ';', '&']).find(|(at, _)| {
        let more = &text[at + 1..];
        let name = more.bytes().take_while(|b| is_name(*b)).count();
        more.is_empty() || name > 0 && more[name..].starts_with(['=', ':'])
    });
    let text = separator.map_or(text, |(at, _)| &text[..at]);
    if text == REDACTED { text.len() } else { text.trim_end_matches([')', '}', ']', ',', ';']).len() }
}

#[cfg(test)]
mod tests {
    use super::super::words::is_harmless;
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "DB_PASSWORD",
            "dbPass",
            "ENCRYPTION_KEY",
            "JWT_KEY",
            "STRIPE_KEY",
            "AZURE_STORAGE_KEY",
            "GH_PAT",
            "CONNECTION_STRING",
            "OTP_SEED",
            "SENTRY_DSN",
            "SMTP_PW",
            "MOT_DE_PASSE",
            "X-Api-Key",
            "accountKey",
            "AccountKey",
            "DB_PASSWORT",
            "DEPLOY_KEY",
            "x-functions-key",
            "WIFI_PSK",
            "CARD_PIN",
            "REFRESH_TOKENS",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "key",
            "monkey",
            "COMPAT",
            "public_key",
            "primaryKey",
            "max_tokens",
            "TUNNEL_TOKEN_FILE",
            "tls.key",
            "ca.key",
            "SPIN",
            "keys",
            "PATH",
            "token_type",
            "bypass",
            "idempotency-key",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn names_that_say_nothing_of_a_secret() {
        for name in ["TZ", "LOG_LEVEL", "POSTGRES_USER", "PORT", "NODE_ENV", "LC_ALL", "TUNNEL_TOKEN_FILE", "dbHost"] {
            assert!(is_harmless(name), "{name}");
        }
        for name in
            ["DATABASE_URL", "FOO", "HTTP_PROXY", "API_KEY", "SESSION", "JAVA_OPTS", "key_password_file_key", ""]
        {
            assert!(!is_harmless(name), "{name}");
        }
    }

    #[test]
    fn a_name_is_what_docker_takes_for_one() {
        assert_eq!((shown("my-server_1.x"), shown("a b"), shown("")), ("my-server_1.x", INVALID_NAME, INVALID_NAME));
        assert_eq!(
            (shown(&"a".repeat(64)), shown("\u{202e}x"), shown("a\n")),
            (INVALID_NAME, INVALID_NAME, INVALID_NAME)
        );
    }

    #[test]
    fn values_in_all_spellings_go() {
        for (said, shown) in [
            ("Authorization: Bearer  9f1c2b7de04a y", "Authorization: Bearer  [redacted] y"),
            ("authorization=Bearer\t9f1c2b7de04a", "authorization=Bearer\t[redacted]"),
            ("[(b'x-api-key', b'9f1c2b7d'), (b'host', b'x')]", "[(b'x-api-key', b'[redacted]'), (b'host', b'x')]"),
            ("(\"x-api-key\", \"9f1c\")", "(\"x-api-key\", \"[redacted]\")"),
            ("map[X-Api-Key:[9f1c2b7d] Accept:[*/*]]", "map[X-Api-Key:[[redacted]] Accept:[*/*]]"),
            (r#"{"name":"x-api-key","value":"9f1c"}"#, r#"{"name":"x-api-key","value":"[redacted]"}"#),
            (
                r#"{\"name\": \"x-api-key\", \"value\": \"9f1c\"}"#,
                r#"{\"name\": \"x-api-key\", \"value\": \"[redacted]\"}"#,
            ),
            ("serve --password hunter2 --port 80", "serve --password [redacted] --port 80"),
            (r#"["serve", "--api-key", "flagged", "--port"]"#, r#"["serve", "--api-key", "[redacted]", "--port"]"#),
            ("TUNNEL_TOKEN= --password hunter2 run", "TUNNEL_TOKEN= --password [redacted] run"),
            ("Cookie: a=b; sid=c token: 'hunter2' x", "Cookie: [redacted]token: '[redacted]' x"),
            (
                "password=$2b$10$abcdefghij password=$DB_PASS token=***",
                "password=[redacted] password=$DB_PASS token=***",
            ),
            ("password => hunter2", "password => [redacted]"),
            ("password := \"hunter2\"", "password := \"[redacted]\""),
            ("\"password\" => \"hunter2\",", "\"password\" => \"[redacted]\","),
            ("ENCRYPTION_KEY=0123deadbeef", "ENCRYPTION_KEY=[redacted]"),
            ("open data/ca.key: permission denied", "open data/ca.key: permission denied"),
            ("basic auth is off", "basic auth is off"),
        ] {
            assert_eq!(without_named(said), shown, "{said}");
        }
    }
}
