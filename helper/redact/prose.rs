//! Secrets with nothing but blanks, or a few words, behind their names: `ENV API_KEY X`, `requirepass X`, `:password "X"`,
//! `invalid token "X"`, `Your API key is: X`.

use super::ends::word;
use super::letters::{LONGEST, QUOTES, closed, is_blank, is_letter, name_length, near, opening};
use super::said::{is_one_of, is_parser, is_sentence};
use super::text::{REDACTED, Range, head, tail};
use super::values::is_reference;
use super::words::is_secret;

/// What stands in front of a name whose value is the next word: in Dockerfiles, shells and web servers.
const SETTERS: &[&str] = &[
    "ENV",
    "ARG",
    "SetEnv",
    "setenv",
    "-x",
    "-gx",
    "-Ux",
    "proxy_set_header",
    "grpc_set_header",
    "fastcgi_param",
    "uwsgi_param",
    "add_header",
    "RequestHeader",
];
/// Names of settings whose value is the next word.
const SETTINGS: &[&str] = &[
    "requirepass",
    "masterauth",
    "bindpw",
    "rootbindpw",
    "rootpw",
    "insecure-password",
    "-storepass",
    "-keypass",
    "-srcstorepass",
    "-deststorepass",
];
/// Words between a name and its value.
const MOST_WORDS: usize = 8;
/// A word with digits is no shorter, in bytes.
const SHORTEST: usize = 6;
/// And no longer: that is a text in which a quote was not closed, in bytes.
const LONGEST_WORD: usize = 512;
/// Longest name, in bytes.
const NAME: usize = 60;

/// The values.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = identified(text);
    let (mut at, mut before) = (0, "");
    while at < text.len() {
        let length = name_length(&text[at..]);
        if length == 0 {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let (name, end) = (&text[at..at + length], at + length);
        let front = tail(&text[..at], NAME);
        let previous = if front.ends_with(is_blank) { before } else { "" };
        if length <= NAME {
            ranges.extend(behind(text, end, name, previous, front));
        }
        (at, before) = (end, name);
    }
    ranges
}

/// The value behind a name.
fn behind(text: &str, end: usize, name: &str, previous: &str, front: &str) -> Option<Range> {
    // `API key`.
    let is_phrase = name.eq_ignore_ascii_case("key") && !previous.is_empty() && is_secret(&format!("{previous}key"));
    if !(is_phrase || is_secret(name)) || name.eq_ignore_ascii_case("token") && is_parser(front) {
        return None;
    }
    let rest = &text[end..];
    let rest = if is_phrase { rest.trim_start_matches(QUOTES) } else { rest };
    let rest = rest.strip_prefix(':').filter(|_| is_phrase).unwrap_or(rest);
    let value = rest.trim_start_matches(is_blank);
    if value.len() == rest.len() {
        return None;
    }
    let is_set = SETTERS.contains(&previous) || is_one_of(name, SETTINGS);
    if is_set { any_word(text, value) } else { said(text, value, name) }
}

/// The next word, whatever it is.
fn any_word(text: &str, value: &str) -> Option<Range> {
    let opening = opening(value);
    let value = &value[opening.len()..];
    let length = if opening.is_empty() { near(value, word) } else { closed(value, opening) };
    let found = &value[..length];
    let is_gone = value.strip_prefix(REDACTED).is_some_and(|rest| word(rest) == 0);
    let start = text.len() - value.len();
    let stays = is_gone || is_reference(found) || found.starts_with(['=', ':']) || is_sentence(found);
    (!stays).then_some((start, start + length))
}

/// The first word that nobody says, right behind the name, or behind a colon or an `is`.
fn said(text: &str, value: &str, name: &str) -> Option<Range> {
    let mut rest = value;
    let mut introduced = true;
    for _ in 0..MOST_WORDS {
        let start = text.len() - rest.len();
        let opening = opening(rest);
        if !opening.is_empty() {
            let value = &rest[opening.len()..];
            let length = if introduced { closed(value, opening) } else { return None };
            let start = start + opening.len();
            let goes = is_made(&value[..length]) || is_quoted(&value[..length], name);
            return goes.then_some((start, start + length));
        }
        let raw = &rest[..head(rest, LONGEST).find(char::is_whitespace).unwrap_or(head(rest, LONGEST).len())];
        let bare = raw.trim_end_matches([',', '.', ';', ':', ')', ']', '}', '!', '?', '"', '\'', '\\']);
        if introduced && is_made(bare) {
            return Some((start, start + bare.len()));
        }
        let is_plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '@' | '-' | '(');
        if bare.is_empty()
            || !bare.chars().all(is_plain)
            || !(raw == bare || raw.len() == bare.len() + 1 && raw.ends_with(':'))
        {
            return None;
        }
        introduced = raw.ends_with(':') || is_one_of(bare, &["is", "was"]);
        rest = &rest[raw.len()..];
        let gap = rest.len() - rest.trim_start_matches(is_blank).len();
        if gap == 0 {
            return None;
        }
        rest = &rest[gap..];
    }
    None
}

/// Whether a word is one that nobody says: letters and digits, and no time, version, path, address or setting.
fn is_made(word: &str) -> bool {
    if !(SHORTEST..=LONGEST_WORD).contains(&word.len()) {
        return false;
    }
    let has = |f: fn(&u8) -> bool| word.bytes().any(|b| f(&b));
    let is_version =
        word.trim_start_matches('v').bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':'));
    let is_time = word.len() > 15 && word.as_bytes()[4] == b'-' && word.as_bytes()[10] == b'T';
    let host = word.rsplit_once(':').map_or(word, |(host, _)| host);
    let top = host.rsplit_once('.').map_or("", |(_, top)| top);
    let is_host = (2..=8).contains(&top.len()) && top.bytes().all(|b| b.is_ascii_alphabetic());
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !word.contains(['=', '(', '<', '['])
        && !word.contains("://")
        && !word.starts_with(['/', '.', '~', '$', '-'])
        && !(is_version || is_time || is_host)
        && !is_secret_name(word)
}

/// Whether a text in quotes is a password, as far as the name in front of it tells.
fn is_quoted(value: &str, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_password = ["password", "passwd", "passphrase"].iter().any(|end| lower.ends_with(end));
    let is_empty = !(4..=LONGEST_WORD).contains(&value.len()) || value.starts_with(REDACTED) || is_reference(value);
    is_password && !is_empty && value.contains(is_letter) && !is_secret_name(value)
}

/// Whether it is the name of a secret, and not one.
fn is_secret_name(word: &str) -> bool {
    word.contains(['_', '-']) && name_length(word) == word.len() && is_secret(word)
}

/// `IDENTIFIED BY 'X'` of SQL.
fn identified(text: &str) -> Vec<Range> {
    const BY: &[u8] = b"dentified by";
    let found = memchr::memchr2_iter(b'i', b'I', text.as_bytes());
    let found =
        found.filter(|at| text.as_bytes()[at + 1..].get(..BY.len()).is_some_and(|by| by.eq_ignore_ascii_case(BY)));
    found
        .filter_map(|at| {
            let rest = text[at + 1 + BY.len()..].trim_start_matches(is_blank);
            let opening = opening(rest);
            let value = &rest[opening.len()..];
            let length = closed(value, opening);
            let start = text.len() - value.len();
            (!opening.is_empty() && &value[..length] != REDACTED).then_some((start, start + length))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;

    #[test]
    fn the_word_behind_a_name_goes() {
        for said in [
            "ENV API_KEY s3cr3t",
            "set -x API_KEY s3cr3t",
            "SetEnv API_KEY s3cr3t",
            "    proxy_set_header X-Api-Key s3cr3t;",
            "requirepass s3cr3t",
            "bindpw s3cr3t",
            "    user admin insecure-password s3cr3t",
            "db.password s3cr3t9",
            "CREATE USER 'x'@'%' IDENTIFIED BY 's3cr3t'",
            "CREATE USER x WITH PASSWORD 's3cr3t'",
            "./server -password s3cr3t -port 80",
            "keytool -storepass s3cr3t -list",
            "{password,\"s3cr3t\"}",
            "{password,<<\"s3cr3t\">>}",
            "{:user \"x\" :password \"s3cr3t\"}",
            "Your API key is: s3cr3t",
            "Incorrect API key provided: s3cr3t.",
            "api key: s3cr3t",
            "invalid api key: s3cr3t",
            "API-Key s3cr3t",
            "bearer token s3cr3t",
            "invalid token \"s3cr3t\"",
            "authentication failed for token s3cr3t",
            "Using token s3cr3t for auth",
            "generated password 's3cr3t' for user admin",
            "The root password is s3cr3t",
            "[Note] A temporary password is generated for root@localhost: s3cr3t",
        ] {
            let shown = evidence(said);
            assert!(!shown.contains("s3cr3t"), "{said}: {shown}");
            assert_eq!(evidence(&shown), shown);
        }
    }

    #[test]
    fn prose_about_secrets_stays() {
        for said in [
            "failed to load secret \"db_password\" from /run/secrets/db_password",
            "secret \"mcp-tunnel\" not found",
            "error: token: expired at 2026-11-26T10:00:00Z",
            "token expired at 2026-11-26T10:00:00Z",
            "password policy: minimum 12 characters",
            "FATAL: password authentication failed for user \"app2user\"",
            "token endpoint: https://auth.example.com/oauth2/token",
            "token file: /run/secrets/tunnel_token2",
            "lookup secret.example.com:443: i/o timeout",
            "SyntaxError: Unexpected token } in JSON at position 12",
            "docker run -e API_KEY -p 80:80 x",
            "license key: valid until 2027",
            "API version: 2024-11-05",
            "secret rotation in 5 days",
            "invalid token, request 8f1c2b7de04a",
        ] {
            assert_eq!(evidence(said), said);
        }
    }
}
