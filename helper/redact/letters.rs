//! What names and quoted values consist of, and what cannot be seen in them.

use super::text::{Range, head};

/// A letter of a name: of a variable, a header, a flag, a service.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// A letter of a name, or what is left of one: a broken byte, or something invisible.
pub(super) fn is_letter(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_name) || is_unseen(c)
}

/// How long the name is that a text begins with, in bytes.
pub(super) fn name_length(text: &str) -> usize {
    text.find(|c| !is_letter(c)).unwrap_or(text.len())
}

/// The name that a text ends with. What is longer than any name is of no interest.
pub(super) fn name_before(text: &str) -> &str {
    let length = text.chars().rev().take(200).take_while(|c| is_letter(*c)).map(char::len_utf8).sum::<usize>();
    &text[text.len() - length..]
}

/// What quotes are made of: those of JSON inside of JSON have backslashes.
pub(super) const QUOTES: [char; 4] = ['"', '\'', '`', '\\'];

/// What parts words of one line.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\n' | '\r')
}

/// The quote that a text begins with, and the backslashes in front of it; empty without one.
pub(super) fn opening(text: &str) -> &str {
    let slashes = text.bytes().take_while(|b| *b == b'\\').count();
    if text[slashes..].starts_with(['"', '\'']) { &text[..=slashes] } else { "" }
}

/// The words of a text from a place on, without quotes and further `signs`.
pub(super) fn words(text: &str, from: usize, signs: fn(char) -> bool) -> impl Iterator<Item = Range> {
    let is_end = move |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\') || signs(c);
    let mut at = from;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(|c| !is_end(c))?;
        at = text[start..].find(is_end).map_or(text.len(), |length| start + length);
        Some((start, at))
    })
}

/// What ends a value and what is around it.
pub(super) const CLOSING: [char; 5] = [')', '}', ']', ',', ';'];

/// What is read of a text to find where a value ends, in bytes: thousands of names may precede the same end.
pub(super) const LONGEST: usize = 4 << 10;

/// The end of a value by a function that looks for it. What does not end soon goes to its last byte.
pub(super) fn near(value: &str, end: impl Fn(&str) -> usize) -> usize {
    let read = head(value, LONGEST);
    let length = end(read);
    let is_open = read.len() < value.len() && read[length..].chars().all(|c| is_blank(c) || CLOSING.contains(&c));
    if is_open { value.len() } else { length }
}

/// The end of a value with a quote in front of it.
pub(super) fn closed(value: &str, opening: &str) -> usize {
    near(value, |value| end_of_quoted(value, opening))
}

/// A text in quotes at the beginning of another one, without the first quote, and its length.
pub(super) fn in_quotes(text: &str) -> Option<(&str, usize)> {
    let opening = opening(text);
    let value = &text[opening.len()..];
    (!opening.is_empty()).then(|| (value, closed(value, opening)))
}

/// Up to the quote that closes what `opening` opened: as many backslashes, the same quote, and no letter behind it. Two
/// of them are one that is part of the value, as in SQL and YAML.
fn end_of_quoted(value: &str, opening: &str) -> usize {
    let Some(quote) = opening.chars().next_back() else { return 0 };
    let is_empty = value.trim_matches(quote).is_empty();
    let mut doubled = false;
    for (at, _) in value.match_indices(quote) {
        let before = value[..at].trim_end_matches('\\');
        let in_word = value[at + 1..].starts_with(|c: char| c.is_alphanumeric());
        let second = std::mem::take(&mut doubled);
        if at - before.len() >= opening.len() || in_word || second {
            continue;
        }
        doubled = !is_empty && opening.len() == 1 && value[at + 1..].starts_with(quote);
        if !doubled {
            return before.len();
        }
    }
    value.len()
}

/// Marks of direction, joiners, fillers, separators, selectors and tags: text can hide in them, or change places.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
    ) || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What may replace a letter, or be between two: the mark of a broken byte, a control character, something invisible.
pub(super) fn is_unseen(c: char) -> bool {
    c == char::REPLACEMENT_CHARACTER || c.is_control() && !c.is_ascii_whitespace() || is_invisible(c)
}
