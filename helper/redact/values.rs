//! Where the value behind a secret's name begins and ends.

use super::letters::{QUOTES, end_of_quoted, is_blank, is_letter, is_name, is_unseen, name_length, opening};
use super::schemes;
use super::text::{REDACTED, Range};
use super::words::is_secret;

/// What a value stands behind.
pub(super) struct Behind<'a> {
    pub(super) name: &'a str,
    /// By a sign of assignment or in quotes: what follows is no message.
    pub(super) assigned: bool,
    /// The name may be that of a file.
    pub(super) path: bool,
}

impl<'a> Behind<'a> {
    /// `name`, `value`.
    pub(super) fn pair(name: &'a str) -> Self {
        Self { name, assigned: true, path: false }
    }
}

/// What names tell of their values, in small letters.
struct Kind {
    cookie: bool,
    set_cookie: bool,
    authorization: bool,
    /// No message stands behind it.
    strong: bool,
}

impl Kind {
    fn of(name: &str, assigned: bool) -> Self {
        // A name of which letters are lost may have been any of them.
        let broken = name.contains(is_unseen);
        let set_cookie = name.ends_with("set-cookie");
        let strong = ["cookie", "authorization", "api-key", "apikey", "password", "passwd", "passphrase"];
        Self {
            cookie: name.ends_with("cookie") && !set_cookie || broken && assigned,
            set_cookie,
            authorization: name.ends_with("authorization") || broken,
            strong: strong.iter().any(|end| name.ends_with(end)) || name.contains('-') || broken,
        }
    }
}

/// Where the line ends in which a place is.
pub(super) fn end_of_line(text: &str, at: usize) -> usize {
    memchr::memchr2(b'\n', b'\r', &text.as_bytes()[at..]).map_or(text.len(), |length| at + length)
}

/// The range of a value, which is a part of what is left of the line: from its first byte to behind its last one.
pub(super) fn value(line: &str, behind: usize, front: &Behind<'_>, credentials: &[Range]) -> Option<Range> {
    let name = front.name.to_ascii_lowercase();
    let kind = Kind::of(&name, front.assigned);
    let after = line.trim_start_matches(is_blank);
    // A list, as headers are logged: `"cookie":["…"]`, `map[X-Api-Key:[…] Accept:[*/*]]`.
    let list = after.strip_prefix('[').filter(|_| !after.starts_with(REDACTED)).map(str::trim_start);
    let value = list.unwrap_or_else(|| after.trim_start_matches('('));
    let opening = opening(value);
    let value = &value[opening.len()..];
    if value.strip_prefix(REDACTED).is_some_and(|rest| word(rest) == 0) {
        return None;
    }
    let length = if list.is_some() {
        items(value, opening)
    } else if !(opening.is_empty() || kind.set_cookie && value.contains(';')) {
        end_of_quoted(value, opening)
    } else if kind.cookie {
        cookies(value, front.assigned)
    } else if kind.authorization && !front.assigned {
        value.len()
    } else {
        word(value)
    };
    let start = behind + (line.len() - value.len());
    let found = &value[..length];
    let message = opening.is_empty() && !front.assigned && is_message(found, &value[length..], front, &kind);
    // Nothing was assigned, and the next header or flag follows.
    let is_header = after.len() < line.len() && found.strip_suffix(':').is_some_and(is_next_name);
    let is_flag = found.strip_prefix("--").is_some_and(is_next_name);
    let scheme = kind.authorization && schemes::is_all(found, start, credentials);
    let harmless = is_reference(found)
        || found.bytes().all(|b| matches!(b, b'*' | b'{' | b'[' | b'#'))
        || opening.is_empty() && is_map(found, &value[length..])
        || ["true", "false", "null", "none"].contains(&found.to_ascii_lowercase().as_str())
        || matches!(name.as_str(), "pwd" | "oldpwd") && found.starts_with('/')
        || !front.assigned && name.contains('.') && is_number(line);
    (!message && !is_header && !is_flag && !scheme && !harmless).then_some((start, start + length))
}

/// Up to the end of a list's items. A bracket may be part of one.
fn items(value: &str, opening: &str) -> usize {
    let ends = |at: &usize| {
        let (front, behind) = (value[..*at].trim_end_matches(is_blank), &value[at + 1..]);
        if opening.is_empty() { !behind.starts_with(is_letter) } else { front.ends_with(QUOTES) }
    };
    let end = value.match_indices(']').map(|(at, _)| at).find(ends).unwrap_or(value.len());
    let items = value[..end].trim_end_matches(is_blank);
    if opening.is_empty() { items.len() } else { items.trim_end_matches(QUOTES).len() }
}

/// Whether an unquoted value is a map: its members have names of their own.
fn is_map(found: &str, behind: &str) -> bool {
    let Some(inside) = found.strip_prefix('{') else { return false };
    inside.ends_with(':') || inside.is_empty() && behind.starts_with(|c| QUOTES.contains(&c) || is_blank(c))
}

/// Whether a line and a port stand behind a dotted name: `secret.example.com:8080`, `token.go:12: …`.
fn is_number(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    (1..=5).contains(&digits) && !line[digits..].starts_with(|c: char| c.is_alphanumeric())
}

/// Whether an unquoted value is part of a sentence: `invalid token: signature is wrong`.
fn is_message(found: &str, behind: &str, front: &Behind<'_>, kind: &Kind) -> bool {
    let is_word = found.trim_end_matches([':', ',', '.', ';']).bytes().all(|b| b.is_ascii_alphabetic());
    if front.path {
        return is_word;
    }
    let next = behind.strip_prefix(' ').and_then(|more| more.split(' ').next()).unwrap_or_default();
    !kind.strong
        && found.bytes().all(|b| b.is_ascii_alphabetic())
        && next.starts_with(|c: char| c.is_ascii_alphabetic())
        && !next.contains('=')
}

/// Whether what is in a value's place is another secret's name, and nothing but that.
fn is_next_name(text: &str) -> bool {
    name_length(text) == text.len() && is_secret(text)
}

/// Whether a value is the name of a variable: `$NAME`, `${NAME}`, `${NAME:?message}`, `$(command)`; `$2b$10$…` is a
/// password, and so may the default of `${NAME:-…}` be.
pub(super) fn is_reference(value: &str) -> bool {
    let Some(named) = value.strip_prefix('$').map(|rest| rest.trim_start_matches('$')) else { return false };
    let inside = named.strip_prefix('{');
    let rest = inside.unwrap_or(named);
    let name = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let behind = &rest[name..];
    match inside {
        Some(_) => name > 0 && (matches!(behind, "}" | "") || behind.trim_start_matches(':').starts_with('?')),
        None => named.starts_with('(') || behind.is_empty() && !rest.bytes().any(|b| b.is_ascii_lowercase()),
    }
}

/// Up to the end of a header with cookies: its line, the quote around it, or, in `cookie=…`, the last pair.
fn cookies(value: &str, assigned: bool) -> usize {
    let (mut inside, mut last) = (false, ' ');
    for (at, c) in value.char_indices() {
        match c {
            '"' if inside => inside = false,
            '"' if last == '=' => inside = true,
            ' ' if assigned && !inside && last != ';' => return at,
            _ if !inside && ends_word(value, at) => return at,
            _ => {}
        }
        last = c;
    }
    value.len()
}

/// Whether a quote, or an escaped quote or line break, ends what is in front of it. Between letters it is one of them.
fn ends_word(text: &str, at: usize) -> bool {
    let (front, behind) = text.split_at(at);
    let bare = behind.trim_start_matches('\\');
    if bare.len() < behind.len() && bare.starts_with(['n', 'r', 't']) {
        return true;
    }
    let opens = front.ends_with(|c: char| is_blank(c) || "{[(,:=".contains(c));
    let joins = |c: char| c.is_alphanumeric() || is_letter(c) || c == ';';
    bare.strip_prefix(['"', '\'']).is_some_and(|behind| opens || !behind.starts_with(joins))
}

/// Up to the end of a value without quotes. A comma, a semicolon or an ampersand ends it where another assignment, or
/// nothing, follows; elsewhere it is a part of the value.
pub(super) fn word(value: &str) -> usize {
    let is_end = |(at, c): &(usize, char)| c.is_whitespace() || ends_word(value, *at);
    let text = &value[..value.char_indices().find(is_end).map_or(value.len(), |(at, _)| at)];
    let separator = text.match_indices([',', ';', '&']).find(|(at, _)| {
        let more = &text[at + 1..];
        let name = more.bytes().take_while(|b| is_name(*b)).count();
        more.is_empty() || name > 0 && more[name..].starts_with(['=', ':'])
    });
    let text = separator.map_or(text, |(at, _)| &text[..at]);
    text.trim_end_matches([')', '}', ']', ',', ';']).len()
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;

    #[test]
    fn nothing_around_a_secret_hides_it() {
        for said in [
            // Names, quotes, schemes and keys in front, which take what follows for theirs.
            r#"Digest x="… { "name":"x-api-key","value":"s3cr3t"}"#,
            r#"Digest x="… {  ("x-api-key", "s3cr3t")"#,
            r#"{"Authorization":"Basic --token s3cr3t run"#,
            r#"Authorization: Bearer --token s3cr3t"#,
            "Cookie: a=' http://u:s3cr3t@h:80/x",
            "password=' X-Api-Key: s3cr3t",
            "token=[ --password s3cr3t ]",
            "TUNNEL_TOKEN='token: 's3cr3t'",
            "eyJhIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwi-password: s3cr3t",
            "https://hooks.slack.com/services/T000/B000/password=s3cr3t",
            "me@example.com.token: s3cr3t9",
            "-----END PRIVATE KEY----- -----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY----- token=s3cr3t",
            // What is redacted already, and something behind it.
            "--token [redacted]s3cr3t",
            "Authorization: Bearer [redacted]s3cr3t",
            "(\"x-api-key\", \"[redacted] s3cr3t\")",
            // A value with quotes, brackets and signs in it.
            "DB_PASSWORD=it's3cr3t ok",
            "password=ab\"s3cr3t\"",
            "password=\"ab\"s3cr3t",
            "Cookie: a=it's; sid=s3cr3t",
            "password={s3cr3t",
            "DB_PASSWORD=#s3cr3t",
            "password: [a, s3cr3t]",
            "\"token\":[\"a]\",\"s3cr3t\"]",
            "password=$s3cr3t",
            "DB_PASSWORD=${DB_PASSWORD:-s3cr3t}",
            "--password 'a s3cr3t'",
            "--password -s3cr3t",
            "(\"password\", \"s3cr3ttoken\")",
            // Other spellings.
            "{\"password\" : \"s3cr3t\"}",
            "password\t=\ts3cr3t",
            "os.environ['API_KEY'] = 's3cr3t'",
            "{Name:X-Api-Key Value:s3cr3t}",
            "- name: DB_PASSWORD\n  value: s3cr3t",
            "(u'x-api-key', u's3cr3t')",
            "<password>s3cr3t</password>",
            "Bearer \"s3cr3t\"",
            "bearer: s3cr3t",
            "Digest username = \"u\", response = \"s3cr3t\"",
            "Digest username=\"u\", resp\u{fffd}nse=\"s3cr3t\"",
            "/token: 's3cr3t'",
            "/run/secrets/db_password: s3cr3t",
            "spring.datasource.password:s3cr3t",
            "https://u:s3cr3t@h/x@sha256:6b599ca3e974",
        ] {
            assert!(!evidence(said).contains("s3cr3t"), "{said}: {}", evidence(said));
        }
    }

    #[test]
    fn what_is_said_about_a_secret_stays() {
        for said in [
            "open /run/secrets/db_password: permission denied",
            "data/server.key: EOF",
            "dial tcp: lookup auth.example.com:9000: no such host",
            "main.token.go:12: no token",
            "password: ${DB_PASSWORD} token: $TOKEN key: ${API_KEY:?is missing}",
            "{\"token\":{\"id\":1},\"credentials\":{}}",
            "credentials: {file: ./x}",
            "{\"kind\":\"token\",\"state\":\"good\"}",
            "token: *** secret: null",
            "Usage: login <token> <url>",
            "Authorization: Bearer [redacted] and Cookie: [redacted]",
        ] {
            assert_eq!(evidence(said), said);
        }
    }

    #[test]
    fn a_line_of_names_takes_no_long_time() {
        for piece in ["Cookie: a=\"", "password=\"", "token:[", "Digest a=\"", "'token',\"", "<token>"] {
            let (line, begun) = (piece.repeat((32 << 10) / piece.len()), std::time::Instant::now());
            let _ = super::super::foreign(&line);
            assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{piece}: {:?}", begun.elapsed());
        }
    }
}
