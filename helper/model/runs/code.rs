//! Code of Python and JavaScript as text: its strings, brackets and comments.

/// A string in quotes or a number.
pub(super) fn literal(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = text.strip_prefix(['"', '\'', '`']).and_then(|rest| rest.strip_suffix(['"', '\'', '`']));
    match inner {
        Some(inner) if !inner.contains(['"', '\'', '`', '{', '$']) => Some(inner.to_owned()),
        Some(_) => None,
        None => text.parse::<u16>().ok().map(|number| number.to_string()),
    }
}

/// The arguments of a call, from behind its opening parenthesis; `None` where it does not close.
pub(super) fn arguments(text: &str) -> Option<Vec<&str>> {
    let end = ends(text).find(|(_, is_end)| *is_end)?.0;
    Some(split(&text[..end]))
}

/// The parts between commas that are in no brackets.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, _) in ends(text).take_while(|(_, is_end)| !is_end).chain([(text.len(), false)]) {
        let part = text[begin..at].trim();
        if !part.is_empty() {
            parts.push(part);
        }
        begin = at + 1;
    }
    parts
}

/// Commas outside of brackets and strings, and the bracket that closes what was open before.
fn ends(text: &str) -> impl Iterator<Item = (usize, bool)> {
    let (mut depth, mut quote, mut is_escaped) = (0_i32, None, false);
    text.char_indices().filter_map(move |(at, letter)| {
        if std::mem::take(&mut is_escaped) {
            return None;
        }
        match (quote, letter) {
            (Some(_), '\\') => is_escaped = true,
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') if depth == 0 => return Some((at, true)),
            (None, ')' | ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => return Some((at, false)),
            _ => {}
        }
        None
    })
}

/// A text without comments and long strings, each line where it was.
pub(super) fn bare(text: &str, is_js: bool) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    let mut quote: Option<char> = None;
    while let Some(letter) = rest.chars().next() {
        let long = ["\"\"\"", "'''"].into_iter().find(|mark| !is_js && rest.starts_with(mark));
        let end = match (quote, long) {
            (None, Some(mark)) => Some(rest[3..].find(mark).map_or(rest.len(), |end| end + 6)),
            (None, None) if is_js && rest.starts_with("/*") => Some(rest.find("*/").map_or(rest.len(), |end| end + 2)),
            (None, None) if rest.starts_with(if is_js { "//" } else { "#" }) => {
                Some(rest.find('\n').unwrap_or(rest.len()))
            }
            _ => None,
        };
        if let Some(end) = end {
            bare.extend(rest[..end].chars().filter(|c| *c == '\n'));
            rest = &rest[end..];
            continue;
        }
        match quote {
            Some(open) if letter == open || letter == '\n' && open != '`' => quote = None,
            None if matches!(letter, '"' | '\'') || is_js && letter == '`' => quote = Some(letter),
            _ => {}
        }
        let escaped = if letter == '\\' { rest.chars().nth(1) } else { None };
        bare.push(letter);
        bare.extend(escaped);
        rest = &rest[letter.len_utf8() + escaped.map_or(0, char::len_utf8)..];
    }
    bare
}
