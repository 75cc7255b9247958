//! Private keys in the three PEM forms that tools write, and the kinds of key, those that this program cannot use included.

use std::fmt;

use ring::signature::KeyPair as _;

use super::der::{self, BIT_STRING, CONTEXT_0, CONTEXT_1, INTEGER, NULL, OCTET_STRING, OID, Reader, SEQUENCE};
use super::pem::{self, Block, PemFault};

/// OID values (RFC 3279, RFC 5480, RFC 8410), without tag and length.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// The NIST curves, with their sizes in bits.
const CURVES: [(&[u8], usize); 4] = [
    (&[0x2b, 0x81, 0x04, 0x00, 0x21], 224),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], 256),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], 384),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], 521),
];

/// The algorithm of a key, with its size or curve; shown as `ECDSA P-256`, `RSA 2048`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// RSA with the size of its modulus in bits.
    Rsa(usize),
    /// RSA bound to PSS signatures by its OID (RFC 4055), with the size of its modulus in bits.
    RsaPss(usize),
    /// ECDSA on the NIST curve of that size. P-521 meets the requirement, but ring neither signs nor verifies with it.
    Ecdsa(usize),
    /// Any other curve by its OID, or `with explicit parameters`.
    EcdsaOther(String),
    /// Ed25519.
    Ed25519,
    /// Any other algorithm, by its OID.
    Other(String),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::RsaPss(bits) => write!(f, "RSA-PSS {bits}"),
            Self::Ecdsa(bits) => write!(f, "ECDSA P-{bits}"),
            Self::EcdsaOther(curve) => write!(f, "ECDSA {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(oid) => write!(f, "key algorithm {oid}"),
        }
    }
}

impl KeyKind {
    /// The kind of the value of an `AlgorithmIdentifier` with the public key's bits (for the size of RSA);
    /// `None` if the algorithm identifier is not DER.
    fn of(algorithm: &[u8], public: Option<&[u8]>) -> Option<Self> {
        let mut reader = Reader::new(algorithm);
        let oid = reader.expect(OID)?.content;
        let rsa_bits = || public.and_then(rsa_modulus_bits).unwrap_or(0);
        Some(if oid == RSA_ENCRYPTION {
            Self::Rsa(rsa_bits())
        } else if oid == RSASSA_PSS {
            Self::RsaPss(rsa_bits())
        } else if oid == EC_PUBLIC_KEY {
            let curve = reader.optional(OID).map(|e| e.content);
            match (CURVES.iter().find(|(known, _)| curve == Some(known)), curve) {
                (Some((_, bits)), _) => Self::Ecdsa(*bits),
                (None, Some(curve)) => Self::EcdsaOther(format!("curve {}", oid_text(curve))),
                (None, None) => Self::EcdsaOther("with explicit parameters".into()),
            }
        } else if oid == ED25519 {
            Self::Ed25519
        } else {
            Self::Other(oid_text(oid))
        })
    }

    /// The kind of key in a `SubjectPublicKeyInfo`, and the bits of the key itself; `None` if it is not DER.
    pub(super) fn of_spki(spki: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader::new(spki).expect(SEQUENCE)?.inside();
        let algorithm = reader.expect(SEQUENCE)?.content;
        let bits = der::whole_bytes(reader.expect(BIT_STRING)?.content)?;
        Some((Self::of(algorithm, Some(bits))?, bits))
    }

    /// The documented floor, RSA ≥ 2048 or ECDSA ≥ P-256 (DOCS reference, certificate requirements). Curves outside the
    /// P- family are not named there, and Go's verifier knows none of them.
    pub(crate) fn meets_floor(&self) -> bool {
        match self {
            Self::Rsa(bits) | Self::RsaPss(bits) => *bits >= 2048,
            Self::Ecdsa(bits) => *bits >= 256,
            Self::EcdsaOther(_) | Self::Ed25519 | Self::Other(_) => false,
        }
    }

    /// Whether this program can sign with such a key: what ring loads, without Ed25519, which the requirements do not name.
    pub(crate) fn signs(&self) -> bool {
        match self {
            Self::Rsa(bits) => (2048..=4096).contains(bits),
            Self::Ecdsa(bits) => matches!(bits, 256 | 384),
            Self::RsaPss(_) | Self::EcdsaOther(_) | Self::Ed25519 | Self::Other(_) => false,
        }
    }

    /// Whether it is RSA, which needs `keyEncipherment` for the TLS 1.2 key exchange of the same name (RFC 5246 §7.4.2).
    pub(crate) fn is_rsa(&self) -> bool {
        matches!(self, Self::Rsa(_) | Self::RsaPss(_))
    }
}

/// `1.2.840.10045.2.1` for an OID's value (X.690, 8.19); `?` for one that no registry would give. Not asn1-rs, which reads the
/// first arcs of `2.999` wrongly, and hands the bytes of the file on where an arc is too long.
fn oid_text(content: &[u8]) -> String {
    let subidentifier = |bytes: &[u8]| {
        let significant = bytes.len() <= 9;
        significant.then(|| bytes.iter().fold(0u64, |arc, byte| arc << 7 | u64::from(byte & 0x7f)))
    };
    let arcs = content.split_inclusive(|byte| byte & 0x80 == 0).take(64).map(subidentifier).collect::<Option<Vec<_>>>();
    let Some([first, rest @ ..]) = arcs.as_deref() else { return "?".into() };
    let root = (first / 40).min(2);
    let all = [root, first - root * 40].into_iter().chain(rest.iter().copied());
    all.map(|arc| arc.to_string()).collect::<Vec<_>>().join(".")
}

/// Bits of the modulus of an `RSAPublicKey` (RFC 8017 A.1.1).
fn rsa_modulus_bits(public: &[u8]) -> Option<usize> {
    let modulus = der::unsigned(Reader::new(public).expect(SEQUENCE)?.inside().expect(INTEGER)?.content);
    let first = modulus.first()?;
    Some(modulus.len() * 8 - first.leading_zeros() as usize)
}

/// Why this program cannot sign with a private key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyFault {
    /// A kind that ring does not load or that the requirements do not allow.
    #[error("this helper cannot sign with {0} keys, only with ECDSA P-256, ECDSA P-384 and RSA 2048 to 4096")]
    Kind(KeyKind),
    /// RFC 5915 makes the public half optional, ring needs it.
    #[error("the file lacks the key's public half; `openssl pkey -in OLD -out NEW` adds it")]
    NoPublicHalf,
    /// The parts of the key contradict each other: a damaged or edited file.
    #[error("the key's private and public halves do not belong together")]
    Inconsistent,
    /// ring's reason, which never contains key material.
    #[error("the cryptography library rejects the key: {0}")]
    Rejected(String),
}

/// A private key. No `Display`, no `Clone`, and `Debug` shows the kind only.
pub(crate) struct Key {
    /// PKCS#8 (RFC 5208), rebuilt from the parts for RSA and ECDSA so that ring's strict reader takes it.
    pkcs8: Vec<u8>,
    kind: KeyKind,
    /// The bits of the public key, if known.
    public: Option<Vec<u8>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.kind)
    }
}

impl Key {
    /// Reads the first private key of a key file, as Go's `tls.X509KeyPair` does: other blocks, like openssl's
    /// `EC PARAMETERS`, are skipped.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PemFault> {
        let blocks = pem::blocks(bytes)?;
        let Some(block) = blocks.iter().find(|b| b.is_private_key()) else {
            return Err(if blocks.iter().any(|b| b.label == pem::CERTIFICATE) {
                PemFault::CertificateInsteadOfKey
            } else {
                pem::none_of_these(&blocks)
            });
        };
        Self::from_block(block, &blocks)
    }

    fn from_block(block: &Block<'_>, blocks: &[Block<'_>]) -> Result<Self, PemFault> {
        if block.encrypted() {
            return Err(PemFault::EncryptedKey);
        }
        let der = block.decode()?;
        pem::framed(&der, "private key")?;
        match block.label {
            pem::PKCS8 => Self::from_pkcs8(der),
            pem::PKCS1 => Self::rsa(&rsa_algorithm(), &der),
            pem::SEC1 => {
                // The curve is in the key; a few old tools put it only into the EC PARAMETERS block before it.
                let outside = blocks.iter().find(|b| b.label == pem::EC_PARAMETERS).and_then(Block::decode_any);
                Self::sec1(None, outside.as_deref(), &der)
            }
            other => return Err(PemFault::OtherBlock(other.to_owned())),
        }
        .ok_or(PemFault::Malformed("private key"))
    }

    fn from_pkcs8(der: Vec<u8>) -> Option<Self> {
        let mut reader = Reader::new(&der).expect(SEQUENCE)?.inside();
        reader.expect(INTEGER)?;
        let algorithm = reader.expect(SEQUENCE)?;
        let inner = reader.expect(OCTET_STRING)?.content;
        reader.optional(CONTEXT_0);
        // OneAsymmetricKey (RFC 5958): [1] IMPLICIT BIT STRING.
        let beside = reader.optional(0x81).and_then(|e| der::whole_bytes(e.content)).map(<[u8]>::to_vec);
        let oid = Reader::new(algorithm.content).expect(OID)?.content;
        if oid == EC_PUBLIC_KEY {
            return Self::sec1(Some(algorithm.content), None, inner);
        }
        if oid == RSA_ENCRYPTION || oid == RSASSA_PSS {
            return Self::rsa(algorithm.content, inner);
        }
        let public = if oid == ED25519 {
            let seed = Reader::new(inner).expect(OCTET_STRING)?.content;
            ring::signature::Ed25519KeyPair::from_seed_unchecked(seed).ok().map(|k| k.public_key().as_ref().to_vec())
        } else {
            beside
        };
        let kind = KeyKind::of(algorithm.content, None)?;
        Some(Self { kind, public, pkcs8: der })
    }

    /// `RSAPrivateKey` (RFC 8017 A.1.2) into PKCS#8.
    fn rsa(algorithm: &[u8], pkcs1: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(pkcs1).expect(SEQUENCE)?.inside();
        reader.expect(INTEGER)?;
        let (modulus, exponent) = (reader.expect(INTEGER)?, reader.expect(INTEGER)?);
        let public = der::write(SEQUENCE, &[modulus.whole, exponent.whole]);
        let kind = KeyKind::of(algorithm, Some(&public))?;
        Some(Self { pkcs8: pkcs8(algorithm, pkcs1), kind, public: Some(public) })
    }

    /// `ECPrivateKey` (RFC 5915) into PKCS#8. The curve is taken from the PKCS#8 algorithm, the key, or the block before it.
    fn sec1(algorithm: Option<&[u8]>, outside: Option<&[u8]>, sec1: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(sec1).expect(SEQUENCE)?.inside();
        reader.expect(INTEGER)?;
        let secret = reader.expect(OCTET_STRING)?.content;
        let inside = reader.optional(CONTEXT_0).map(|e| e.content);
        let public = match reader.optional(CONTEXT_1) {
            Some(e) => Some(der::whole_bytes(e.inside().expect(BIT_STRING)?.content)?.to_vec()),
            None => None,
        };
        let algorithm = match algorithm {
            Some(algorithm) => algorithm.to_vec(),
            None => [der::write(OID, &[EC_PUBLIC_KEY]), inside.or(outside)?.to_vec()].concat(),
        };
        let kind = KeyKind::of(&algorithm, None)?;
        // RFC 5915 §3 wants the number padded to the curve's size; some tools drop leading zeros and ring then refuses it.
        let width = match kind {
            KeyKind::Ecdsa(bits @ (256 | 384)) => bits / 8,
            _ => secret.len(),
        };
        let secret = der::unsigned(secret);
        let padding = vec![0; width.saturating_sub(secret.len())];
        let mut parts = vec![der::write(INTEGER, &[&[1]]), der::write(OCTET_STRING, &[&padding, secret])];
        if let Some(public) = &public {
            parts.push(der::write(CONTEXT_1, &[&der::write(BIT_STRING, &[&[0], public])]));
        }
        let pkcs8 = pkcs8(&algorithm, &der::write(SEQUENCE, &[&parts.concat()]));
        Some(Self { pkcs8, kind, public })
    }

    /// The key as PKCS#8 DER, only for loading it.
    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(crate) fn kind(&self) -> &KeyKind {
        &self.kind
    }

    /// The bits of the public key, to compare with a certificate's; `None` if the file lacks them and no library here can
    /// compute them.
    pub(crate) fn public_key(&self) -> Option<&[u8]> {
        self.public.as_deref()
    }

    /// Loads the key for signing, which also proves that its halves belong together.
    ///
    /// # Errors
    /// Why this program cannot sign with it.
    pub(crate) fn signing(&self) -> Result<rcgen::KeyPair, KeyFault> {
        let algorithm = match self.kind {
            KeyKind::Ecdsa(256) => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyKind::Ecdsa(384) => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyKind::Rsa(_) if self.kind.signs() => &rcgen::PKCS_RSA_SHA256,
            _ => return Err(KeyFault::Kind(self.kind.clone())),
        };
        if self.public.is_none() {
            return Err(KeyFault::NoPublicHalf);
        }
        rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&self.pkcs8.as_slice().into(), algorithm).map_err(|error| {
            match error {
                // The one constant that ring gives for this case (`KeyRejected::inconsistent_components`).
                rcgen::Error::RingKeyRejected(why) if why == "InconsistentComponents" => KeyFault::Inconsistent,
                other => KeyFault::Rejected(other.to_string()),
            }
        })
    }
}

/// The value of the `AlgorithmIdentifier` of plain RSA, with the NULL that RFC 3279 §2.3.1 asks for.
fn rsa_algorithm() -> Vec<u8> {
    [der::write(OID, &[RSA_ENCRYPTION]), der::write(NULL, &[])].concat()
}

/// `PrivateKeyInfo` (RFC 5208 §5), version 0, without attributes.
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    der::write(
        SEQUENCE,
        &[&der::write(INTEGER, &[&[0]]), &der::write(SEQUENCE, &[algorithm]), &der::write(OCTET_STRING, &[key])],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_identifier_is_said_and_what_is_none_is_not() {
        for (content, text) in [
            (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01][..], "1.2.840.10045.2.1"),
            (&[0x88, 0x37, 0x01], "2.999.1"),
            (&[0x81, 0x01, 0x00], "2.49.0"),
            (&[], "?"),
            (&[0xff; 70], "?"),
        ] {
            assert_eq!(oid_text(content), text);
        }
    }
}
