//! Compose's grammar of `.env`: that of `dotenv` in compose-go, as Compose 2.26 has it; the tests ask Compose itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::interpolate::{self, Room, Unusable};

/// Why Compose refuses the whole file. No variant holds a value; `line`, counted from 1, is where the value or the name begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvFault {
    /// A quote that is opened and never closed: everything behind it is swallowed.
    #[error("line {line}: the quote that opens the value of `{key}` is never closed")]
    OpenQuote { line: usize, key: String },
    /// A character that a variable's name must not have; U+FFFD for a byte that is not UTF-8. Text behind a closing quote
    /// counts as the next name.
    #[error("line {line}: {character:?} cannot be part of a variable's name; the form is NAME=value")]
    BadName { line: usize, character: char },
    /// A blank inside a name, no name in front of `=`, or a name at the end of the file without a line break.
    #[error("line {line}: not of the form NAME=value")]
    BadLine { line: usize },
    /// A NUL, which no variable of a process can hold.
    #[error("line {line}: the value of `{key}` contains a NUL byte")]
    Nul { line: usize, key: String },
    /// `${` that is not `${NAME}`, `${NAME:-…}` or another form that Compose knows.
    #[error(
        "line {line}: the value of `{key}` has a `${{` that Compose cannot interpolate; a `$` itself is written `$$`"
    )]
    BadTemplate { line: usize, key: String },
    /// References to references, until no process could hold the value.
    #[error("line {line}: the value of `{key}` is too long once its variables are put in")]
    TooLong { line: usize, key: String },
    /// Written by a Windows editor or by `>` of PowerShell.
    #[error("line 1: the file is UTF-16, Compose reads UTF-8 only")]
    Utf16,
    /// The file would not hold the value that was to be written. Nothing was.
    #[error("`{key}` cannot be set so that Compose reads the same value back")]
    NotReadBack { key: String },
}

impl EnvFault {
    /// Line of the file, counted from 1, where there is one.
    pub(crate) fn line(&self) -> Option<usize> {
        match self {
            Self::OpenQuote { line, .. } | Self::BadName { line, .. } | Self::BadLine { line } => Some(*line),
            Self::BadTemplate { line, .. } | Self::Nul { line, .. } | Self::TooLong { line, .. } => Some(*line),
            Self::Utf16 => Some(1),
            Self::NotReadBack { .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment<'a> {
    pub(super) key: Cow<'a, str>,
    /// The value that Compose takes.
    pub(super) value: Cow<'a, [u8]>,
    /// Where it is written, quotes included.
    pub(super) span: Range<usize>,
    pub(super) quote: Quote,
}

/// Quotes around a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    None,
    /// `'`: taken as it is.
    Single,
    /// `"`: with escapes and interpolation.
    Double,
    /// One that is never closed.
    Open,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    /// In the order of the file. Behind a fault, which Compose does not get past, those of the lines that follow.
    pub(super) assignments: Vec<Assignment<'a>>,
    /// In the order of the file.
    pub(super) faults: Vec<EnvFault>,
}

/// Line of a byte, counted from 1.
pub(super) fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at.min(bytes.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// Reads a whole file; `outer` are the variables that it may refer to and does not set itself.
pub(super) fn parse<'a>(bytes: &'a [u8], outer: &BTreeMap<Cow<'_, str>, Cow<'_, str>>) -> Parsed<'a> {
    match utf16(bytes) {
        Some(text) => {
            let Parsed { assignments, mut faults } = Reader::new(text.as_bytes(), outer).read();
            faults.insert(0, EnvFault::Utf16);
            let owned = |Assignment { key, value, span, quote }: Assignment<'_>| Assignment {
                key: Cow::Owned(key.into_owned()),
                value: Cow::Owned(value.into_owned()),
                span,
                quote,
            };
            Parsed { assignments: assignments.into_iter().map(owned).collect(), faults }
        }
        None => Reader::new(bytes, outer).read(),
    }
}

/// The text of a file with a UTF-16 byte order mark.
fn utf16(bytes: &[u8]) -> Option<String> {
    let unit = match bytes.get(..2)? {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units))
}

/// First character of some bytes and its length; U+FFFD and 1 for what is not UTF-8, as in Go.
fn first_char(bytes: &[u8]) -> Option<(char, usize)> {
    let head = &bytes[..bytes.len().min(4)];
    let chunk = head.utf8_chunks().next()?;
    chunk.valid().chars().next().map_or(Some((char::REPLACEMENT_CHARACTER, 1)), |c| Some((c, c.len_utf8())))
}

/// Blanks around names and in front of values: those of Latin-1, without the line break.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// Without trailing Unicode white space.
fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while !bytes.is_empty() {
        let from = bytes.len().saturating_sub(4);
        let last = (from..bytes.len()).find_map(|at| {
            let (c, length) = first_char(&bytes[at..])?;
            (at + length == bytes.len() && c.is_whitespace()).then_some(length)
        });
        match last {
            Some(length) => bytes = &bytes[..bytes.len() - length],
            None => break,
        }
    }
    bytes
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    parsed: Parsed<'a>,
    /// What interpolation sees: the values so far, where the file has any.
    values: Option<HashMap<Cow<'a, str>, Cow<'a, [u8]>>>,
    room: Room,
    /// A place of the file, and its line: lines are counted on from there.
    counted: (usize, usize),
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], outer: &BTreeMap<Cow<'_, str>, Cow<'_, str>>) -> Self {
        let at = if bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        let owned = |(name, value): (&Cow<'_, str>, &Cow<'_, str>)| {
            (Cow::Owned(name.to_string()), Cow::Owned(value.as_bytes().to_vec()))
        };
        let values = bytes.contains(&b'$').then(|| outer.iter().map(owned).collect());
        Self { bytes, at, parsed: Parsed::default(), values, room: Room::default(), counted: (0, 1) }
    }

    fn read(mut self) -> Parsed<'a> {
        while self.find_statement() {
            if let Err(fault) = self.statement() {
                self.parsed.faults.push(fault);
            }
        }
        self.parsed
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        while let Some((c, length)) = first_char(&self.bytes[self.at..]) {
            if !skipped(c) {
                break;
            }
            self.at += length;
        }
    }

    /// Line of a byte that is not in front of the last one asked for.
    fn line(&mut self, at: usize) -> usize {
        let (from, line) = self.counted;
        self.counted = (at, line + line_of(&self.bytes[from..], at - from) - 1);
        self.counted.1
    }

    fn line_end(&self, from: usize) -> usize {
        self.bytes[from..].iter().position(|b| *b == b'\n').map_or(self.bytes.len(), |n| from + n)
    }

    /// Goes to the next name. Comments only count where a name could begin.
    fn find_statement(&mut self) -> bool {
        loop {
            self.skip(char::is_whitespace);
            match self.bytes.get(self.at) {
                Some(b'#') => self.at = self.line_end(self.at),
                Some(_) => return true,
                None => return false,
            }
        }
    }

    fn statement(&mut self) -> Result<(), EnvFault> {
        let bytes = self.bytes;
        if bytes[self.at..]
            .strip_prefix(b"export")
            .is_some_and(|r| r.first().is_some_and(|b| b"\t\n\x0c\r ".contains(b)))
        {
            self.at += b"export".len();
            self.skip(is_blank);
        }
        let (start, line) = (self.at, self.line(self.at));
        if start == self.bytes.len() {
            return Err(EnvFault::BadLine { line });
        }
        let mut end = start;
        let terminator = loop {
            let Some((c, length)) = first_char(&self.bytes[end..]) else { break None };
            match c {
                '=' | ':' | '\n' => break Some(c),
                '_' | '.' | '-' | '[' | ']' => {}
                c if is_blank(c) || c.is_alphanumeric() => {}
                character => {
                    self.at = self.line_end(end);
                    return Err(EnvFault::BadName { line: self.line(end), character });
                }
            }
            end += length;
        };
        let key = match String::from_utf8_lossy(&bytes[start..end]) {
            Cow::Borrowed(name) => Cow::Borrowed(name.trim_end()),
            Cow::Owned(name) => Cow::Owned(name.trim_end().to_owned()),
        };
        match terminator {
            // What ends without a line break is the value of the empty name, which no environment takes.
            None => {
                self.at = end;
                Err(EnvFault::BadLine { line })
            }
            Some(sign) if key.contains(' ') || (key.is_empty() && sign != '\n') => {
                self.at = self.line_end(end);
                Err(EnvFault::BadLine { line })
            }
            // A bare name: Compose takes its value from the shell.
            Some('\n') => {
                self.at = end + 1;
                Ok(())
            }
            Some(_) => {
                self.at = end + 1;
                self.value(key, line)
            }
        }
    }

    fn value(&mut self, key: Cow<'a, str>, line: usize) -> Result<(), EnvFault> {
        let behind_sign = self.at;
        self.skip(is_blank);
        let (bytes, start) = (self.bytes, self.at);
        let (quote, mark) = match bytes.get(start) {
            Some(b'"') => (Quote::Double, b'"'),
            Some(b'\'') => (Quote::Single, b'\''),
            _ => return self.plain(key, line, behind_sign),
        };
        let Some((content, close)) = quoted(&bytes[start + 1..], mark) else {
            // What a new value replaces: the line, so that it cures the file.
            let end = start + trim_end(&bytes[start..self.line_end(start)]).len();
            self.at = self.line_end(start);
            let fault = EnvFault::OpenQuote { line, key: key.to_string() };
            self.push(key, Cow::Borrowed(&bytes[start + 1..end]), start..end, Quote::Open);
            return Err(fault);
        };
        let span = start..start + 1 + close + 1;
        self.at = span.end;
        if quote == Quote::Double {
            let content = if content.contains(&b'\\') { Cow::Owned(interpolate::unescape(&content)) } else { content };
            return self.interpolated(key, content, line, span, quote);
        }
        let fault = content.contains(&0).then(|| EnvFault::Nul { line, key: key.to_string() });
        self.push(key, content, span, quote);
        fault.map_or(Ok(()), Err)
    }

    /// Without quotes: up to ` #` or the end of the line. A tab in front of `#` is part of the value.
    fn plain(&mut self, key: Cow<'a, str>, line: usize, behind_sign: usize) -> Result<(), EnvFault> {
        let (bytes, start) = (self.bytes, self.at);
        let end = self.line_end(start);
        self.at = (end + 1).min(bytes.len());
        let text = &bytes[start..end];
        let comment = text.windows(2).position(|pair| pair == b" #").unwrap_or(text.len());
        let text = trim_end(&text[..comment]);
        // A value that is empty, or that was meant as a comment, gives way together with the blanks in front of it.
        let from = if text.is_empty() || text.starts_with(b"#") { behind_sign } else { start };
        let end = if text.is_empty() { from } else { start + text.len() };
        self.interpolated(key, Cow::Borrowed(text), line, from..end, Quote::None)
    }

    fn interpolated(
        &mut self,
        key: Cow<'a, str>,
        text: Cow<'a, [u8]>,
        line: usize,
        span: Range<usize>,
        quote: Quote,
    ) -> Result<(), EnvFault> {
        let lookup = |name: &str| self.values.as_ref()?.get(name).map(|value| value.to_vec());
        let result = match text.contains(&b'$') {
            true => interpolate::substitute(&text, &lookup, &self.room).map(Cow::Owned),
            false => Ok(text.clone()),
        };
        let (value, fault) = match result {
            Ok(value) if value.contains(&0) => (value, Some(EnvFault::Nul { line, key: key.to_string() })),
            Ok(value) => (value, None),
            Err(Unusable::BadTemplate) => (text, Some(EnvFault::BadTemplate { line, key: key.to_string() })),
            Err(Unusable::TooLong) => (text, Some(EnvFault::TooLong { line, key: key.to_string() })),
        };
        self.push(key, value, span, quote);
        fault.map_or(Ok(()), Err)
    }

    fn push(&mut self, key: Cow<'a, str>, value: Cow<'a, [u8]>, span: Range<usize>, quote: Quote) {
        if let Some(values) = &mut self.values {
            values.insert(key.clone(), value.clone());
        }
        self.parsed.assignments.push(Assignment { key, value, span, quote });
    }
}

/// The text up to the closing quote, and how far that is. A backslash hides the quote, single ones too; in front of
/// anything else it stays.
fn quoted(bytes: &[u8], mark: u8) -> Option<(Cow<'_, [u8]>, usize)> {
    let mut text = Vec::new();
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == mark && !escaped {
            let plain = &bytes[..at];
            return Some((if text == plain { Cow::Borrowed(plain) } else { Cow::Owned(text) }, at));
        }
        if byte == b'\\' && !escaped {
            escaped = true;
            continue;
        }
        if escaped && byte != mark {
            text.push(b'\\');
        }
        escaped = false;
        text.push(byte);
    }
    None
}
