//! Texts that are searched for verbatim, a hundred thousand of them without much memory.

use super::text::continued;

/// Shorter values are not hidden, whatever their names say, in bytes.
pub(crate) const SHORTEST: usize = 4;
/// From this length on a value cannot occur in innocent text by chance, in bytes.
pub(super) const LONG: usize = 8;
/// Those that are not in order yet are looked at one by one: at most so many.
const UNSORTED: usize = 64;
/// Bits of the filter for each text.
const BITS: usize = 16;

/// The texts, none of them shorter than [`SHORTEST`].
#[derive(Default)]
pub(super) struct Whole {
    /// One behind the other.
    text: String,
    /// Where each begins and ends; those up to `sorted` in the order of what they say.
    places: Vec<(u32, u32)>,
    sorted: usize,
    /// One bit for each beginning: most places of a text are decided by it.
    filter: Vec<u64>,
}

impl Whole {
    /// All of them together, in bytes.
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    pub(super) fn add(&mut self, text: &str) {
        let (Ok(start), Ok(end)) = (u32::try_from(self.text.len()), u32::try_from(self.text.len() + text.len())) else {
            return;
        };
        self.text.push_str(text);
        self.places.push((start, end));
        if self.places.len() * BITS > self.filter.len() * 64 {
            let all = std::mem::take(&mut self.filter).len() * 2;
            self.filter = vec![0; all.max(1 << 10)];
            for at in 0..self.places.len() {
                self.note(at);
            }
        }
        self.note(self.places.len() - 1);
    }

    fn note(&mut self, at: usize) {
        if let Some((word, bit)) = self.bit(self.get(at)) {
            self.filter[word] |= bit;
        }
    }

    fn get(&self, at: usize) -> &[u8] {
        let (start, end) = self.places[at];
        &self.text.as_bytes()[start as usize..end as usize]
    }

    /// Place of the filter's bit for a text that begins so.
    fn bit(&self, text: &[u8]) -> Option<(usize, u64)> {
        let beginning = u32::from_le_bytes(*text.first_chunk::<SHORTEST>()?);
        let hash = u64::from(beginning).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let place = usize::try_from(hash).ok()? % (self.filter.len().max(1) * 64);
        Some((place / 64, 1 << (place % 64)))
    }

    /// Whether too many were added since they were put into order.
    pub(super) fn is_stale(&self) -> bool {
        self.places.len() - self.sorted > UNSORTED
    }

    pub(super) fn sort(&mut self) {
        let text = self.text.as_bytes();
        self.places.sort_by_key(|(start, end)| &text[*start as usize..*end as usize]);
        self.sorted = self.places.len();
    }

    /// The end of the longest one at a place of a text. Short ones count as words of their own only.
    pub(super) fn end_of(&self, text: &str, at: usize) -> Option<usize> {
        let rest = &text.as_bytes()[at..];
        let (word, bit) = self.bit(rest)?;
        if self.filter.get(word)? & bit == 0 {
            return None;
        }
        let counts = |length: usize| length >= LONG || is_own_word(text, at, &text[at..at + length]);
        let sorted = self.longest(rest, counts);
        let others = (self.sorted..self.places.len()).map(|place| self.get(place));
        let others = others.filter(|one| rest.starts_with(one) && counts(one.len())).map(<[u8]>::len);
        others.chain(sorted).max().map(|length| at + length)
    }

    /// Length of the longest one in order that a text begins with.
    fn longest(&self, text: &[u8], counts: impl Fn(usize) -> bool) -> Option<usize> {
        let mut read = text;
        while read.len() >= SHORTEST {
            // What a text begins with is in front of it, and nothing is between but what goes on in another way.
            let behind = self.places[..self.sorted]
                .partition_point(|(start, end)| &self.text.as_bytes()[*start as usize..*end as usize] <= read);
            let last = self.get(behind.checked_sub(1)?);
            let common = last.iter().zip(read).take_while(|(a, b)| a == b).count();
            if common == last.len() && counts(common) {
                return Some(common);
            }
            read = &read[..common.min(read.len() - 1)];
        }
        None
    }
}

/// Whether a short secret is a word of its own: `test` is, in `latest` and `test-mcp` it is not.
fn is_own_word(text: &str, at: usize, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    !(word.starts_with(joins) && continued(&text[..at]).ends_with(joins)
        || word.ends_with(joins) && text[at + word.len()..].starts_with(joins))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_found_in_any_order() {
        let words =
            ["secretly-so", "secret", "secret-and-more", "secrets-of-others", "zebra", "\u{fc}ber-alles", "abcd"];
        for turn in 0..words.len() {
            let mut whole = Whole::default();
            let (first, last) = words.split_at(turn);
            last.iter().for_each(|word| whole.add(word));
            whole.sort();
            first.iter().for_each(|word| whole.add(word));
            for (text, at, length) in [
                ("a secret-and-more!", 2, Some(15)),
                ("a secret-and-mor!", 2, None),
                ("a secret, b", 2, Some(6)),
                ("a secretly", 2, None),
                ("secretly-so", 0, Some(11)),
                ("secretly-somehow", 0, Some(11)),
                ("zebras", 0, None),
                ("zebra", 0, Some(5)),
                ("zeb", 0, None),
                ("\u{fc}ber-alles", 0, Some(11)),
                ("abce", 0, None),
            ] {
                assert_eq!(whole.end_of(text, at), length.map(|length: usize| at + length), "{turn}: {text}");
            }
        }
        let mut many = Whole::default();
        (0..5000).for_each(|n| many.add(&format!("number-{n}")));
        assert!(many.is_stale());
        many.sort();
        assert_eq!((many.end_of("number-4999", 0), many.end_of("number-5000x", 0)), (Some(11), Some(10)));
    }
}
