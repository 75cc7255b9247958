//! `$NAME` and its relatives in a value of `.env`, and the escapes of double quotes, as compose-go has them.

use std::cell::Cell;

/// The value of a variable, by its name.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// Why variables cannot be put into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// `${` that begins none of the forms that Compose knows.
    BadTemplate,
    /// There is no room for the values.
    TooLong,
}

/// Bytes that variables may still add to texts: references to references double with each line.
#[derive(Debug)]
pub(crate) struct Room(Cell<usize>);

impl Default for Room {
    /// As much as a file of settings has at most.
    fn default() -> Self {
        Self(Cell::new(1 << 20))
    }
}

impl Room {
    /// Takes so many bytes. What did not fit leaves no room.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether nothing more fits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.get() == 0
    }
}

/// Deepest nesting of defaults that is followed; people do not write deeper ones.
const DEEPEST: usize = 32;

/// Replaces what a shell would.
///
/// # Errors
/// Where Compose refuses the text.
pub(super) fn substitute(text: &[u8], lookup: Lookup<'_>, room: &Room) -> Result<Vec<u8>, Unusable> {
    if room.is_empty() && text.contains(&b'$') {
        return Err(Unusable::TooLong);
    }
    substitute_within(text, lookup, room, DEEPEST)
}

fn substitute_within(text: &[u8], lookup: Lookup<'_>, room: &Room, depth: usize) -> Result<Vec<u8>, Unusable> {
    let put = |out: &mut Vec<u8>, value: &[u8]| {
        out.extend_from_slice(value);
        if room.take(value.len()) { Ok(()) } else { Err(Unusable::TooLong) }
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| *b == b'$') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.first() {
            Some(b'$') => {
                out.push(b'$');
                rest = &rest[1..];
            }
            Some(b'{') => {
                let (value, behind) = braced(&rest[1..], lookup, room, depth)?;
                put(&mut out, &value)?;
                rest = behind;
            }
            _ => match name(rest) {
                "" => out.push(b'$'),
                name => {
                    put(&mut out, &lookup(name).unwrap_or_default())?;
                    rest = &rest[name.len()..];
                }
            },
        }
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// The variable's name that a text begins with; empty if it begins with none.
fn name(text: &[u8]) -> &str {
    let is_start = text.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    let length = text.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_').unwrap_or(text.len());
    std::str::from_utf8(&text[..if is_start { length } else { 0 }]).unwrap_or_default()
}

/// The value of what is behind `${`, and the text behind its `}`.
fn braced<'a>(text: &'a [u8], lookup: Lookup<'_>, room: &Room, depth: usize) -> Result<(Vec<u8>, &'a [u8]), Unusable> {
    let name = name(text);
    let behind = &text[name.len()..];
    if name.is_empty() || depth == 0 {
        return Err(Unusable::BadTemplate);
    }
    if let Some(rest) = behind.strip_prefix(b"}") {
        return Ok((lookup(name).unwrap_or_default(), rest));
    }
    let (colon, behind) = behind.strip_prefix(b":").map_or((false, behind), |rest| (true, rest));
    let (&sign, argument) = behind.split_first().ok_or(Unusable::BadTemplate)?;
    let end = closing(argument).ok_or(Unusable::BadTemplate)?;
    let (argument, rest) = (&argument[..end], &argument[end + 1..]);
    let value = lookup(name);
    // With a colon an empty value counts as none.
    let present = value.as_ref().is_some_and(|value| !colon || !value.is_empty());
    let other = || substitute_within(argument, lookup, room, depth - 1);
    let value = match sign {
        b'-' if present => value.unwrap_or_default(),
        b'-' => other()?,
        b'+' if present => other()?,
        b'+' => value.unwrap_or_default(),
        b'?' => {
            // Without a value in the file it is for Compose to say whether the shell has one.
            other()?;
            value.unwrap_or_default()
        }
        _ => return Err(Unusable::BadTemplate),
    };
    Ok((value, rest))
}

/// Distance to the `}` that closes an argument: on the same line, and not that of a variable inside of it. Where those
/// are not all closed, the last one on the line.
fn closing(argument: &[u8]) -> Option<usize> {
    let line = &argument[..argument.iter().position(|b| *b == b'\n').unwrap_or(argument.len())];
    let mut open = 1_usize;
    let mut at = 0;
    while at < line.len() {
        if line[at] == b'}' {
            open -= 1;
            if open == 0 {
                return Some(at);
            }
        } else if line[at..].starts_with(b"${") {
            open += 1;
            at += 1;
        }
        at += 1;
    }
    line.iter().rposition(|b| *b == b'}')
}

/// Resolves the escapes of double quotes; `\$` becomes `$$`, which interpolation then takes for a plain `$`.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let plain = match behind.first() {
            Some(b'a') => b"\x07".as_slice(),
            Some(b'b') => b"\x08",
            Some(b'f') => b"\x0c",
            Some(b'n') => b"\n",
            Some(b'r') => b"\r",
            Some(b't') => b"\t",
            Some(b'v') => b"\x0b",
            Some(b'$') => b"$$",
            Some(b'"') => b"\"",
            Some(b'\\') => b"\\",
            Some(b'0') => {
                rest = octal(&behind[1..], &mut out);
                continue;
            }
            _ => {
                out.push(b'\\');
                continue;
            }
        };
        out.extend_from_slice(plain);
        rest = &behind[1..];
    }
    out
}

/// `\0` and up to three digits: a character if they are an octal number up to 0377, otherwise without the `0`.
fn octal<'a>(digits: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let length = digits.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = digits.split_at(length);
    let text = std::str::from_utf8(number).unwrap_or_default();
    match u8::from_str_radix(text, 8) {
        Ok(code) if length == 3 => out.extend(char::from(code).to_string().bytes()),
        Ok(_) | Err(_) => {
            out.push(b'\\');
            out.extend_from_slice(number);
        }
    }
    rest
}
