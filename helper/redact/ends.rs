//! Where values end: those of types and lists, cookies, words.

use super::letters::{CLOSING, QUOTES, is_blank, is_letter, is_name, near};
use super::text::REDACTED;

/// The length of a value that its type is written around: `Some("X")`, `Secret(X)`, `ApiKey { inner: "X" }`.
pub(super) fn constructed(value: &str) -> usize {
    let name = value.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'.')).count();
    let is_type = value.starts_with(|c: char| c.is_ascii_alphabetic());
    let behind = &value[name..];
    let opens =
        behind.starts_with('(') || value.starts_with(|c: char| c.is_ascii_uppercase()) && behind.starts_with(" {");
    if !is_type || !opens {
        return 0;
    }
    near(value, |value| {
        let (mut depth, mut quote) = (0_u32, None);
        for (at, c) in value.char_indices().skip(name) {
            match c {
                '"' if quote.is_some() => quote = None,
                '"' => quote = Some(c),
                '(' | '{' | '[' if quote.is_none() => depth += 1,
                ')' | '}' | ']' if quote.is_none() && depth <= 1 => return at + 1,
                ')' | '}' | ']' if quote.is_none() => depth -= 1,
                _ => {}
            }
        }
        value.len()
    })
}

/// The length of the type that is said in front of a value: `(string) (len=8) "X"`, `string(8) "X"`, `string 'X'`,
/// `!unsafe X`, `&anchor X`.
pub(super) fn annotation(value: &str) -> usize {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-!*.".contains(c);
    let (mut rest, mut quoted) = (value, false);
    while let Some(sign) = rest.chars().next().filter(|c| matches!(c, '!' | '&' | '(' | 's')) {
        let said = if sign == 's' { rest.strip_prefix("string") } else { rest.get(1..) };
        let Some(said) = said.map(|said| if sign == 's' { said.strip_prefix('(').unwrap_or(said) } else { said })
        else {
            break;
        };
        let behind = said.trim_start_matches(|c| is_part(c) || c == '=' && sign == '(');
        let behind = behind.strip_prefix(')').unwrap_or(behind);
        let is_type = rest.len() - behind.len() < 40 && behind.starts_with(is_blank) && behind.len() + 1 < rest.len();
        if !is_type {
            break;
        }
        quoted |= matches!(sign, '(' | 's');
        rest = behind.trim_start_matches(is_blank);
    }
    if quoted && !rest.starts_with(QUOTES) { 0 } else { value.len() - rest.len() }
}

/// Whether a value is redacted already, and nothing stands behind it.
pub(super) fn is_gone(value: &str) -> bool {
    value.strip_prefix(REDACTED).is_some_and(|rest| word(rest) == 0)
}

/// Up to the end of a list's items. A bracket may be part of one.
pub(super) fn items(value: &str, opening: &str) -> usize {
    let ends = |at: &usize| {
        let (front, behind) = (value[..*at].trim_end_matches(is_blank), &value[at + 1..]);
        if opening.is_empty() { !behind.starts_with(is_letter) } else { front.ends_with(QUOTES) }
    };
    let end = value.match_indices(']').map(|(at, _)| at).find(ends).unwrap_or(value.len());
    let items = value[..end].trim_end_matches(is_blank);
    if opening.is_empty() { items.len() } else { items.trim_end_matches(QUOTES).len() }
}

/// Up to the end of a header with cookies: its line, the quote around it, or, in `cookie=…`, the last pair.
pub(super) fn cookies(value: &str, assigned: bool) -> usize {
    let (mut inside, mut last) = (false, ' ');
    for (at, c) in value.char_indices() {
        match c {
            '"' if inside => inside = false,
            '"' if last == '=' => inside = true,
            ' ' if assigned && !inside && last != ';' => return at,
            _ if !inside && ends_word(value, at) => return at,
            _ => {}
        }
        last = c;
    }
    value.len()
}

/// Up to the attributes of a cookie.
pub(super) fn first_cookie(cookies: &str) -> usize {
    let mut inside = false;
    let ends = |c: char| {
        inside ^= c == '"';
        c == ';' && !inside
    };
    cookies.find(ends).unwrap_or(cookies.len())
}

/// Whether a quote, or an escaped quote or line break, ends what is in front of it. Between letters it is one of them.
fn ends_word(text: &str, at: usize) -> bool {
    let (front, behind) = text.split_at(at);
    let bare = behind.trim_start_matches('\\');
    if bare.len() < behind.len() && bare.starts_with(['n', 'r', 't']) {
        return true;
    }
    let opens = front.ends_with(|c: char| is_blank(c) || "{[(,:=".contains(c));
    let joins = |c: char| c.is_alphanumeric() || is_letter(c) || c == ';';
    bare.strip_prefix(['"', '\'']).is_some_and(|behind| opens || !behind.starts_with(joins))
}

/// Up to the end of a value without quotes. A comma, a semicolon or an ampersand ends it where another assignment, or
/// nothing, follows; elsewhere it is a part of the value.
pub(super) fn word(value: &str) -> usize {
    let begins_another = |at: usize| {
        let name = value[at..].bytes().take_while(|b| is_name(*b)).count();
        name > 0 && value[at + name..].starts_with(['=', ':'])
    };
    let is_end = |(at, c): &(usize, char)| match c {
        ',' | ';' | '&' => begins_another(at + 1),
        _ => c.is_whitespace() || ends_word(value, *at),
    };
    let text = &value[..value.char_indices().find(is_end).map_or(value.len(), |(at, _)| at)];
    text.strip_suffix('&').unwrap_or(text).trim_end_matches(CLOSING).len()
}
