//! Texts cut to size, what cannot be seen of one, and the word that replaces a secret.

/// Replaces a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// What a word may continue: nothing behind an escaped line break or tab, whose letter belongs to no word.
pub(super) fn continued(before: &str) -> &str {
    if ["\\n", "\\r", "\\t"].iter().any(|escape| before.ends_with(escape)) { "" } else { before }
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

/// Marks of direction, joiners, fillers, separators, selectors and tags: text can hide in them, or change places.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
    ) || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What may stand in place of a letter, or between two: the mark of a broken byte, a control character, something invisible.
pub(super) fn is_unseen(c: char) -> bool {
    c == char::REPLACEMENT_CHARACTER || c.is_control() && !c.is_ascii_whitespace() || is_invisible(c)
}
