//! E-mail addresses, and logins in URLs.

use super::text::Range;

/// E-mail addresses, and names and passwords in front of a URL's host.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = logins(text);
    let logins = ranges.len();
    let is_local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    for (at, _) in text.match_indices('@') {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let local = before.len() - before.trim_end_matches(is_local).len();
        let domain = after.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(after.len());
        let top = after[..domain].trim_end_matches('.').rsplit_once('.').map_or("", |(_, top)| top);
        let is_address = local > 0 && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic());
        // What is behind a login is the host, which is needed.
        // `git@github.com:owner/name` is where a repository is.
        let is_address = is_address && &text[at - local..at] != "git";
        if is_address && ranges[..logins].binary_search_by_key(&at, |(_, end)| *end).is_err() {
            ranges.push((at - local, at + 1 + domain));
        }
    }
    ranges
}

/// What is between a URL's `://` and the last `@` of the same word, in order: a password may hold `/` and `@`.
fn logins(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    for (at, _) in text.match_indices("://") {
        let web = ["http", "https"].iter().any(|scheme| {
            let tail = text.as_bytes()[..at].rsplit(|b| !b.is_ascii_alphanumeric()).next().unwrap_or_default();
            tail.eq_ignore_ascii_case(scheme.as_bytes())
        });
        let after = &text[at + 3..];
        // First what is nearest: thousands of them may be one word.
        let word = after.find("://").unwrap_or(after.len());
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>');
        let word = after[..word].find(is_end).unwrap_or(word);
        // The digest of an image is no host.
        let word = after[..word].find("@sha256:").unwrap_or(word);
        let login = after[..word].rfind('@').filter(|at| *at > 0);
        ranges.extend(login.filter(|end| is_login(&after[..*end], web)).map(|end| (at + 3, at + 3 + end)));
    }
    ranges
}

/// Whether a text in front of an `@` is a name and a password, and not a host with a path: `host:8080/@scope`.
fn is_login(text: &str, web: bool) -> bool {
    let Some(end) = text.find(['/', '?', '#']) else { return true };
    text[..end].split_once(':').is_some_and(|(_, port)| !web || !port.bytes().all(|b| b.is_ascii_digit()))
}
