//! What an error quotes in a line that names a secret, `API_TOKEN: expected 32 characters, got "X"`, and pairs of a user and a
//! password: `login: u / X`, `"u" "X"`.

use std::cell::LazyCell;

use super::letters::{QUOTES, closed, is_blank, is_letter, name_before, opening};
use super::said::{is_drawn, is_made, is_one_of};
use super::text::{Range, behind_last, head, tail};
use super::words::is_secret;
use crate::list::list;

/// The word in front of a quoted value.
const INTRODUCTIONS: [&str; 11] = list("got value value: was parsing parse received found given input: input");
/// A word in front of a user and a password.
const LOGINS: [&str; 6] = list("login log logon account credentials sign");
/// A word in a line in which a user and a password are arguments.
const CALLS: [&str; 4] = list("login auth authenticate credentials");
/// What is read in front of a pair, in bytes.
const NEAR: usize = 60;
/// Such a value is no shorter, in bytes, and one without a word in front of it no shorter than the second.
const SHORTEST: [usize; 2] = [8, 12];

/// The values.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let words = || line.split(|c| !is_letter(c));
        let is_named = LazyCell::new(|| words().any(is_secret));
        let is_call = LazyCell::new(|| words().any(|word| is_one_of(word, &CALLS)));
        let quotes = line.match_indices(['"', '\'']);
        let found = quotes.filter_map(|(at, _)| quoted(line, at, &|| *is_named, &|| *is_call)).collect::<Vec<_>>();
        let pairs = line.match_indices('/').filter_map(|(at, _)| paired(line, at));
        ranges.extend(found.into_iter().chain(pairs).map(|(start, end)| (from + start, from + end)));
        from += line.len();
    }
    ranges
}

/// The value behind a quote.
fn quoted(line: &str, at: usize, is_named: &dyn Fn() -> bool, is_call: &dyn Fn() -> bool) -> Option<Range> {
    let front = line[..at].trim_end_matches('\\');
    let bare = front.trim_end_matches(is_blank);
    // `"input":"X"`; what pydantic was given is in a line without the name.
    let member =
        bare.strip_suffix(':').filter(|named| named.ends_with(QUOTES)).map(|named| named.trim_end_matches(QUOTES));
    let word = behind_last(member.unwrap_or(bare), |c| is_blank(c) || "{(,\"'".contains(c));
    let is_input = word.ends_with("input_value=");
    let is_second = front.ends_with("\" ") && {
        let first = front[..front.len() - 2].trim_end_matches('\\');
        let name = name_before(first);
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && first[..first.len() - name.len()].ends_with('"')
    };
    // `('bob', 'X') in login`, `['app', '-p', 'X']`.
    let item =
        bare.strip_suffix(',').map(|front| front.trim_end_matches(QUOTES)).filter(|item| item.len() + 1 < bare.len());
    let is_operand = item.is_some_and(|item| {
        let first = name_before(item);
        let around = item[..item.len() - first.len()].trim_end_matches(QUOTES);
        matches!(first, "-p" | "-P" | "-w") && is_named() || !first.is_empty() && around.ends_with('(') && is_call()
    });
    let is_second = is_second || is_operand;
    if !(is_input || is_second || is_one_of(word, &INTRODUCTIONS)) {
        return None;
    }
    let opening = opening(&line[front.len()..]);
    let start = front.len() + opening.len();
    let found = &line[start..start + closed(&line[start..], opening)];
    let is_word = !found.contains(is_blank);
    let goes = if is_input || is_second {
        is_word && is_drawn(found, SHORTEST[1])
    } else {
        found.len() >= SHORTEST[0] && is_made(found, true) && is_named()
    };
    goes.then_some((start, start + found.len()))
}

/// The password behind a slash.
fn paired(line: &str, at: usize) -> Option<Range> {
    let before = line[..at].trim_end_matches(is_blank);
    let user = behind_last(before, |c| is_blank(c) || c == '/');
    let is_user = !user.is_empty() && user.trim_end_matches(is_letter).trim_end_matches('@').chars().all(is_letter);
    if !is_user {
        return None;
    }
    let value = line[at + 1..].trim_start_matches(is_blank);
    let start = line.len() - value.len();
    let value = head(value, NEAR * 8);
    let found = &value[..value.find(|c: char| c.is_whitespace() || QUOTES.contains(&c)).unwrap_or(value.len())];
    let is_apart = before.len() < at;
    if is_apart != (start > at + 1) || !is_drawn(found, SHORTEST[0]) || !is_made(found, true) {
        return None;
    }
    let front = tail(&before[..before.len() - user.len()], NEAR).trim_end();
    let is_login = (is_apart || front.ends_with(':') || front.ends_with(" with"))
        && front.split(|c| !is_letter(c)).any(|word| is_one_of(word, &LOGINS));
    is_login.then_some((start, start + found.len()))
}

#[cfg(test)]
mod tests {
    use crate::redact::expect::{hides, keeps};

    #[test]
    fn the_quotes_of_other_lines_and_the_slashes_of_paths_stay() {
        keeps(&[
            "expected 32 characters, got \"8f1c2b7de04a\"",
            "invalid token: got \"null\"",
            "GET /login/v2beta12ab 200",
            "wrote the log to /var/log12ab34cd/x",
            "\"GET\" \"curl/8.5.0\"",
        ]);
        hides(&[
            "API_TOKEN: expected 32 characters, got \"abs3cr3t1\"",
            "{\"loc\":[\"api_key\"],\"input\":\"abs3cr3t1\"}",
            "Admin account created: u@x / abs3cr3t1",
            "Log in with u/abs3cr3t1",
            "\"app\" \"a1s3cr3tabcdef2\"",
            "Arguments: (('bob', 'a1s3cr3tabcdef2'), {}) in login",
            "cmd: ['app', '-p', 'a1s3cr3tabcdef2'] password",
        ]);
    }
}
