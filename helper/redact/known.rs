//! Secrets that this process has seen: its own, and those of the deployment's files. They are removed in every place, and
//! whatever was done to them on the way: cut, wrapped, escaped, encoded as base64 or hex.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::text::{Range, head, merged};
pub(crate) use super::whole::SHORTEST;
use super::whole::{LONG, Whole};

/// A piece of a random secret that is recognised by itself, in bytes: 50 bits of base64.
const PIECE: usize = 10;
/// Random values are at least so long, in bytes.
const RANDOM: usize = 16;
/// Bytes whose pieces are remembered of one value: an RSA key of 8192 bits in PEM has 6.4 kB.
const MOST: usize = 8 << 10;
/// Pieces that are remembered of all values: what comes behind a thousand secrets goes whole only.
const MOST_PIECES: usize = 1 << 18;
/// Escaped and encoded forms that are remembered of all values, in bytes: what comes behind ten thousand secrets goes as it
/// stands only.
const MOST_FORMS: usize = 4 << 20;

/// Process-wide on purpose: the gate must know a secret even where the code that read it failed before it could hand it
/// on.
static KNOWN: RwLock<Option<Known>> = RwLock::new(None);

/// A set of hashes, which are not hashed again.
type Hashes = HashSet<u64, BuildHasherDefault<Same>>;

#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Default)]
struct Known {
    /// Hashes of all of them.
    values: Hashes,
    /// Replaced verbatim: a secret that contains another goes as a whole.
    whole: Whole,
    /// Hashes of all pieces of random values.
    pieces: Hashes,
    /// The lowest 16 bits of those hashes: most positions of a text are decided by one bit.
    filter: Vec<u64>,
}

/// Makes the gate replace `secret` wherever it turns up.
///
/// Values shorter than eight bytes are left out: they would blot innocent text and no token is that short.
pub(crate) fn guard(secret: &str) {
    if secret.len() >= LONG {
        remember(secret);
    }
}

/// Like [`guard`], for what a person calls a secret: from four bytes on, below eight where it is a separate word.
pub(crate) fn guard_named(secret: &str) {
    if secret.len() >= SHORTEST {
        remember(secret);
    }
}

/// Whether a value looks like drawn by chance, so that a piece of it cannot be in innocent text: one word with
/// digits and letters of both cases, or long lower-case hex and the like.
pub(crate) fn is_random(value: &str) -> bool {
    // What a value of megabytes is shows at its beginning.
    let value = head(value, MOST);
    let count = |f: fn(&u8) -> bool| value.bytes().filter(f).count();
    let (digits, letters) = (count(u8::is_ascii_digit), count(u8::is_ascii_alphabetic));
    let mixed = count(u8::is_ascii_uppercase) > 0 && count(u8::is_ascii_lowercase) > 0;
    value.len() >= RANDOM
        && value.bytes().all(|b| b.is_ascii_graphic())
        && digits >= 2
        && letters >= 4
        // `db-1.example.com:5432`, `10.0.0.1:9000`: more signs than a secret has.
        && (digits + letters) * 4 >= value.len() * 3
        && (mixed || digits * 4 >= value.len() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// Forgets all of them, so that the millionth input takes as long as the first.
#[cfg(fuzzing)]
pub(crate) fn forget() {
    *KNOWN.write().unwrap_or_else(PoisonError::into_inner) = None;
}

fn remember(secret: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().add(secret);
}

impl Known {
    fn add(&mut self, secret: &str) {
        let mut hasher = DefaultHasher::new();
        secret.hash(&mut hasher);
        if !self.values.insert(hasher.finish()) {
            return;
        }
        if is_random(secret) && self.pieces.len() < MOST_PIECES {
            let secret = head(secret, MOST);
            for form in std::iter::once(secret.to_owned()).chain(encoded(secret)) {
                self.add_pieces(&form);
            }
        }
        self.whole.add(secret);
        if self.whole.size() > MOST_FORMS {
            return;
        }
        let encoded = if is_random(secret) { Vec::new() } else { encoded(secret) };
        let encoded = encoded.into_iter().filter(|form| form.len() >= LONG);
        escaped(secret)
            .into_iter()
            .chain(encoded)
            .filter(|form| form.len() >= SHORTEST)
            .for_each(|form| self.whole.add(&form));
    }

    fn add_pieces(&mut self, text: &str) {
        if self.filter.is_empty() {
            self.filter = vec![0; 1 << 10];
        }
        let bytes = text.as_bytes();
        windows(bytes, |at, hash| {
            if is_word(&bytes[at..at + PIECE]) {
                return;
            }
            self.filter[(hash >> 6 & 0x3ff) as usize] |= 1 << (hash & 0x3f);
            self.pieces.insert(hash);
        });
    }

    /// Byte ranges of pieces of random secrets, in order.
    fn found(&self, text: &str) -> Vec<Range> {
        let mut found: Vec<Range> = Vec::new();
        if self.pieces.is_empty() {
            return found;
        }
        windows(text.as_bytes(), |at, hash| {
            let maybe = self.filter[(hash >> 6 & 0x3ff) as usize] >> (hash & 0x3f) & 1 == 1;
            if maybe && self.pieces.contains(&hash) {
                match found.last_mut() {
                    Some(last) if last.1 >= at => last.1 = at + PIECE,
                    _ => found.push((at, at + PIECE)),
                }
            }
        });
        found
    }
}

/// Whether a piece may be a word: `TUNNEL_TOKEN=` is pasted in front of a token.
fn is_word(piece: &[u8]) -> bool {
    let all = |f: fn(&u8) -> bool| piece.iter().all(|b| f(b) || matches!(b, b'_' | b'-' | b'=' | b':' | b'.' | b'/'));
    all(u8::is_ascii_uppercase) || all(u8::is_ascii_lowercase)
}

/// Calls back with every place and the hash of the piece that begins there: capitals count as small letters, the URL-safe
/// alphabet of base64 as the standard one.
fn windows(bytes: &[u8], mut each: impl FnMut(usize, u64)) {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let leaving = (1..PIECE).fold(1_u64, |power, _| power.wrapping_mul(FACTOR));
    let plain = |byte: u8| {
        u64::from(match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other.to_ascii_lowercase(),
        }) + 1
    };
    let mut hash = 0_u64;
    for (at, byte) in bytes.iter().enumerate() {
        if at >= PIECE {
            hash = hash.wrapping_sub(plain(bytes[at - PIECE]).wrapping_mul(leaving));
        }
        hash = hash.wrapping_mul(FACTOR).wrapping_add(plain(*byte));
        if at + 1 >= PIECE {
            // The lowest bits of a product depend on the lowest bits only.
            each(at + 1 - PIECE, hash ^ hash >> 32);
        }
    }
}

/// A secret within base64, at each of the three places where it can begin, and as hex.
fn encoded(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for shift in 0..3_usize {
        let shifted = [vec![0; shift], secret.as_bytes().to_vec()].concat();
        let text = STANDARD.encode(&shifted);
        let text = text.trim_end_matches('=');
        // Letters at either end that hold bits of the neighbours, too.
        let front = [0, 2, 3][shift];
        let back = if shifted.len() % 3 == 0 { 0 } else { 1 };
        forms.extend(text.get(front..text.len().saturating_sub(back)).map(str::to_owned));
    }
    // Where nothing follows, the last letter is certain.
    forms.push(STANDARD.encode(secret));
    forms.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    forms
}

/// A secret as JSON, a URL and a shell write it.
fn escaped(secret: &str) -> BTreeSet<String> {
    let json = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let mut forms = BTreeSet::from([json.replace('/', "\\/"), json.replace('\\', "\\\\").replace('"', "\\\"")]);
    forms.insert(json);
    for (hex, marks) in [(false, &b"-._~"[..]), (true, b"-._~"), (false, b""), (true, b"")] {
        let url: String = secret
            .bytes()
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() || marks.contains(&b) => char::from(b).to_string(),
                b if hex => format!("%{b:02x}"),
                b => format!("%{b:02X}"),
            })
            .collect();
        forms.insert(url.replace("%20", "+"));
        forms.insert(url);
    }
    // Go escapes these three in JSON, whatever they are in.
    forms.insert(secret.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"));
    forms.insert(secret.replace('\'', r"'\''"));
    forms.remove(secret);
    forms
}

/// Known secrets verbatim, or escaped; words that hold a piece of a random one, or of what it is encoded
/// as.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let is_stale = |known: &Option<Known>| known.as_ref().is_some_and(|known| known.whole.is_stale());
    let mut known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    if is_stale(&known) {
        drop(known);
        KNOWN.write().unwrap_or_else(PoisonError::into_inner).iter_mut().for_each(|known| known.whole.sort());
        known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    }
    let Some(known) = known.as_ref() else { return Vec::new() };
    let whole = (0..text.len()).filter_map(|at| Some((at, known.whole.end_of(text, at)?)));
    let mut ranges = merged(whole.collect());
    let mut from = 0;
    // A piece of what goes as a whole takes no name along that it is written to: `key=…`.
    let whole = ranges.clone();
    let is_within = |(start, end): Range| {
        let before = whole.partition_point(|(begin, _)| *begin <= start);
        before.checked_sub(1).is_some_and(|at| end <= whole[at].1)
    };
    for piece in known.found(text).into_iter().filter(|piece| !is_within(*piece)) {
        let word = word_around(text, piece, from);
        from = word.1;
        ranges.push(word);
    }
    ranges
}

/// A piece with the rest of its word, as far as `from`: letters at its ends that belong to no whole piece.
fn word_around(text: &str, (mut start, mut end): Range, from: usize) -> Range {
    let joins = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'=');
    let bytes = text.as_bytes();
    if joins(&bytes[start]) {
        // In front a sign is no padding: a name is written before it.
        let front = bytes[from.min(start)..start].iter().rev().take_while(|b| joins(b) && **b != b'=').count();
        start -= front;
        // The letter of an escaped line break stays.
        start += usize::from(front > 0 && bytes[..start].ends_with(b"\\"));
    }
    if joins(&bytes[end - 1]) {
        end += bytes[end..].iter().take_while(|b| joins(b)).count();
    }
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::super::gate::redact;
    use super::super::text::REDACTED;
    use super::*;

    #[test]
    fn a_short_secret_goes_where_it_is_a_word_of_its_own() {
        guard_named("qzxw");
        guard_named("qz");
        assert_eq!(
            redact("qzxw a\\nqzxw, x=qzxw; qzxws qzxw-mcp qz"),
            "[redacted] a\\n[redacted], x=[redacted]; qzxws qzxw-mcp qz"
        );
    }

    #[test]
    fn secrets_that_overlap_go_as_one() {
        guard("overlapping-one");
        guard("one-that-goes-on");
        assert_eq!(redact("an overlapping-one-that-goes-on, overlapping-one"), "an [redacted], [redacted]");
    }

    #[test]
    fn a_guarded_secret_goes_whatever_its_shape() {
        guard("hunter2-hunter2");
        assert_eq!(redact("password hunter2-hunter2!"), "password [redacted]!");
    }

    #[test]
    fn a_random_secret_goes_in_pieces_and_in_other_clothes() {
        let secret = "Zk7Qp2xLw9Rt4Vb8Nm3Yc6Hd1Jf5Gs0A";
        guard(secret);
        let base64 = |text: String| STANDARD.encode(text);
        let forms = [
            secret.to_owned(),
            secret[3..15].to_owned(),
            secret.to_lowercase(),
            format!("x{}y", &secret[20..]),
            base64(secret.into()),
            base64(format!("a{secret}")),
            base64(format!("user:{secret}@")),
            secret.bytes().map(|b| format!("{b:02X}")).collect(),
            format!("\u{fc}{secret}\u{fc}"),
        ];
        for form in forms {
            let clean = redact(&form).into_owned();
            assert!(clean.contains(REDACTED), "{form}");
            let left = |n: usize| (0..=form.len() - n).filter_map(|at| form.get(at..at + n)).any(|p| clean.contains(p));
            assert!(!left(PIECE), "{form}: {clean}");
        }
        assert_eq!(redact("Zk7Qp2xLw and its like"), "Zk7Qp2xLw and its like");
        // The name that it is written to is no part of it.
        for value in [secret, &secret[3..20]] {
            assert_eq!(redact(&format!("key={value} failed")), format!("key={REDACTED} failed"));
        }
    }

    #[test]
    fn a_passphrase_goes_as_json_urls_and_base64_write_it() {
        guard_named("pa\"ss/w rd&<1>");
        for form in [
            "pa\"ss/w rd&<1>",
            "pa\\\"ss/w rd&<1>",
            "pa%22ss%2Fw%20rd%26%3C1%3E",
            "pa%22ss%2fw+rd%26%3c1%3e",
            "cGEic3MvdyByZCY8MT4=",
        ] {
            assert_eq!(redact(&format!("a {form} b")), "a [redacted] b", "{form}");
        }
    }

    #[test]
    fn prose_and_addresses_are_not_random() {
        for text in
            ["paste-the-tunnel-token-here", "2026-11-26T10:00:00Z", "db-1.internal.example.com:5432", "Tr0ub4dor"]
        {
            assert!(!is_random(text), "{text}");
        }
        for text in ["9f1c2b7de04a5f6388aa0c1d", "hIjoiYWNjb3VudCIsInQiOiJ0", "a8dfb6b4-68cf-4a03-88e7-08ee60111e8c"] {
            assert!(is_random(text), "{text}");
        }
    }
}
