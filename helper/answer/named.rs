//! What is called a secret, and the values behind such names: in settings, in headers and in the middle of a log line.

use super::redact::{REDACTED, redact};

/// Whether a variable, a key, a header or a flag is called like something that must not be shown.
pub(crate) fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(|c| !matches!(c, '_' | '-' | '.')).map(|c| c.to_ascii_uppercase()).collect();
    let parts = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "ACCESSKEY", "CREDENTIAL"];
    let endings = ["PASS", "PW", "PWD", "PRIVATEKEY", "AUTH", "AUTHORIZATION", "COOKIE"];
    // Places, kinds and numbers of secrets.
    let others = ["FILE", "PATH", "TYPE", "COUNT", "NAME", "FINGERPRINT", "SECRETS", "BYPASS", "COMPASS"];
    let counted = name.ends_with("TOKENS")
        && !["API", "ACCESS", "AUTH", "REFRESH"].iter().any(|kind| name.ends_with(&format!("{kind}TOKENS")));
    !counted
        && !others.iter().any(|ending| name.ends_with(ending))
        && (parts.iter().any(|part| name.contains(part)) || endings.iter().any(|ending| name.ends_with(ending)))
}

/// A person's settings: besides tokens and keys, the values of variables that are called like secrets.
pub(crate) fn settings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let secret = line.find([':', '=']).filter(|at| {
            let name = line[..*at].trim_matches(['+', '-', ' ', '"', '\'']);
            let value = line[at + 1..].trim();
            !value.is_empty()
                && !value.starts_with(['$', '{', '[', '#'])
                && name.bytes().all(is_name)
                && is_secret(name)
        });
        match secret {
            Some(at) => out.push_str(&format!("{} {REDACTED}\n", &line[..=at])),
            None => out.push_str(line),
        }
    }
    without_header_secrets(&redact(&out))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Replaces the word behind `Bearer`, `Basic` and the beginnings of well-known keys, and the values behind secret
/// names.
pub(crate) fn without_header_secrets(text: &str) -> String {
    let mut out = text.to_owned();
    for word in ["bearer ", "basic ", "sk-ant-", "ghp_", "github_pat_", "glpat-"] {
        let lower = out.to_ascii_lowercase();
        if !lower.contains(word) {
            continue;
        }
        let mut clean = String::with_capacity(out.len());
        let mut from = 0;
        for (at, _) in lower.match_indices(word) {
            let start = at + word.len();
            if start < from {
                continue;
            }
            let end = out[start..].find([' ', '"', '\'', ',', ';', '\n', '\r']).map_or(out.len(), |end| start + end);
            let keyword = matches!(&lower[start..end], "bearer" | "basic" | "auth");
            if end > start && !keyword && &out[start..end] != REDACTED {
                clean.push_str(&out[from..start]);
                clean.push_str(REDACTED);
                from = end;
            }
        }
        clean.push_str(&out[from..]);
        out = clean;
    }
    without_assigned_secrets(&out)
}

/// Replaces the value of `password=…`, `"cookie":"…"`, `X-Auth-Token: …` and the like, also where the quotes of JSON
/// inside of JSON have backslashes.
fn without_assigned_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, sign) in text.match_indices(['=', ':']) {
        if at < from {
            continue;
        }
        let before = text[..at].trim_end_matches(['\\', '"', '\'']);
        let quoted = before.len() < at;
        let before = if sign == "=" { before.strip_suffix(' ').unwrap_or(before) } else { before };
        // Longer than any name: what is in front of it is of no interest.
        let length = before.bytes().rev().take(200).take_while(|b| is_name(*b)).count();
        let (front, name) = before.split_at(before.len() - length);
        if !is_secret(name) {
            continue;
        }
        let assigned = quoted || sign == "=";
        // The message of an error begins behind a path, too: `/run/secrets/tunnel_token: permission denied`.
        if !assigned && front.ends_with('/') {
            continue;
        }
        if let Some((start, end)) = value(text, at + 1, name, assigned) {
            out.push_str(&text[from..start]);
            out.push_str(REDACTED);
            from = end;
        }
    }
    out.push_str(&text[from..]);
    out
}

/// Where the value behind a name stands that must go: from its first byte to behind its last one.
fn value(text: &str, behind: usize, name: &str, assigned: bool) -> Option<(usize, usize)> {
    let rest = &text[behind..];
    let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
    let after = line.trim_start_matches([' ', '\t']);
    // A list, as headers are logged: `"cookie":["…"]`.
    let list = after.strip_prefix('[').map(str::trim_start).filter(|list| list.starts_with(['"', '\'', '\\']));
    let after = list.unwrap_or(after);
    let slashes = after.bytes().take_while(|b| *b == b'\\').count();
    let opening = if after[slashes..].starts_with(['"', '\'']) { &after[..=slashes] } else { "" };
    let value = &after[opening.len()..];
    let name = name.to_ascii_lowercase();
    let is_cookie = name.ends_with("cookie") && !name.ends_with("set-cookie");
    let is_authorization = name.ends_with("authorization");
    let length = if list.is_some() {
        let inside = &value[..value.find(']').unwrap_or(value.len())];
        inside.rfind(['"', '\'']).map_or(inside.len(), |end| inside[..end].trim_end_matches('\\').len())
    } else if !(opening.is_empty() || name.ends_with("set-cookie") && value.contains(';')) {
        closing(value, opening)
    } else if is_cookie {
        cookies(value, assigned)
    } else if is_authorization && !assigned {
        value.len()
    } else {
        word(value)
    };
    let found = &value[..length];
    let lower = found.to_ascii_lowercase();
    let scheme = is_authorization && (lower.starts_with("bearer") || lower.starts_with("basic"));
    let harmless = found.starts_with(['*', '$'])
        || opening.is_empty() && found.starts_with(['{', '#'])
        || opening.is_empty() && found.starts_with('[') && !found.starts_with(REDACTED)
        || ["", REDACTED, "true", "false", "null", "none"].contains(&lower.as_str())
        || name.ends_with("pwd") && found.starts_with('/')
        || scheme;
    // Words behind a colon: `invalid token: signature is wrong`. Behind these names they are no message.
    let strong = ["cookie", "authorization", "api-key", "password", "passwd"].iter().any(|end| name.ends_with(end))
        || name.contains('-');
    let next = value[length..].strip_prefix(' ').and_then(|more| more.split(' ').next()).unwrap_or_default();
    let is_prose = found.bytes().all(|b| b.is_ascii_alphabetic())
        && next.starts_with(|c: char| c.is_ascii_alphabetic())
        && !next.contains('=');
    // Nothing was assigned, and the next header follows.
    let is_header = after.len() < line.len() && found.strip_suffix(':').is_some_and(is_secret);
    let is_place = !assigned && name.contains('.') && !line.starts_with(' ');
    if harmless || is_header || is_place || !assigned && !strong && opening.is_empty() && is_prose {
        return None;
    }
    let start = behind + (line.len() - value.len());
    Some((start, start + length))
}

/// Up to the quote that closes what `opening` opened: as many backslashes, the same quote.
fn closing(value: &str, opening: &str) -> usize {
    let (slashes, quote) = opening.split_at(opening.len() - 1);
    for (at, _) in value.match_indices(quote) {
        let before = value[..at].trim_end_matches('\\');
        if at - before.len() <= slashes.len() {
            return before.len();
        }
    }
    value.len()
}

/// Up to the end of a header with cookies: its line, the quote around it, or, in `cookie=…`, the last pair.
fn cookies(value: &str, assigned: bool) -> usize {
    let (mut inside, mut last) = (false, ' ');
    for (at, c) in value.char_indices() {
        match c {
            '"' if inside => inside = false,
            '"' if last == '=' => inside = true,
            '"' | '\'' | '\\' if !inside => return at,
            ' ' if assigned && !inside && last != ';' => return at,
            _ => {}
        }
        last = c;
    }
    value.len()
}

/// Up to the end of a value without quotes. A comma, a semicolon or an ampersand ends it where another assignment, or
/// nothing, stands behind; elsewhere it is a part of the value.
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
