//! What a secret is called, and the values behind such names: in settings, in headers, in flags and in the middle of a
//! log line. Also which texts are names at all.

use std::borrow::Cow;

use super::ends::{is_gone, word};
use super::letters::{
    QUOTES, closed, in_quotes, is_blank, is_letter, is_name, name_before, name_length, near, opening,
};
use super::said::{LONGEST_WORD, PARTICLES, is_drawn, is_made, is_one_of, is_parser, is_readable};
use super::sentences::is_sentence;
use super::text::{REDACTED, Range, head};
use super::values::{Behind, begins_line, end_of_line, is_reference, value};
use super::words::{is_foreign_secret, is_secret, weak};
use super::{calls, elements, members, operands, pairs, programs, prose, quoted, schemes, urls};

/// Words that are read behind a name and a colon.
const TOLD: usize = 6;

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
    let stays = value.is_empty() || is_reference(value) || value.starts_with(['{', '[', '#', '|', '>', '&', '*']);
    if stays || !name.chars().all(is_letter) || !is_secret(name) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(format!("{} {REDACTED}", &line[..=at]))
}

/// The values of secret names, and what follows the schemes of HTTP authentication.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = schemes::credentials(text);
    ranges.extend(assigned(text, &ranges));
    ranges.extend(behind_flags(text));
    let others = [
        pairs::ranges,
        elements::ranges,
        members::ranges,
        prose::ranges,
        quoted::ranges,
        programs::ranges,
        operands::ranges,
        calls::ranges,
        urls::ranges,
    ];
    for others in others {
        ranges.extend(others(text));
    }
    ranges
}

/// The values behind secret names in any text: a configuration file of an unknown kind.
pub(crate) fn values(text: &str) -> Vec<String> {
    assigned(text, &schemes::credentials(text)).into_iter().map(|(start, end)| text[start..end].to_owned()).collect()
}

/// The word behind a flag: `--password X`, `-password X`.
fn behind_flags(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    for (at, _) in text.match_indices('-') {
        let end = at + name_length(&text[at..]);
        if text[..at].ends_with(is_letter) || !is_secret(text[at..end].trim_start_matches('-')) {
            continue;
        }
        // In a list both words have their own quotes.
        let gap = text[end..].trim_start_matches(QUOTES).trim_start_matches(|c| is_blank(c) || c == ',');
        let is_bare = opening(gap).is_empty();
        let (value, length) = in_quotes(gap).unwrap_or_else(|| (gap, near(gap, word)));
        let found = &value[..length];
        let is_flag = found.starts_with("--") || found.starts_with('-') && found.len() == 2;
        // `usage: [--api-key KEY]`, `--password string   what it is for`.
        let is_upper = found.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        let behind = &value[length..];
        let is_usage = text[..at].ends_with('[') && behind.starts_with(']') && is_upper
            || behind.starts_with("  ") && (is_upper || matches!(found, "string" | "strings" | "stringArray"));
        // `--token TOKEN`, `--token <TOKEN>`.
        let bare = found.trim_start_matches('<').trim_end_matches(['>', ']']);
        let is_own = bare.replace('_', "-").eq_ignore_ascii_case(text[at..end].trim_start_matches('-'))
            && !bare.bytes().any(|b| b.is_ascii_lowercase());
        // `unexpected argument '--token' found`.
        let is_spoken = text[end..].starts_with(QUOTES) && is_bare && found.chars().all(is_word);
        let stays = is_flag
            || is_own
            || is_spoken
            || is_gone(value)
            || is_usage
            || is_reference(found)
            || is_bare && (is_sentence(found) || is_one_of(found, &PARTICLES));
        if gap.len() + end < text.len() && !stays {
            let start = text.len() - value.len();
            ranges.push((start, start + length));
        }
    }
    ranges
}

/// The values of `password=…`, `"cookie":"…"`, `X-Auth-Token: …` and the like, also where the quotes of JSON
/// inside of JSON have backslashes. `credentials` are those of known schemes: the scheme in front of them stays.
fn assigned(text: &str, credentials: &[Range]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    let (mut line_end, mut last_letter) = (0, 0);
    for (at, sign) in text.match_indices(['=', ':', '：', '＝']) {
        if at >= line_end {
            line_end = end_of_line(text, at);
            last_letter = text[..line_end].trim_end_matches(|c: char| !c.is_alphanumeric()).len();
        }
        // The rest of the line goes already: no later name adds to it, and there may be thousands.
        if ranges.last().is_some_and(|(_, end)| *end >= last_letter && *end > at) {
            continue;
        }
        let (named, quoted) = named_before(&text[..at]);
        let (front, name) = last_name(named);
        let is_message = front.ends_with("${") && text[at + sign.len()..].starts_with('?');
        let weak = weak(&name).filter(|_| !is_secret(&name));
        if is_message || weak.is_none() && !is_secret(&name) && !is_foreign_secret(named) {
            continue;
        }
        // `=>` of Ruby and PHP, `:=` of Go and make, `:: ` of LDIF.
        let rest = &text[at + sign.len()..];
        let is_ldif = sign == ":" && rest.starts_with(':') && rest[1..].starts_with(is_blank);
        // `HostAuthorization::Default`.
        let path = rest.strip_prefix(':').filter(|_| sign == ":" && !is_ldif).map(|rest| &rest[..name_length(rest)]);
        let is_unequal = text[..at].ends_with('!') && !rest.trim_start_matches(is_blank).starts_with(['"', '\'']);
        let is_path = quoted && is_member(rest)
            || is_unequal
            || path.is_some_and(|path| is_readable(path) || !path.bytes().any(|b| b.is_ascii_digit()))
            // `--- PASS: TestTokenRefresh (0.02s)` of Go.
            || name == "PASS" && front.ends_with("--- ");
        // `volume "token" : secret "x" not found`.
        if is_path || quoted && text[..at].ends_with(is_blank) && is_spoken(rest) {
            continue;
        }
        let operator = is_ldif || rest.starts_with(['>', '=']) && !rest.starts_with("==");
        let behind = Behind {
            name: &name,
            // `exec: "docker-credential-x": executable file not found` is no setting.
            assigned: sign != ":" || operator || quoted && !rest.trim_start_matches(is_blank).starts_with(is_word),
            // The message of an error stands behind a path, too: `/run/secrets/tunnel_token: permission denied`.
            path: front.ends_with('/') || front.ends_with("::") || name.ends_with(".key"),
            begins: !quoted && begins_line(front),
            parsed: name.eq_ignore_ascii_case("token") && is_parser(front),
        };
        // `**Password:** X`.
        let emphasis = 2 * usize::from(front.ends_with("**") && rest.starts_with("**"));
        let start = at + sign.len() + usize::from(operator) + emphasis;
        // `-H 'Authorization: token X' http://…`.
        let rest = &text[start..line_end];
        let around = front.ends_with('\'') && !quoted && !rest.trim_start_matches(is_blank).starts_with('\'');
        let rest = if around { &rest[..closed(rest, "'")] } else { rest };
        let found = value(rest, start, &behind, credentials);
        let counts = |(from, to): &Range| weak.is_none_or(|least| is_weak(&text[*from..*to], &name, least));
        let found = found.filter(counts);
        ranges.extend(found);
        ranges.extend(found.and_then(|(_, end)| replaced_by(&text[..line_end], end, &name)));
        ranges.extend(told(&text[..line_end], start, &behind).filter(|_| weak.is_none()));
    }
    ranges
}

/// The value in what is said behind a name and a colon: `token: invalid X`. Ids are in hex.
fn told(line: &str, start: usize, front: &Behind<'_>) -> Option<Range> {
    let mut rest = line.get(start..).filter(|_| !(front.assigned || front.path || front.parsed))?;
    for place in 0..TOLD {
        rest = rest.trim_start_matches(|c| is_blank(c) || QUOTES.contains(&c));
        let read = head(rest, LONGEST_WORD);
        let word = &read[..read.find(|c| is_blank(c) || QUOTES.contains(&c)).unwrap_or(read.len())];
        let bare = word.trim_end_matches([',', '.', ';', ':', ')']);
        let is_id = bare.bytes().all(|b| b.is_ascii_hexdigit());
        let begin = line.len() - rest.len();
        if place > 0 && is_drawn(bare, 12) && is_made(bare, true) && !is_id {
            return Some((begin, begin + bare.len()));
        }
        if bare.is_empty() || !bare.chars().all(is_word) {
            return None;
        }
        rest = &rest[word.len()..];
    }
    None
}

/// Whether a name is that of a member in a dump of PHP, whose value follows later: `["name":protected]=>`.
fn is_member(rest: &str) -> bool {
    let class = rest.strip_prefix('"').map(|class| &class[name_length(class)..]);
    rest.starts_with("protected]") || class.is_some_and(|rest| rest.starts_with("\":private]"))
}

/// Whether the value of such a name is drawn by chance. A PIN has digits alone.
fn is_weak(found: &str, name: &str, least: usize) -> bool {
    let is_pin = name.eq_ignore_ascii_case("pin") && (4..=8).contains(&found.len());
    is_drawn(found, least) || is_pin && found.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a word in letters, and another one, come next.
fn is_spoken(rest: &str) -> bool {
    let next = rest.trim_start_matches(is_blank).trim_start_matches(is_word);
    let begins = |c: char| is_word(c) || QUOTES.contains(&c);
    rest.trim_start_matches(is_blank).starts_with(is_word)
        && next.strip_prefix(' ').is_some_and(|next| next.starts_with(begins))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic()
}

/// What stands in front of a sign, up to its name, and whether the name is in quotes.
fn named_before(text: &str) -> (&str, bool) {
    // `["name":protected]=>` of PHP.
    let before = text.trim_end_matches(is_blank);
    let member = ["protected]", "private]"].iter().find_map(|kind| before.strip_suffix(kind));
    let member = member.and_then(|member| member.rsplit_once("[\"")).and_then(|(_, member)| member.find('"'));
    if let Some((front, _)) = member.and_then(|_| before.rsplit_once("[\"")) {
        let name = name_length(&before[front.len() + 2..]);
        return (&before[..front.len() + 2 + name], true);
    }
    let before = before.trim_end_matches(['!', '?']).trim_end_matches(is_blank);
    // `password .....: X`.
    let dots = before.trim_end_matches('.').trim_end_matches(is_blank);
    let before = if dots.len() + 3 <= before.len() { dots } else { before };
    // `params["token"] = …`, and marks of emphasis.
    let named = before.trim_end_matches(QUOTES).trim_end_matches([']', ')', '*']).trim_end_matches(QUOTES);
    (named, before[named.len()..].contains(QUOTES))
}

/// The name that a text ends with, and what is in front of it: `password[x]`, and the two words of `seed phrase`, `API
/// key` and `Secret ID`.
fn last_name(named: &str) -> (&str, Cow<'_, str>) {
    let name = name_before(named);
    let front = &named[..named.len() - name.len()];
    if !is_secret(name) {
        let is_word = |before: &&str| {
            is_one_of(name, &["key", "phrase"]) || is_one_of(name, &["id"]) && is_one_of(before, &["secret"])
        };
        let words = front.strip_suffix(' ').map(name_before).filter(is_word);
        if let Some(before) = words.filter(|before| is_secret(&format!("{before}{name}"))) {
            return (&front[..front.len() - before.len() - 1], Cow::Owned(format!("{before}{name}")));
        }
        let indexed = front.trim_end_matches(QUOTES).strip_suffix('[').map(name_before).filter(|name| is_secret(name));
        if let Some(name) = indexed {
            return (&front[..front.rfind(name).unwrap_or_default()], Cow::Borrowed(name));
        }
    }
    (front, Cow::Borrowed(name))
}

/// The value behind another one, which ends there: `"old" -> "new"`, `credentials: user / X`.
fn replaced_by(line: &str, end: usize, name: &str) -> Option<Range> {
    let rest = line.get(end..)?;
    if let Some(value) = rest.strip_prefix("\" -> \"") {
        let start = line.len() - value.len();
        return Some((start, start + closed(value, "\"")));
    }
    let value = rest.trim_start_matches([' ', '/', ':']);
    let length = near(value, word);
    let start = line.len() - value.len();
    let is_pair = name.to_ascii_lowercase().ends_with("credentials") && value.len() < rest.len();
    (is_pair && is_made(&value[..length], true)).then_some((start, start + length))
}

#[cfg(test)]
mod tests {
    use super::super::text::{merged, replaced};
    use super::super::words::is_harmless;
    use super::*;

    fn without_named(text: &str) -> String {
        replaced(text, &merged(ranges(text))).into_owned()
    }

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
            ("usage: x [-h] --api-key [redacted]", "usage: x [-h] --api-key [redacted]"),
            (r#"["serve", "--api-key", "flagged", "--port"]"#, r#"["serve", "--api-key", "[redacted]", "--port"]"#),
            ("TUNNEL_TOKEN= --password hunter2 run", "TUNNEL_TOKEN= --password [redacted] run"),
            ("Cookie: a=b; sid=c token: 'hunter2' x", "Cookie: [redacted]'[redacted]' x"),
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
