//! Text within text: what a URL, JSON or XML wrote in its own way, `token%3DX`, `\u0022token\u0022:`, `&quot;token&quot;`,
//! read as it was before.

use super::text::Range;

/// A text without its escapes, and where each of its bytes is in the text with them.
pub(super) struct Plain {
    pub(super) text: String,
    /// One more than it has bytes: the end, too.
    places: Vec<usize>,
}

impl Plain {
    /// `None` where nothing is escaped. What was escaped twice is read twice.
    pub(super) fn of(text: &str) -> Option<Self> {
        let once = Self::once(text)?;
        let Some(twice) = Self::once(&once.text) else { return Some(once) };
        Some(Self { places: twice.places.iter().map(|at| once.places[*at]).collect(), text: twice.text })
    }

    fn once(text: &str) -> Option<Self> {
        memchr::memchr3(b'%', b'&', b'\\', text.as_bytes()).or_else(|| memchr::memchr(0x1b, text.as_bytes()))?;
        let (mut plain, mut places, mut at) = (String::new(), Vec::new(), 0);
        while let Some(c) = text[at..].chars().next() {
            if let Some(length) = colour(&text[at..]) {
                at += length;
                continue;
            }
            let (c, length) = escape(&text.as_bytes()[at..]).unwrap_or((c, c.len_utf8()));
            plain.push(c);
            places.resize(plain.len(), at);
            at += length;
        }
        places.push(text.len());
        (plain.len() < text.len()).then_some(Self { text: plain, places })
    }

    /// Where a range of the plain text is.
    pub(super) fn place(&self, (start, end): Range) -> Range {
        (self.places[start], self.places[end])
    }
}

/// The length of a sequence that sets a colour, as it is or escaped.
fn colour(text: &str) -> Option<usize> {
    let rest = ["\u{1b}", "\\u{1b}", "\\u001b", "\\x1b", "\\033"].iter().find_map(|esc| text.strip_prefix(esc))?;
    let rest = rest.strip_prefix('[')?;
    let number = rest.bytes().take(40).take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b':')).count();
    rest[number..].starts_with(['m', 'K']).then_some(text.len() - rest.len() + number + 1)
}

/// The ASCII character that an escape stands for at the beginning of a text, and the length of the escape.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    const NAMED: [(&[u8], char); 5] =
        [(b"&quot;", '"'), (b"&apos;", '\''), (b"&amp;", '&'), (b"&lt;", '<'), (b"&gt;", '>')];
    const HEX: [(&[u8], usize); 3] = [(b"%", 2), (b"\\u00", 2), (b"\\x", 2)];
    let number = |digits: &[u8], base: u32| {
        let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok()?;
        char::from_u32(code).filter(|c| matches!(c, ' '..='~' | '\t' | '\n' | '\r'))
    };
    if let Some((name, c)) = NAMED.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((*c, name.len()));
    }
    if let Some(rest) = text.strip_prefix(b"&#") {
        let end = rest.iter().take(6).position(|b| *b == b';')?;
        let digits = &rest[..end];
        let c = digits.strip_prefix(b"x").map_or_else(|| number(digits, 10), |digits| number(digits, 16))?;
        return Some((c, 2 + end + 1));
    }
    let (prefix, digits) = HEX.iter().find(|(prefix, _)| text.starts_with(prefix))?;
    let digits = text.get(prefix.len()..prefix.len() + digits)?;
    Some((number(digits, 16).filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?, prefix.len() + digits.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_and_placed() {
        for (text, plain) in [
            ("a%3Db%26", "a=b&"),
            ("%2522%253D", "\"="),
            ("\\u0022a\\u0022\\x3d", "\"a\"="),
            ("&quot;&#61;&#x3d;&amp;lt;", "\"==<"),
            ("100%25 %zz %+1 \\u00e4 %C3%BC%20\u{fc}", "100% %zz %+1 \\u00e4 %C3%BC \u{fc}"),
        ] {
            assert_eq!(Plain::of(text).unwrap().text, plain);
        }
        assert!(Plain::of("a & b, 5 % \\n \u{fc}").is_none());
        let plain = Plain::of("\u{fc}%2520\u{fc}%3Dx").unwrap();
        assert_eq!(
            (plain.text.as_str(), plain.place((2, 6)), plain.place((6, 7))),
            ("\u{fc} \u{fc}=x", (2, 12), (12, 13))
        );
    }
}
