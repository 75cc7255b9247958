//! `.env`, read as Compose reads it and changed value by value: every other byte stays as it was.

mod interpolate;
mod parse;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

pub(crate) use interpolate::Room;
pub(crate) use parse::EnvFault;
use parse::{Assignment, Parsed, Quote};

/// The tunnel's domain.
pub(crate) const DOMAIN: &str = "TUNNEL_DOMAIN";
/// The tunnel's token.
pub(crate) const TOKEN: &str = "TUNNEL_TOKEN";
/// Hash of the proxy's configuration, interpolated into a label.
pub(crate) const CONFIG_HASH: &str = "MCP_TUNNEL_CONFIG_SHA256";
/// Fingerprint of the token, interpolated into a label.
pub(crate) const TOKEN_FINGERPRINT: &str = "MCP_TUNNEL_TOKEN_FINGERPRINT";

/// The content of a `.env` file: bytes, because Compose takes values that are not UTF-8 as they are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EnvFile {
    bytes: Vec<u8>,
}

/// Variables of such a file with their values.
pub(crate) type Variables<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

impl std::fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EnvFile(…)")
    }
}

/// A text with its variables replaced, as Compose does it in a compose file; `None` where it would refuse it, or where the
/// values do not fit.
pub(crate) fn interpolated(text: &str, lookup: &dyn Fn(&str) -> Option<String>, room: &Room) -> Option<String> {
    let bytes = |name: &str| lookup(name).map(String::into_bytes);
    let filled = interpolate::substitute(text.as_bytes(), &bytes, room).ok()?;
    Some(String::from_utf8_lossy(&filled).into_owned())
}

fn shown(parsed: Parsed<'_>) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let text = |value| match value {
        Cow::Borrowed(value) => String::from_utf8_lossy(value),
        Cow::Owned(value) => Cow::Owned(String::from_utf8_lossy(&value).into_owned()),
    };
    parsed.assignments.into_iter().map(move |a| (a.key, text(a.value)))
}

impl EnvFile {
    /// Takes the file's content as it is.
    pub(crate) fn new(content: impl Into<Vec<u8>>) -> Self {
        Self { bytes: content.into() }
    }

    /// The content, to be written.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value that Compose takes: the last assignment wins. Where Compose refuses the file, what the line says.
    /// Bytes that are not UTF-8 are shown as U+FFFD.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        let last = self.parse().assignments.into_iter().rev().find(|a| *a.key == *key)?;
        Some(String::from_utf8_lossy(&last.value).into_owned())
    }

    /// Every variable with the value that Compose takes.
    pub(crate) fn values(&self) -> Variables<'_> {
        self.assignments().collect()
    }

    /// The same, where the file may refer to variables from outside.
    pub(crate) fn values_with(&self, outer: &Variables<'_>) -> Variables<'_> {
        shown(parse::parse(&self.bytes, outer)).collect()
    }

    /// Every variable as `format: raw` takes it: all that is behind the `=`.
    pub(crate) fn raw_values(&self) -> Variables<'_> {
        let lines = self.bytes.split(|b| *b == b'\n').map(String::from_utf8_lossy);
        let pair = |line: Cow<'_, str>| {
            let (name, value) = line.trim_end_matches('\r').split_once('=')?;
            (!name.starts_with('#')).then(|| (Cow::Owned(name.trim().to_owned()), Cow::Owned(value.to_owned())))
        };
        lines.filter_map(pair).collect()
    }

    /// Every assignment, in the order of the file.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        shown(self.parse())
    }

    /// A text of a compose file with the variables of this file put in; `None` where Compose refuses it.
    pub(crate) fn interpolate(&self, text: &str) -> Option<String> {
        let values = if text.contains('$') { self.values() } else { BTreeMap::new() };
        let lookup = |name: &str| values.get(name).map(|value| value.to_string());
        interpolated(text, &lookup, &Room::default())
    }

    /// Names of all variables that the file sets.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.parse().assignments.into_iter().map(|a| a.key.into_owned()).collect()
    }

    /// Why Compose refuses the file; the first one is what it would name.
    pub(crate) fn faults(&self) -> Vec<EnvFault> {
        self.parse().faults
    }

    /// The first line that is not UTF-8, counted from 1.
    pub(crate) fn not_utf8(&self) -> Option<usize> {
        let valid = std::str::from_utf8(&self.bytes).err()?.valid_up_to();
        Some(parse::line_of(&self.bytes, valid))
    }

    /// Sets a value in the line of its key, or in a new last line, and reads the file back as Compose would. Says whether
    /// anything changed.
    ///
    /// # Errors
    /// When Compose would read another value, or refuse the file. The content is as it was then.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<bool, EnvFault> {
        let before = self.about(key);
        // Places are those of the decoded text.
        if before.faults.first() == Some(&EnvFault::Utf16) {
            return Err(EnvFault::Utf16);
        }
        // What Compose reads as this value is left as it is written.
        if self.holds(&before, key, value).is_ok() {
            return Ok(false);
        }
        let mut fault = None;
        for way in [Way::Bare, Way::AsBefore, Way::Quoted, Way::RestOfLine] {
            let candidate = Self::new(self.with(&before, key, value, way));
            match candidate.holds(&before, key, value) {
                Ok(()) => {
                    let changed = candidate != *self;
                    *self = candidate;
                    return Ok(changed);
                }
                Err(why) => fault = fault.or(Some(why)),
            }
        }
        Err(fault.unwrap_or_else(|| EnvFault::NotReadBack { key: key.to_owned() }))
    }

    fn parse(&self) -> Parsed<'_> {
        parse::parse(&self.bytes, &BTreeMap::new())
    }

    fn about(&self, key: &str) -> About<'_> {
        let Parsed { assignments, faults } = self.parse();
        let mut others = DefaultHasher::new();
        let is_other = |a: &&Assignment<'_>| *a.key != *key;
        assignments.iter().filter(is_other).for_each(|a| (&a.key, &self.bytes.get(a.span.clone())).hash(&mut others));
        About { places: assignments.into_iter().filter(|a| *a.key == *key).collect(), others: others.finish(), faults }
    }

    /// The content with every occurrence of the key changed: an old token in a line without effect is still a secret.
    fn with(&self, before: &About<'_>, key: &str, value: &str, way: Way) -> Vec<u8> {
        if before.places.is_empty() {
            let mut bytes = self.bytes.clone();
            let ending: &[u8] = if bytes.windows(2).any(|pair| pair == b"\r\n") { b"\r\n" } else { b"\n" };
            if !bytes.is_empty() && !bytes.ends_with(b"\n") {
                bytes.extend_from_slice(ending);
            }
            bytes.extend_from_slice(format!("{key}={value}").as_bytes());
            bytes.extend_from_slice(ending);
            return bytes;
        }
        let (mut bytes, mut from) = (Vec::new(), 0);
        for place in &before.places {
            let (span, new) = self.replacement(place, value, way);
            // The rest of a line may have another assignment in it.
            if span.start >= from {
                bytes.extend_from_slice(&self.bytes[from..span.start]);
                bytes.extend_from_slice(new.as_bytes());
                from = span.end;
            }
        }
        bytes.extend_from_slice(&self.bytes[from..]);
        bytes
    }

    fn replacement(&self, place: &Assignment<'_>, value: &str, way: Way) -> (Range<usize>, String) {
        let quote = match (way, place.quote) {
            (Way::AsBefore, Quote::Double) | (Way::Quoted, _) => "\"",
            (Way::AsBefore, Quote::Single) => "'",
            (Way::AsBefore, Quote::None | Quote::Open) | (Way::Bare | Way::RestOfLine, _) => "",
        };
        let mut span = place.span.clone();
        if way == Way::RestOfLine {
            let rest = &self.bytes[span.end..];
            let line = &rest[..rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())];
            span.end += line.trim_ascii_end().len();
        }
        (span, format!("{quote}{value}{quote}"))
    }

    /// Whether Compose reads this value from this content, and everything else as before.
    fn holds(&self, before: &About<'_>, key: &str, value: &str) -> Result<(), EnvFault> {
        let after = self.about(key);
        if let Some(fault) = after.faults.first() {
            return Err(fault.clone());
        }
        // As it is written, too: a `$NAME` that comes behind it may be empty today.
        let written = |span: &Range<usize>| {
            ["", "\"", "'"].iter().any(|q| self.bytes[span.clone()] == *format!("{q}{value}{q}").as_bytes())
        };
        let is_set = |a: &Assignment<'_>| *a.value == *value.as_bytes() && written(&a.span);
        if !after.places.is_empty() && after.places.iter().all(is_set) && before.others == after.others {
            return Ok(());
        }
        // A value that cannot be set in a file that is broken elsewhere: that is what has to be corrected.
        Err(before.faults.first().cloned().unwrap_or_else(|| EnvFault::NotReadBack { key: key.to_owned() }))
    }
}

/// What a file says of one variable.
struct About<'a> {
    /// Where it is set.
    places: Vec<Assignment<'a>>,
    /// Hash of what the file says of all others.
    others: u64,
    faults: Vec<EnvFault>,
}

/// How a value is written into a line that has one; the first way that reads back is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In place of the old one and its quotes.
    Bare,
    /// In the quotes of the old one: behind them there may be what would otherwise belong to the value.
    AsBefore,
    /// In quotes: an empty value in front of a comment would otherwise be the comment.
    Quoted,
    /// In place of everything behind the `=` that is on the line.
    RestOfLine,
}

#[cfg(test)]
mod tests;
