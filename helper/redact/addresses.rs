//! E-mail addresses, and logins in URLs.

use super::said::is_made;
use super::text::{Range, behind_last, tail};

/// No login without a scheme is longer, in bytes.
const LOGIN: usize = 300;

/// E-mail addresses, and names and passwords in front of a URL's host.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = logins(text);
    let logins = ranges.len();
    ranges.extend(bare_logins(text));
    let (mut from, mut before) = (0, "");
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let found = in_pgpass(bare).or_else(|| in_map(bare, before));
        ranges.extend(found.map(|(start, end)| (from + start, from + end)));
        (from, before) = (from + word.len(), bare);
    }
    let is_local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    for (at, _) in text.match_indices('@') {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let local = before.len() - before.trim_end_matches(is_local).len();
        let domain = after.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).unwrap_or(after.len());
        let top = after[..domain].trim_end_matches('.').rsplit_once('.').map_or("", |(_, top)| top);
        let is_address = local > 0 && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic());
        // What is behind a login is the host, which is needed.
        // `git@github.com:owner/name` is where a repository is, `user@1000.service` a unit of systemd.
        let is_unit = ["service", "slice", "scope", "socket", "mount", "target", "timer"].contains(&top);
        let is_address = is_address && !is_unit && &text[at - local..at] != "git";
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
        let login = login.filter(|end| &after[..*end] != "git");
        ranges.extend(login.filter(|end| is_login(&after[..*end], web)).map(|end| (at + 3, at + 3 + end)));
    }
    ranges
}

/// The password in a line of PostgreSQL's `.pgpass`: `host:5432:database:user:X`.
fn in_pgpass(word: &str) -> Option<Range> {
    let mut fields = word.splitn(5, ':');
    let [_, port, _, _] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    let password = fields.next()?;
    let front = &word[..word.len() - password.len()];
    let is_port = port == "*" || (4..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    // Addresses of IPv6 have letters of hex alone.
    let is_hex = front.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    (is_port && !is_hex && is_made(password, true)).then_some((front.len(), word.len()))
}

/// The password of a login for a mail server, `[smtp.x]:587 user:X`, and in a variable, `ETCDCTL_USER=user:X`.
fn in_map(word: &str, before: &str) -> Option<Range> {
    let (user, password) = word.split_once(':')?;
    let port = before.rsplit_once(':').map_or("", |(_, port)| port);
    let is_login = matches!(port, "25" | "465" | "587" | "2525") || user.contains("_USER=") || user.contains("_LOGIN=");
    (is_login && is_made(password, true)).then_some((user.len() + 1, word.len()))
}

/// Passwords in addresses without a scheme: `root:X@tcp(db:3306)/app`, `u:X@db:5432/app`, `jdbc:oracle:thin:u/X@db`,
/// `sqlplus u/X@db`.
fn bare_logins(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '=' | '(' | ',' | '[' | '{');
    for (at, _) in text.match_indices('@') {
        let front = tail(&text[..at], LOGIN);
        let word = behind_last(front, is_end);
        let host = text[at + 1..].trim_start_matches('/');
        let end = host.find(|c: char| !(c.is_ascii_alphanumeric() || ".-_".contains(c))).unwrap_or(host.len());
        let has_port =
            || host[end..].strip_prefix(':').is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()));
        let is_host = ["tcp(", "unix(", "("].iter().any(|kind| host.starts_with(kind)) || end > 0 && has_port();
        let is_host = is_host && !host.starts_with("sha256:");
        let oracle = word.strip_prefix("jdbc:oracle:thin:").or_else(|| {
            let before = front[..front.len() - word.len()].trim_end();
            ["sqlplus", "exp", "imp", "expdp", "impdp", "sqlldr"]
                .iter()
                .any(|name| before.ends_with(name))
                .then_some(word)
        });
        let password = match oracle {
            Some(login) => login.split_once('/').map(|(_, password)| password),
            None if is_host && !word.contains("//") => word.split_once(':').map(|(_, password)| password),
            None => None,
        };
        ranges.extend(password.filter(|password| !password.is_empty()).map(|password| (at - password.len(), at)));
    }
    ranges
}

/// Whether a text in front of an `@` is a name and a password, and not a host with a path: `host:8080/@scope`.
fn is_login(text: &str, web: bool) -> bool {
    let Some(end) = text.find(['/', '?', '#']) else { return true };
    text[..end].split_once(':').is_some_and(|(_, port)| !web || !port.bytes().all(|b| b.is_ascii_digit()))
}
