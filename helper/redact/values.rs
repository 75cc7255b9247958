//! Where the value behind a secret's name begins and ends.

use super::ends::{annotation, constructed, cookies, first_cookie, is_gone, items, word};
use super::letters::{LONGEST, QUOTES, closed, is_blank, is_name, is_unseen, name_length, near, opening};
use super::said::{is_kind, is_lookup, is_path, is_placeholder, is_source};
use super::schemes;
use super::sentences::{is_fault, is_sentence, is_spoken, is_state, is_statement};
use super::text::{REDACTED, Range, head, tail};
use super::words::is_secret;

/// What precedes a value.
pub(super) struct Behind<'a> {
    pub(super) name: &'a str,
    /// By a sign of assignment or in quotes: what follows is no message.
    pub(super) assigned: bool,
    /// The name may be that of a file.
    pub(super) path: bool,
    /// Nothing comes before the name in its line: the line is a setting.
    pub(super) begins: bool,
    /// A parser says which token it did not expect.
    pub(super) parsed: bool,
}

impl<'a> Behind<'a> {
    /// `name`, `value`.
    pub(super) fn pair(name: &'a str) -> Self {
        Self { name, assigned: true, path: false, begins: false, parsed: false }
    }
}

/// What names tell of their values, in small letters.
struct Kind {
    cookie: bool,
    set_cookie: bool,
    authorization: bool,
    /// No message follows it.
    strong: bool,
    /// It may have several words.
    phrase: bool,
}

impl Kind {
    fn of(name: &str, assigned: bool) -> Self {
        // A name of which letters are lost may have been any of them.
        let broken = name.contains(is_unseen);
        let set_cookie = name.ends_with("set-cookie");
        let cookie = name.ends_with("cookie") || name.ends_with("cookies");
        let strong = ["cookie", "authorization", "api-key", "apikey", "password", "passwd", "phrase"];
        Self {
            cookie: cookie && !set_cookie || broken && assigned,
            set_cookie,
            authorization: name.ends_with("authorization") || broken,
            phrase: ["password", "passwd", "phrase", "passwort", "kennwort"].iter().any(|end| name.ends_with(end)),
            strong: strong.iter().any(|end| name.ends_with(end)) || name.contains('-') || broken,
        }
    }
}

/// Whether a name behind this text is the first word of its line, or of what a program of a stack printed.
pub(super) fn begins_line(front: &str) -> bool {
    let read = tail(front, 200);
    let line = match read.rsplit_once(['\n', '\r']) {
        Some((_, line)) => line,
        None if read.len() < front.len() => return false,
        None => read,
    };
    let said = line.rsplit_once("| ").map_or(line, |(program, said)| {
        let program = program.trim();
        if program.bytes().all(is_name) && !program.is_empty() { said } else { line }
    });
    let said = said.trim_start_matches(|c| is_blank(c) || matches!(c, '-' | '+' | '#'));
    matches!(said.trim_end(), "" | "export")
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
    let after = &after[annotation(after)..];
    // A list, as headers are logged: `"cookie":["…"]`, `map[X-Api-Key:[…] Accept:[*/*]]`.
    let list = after.strip_prefix('[').filter(|_| !after.starts_with(REDACTED)).map(str::trim_start);
    let value = list.unwrap_or_else(|| after.trim_start_matches('('));
    if is_lookup(value) {
        return None;
    }
    let opening = opening(value);
    let value = &value[opening.len()..];
    if let Some(length) = Some(constructed(value)).filter(|length| opening.is_empty() && list.is_none() && *length > 0)
    {
        let start = behind + (line.len() - value.len());
        return Some((start, start + length));
    }
    if is_gone(value) {
        return None;
    }
    // `cookies={'sid': 'X'}`: all of its members.
    let jar = kind.cookie && opening.is_empty() && value.starts_with('{');
    let mut length = if jar {
        near(value, |value| value.find('}').map_or(value.len(), |end| end + 1))
    } else if list.is_some() {
        near(value, |value| items(value, opening))
    } else {
        length(value, opening, &kind, front)
    };
    let start = behind + (line.len() - value.len());
    let found = &value[..length];
    let message = opening.is_empty() && !front.assigned && is_message(found, &value[length..], front, &kind);
    // Cookies have names, what is said about them has not.
    if name.ends_with("cookies") && !found.contains(['=', ':']) {
        return None;
    }
    if opening.is_empty() && list.is_none() && !kind.cookie && length > 0 {
        length += more_words(&value[length..], found, front, &kind);
    }
    // Nothing was assigned, and the next header or flag follows.
    let is_header = after.len() < line.len() && found.strip_suffix(':').is_some_and(is_next_name);
    let is_flag = found.strip_prefix("--").is_some_and(is_next_name);
    let scheme = kind.authorization && schemes::is_all(found, start, credentials);
    let harmless = opening.is_empty() && list.is_none() && is_harmless(found, &value[found.len()..], &name, front)
        || !(opening.is_empty() || kind.cookie) && is_fault(found)
        // Of `fetch`.
        || name == "credentials" && ["include", "same-origin", "omit"].contains(&found)
        || is_reference(found)
        || is_path(found)
        || is_placeholder(found)
        || front.parsed && found.len() <= 12 && !found.bytes().any(|b| b.is_ascii_digit())
        || found.bytes().all(|b| matches!(b, b'*' | b'{' | b'[' | b'#'))
        || opening.is_empty() && !jar && is_map(found, &value[length..])
        || ["true", "false", "null", "none", "nil", "undefined"].contains(&found.to_ascii_lowercase().as_str())
        || matches!(name.as_str(), "pwd" | "oldpwd") && found.starts_with('/')
        || name.ends_with("seed") && found.len() <= 12 && found.bytes().all(|b| b.is_ascii_digit())
        || !front.assigned && name.contains('.') && is_number(line);
    (!message && !is_header && !is_flag && !scheme && !harmless).then_some((start, start + length))
}

/// The length of a value that is no list.
fn length(value: &str, opening: &str, kind: &Kind, front: &Behind<'_>) -> usize {
    if !(opening.is_empty() || kind.set_cookie && head(value, LONGEST).contains(';')) {
        closed(value, opening)
    } else if kind.set_cookie {
        near(value, |value| first_cookie(&value[..cookies(value, false)]))
    } else if kind.cookie {
        near(value, |value| cookies(value, front.assigned))
    } else if kind.authorization && !front.assigned {
        value.len()
    } else {
        near(value, word)
    }
}

/// How much of what follows the first word of an unquoted value belongs to it: `correct horse battery`. That is the
/// rest of a setting's line, and in the middle of a line the words of a phrase.
fn more_words(rest: &str, first: &str, front: &Behind<'_>, kind: &Kind) -> usize {
    let rest = head(rest, LONGEST);
    let is_letters = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic());
    if !kind.phrase || !rest.starts_with(' ') || first.starts_with(['{', '[', '$', '*', '<', '|', '>', '&']) {
        return 0;
    }
    if front.begins {
        let rest = rest.split(" #").next().unwrap_or_default();
        // Other settings, and flags, have names of their own.
        let is_other = |word: &str| word.starts_with("--") || word.ends_with([':', '=']) || word.contains('=');
        if !rest.split(' ').any(is_other) {
            return rest.trim_end().len();
        }
    }
    // In the middle of a line what follows `password=word` says something else.
    let is_word_only = front.assigned && !front.begins;
    let mut length = 0;
    for word in rest.split_inclusive(' ').take_while(|_| is_letters(first)) {
        let bare = word.trim_end_matches([' ', ',', '.', ';']);
        // `password=correct horse user=x`: up to the next setting.
        if front.assigned && word.contains('=') {
            return rest[..length].trim_end().len();
        }
        if word != " " && !is_letters(bare) {
            break;
        }
        // Behind a comma the sentence goes on.
        if word.trim_end() != bare {
            return if is_word_only { 0 } else { length + bare.len() };
        }
        length += word.len();
    }
    if is_word_only { 0 } else { rest[..length].trim_end().len() }
}

/// Whether an unquoted value says something about a secret, or that it is on the next lines.
fn is_harmless(found: &str, rest: &str, name: &str, front: &Behind<'_>) -> bool {
    !front.assigned
        && (is_sentence(found)
            || is_kind(found, rest)
            || is_source(found, rest)
            || name.ends_with("authorization") && is_spoken(found)
            || front.begins && is_sentence(&format!("{found}{}", head(rest, LONGEST)))
            || is_statement(&format!("{}{}", head(found, LONGEST), head(rest, LONGEST))))
        || is_state(name, found, rest, front.assigned)
        || rest.trim().is_empty() && found.bytes().all(|b| matches!(b, b'|' | b'>' | b'+' | b'-'))
}

/// Whether an unquoted value is a map: its members have names of their own.
fn is_map(found: &str, behind: &str) -> bool {
    let Some(inside) = found.strip_prefix('{') else { return false };
    inside.ends_with(':') || inside.is_empty() && behind.starts_with(|c| QUOTES.contains(&c) || is_blank(c))
}

/// Whether a line or a port number follows a dotted name: `secret.example.com:8080`, `token.go:12: …`.
fn is_number(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    (1..=5).contains(&digits) && !line[digits..].starts_with(|c: char| c.is_alphanumeric())
}

/// Whether an unquoted value is part of a sentence: `invalid token: signature is wrong`.
fn is_message(found: &str, behind: &str, front: &Behind<'_>, kind: &Kind) -> bool {
    let is_word = found.trim_end_matches([':', ',', '.', ';']).bytes().all(|b| b.is_ascii_alphabetic() || b == b'\'');
    if front.path {
        return is_word || found.strip_suffix(':').is_some_and(|word| word.bytes().all(|b| b.is_ascii_alphanumeric()));
    }
    let next = behind.strip_prefix(' ').and_then(|more| more.split(' ').next()).unwrap_or_default();
    !kind.strong
        && found.bytes().all(|b| b.is_ascii_alphabetic())
        && next.trim_start_matches(QUOTES).starts_with(|c: char| c.is_ascii_alphabetic())
        && (next.starts_with(QUOTES) || !next.contains('='))
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
        // `$http_authorization` of nginx.
        None => {
            let is_plain = rest.contains('_') && !rest.bytes().any(|b| b.is_ascii_digit());
            named.starts_with('(') || behind.is_empty() && (is_plain || !rest.bytes().any(|b| b.is_ascii_lowercase()))
        }
    }
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
            // What is in the place of a type.
            "token: &DB_PASSWORD=s3cr3t ok",
            "token=&n&{\"password\":\"s3cr3t\"}\t=1",
            "password: (x}Cookie: sid=s3cr3t; Path=/(g) \"x",
            "{\"password\":\"s3cr3t\"}[[\"apiKey\":\"Config\":private]=> \"x",
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
            // Several words.
            "password: correct horse s3cr3t battery",
            "  - DB_PASSWORD=correct horse s3cr3t",
            "db-1  | admin_password: a1 b2 s3cr3t",
            "# passphrase: correct horse s3cr3t # old",
            // As URLs, JSON and XML write it inside of others.
            "GET /x?next=%2Fy%3Ftoken%3Ds3cr3t%26n%3D1",
            "body=%7B%22password%22%3A%22s3cr3t%22%7D",
            "%257B%2522x-api-key%2522%253A%2522s3cr3t%2522",
            "{\\u0022password\\u0022:\\u0022s3cr3t\\u0022}",
            "password\\u003ds3cr3t",
            "&lt;password&gt;s3cr3t&lt;/password&gt;",
            "password=&quot;s3cr3t&quot;",
            "next=https%3A%2F%2Fu%3As3cr3t%40h%2Fx",
            "Authorization%3A%20Bearer%20s3cr3t",
        ] {
            assert!(!evidence(said).contains("s3cr3t"), "{said}: {}", evidence(said));
        }
        for (said, shown) in [
            ("bad password: correct horse battery, again", "bad password: [redacted], again"),
            ("user me password: correct horse battery.", "user me password: [redacted]."),
            ("said password: correct horse (3 times)", "said password: [redacted] (3 times)"),
        ] {
            assert_eq!(evidence(said), shown);
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
            "token: signature is invalid",
            "GET /x?next=%2Fy%3Fpage%3D1%26size%3D5 took 5%, 100%25 done",
            "unexpected &quot;token&quot; in line 3",
        ] {
            assert_eq!(evidence(said), said);
        }
        for (said, shown) in [
            ("login password: hunter2 was rejected", "login password: [redacted] was rejected"),
            ("password=hunter2 connection refused user=x", "password=[redacted] connection refused user=x"),
            (
                "web-1  | password = correct horse battery dial tcp 10.0.0.1:80: connection refused",
                "web-1  | password = [redacted] 10.0.0.1:80: connection refused",
            ),
            ("x password=secret connection refused", "x password=[redacted] connection refused"),
        ] {
            assert_eq!(evidence(said), shown);
        }
    }
}
