//! The little DER (X.690) that no library here does for us: walking private keys, wrapping them, replacing a name in a draft.

/// Universal tags and the two constructed context tags that keys and certificates use.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const CONTEXT_0: u8 = 0xa0;
pub(super) const CONTEXT_1: u8 = 0xa1;

/// One tag-length-value, borrowed from the bytes it was read from.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    /// The first identifier byte; multi-byte tags are refused, nothing here has them.
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// Tag, length and value.
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader over the value, for constructed elements.
    pub(super) fn inside(&self) -> Reader<'a> {
        Reader(self.content)
    }
}

/// Reads elements one after the other. Every method gives `None` on bytes that are not DER.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader over `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element, of any tag.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let bytes = usize::from(first & 0x7f);
            if !(1..=4).contains(&bytes) {
                return None;
            }
            let (length, rest) = rest.split_at_checked(bytes)?;
            (length.iter().try_fold(0usize, |n, &b| n.checked_mul(256)?.checked_add(usize::from(b)))?, rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - rest.len())?;
        self.0 = rest;
        Some(Element { tag, content, whole })
    }

    /// The next element, if it has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.any().filter(|e| e.tag == tag)
    }

    /// The next element if it has this tag; otherwise nothing is read.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        if self.0.first() == Some(&tag) { self.any() } else { None }
    }
}

/// How the outermost SEQUENCE of a document fits the bytes it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Exactly one SEQUENCE.
    Whole,
    /// The header promises more bytes than there are.
    Short,
    /// That many bytes follow the SEQUENCE.
    Trailing(usize),
    /// Not a SEQUENCE at all.
    Other,
}

/// Compares the length in the outermost header with the bytes at hand.
pub(super) fn framing(bytes: &[u8]) -> Framing {
    if bytes.first() != Some(&SEQUENCE) {
        return Framing::Other;
    }
    let mut reader = Reader::new(bytes);
    match reader.any() {
        None => Framing::Short,
        Some(_) if reader.at_end() => Framing::Whole,
        Some(e) => Framing::Trailing(bytes.len() - e.whole.len()),
    }
}

/// One element: `tag`, the length, and the concatenated `parts`.
pub(super) fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|b| **b == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend(bytes.iter().skip(skip));
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// An INTEGER's value without its sign byte: RSA numbers are positive and compared by their size.
pub(super) fn unsigned(content: &[u8]) -> &[u8] {
    let zeros = content.iter().take_while(|b| **b == 0).count();
    content.get(zeros..).unwrap_or_default()
}

/// The bits of a BIT STRING that consists of whole bytes (all keys and signatures do).
pub(super) fn whole_bytes(bit_string: &[u8]) -> Option<&[u8]> {
    bit_string.split_first().filter(|(unused, _)| **unused == 0).map(|(_, bits)| bits)
}
