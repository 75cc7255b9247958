//! What one certificate says: plain values, taken out of its DER once.

use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::oid::Oid;
use x509_parser::extensions::{GeneralName, GeneralSubtree, KeyUsage, ParsedExtension};
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo, X509Name};

use super::der::{BIT_STRING, CONTEXT_0, Reader, SEQUENCE};
use super::key::KeyKind;
use super::pem::PemFault;
use crate::hash::sha256_hex;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extension<T> {
    /// The certificate does not have it.
    Absent,
    /// Present twice, or not well-formed; which of them.
    Broken(&'static str),
    /// Present once and well-formed.
    Present {
        /// The critical flag.
        critical: bool,
        /// What matters of its value.
        value: T,
    },
}

impl<T> Extension<T> {
    /// The value of a well-formed extension.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Present { value, .. } => Some(value),
            Self::Absent | Self::Broken(_) => None,
        }
    }
}

/// Whether a key made the signature on a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// It did.
    Good,
    /// It did not.
    Bad,
    /// No library here can verify it; what it is.
    Unknown(String),
}

/// The families of signature algorithms, to tell "another kind of key" from "cannot be verified here".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// RSA, PKCS #1 v1.5 or PSS.
    Rsa,
    /// ECDSA on any curve.
    Ecdsa,
    /// EdDSA, DSA, and what is unknown.
    Other,
}

/// Name, family, and whether the hash is SHA-256 or stronger. Ed25519 and Ed448 hash with SHA-512 and SHAKE256 inside (RFC 8032).
const SIGNATURES: &[(&str, &str, Family, bool)] = &[
    ("1.2.840.113549.1.1.2", "MD2 with RSA", Family::Rsa, false),
    ("1.2.840.113549.1.1.4", "MD5 with RSA", Family::Rsa, false),
    ("1.2.840.113549.1.1.5", "SHA-1 with RSA", Family::Rsa, false),
    ("1.3.14.3.2.29", "SHA-1 with RSA", Family::Rsa, false),
    ("1.2.840.113549.1.1.14", "SHA-224 with RSA", Family::Rsa, false),
    ("1.2.840.113549.1.1.11", "SHA-256 with RSA", Family::Rsa, true),
    ("1.2.840.113549.1.1.12", "SHA-384 with RSA", Family::Rsa, true),
    ("1.2.840.113549.1.1.13", "SHA-512 with RSA", Family::Rsa, true),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1", Family::Ecdsa, false),
    ("1.2.840.10045.4.3.1", "ECDSA with SHA-224", Family::Ecdsa, false),
    ("1.2.840.10045.4.3.2", "ECDSA with SHA-256", Family::Ecdsa, true),
    ("1.2.840.10045.4.3.3", "ECDSA with SHA-384", Family::Ecdsa, true),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512", Family::Ecdsa, true),
    ("1.3.101.112", "Ed25519", Family::Other, true),
    ("1.3.101.113", "Ed448", Family::Other, true),
    ("1.2.840.10040.4.3", "DSA with SHA-1", Family::Other, false),
    ("2.16.840.1.101.3.4.3.2", "DSA with SHA-256", Family::Other, true),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignatureAlgorithm {
    /// `ECDSA with SHA-256`, or the OID of an unknown one.
    pub(crate) name: String,
    /// Whether its hash is known to be SHA-256 or stronger.
    pub(crate) strong: bool,
    family: Family,
}

impl SignatureAlgorithm {
    fn of(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        if algorithm.algorithm == oid::OID_PKCS1_RSASSAPSS {
            let hash = pss(algorithm).map(|(name, _)| name);
            let name = format!("RSA-PSS with {}", hash.unwrap_or("another hash than SHA-256, SHA-384 and SHA-512"));
            return Self { name, strong: hash.is_some(), family: Family::Rsa };
        }
        let id = algorithm.algorithm.to_id_string();
        match SIGNATURES.iter().find(|(known, ..)| *known == id) {
            Some(&(_, name, family, strong)) => Self { name: name.into(), strong, family },
            None => Self { name: format!("signature algorithm {id}"), strong: false, family: Family::Other },
        }
    }
}

/// Hash and "salt as long as the hash" (all that ring verifies) of RSA-PSS parameters; `None` for weaker and unknown hashes.
fn pss(algorithm: &AlgorithmIdentifier<'_>) -> Option<(&'static str, bool)> {
    let parameters = RsaSsaPssParams::try_from(algorithm.parameters.as_ref()?).ok()?;
    let hash = parameters.hash_algorithm()?.algorithm.clone();
    let salt = parameters.salt_length();
    [
        (oid::OID_NIST_HASH_SHA256, "SHA-256", 32),
        (oid::OID_NIST_HASH_SHA384, "SHA-384", 48),
        (oid::OID_NIST_HASH_SHA512, "SHA-512", 64),
    ]
    .into_iter()
    .find(|(known, ..)| *known == hash)
    .map(|(_, name, length)| (name, salt == length))
}

#[derive(Clone, Debug)]
pub(crate) struct Details {
    pub(crate) der: Vec<u8>,
    /// The subject for people; empty if the certificate has none.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// The subject's DER, to be compared and copied byte for byte.
    pub(crate) subject_der: Vec<u8>,
    pub(crate) issuer_der: Vec<u8>,
    pub(crate) key: KeyKind,
    pub(crate) public_key: Vec<u8>,
    /// Its whole `SubjectPublicKeyInfo`.
    pub(crate) spki_der: Vec<u8>,
    /// Start of validity.
    pub(crate) not_before: OffsetDateTime,
    /// End of validity, inclusive (RFC 5280 §4.1.2.5).
    pub(crate) not_after: OffsetDateTime,
    pub(crate) signature: SignatureAlgorithm,
    /// `CA:TRUE` or `CA:FALSE`.
    pub(crate) basic_constraints: Extension<bool>,
    pub(crate) subject_key_id: Extension<Vec<u8>>,
    /// The key identifier of the issuer; `None` inside if only issuer and serial number are given.
    pub(crate) authority_key_id: Extension<Option<Vec<u8>>>,
    /// The names of the usages set, as RFC 5280 spells them.
    pub(crate) key_usage: Extension<Vec<&'static str>>,
    /// The names or OIDs of the extended usages.
    pub(crate) extended_key_usage: Extension<Vec<String>>,
    /// The DNS names of the subjectAltName.
    pub(crate) dns_names: Extension<Vec<String>>,
    /// The DNS names that a CA's certificates may be for.
    pub(crate) name_constraints: Extension<NameConstraints>,
}

/// The DNS part of nameConstraints (RFC 5280 §4.2.1.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameConstraints {
    /// The only subtrees that are allowed; empty allows all.
    pub(crate) permitted: Vec<String>,
    /// Subtrees that are not allowed.
    pub(crate) excluded: Vec<String>,
}

impl NameConstraints {
    fn of(found: &x509_parser::extensions::NameConstraints<'_>) -> Self {
        let dns = |trees: &Option<Vec<GeneralSubtree<'_>>>| -> Vec<String> {
            trees.iter().flatten().filter_map(|tree| dns_name(&tree.base)).collect()
        };
        Self { permitted: dns(&found.permitted_subtrees), excluded: dns(&found.excluded_subtrees) }
    }

    /// Whether a certificate for `host` is within the constraints.
    pub(crate) fn allow(&self, host: &str) -> bool {
        // `.example.com`, which Go and webpki take for the names below it only, is not in RFC 5280.
        let within = |tree: &String| {
            let base = tree.strip_prefix('.').unwrap_or(tree).to_ascii_lowercase();
            let host = host.to_ascii_lowercase();
            base.is_empty()
                || (host == base && !tree.starts_with('.'))
                || host.strip_suffix(base.as_str()).is_some_and(|front| front.ends_with('.'))
        };
        (self.permitted.is_empty() || self.permitted.iter().any(within)) && !self.excluded.iter().any(within)
    }
}

impl Details {
    /// Takes a certificate apart.
    ///
    /// # Errors
    /// [`PemFault::Malformed`] if it is not a certificate, or not one of RFC 5280's form.
    pub(crate) fn read(der: Vec<u8>) -> Result<Self, PemFault> {
        Self::taken_from(der).ok_or(PemFault::Malformed("certificate"))
    }

    fn taken_from(der: Vec<u8>) -> Option<Self> {
        let spki_der = spki_of(&der)?.to_vec();
        let (rest, certificate) = X509Certificate::from_der(&der).ok()?;
        // RFC 5280 §4.1.1.2: the algorithm inside and outside of the signed part must be the same.
        if !rest.is_empty() || certificate.signature_algorithm != certificate.tbs_certificate.signature {
            return None;
        }
        let (key, public_key) = KeyKind::of_spki(&spki_der)?;
        let c = &certificate;
        Some(Self {
            subject: name(c.subject()),
            issuer: name(c.issuer()),
            subject_der: c.subject().as_raw().to_vec(),
            issuer_der: c.issuer().as_raw().to_vec(),
            public_key: public_key.to_vec(),
            key,
            not_before: c.validity().not_before.to_datetime(),
            not_after: c.validity().not_after.to_datetime(),
            signature: SignatureAlgorithm::of(&c.signature_algorithm),
            basic_constraints: extension(c, &oid::OID_X509_EXT_BASIC_CONSTRAINTS, |e| {
                if let ParsedExtension::BasicConstraints(value) = e { Some(value.ca) } else { None }
            }),
            subject_key_id: extension(c, &oid::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER, |e| {
                if let ParsedExtension::SubjectKeyIdentifier(id) = e { Some(id.0.to_vec()) } else { None }
            }),
            authority_key_id: extension(c, &oid::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, |e| {
                if let ParsedExtension::AuthorityKeyIdentifier(id) = e {
                    Some(id.key_identifier.as_ref().map(|k| k.0.to_vec()))
                } else {
                    None
                }
            }),
            key_usage: extension(c, &oid::OID_X509_EXT_KEY_USAGE, |e| {
                if let ParsedExtension::KeyUsage(usage) = e { Some(usages(usage)) } else { None }
            }),
            extended_key_usage: extension(c, &oid::OID_X509_EXT_EXTENDED_KEY_USAGE, extended_usages),
            dns_names: extension(c, &oid::OID_X509_EXT_SUBJECT_ALT_NAME, |e| {
                if let ParsedExtension::SubjectAlternativeName(names) = e {
                    Some(names.general_names.iter().filter_map(dns_name).collect())
                } else {
                    None
                }
            }),
            name_constraints: extension(c, &oid::OID_X509_EXT_NAME_CONSTRAINTS, |e| {
                if let ParsedExtension::NameConstraints(found) = e { Some(NameConstraints::of(found)) } else { None }
            }),
            spki_der,
            der,
        })
    }

    /// Lower-case hex SHA-256 of the DER, the form in which the Console and the API show it.
    pub(crate) fn fingerprint_sha256(&self) -> String {
        sha256_hex(&self.der)
    }

    /// Whole days from `now` to the end, rounded down: negative once it is over.
    pub(crate) fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.not_after - now).whole_seconds().div_euclid(86_400)
    }

    /// The DNS names of the subjectAltName, none if there is no such extension.
    pub(crate) fn dns_names(&self) -> &[String] {
        self.dns_names.value().map_or(&[], Vec::as_slice)
    }

    /// Whether another certificate's key made the signature.
    pub(crate) fn is_signed_by(&self, issuer: &Self) -> bool {
        matches!(self.signed_by(&issuer.spki_der), Signature::Good)
    }

    /// Whether the key of the `SubjectPublicKeyInfo` `issuer` made the signature on this certificate.
    pub(crate) fn signed_by(&self, issuer: &[u8]) -> Signature {
        let unknown = |what: &str| Signature::Unknown(format!("this helper cannot verify {what}"));
        let Some((kind, _)) = KeyKind::of_spki(issuer) else {
            return Signature::Bad;
        };
        let (Ok((_, certificate)), Ok((_, key))) =
            (X509Certificate::from_der(&self.der), SubjectPublicKeyInfo::from_der(issuer))
        else {
            return Signature::Bad;
        };
        let algorithm = &certificate.signature_algorithm;
        // The limits are those of ring's verification algorithms, through x509-parser's choice among them.
        let verifiable = match (&kind, self.signature.family) {
            (KeyKind::Rsa(bits) | KeyKind::RsaPss(bits), Family::Rsa) => {
                if algorithm.algorithm == oid::OID_PKCS1_RSASSAPSS {
                    (2048..=8192).contains(bits) && pss(algorithm).is_some_and(|(_, salt_fits)| salt_fits)
                } else if self.signature.strong {
                    (2048..=8192).contains(bits)
                } else {
                    self.signature.name == "SHA-1 with RSA" && (1024..=8192).contains(bits)
                }
            }
            (KeyKind::Ecdsa(256 | 384), Family::Ecdsa) => {
                matches!(self.signature.name.as_str(), "ECDSA with SHA-256" | "ECDSA with SHA-384")
            }
            (KeyKind::Ed25519, Family::Other) if self.signature.name == "Ed25519" => true,
            (KeyKind::Ecdsa(_) | KeyKind::EcdsaOther(_), Family::Ecdsa) => false,
            (KeyKind::Other(_), Family::Other) => false,
            // One kind of signature, another kind of key: not made by it, even if it verifies.
            _ => return Signature::Bad,
        };
        if !verifiable {
            return unknown(&format!("{} by a key of kind {kind}", self.signature.name));
        }
        if certificate.verify_signature(Some(&key)).is_ok() { Signature::Good } else { Signature::Bad }
    }
}

/// Walks `Certificate` to its `SubjectPublicKeyInfo` and refuses what follows after the parts that RFC 5280 §4.1 lists.
fn spki_of(der: &[u8]) -> Option<&[u8]> {
    let mut outer = Reader::new(der).expect(SEQUENCE)?.inside();
    let mut signed = outer.expect(SEQUENCE)?.inside();
    outer.expect(SEQUENCE)?;
    outer.expect(BIT_STRING)?;
    signed.optional(CONTEXT_0);
    // serialNumber, signature, issuer, validity, subject
    for _ in 0..5 {
        signed.any()?;
    }
    let spki = signed.expect(SEQUENCE)?.whole;
    // issuerUniqueID, subjectUniqueID, extensions
    for tag in [0x81, 0x82, 0xa3] {
        signed.optional(tag);
    }
    (outer.at_end() && signed.at_end()).then_some(spki)
}

fn extension<T>(
    certificate: &X509Certificate<'_>,
    id: &Oid<'_>,
    pick: impl Fn(&ParsedExtension<'_>) -> Option<T>,
) -> Extension<T> {
    match certificate.get_extension_unique(id) {
        Err(_) => Extension::Broken("is there more than once"),
        Ok(None) => Extension::Absent,
        Ok(Some(found)) => match pick(found.parsed_extension()) {
            Some(value) => Extension::Present { critical: found.critical, value },
            None => Extension::Broken("is not well-formed"),
        },
    }
}

fn usages(usage: &KeyUsage) -> Vec<&'static str> {
    [
        (usage.digital_signature(), "digitalSignature"),
        (usage.non_repudiation(), "contentCommitment"),
        (usage.key_encipherment(), "keyEncipherment"),
        (usage.data_encipherment(), "dataEncipherment"),
        (usage.key_agreement(), "keyAgreement"),
        (usage.key_cert_sign(), "keyCertSign"),
        (usage.crl_sign(), "cRLSign"),
        (usage.encipher_only(), "encipherOnly"),
        (usage.decipher_only(), "decipherOnly"),
    ]
    .into_iter()
    .filter_map(|(set, name)| set.then_some(name))
    .collect()
}

fn extended_usages(found: &ParsedExtension<'_>) -> Option<Vec<String>> {
    let ParsedExtension::ExtendedKeyUsage(usage) = found else {
        return None;
    };
    let known = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known.into_iter().filter(|(set, _)| *set).map(|(_, name)| name.to_owned());
    Some(known.chain(usage.other.iter().map(Oid::to_id_string)).collect())
}

fn dns_name(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(dns) = name { Some(printable(dns)) } else { None }
}

fn name(name: &X509Name<'_>) -> String {
    printable(&name.to_string())
}

/// Names come from foreign files: control characters, which a terminal would obey, are escaped.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}
