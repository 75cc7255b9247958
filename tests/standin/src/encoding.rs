//! Base64 and PEM the way Go's standard library reads them, and as much DER as comparing two public keys takes.

/// Standard alphabet, padding required, line breaks ignored: Go's `base64.StdEncoding`.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if !symbols.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(symbols.len() / 4 * 3);
    for (index, group) in symbols.chunks(4).enumerate() {
        let last = (index + 1) * 4 == symbols.len();
        let padding = group.iter().rev().take_while(|symbol| **symbol == b'=').count();
        if padding > 2 || (padding > 0 && !last) {
            return None;
        }
        let mut bits = 0u32;
        for symbol in group.iter().take(4 - padding) {
            bits = bits << 6 | value(*symbol)?;
        }
        bits <<= 6 * padding;
        out.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
    }
    Some(out)
}

fn value(symbol: u8) -> Option<u32> {
    Some(u32::from(match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// The blocks of a PEM file as label and content. What is not well formed is passed over, as `pem.Decode` does.
pub fn pem(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(label) = line.trim_end().strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        let mut rest = lines.clone();
        let closed = rest.by_ref().any(|line| {
            let line = line.trim();
            if line != end && !line.contains(':') {
                body.push_str(line);
            }
            line == end
        });
        if let (true, Some(content)) = (closed, base64(&body)) {
            blocks.push((label.to_owned(), content));
            lines = rest;
        }
    }
    blocks
}

/// What tells a key pair: the algorithm, and the public key where it can be had without arithmetic.
#[derive(Debug, PartialEq)]
pub struct PublicKey {
    /// Content of the algorithm's object identifier.
    pub algorithm: Vec<u8>,
    /// RSA: the modulus. EC: the point. Others, and EC keys stored without their point: nothing.
    pub key: Option<Vec<u8>>,
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The subject's public key of a DER certificate.
pub fn certificate_key(der: &[u8]) -> Option<PublicKey> {
    let mut tbs = Der(Der(Der(der).take(0x30)?).take(0x30)?);
    tbs.skip(0xa0);
    tbs.take(0x02)?;
    for _ in 0..4 {
        // Signature algorithm, issuer, validity, subject.
        tbs.take(0x30)?;
    }
    let mut spki = Der(tbs.take(0x30)?);
    let algorithm = Der(spki.take(0x30)?).take(0x06)?.to_vec();
    // The first byte of a bit string counts its unused bits.
    let bits = spki.take(0x03)?.get(1..)?;
    let key = if algorithm == RSA { Der(Der(bits).take(0x30)?).take(0x02)? } else { bits };
    Some(PublicKey { key: Some(key.to_vec()), algorithm })
}

/// The public half of a DER private key: PKCS#8, SEC1 or PKCS#1.
pub fn private_key(der: &[u8]) -> Option<PublicKey> {
    let mut key = Der(Der(der).take(0x30)?);
    key.take(0x02)?;
    if let Some(modulus) = key.take(0x02) {
        key.take(0x02)?;
        return Some(PublicKey { algorithm: RSA.to_vec(), key: Some(modulus.to_vec()) });
    }
    if key.take(0x04).is_some() {
        key.skip(0xa0);
        let point = key.take(0xa1).and_then(|bits| Der(bits).take(0x03)).and_then(|bits| bits.get(1..));
        return Some(PublicKey { algorithm: EC.to_vec(), key: point.map(<[u8]>::to_vec) });
    }
    let algorithm = Der(key.take(0x30)?).take(0x06)?.to_vec();
    let inner = key.take(0x04)?;
    if algorithm == RSA || algorithm == EC {
        return private_key(inner);
    }
    Some(PublicKey { algorithm, key: None })
}

/// A reader over DER elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&first, rest) = self.0.split_first()?;
        let (&short, rest) = rest.split_first()?;
        if first != tag {
            return None;
        }
        let (length, rest) = if short < 0x80 {
            (usize::from(short), rest)
        } else {
            let count = usize::from(short & 0x7f);
            let digits = rest.get(..count).filter(|_| count <= 4)?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), &rest[count..])
        };
        let content = rest.get(..length)?;
        self.0 = &rest[length..];
        Some(content)
    }

    fn skip(&mut self, tag: u8) {
        self.take(tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_strict_about_padding() {
        assert_eq!(base64("aGk=").as_deref(), Some(&b"hi"[..]));
        assert_eq!(base64("aGkh\n").as_deref(), Some(&b"hi!"[..]));
        assert_eq!(base64("").as_deref(), Some(&b""[..]));
        for bad in ["aGk", "aG=k", "====", "aGk=aGkh", "a-_="] {
            assert_eq!(base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn pem_passes_over_damage() {
        let text =
            "x\n-----BEGIN A-----\n!!\n-----END A-----\n-----BEGIN B-----\naGk=\n-----END B-----\n-----BEGIN C-----\n";
        assert_eq!(pem(text), [("B".to_owned(), b"hi".to_vec())]);
    }
}
