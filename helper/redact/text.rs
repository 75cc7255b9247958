//! Texts cut to size, and the word that replaces a secret.

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
