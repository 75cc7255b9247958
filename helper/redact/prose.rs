//! Secrets with nothing but blanks, or a few words, behind their names: `ENV API_KEY X`, `requirepass X`, `:password "X"`,
//! `invalid token "X"`, `Your API key is: X`.

use super::ends::{is_gone, word};
use super::letters::{LONGEST, QUOTES, in_quotes, is_blank, is_letter, name_length, near, opening};
use super::said::{LONGEST_WORD, is_drawn, is_made, is_one_of, is_parser, is_secret_name};
use super::sentences::is_sentence;
use super::text::{REDACTED, Range, behind_last, head, tail};
use super::values::is_reference;
use super::words::is_secret;
use crate::list::list;

/// What stands in front of a name whose value is the next word: in Dockerfiles, shells and web servers.
const SETTERS: [&str; 13] = list(
    "ENV ARG SetEnv setenv -x -gx -Ux proxy_set_header grpc_set_header fastcgi_param uwsgi_param add_header \
     RequestHeader",
);
/// Names of settings whose value is the next word.
const SETTINGS: [&str; 13] = list(
    "requirepass masterauth bindpw rootbindpw rootpw rocommunity rwcommunity key-string insecure-password \
     -storepass -keypass -srcstorepass -deststorepass",
);
/// What the words `code` and `codes` follow where they are secrets.
const CODES: [&str; 10] = list("verification recovery backup mfa 2fa otp totp one-time security nkey");
/// Words behind which it is said what a secret is.
const INTRODUCTIONS: [&str; 14] =
    list("is was now value tried got given provided received supplied entered using with default");
/// Signs between a name and its value, besides those of an assignment.
const SIGNS: &[&str] = &["->", "→", "–", "—", "-", "/", ",", "(", "<", "[", "{", "~", "|", ";"];
/// Words in front of `to`, behind which the new one stands.
const CHANGES: [&str; 6] = list("set reset changed updated rotated now");
/// Words between a value and what it is said to be: `"X" is not a valid API key`.
const BETWEEN: [&str; 24] = list(
    "is was as not no a an the valid invalid known unknown wrong correct incorrect our your api access admin bearer \
     auth rejected recognized",
);
/// Words between a name and its value.
const MOST_WORDS: usize = 8;
/// Longest name, in bytes.
const NAME: usize = 60;

/// The values.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = identified(text);
    ranges.extend(before(text));
    let (mut at, mut before) = (0, "");
    while at < text.len() {
        let length = name_length(&text[at..]);
        if length == 0 {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        // `password->X`.
        let name = text[at..at + length].trim_end_matches('-');
        let end = at + name.len();
        let front = tail(&text[..at], NAME);
        let previous = if front.ends_with(is_blank) { before } else { "" };
        if length <= NAME {
            let found = behind(text, end, name, previous, front);
            ranges.extend(found);
            // `from X to Y`.
            let next = found.and_then(|(_, end)| text[end..].trim_start_matches(QUOTES).strip_prefix(" to "));
            ranges.extend(next.and_then(|next| said(text, next, name, false)));
        }
        (at, before) = (at + length, name);
    }
    ranges
}

/// The value behind a name.
fn behind(text: &str, end: usize, name: &str, previous: &str, front: &str) -> Option<Range> {
    behind_sign(text, end, name).or_else(|| behind_blanks(text, end, name, previous, front))
}

/// The value behind an arrow, a dash, a slash or a comma.
fn behind_sign(text: &str, end: usize, name: &str) -> Option<Range> {
    let rest = text[end..].trim_start_matches(is_blank);
    // `PASSWORD('X')`, `Token<X>`.
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
    if !is_secret(name) {
        return None;
    }
    let value = rest[sign.len()..].trim_start_matches(is_blank);
    let (value, length) = in_quotes(value).unwrap_or_else(|| {
        let read = head(value, LONGEST);
        (value, read.find(|c: char| c.is_whitespace() || "\"',;?&)>]}|".contains(c)).unwrap_or(read.len()))
    });
    let start = text.len() - value.len();
    let found = &value[..length];
    // An arrow points at nothing but the value.
    let is_value = match *sign {
        "->" | "→" => is_password(name) || is_drawn(found, 6),
        "/" | "," => is_drawn(found, 16),
        "–" | "—" | "-" => is_drawn(found, 12) && !found.bytes().all(|b| b.is_ascii_hexdigit()),
        _ => is_drawn(found, 6),
    };
    (is_value && is_made(found, true)).then_some((start, start + length))
}

/// The value behind blanks, and a few words.
fn behind_blanks(text: &str, end: usize, name: &str, previous: &str, front: &str) -> Option<Range> {
    // `API key`, `recovery codes`.
    let lower = name.to_ascii_lowercase();
    let is_key =
        matches!(lower.as_str(), "key" | "keys") && !previous.is_empty() && is_secret(&format!("{previous}key"));
    let is_code = matches!(lower.as_str(), "code" | "codes" | "seed") && is_one_of(previous, &CODES);
    let is_phrase = is_key || is_code;
    let is_set = SETTERS.contains(&previous) || is_one_of(name, &SETTINGS) && !is_one_of(previous, &["no", "without"]);
    let rest = &text[end..];
    // `key "X" was rejected`.
    if lower == "key" && !is_phrase {
        let rest = rest.strip_prefix(' ')?;
        let word = || (rest, head(rest, LONGEST).find(|c| is_blank(c) || "\n:/.,;)".contains(c)).unwrap_or(rest.len()));
        let (value, length) = in_quotes(rest).unwrap_or_else(word);
        // Objects have keys in hex, too, and those of GnuPG have ids.
        let is_hex = value[..length].bytes().all(|b| b.is_ascii_hexdigit());
        let least = if is_hex && opening(rest).is_empty() { 64 } else { 16 };
        let start = text.len() - value.len();
        return is_drawn(&value[..length], least).then_some((start, start + length));
    }
    if !(is_phrase || is_set || is_secret(name)) || lower == "token" && is_parser(front) {
        return None;
    }
    // `"password" "X"`.
    let is_quoted = front.ends_with('"') && ["\" \"", "\"\t\""].iter().any(|gap| rest.starts_with(gap));
    let rest = if is_phrase || is_quoted { rest.trim_start_matches(QUOTES) } else { rest };
    let rest = rest.strip_prefix([':', '=']).filter(|_| is_phrase).unwrap_or(rest);
    let value = rest.trim_start_matches(is_blank);
    if value.len() == rest.len() {
        return None;
    }
    let value = value.strip_prefix('=').filter(|_| is_phrase).map_or(value, |rest| rest.trim_start_matches(is_blank));
    if let Some(cell) = value.strip_prefix(['|', '│']) {
        return in_cell(text, cell);
    }
    let value = value.strip_prefix("REG_SZ").map_or(value, |rest| rest.trim_start_matches(is_blank));
    // `<Cookie sid=X for localhost/>` of Python.
    if lower == "cookie" && front.ends_with('<') {
        let (start, end) = any_word(text, value)?;
        return text[start..end].find('=').map(|at| (start + at + 1, end));
    }
    // `rootpw --plaintext X`.
    let flag = value.strip_prefix("--").filter(|_| is_set).and_then(|flag| flag.split_once(' '));
    let value = flag.map_or(value, |(_, value)| value);
    if is_set { any_word(text, value) } else { said(text, value, name, is_code) }
}

/// The only word in a table's cell: `| password | X |`.
fn in_cell(text: &str, cell: &str) -> Option<Range> {
    let value = cell.trim_start_matches(is_blank);
    let found = value.split(['|', '│', '\n']).next().unwrap_or_default().trim_end();
    let start = text.len() - value.len();
    is_made(found, true).then_some((start, start + found.len()))
}

/// The next word, whatever it is.
fn any_word(text: &str, value: &str) -> Option<Range> {
    let (value, length) = in_quotes(value).unwrap_or_else(|| (value, near(value, word)));
    let found = &value[..length];
    let start = text.len() - value.len();
    let stays = is_gone(value) || is_reference(found) || found.starts_with(['=', ':']) || is_sentence(found);
    (!stays).then_some((start, start + length))
}

/// The first word that is not of a language, right behind the name, or behind a colon or an `is`.
fn said(text: &str, value: &str, name: &str, is_code: bool) -> Option<Range> {
    let mut rest = value;
    let (mut introduced, mut last) = (true, "");
    let is_password = is_password(name);
    let counts = |word: &str| {
        let is_number = is_code && (4..=10).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
        is_number || is_made(word, is_password)
    };
    for _ in 0..MOST_WORDS {
        let start = text.len() - rest.len();
        if let Some((value, length)) = in_quotes(rest) {
            let start = text.len() - value.len();
            let goes = counts(&value[..length]) || is_quoted(&value[..length], name);
            // `passphrase for key '/root/x': X`.
            let next = value.get(length + 1..).and_then(|next| next.strip_prefix(": "));
            let Some(next) = next.filter(|_| !introduced) else {
                return (introduced && goes).then_some((start, start + length));
            };
            (rest, introduced) = (next.trim_start_matches(is_blank), true);
            continue;
        }
        let read = head(rest, LONGEST);
        let raw = &read[..read.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(read.len())];
        let bare = raw.trim_end_matches([',', '.', ';', ':', ')', ']', '}', '!', '?', '\\']);
        if introduced && counts(bare) {
            let more = if is_code { more_codes(&rest[bare.len()..], counts) } else { 0 };
            return Some((start, start + bare.len() + more));
        }
        // `PASSWORD elastic = X`.
        let is_sign = raw == "=" && is_password;
        let is_number = bare.len() <= 2 && bare.bytes().all(|b| b.is_ascii_digit());
        let is_plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '@' | '-' | '(');
        let ends = &raw[bare.len()..];
        if bare.is_empty()
            || !(is_sign || is_number || bare.chars().all(is_plain))
            || !matches!(ends, "" | ":" | "," | ")" | "):")
        {
            return None;
        }
        // `set to X`, and what Cisco says of the kind: `password 7 X`.
        let is_change = is_one_of(bare, &["to", "from"]) && (is_one_of(last, &CHANGES) || last.is_empty());
        introduced =
            is_sign || raw.ends_with(':') || is_one_of(bare, &INTRODUCTIONS) || is_change || introduced && is_number;
        last = bare;
        rest = &rest[raw.len()..];
        let gap = rest.len() - rest.trim_start_matches(is_blank).len();
        if gap == 0 {
            return None;
        }
        rest = &rest[gap..];
    }
    None
}

/// The codes behind the first one.
fn more_codes(rest: &str, counts: impl Fn(&str) -> bool) -> usize {
    let mut length = 0;
    for word in head(rest, LONGEST).split_inclusive([' ', ',']) {
        let bare = word.trim_end_matches([' ', ',']);
        if !(bare.is_empty() || counts(bare)) {
            break;
        }
        length += word.len();
    }
    rest[..length].trim_end_matches([' ', ',']).len()
}

/// Values in front of what they are said to be: `'X' is not a valid API key`, `cannot parse "X" as token`.
fn before(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    for verb in [" is ", " was ", " as "] {
        for (at, _) in text.match_indices(verb) {
            let words = || text[at + 1..].split([' ', ',', '.', ';', '\n']).take(6);
            let said = words().take_while(|word| is_one_of(word, &BETWEEN)).count();
            let what = words().nth(said).unwrap_or_default().trim_end_matches(QUOTES);
            let last = words().nth(said - 1).unwrap_or_default();
            let is_key = what.eq_ignore_ascii_case("key") && is_secret(&format!("{last}key"));
            if !(is_secret(what) || is_key) {
                continue;
            }
            let front = tail(&text[..at], LONGEST_WORD);
            let value = front.trim_end_matches(QUOTES);
            let quote = front[value.len()..].chars().next();
            let begins = |c: char| quote.map_or_else(|| is_blank(c), |quote| c == quote);
            let word = behind_last(value, begins);
            let least = if quote.is_some() { 8 } else { 16 };
            if is_drawn(word, least) {
                let end = at - (front.len() - value.len());
                ranges.push((end - word.len(), end));
            }
        }
    }
    ranges
}

/// Whether a text in quotes is a password, as far as the name in front of it tells.
fn is_quoted(value: &str, name: &str) -> bool {
    let is_empty = !(4..=LONGEST_WORD).contains(&value.len()) || value.starts_with(REDACTED) || is_reference(value);
    is_password(name) && !is_empty && value.contains(is_letter) && !is_secret_name(value)
}

fn is_password(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["password", "passwd", "passphrase"].iter().any(|end| lower.ends_with(end))
}

/// `IDENTIFIED BY 'X'` and `IDENTIFIED WITH plugin BY 'X'` of SQL.
fn identified(text: &str) -> Vec<Range> {
    const WORD: &[u8] = b"dentified ";
    let found = memchr::memchr2_iter(b'i', b'I', text.as_bytes());
    let found = found
        .filter(|at| text.as_bytes()[at + 1..].get(..WORD.len()).is_some_and(|word| word.eq_ignore_ascii_case(WORD)));
    found
        .filter_map(|at| {
            let rest = head(&text[at + 1 + WORD.len()..], NAME);
            let by = rest.to_ascii_lowercase().find("by ")? + 3;
            let rest = text[at + 1 + WORD.len() + by..].trim_start_matches(is_blank);
            let (value, length) = in_quotes(rest)?;
            let start = text.len() - value.len();
            (&value[..length] != REDACTED).then_some((start, start + length))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::redact::expect::{hides, keeps};

    #[test]
    fn the_word_behind_a_name_goes() {
        hides(&[
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
        ]);
    }

    #[test]
    fn prose_about_secrets_stays() {
        keeps(&[
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
        ]);
    }
}
