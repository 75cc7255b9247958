//! Texts cut to size, and the word that replaces a secret.

use std::borrow::Cow;

/// Replaces a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Bytes of a text that go: where they begin, and where what stays begins.
pub(super) type Range = (usize, usize);

/// Ranges in order, those that overlap or touch as one.
pub(super) fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.retain(|(start, end)| start < end);
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let joined = next.0 <= last.1;
        if joined {
            last.1 = last.1.max(next.1);
        }
        joined
    });
    ranges
}

/// A text with merged ranges replaced.
pub(super) fn replaced<'a>(text: &'a str, ranges: &[Range]) -> Cow<'a, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end) in ranges {
        out.push_str(&text[from..*start]);
        out.push_str(REDACTED);
        from = *end;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// What a word may continue: nothing behind an escaped line break or tab, whose letter belongs to no word.
pub(super) fn continued(before: &str) -> &str {
    if ["\\n", "\\r", "\\t"].iter().any(|escape| before.ends_with(escape)) { "" } else { before }
}

/// What follows the last character of some kind.
pub(super) fn behind_last(text: &str, ends: impl Fn(char) -> bool) -> &str {
    text.char_indices().rev().find(|(_, c)| ends(*c)).map_or(text, |(at, c)| &text[at + c.len_utf8()..])
}

/// At most so many bytes from the beginning, whole characters only.
pub(crate) fn head(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// At most so many bytes from the end, whole characters only.
pub(crate) fn tail(text: &str, most: usize) -> &str {
    let mut start = text.len().saturating_sub(most);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// At most so many characters: an error that quotes what was given must not grow with it.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(std::iter::once('…')).collect()
}
