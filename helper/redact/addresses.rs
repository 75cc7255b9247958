//! E-mail addresses, and logins in URLs.

use super::text::REDACTED;

/// Replaces e-mail addresses, and names and passwords in front of a URL's host.
pub(super) fn without_addresses(text: &str) -> String {
    let text = &without_logins(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let is_local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
        let local = before.len() - before.trim_end_matches(is_local).len();
        let domain = after.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(after.len());
        let top = after[..domain].trim_end_matches('.').rsplit_once('.').map_or("", |(_, top)| top);
        if local > 0 && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic()) {
            out.push_str(&before[..before.len() - local]);
            out.push_str(REDACTED);
            rest = &after[domain..];
        } else {
            out.push_str(&rest[..=at]);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Replaces the text between a URL's `://` and the last `@` of the same word: a password may hold `/` and `@`.
pub(super) fn without_logins(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let web = ["http", "https"].iter().any(|scheme| {
            let tail = rest.as_bytes()[..at].rsplit(|b| !b.is_ascii_alphanumeric()).next().unwrap_or_default();
            tail.eq_ignore_ascii_case(scheme.as_bytes())
        });
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let word =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(after.len());
        let word = after[..word].find("://").unwrap_or(word);
        let login = after[..word].rfind('@').filter(|at| *at > 0 && !after[at + 1..].starts_with("sha256:"));
        rest = match login {
            Some(at) if is_login(&after[..at], web) => {
                out.push_str(REDACTED);
                &after[at..]
            }
            Some(_) | None => after,
        };
    }
    out.push_str(rest);
    out
}

/// Whether a text in front of an `@` is a name and a password, and not a host with a path: `host:8080/@scope`.
fn is_login(text: &str, web: bool) -> bool {
    let Some(end) = text.find(['/', '?', '#']) else { return true };
    text[..end].split_once(':').is_some_and(|(_, port)| !web || !port.bytes().all(|b| b.is_ascii_digit()))
}
