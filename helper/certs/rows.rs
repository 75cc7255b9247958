//! The requirements, one row each. Source, where a row names no other: "Certificate requirements" in Anthropic's MCP tunnels reference.

use super::audit::{File, Of, Requirement, Verdict};
use super::judge::{
    HIDDEN, belongs, ca, ca_file, constraints, count, dates, existing, hash, list, loads, names, pair, present, server,
    shown, signed, strength, uncovered,
};
use super::key::KeyFault;
use super::pem::PemFault;
use super::x509::{Extension, Signature, hex};
use crate::rules::RuleId;

/// "At most 8 kB", taken as 8 × 1024 bytes of the file as it is uploaded.
const LARGEST_CA_FILE: usize = 8 * 1024;

/// Every documented requirement. Order: what must be there before what is in it, the CA before the server, the pair last.
pub(crate) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        id: "ca-present",
        of: Of::Ca,
        rule: RuleId::CaMissing,
        requirement: "there is a CA certificate",
        test: |f| present(&f.ca),
    },
    Requirement {
        id: "ca-readable",
        of: Of::Ca,
        rule: RuleId::CaUnusable,
        requirement: "ca.crt is a certificate in PEM form",
        test: |f| match &f.ca {
            File::Good(_) => Verdict::pass("PEM certificate"),
            File::Faulty(fault) => Verdict::fail(fault.to_string()),
            File::Unreadable(why) => Verdict::fail(why.clone()),
            File::Absent => Verdict::skip("there is no ca.crt"),
        },
    },
    Requirement {
        id: "ca-single",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "ca.crt holds exactly one certificate",
        test: |f| ca_file(f, |c| Verdict::of(c.certificates() == 1, count(c.certificates(), "certificate"))),
    },
    Requirement {
        id: "ca-no-key-material",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "ca.crt holds no private key",
        test: |f| ca_file(f, |c| Verdict::of(c.private_keys == 0, count(c.private_keys, "private key block"))),
    },
    Requirement {
        id: "ca-size",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "ca.crt is at most 8 kB",
        test: |f| ca_file(f, |c| Verdict::of(c.size <= LARGEST_CA_FILE, format!("{} bytes", c.size))),
    },
    Requirement {
        id: "ca-basic-constraints",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "basicConstraints says CA:TRUE",
        test: |f| ca(f, |c| constraints(c, |ca, _| ca)),
    },
    Requirement {
        id: "ca-basic-constraints-critical",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "basicConstraints is marked critical",
        test: |f| {
            ca(f, |c| match c.basic_constraints {
                Extension::Absent | Extension::Broken(_) => Verdict::skip("there is no readable basicConstraints"),
                Extension::Present { .. } => constraints(c, |_, critical| critical),
            })
        },
    },
    Requirement {
        id: "ca-subject-key-id",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "subjectKeyIdentifier is present",
        test: |f| ca(f, |c| existing(&c.subject_key_id, "subjectKeyIdentifier", |id| Verdict::pass(hex(id, ":")))),
    },
    Requirement {
        id: "ca-key-usage",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "keyUsage has keyCertSign",
        test: |f| ca(f, |c| existing(&c.key_usage, "keyUsage", |u| Verdict::of(u.contains(&"keyCertSign"), list(u)))),
    },
    Requirement {
        id: "ca-in-date",
        of: Of::Ca,
        rule: RuleId::CaExpired,
        requirement: "the CA is in date",
        test: |f| ca(f, |c| dates(f, c)),
    },
    Requirement {
        id: "ca-key-strength",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "the CA's key is RSA of at least 2048 bits or ECDSA on P-256 or larger",
        test: |f| ca(f, strength),
    },
    Requirement {
        id: "ca-signature-hash",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "the CA certificate is signed with SHA-256 or stronger",
        test: |f| ca(f, hash),
    },
    Requirement {
        // Not documented in so many words; a self-signed certificate whose signature fails is damaged, and no verifier takes it.
        id: "ca-self-signature",
        of: Of::Ca,
        rule: RuleId::CaUnfit,
        requirement: "a self-signed CA certificate carries its own key's signature",
        test: |f| {
            ca(f, |c| match &f.ca_self_signature {
                None => Verdict::pass(format!("not self-signed: issued by {}", shown(&c.issuer))),
                Some(Signature::Good) => Verdict::pass("self-signed, the signature is good"),
                Some(Signature::Bad) => Verdict::fail("names itself as issuer, but its key did not make the signature"),
                Some(Signature::Unknown(what)) => Verdict::skip(what.clone()),
            })
        },
    },
    Requirement {
        id: "ca-key-usable",
        of: Of::Ca,
        rule: RuleId::CaKeyUnusable,
        requirement: "ca.key, if it is on this host, is a private key that can sign",
        test: |f| match &f.ca_key {
            File::Absent => Verdict::skip("there is no ca.key; only renewal needs it"),
            File::Unreadable(why) => Verdict::skip(format!("{why}; only renewal needs it")),
            File::Faulty(fault) => Verdict::fail(fault.to_string()),
            File::Good(file) => loads(file),
        },
    },
    Requirement {
        id: "server-present",
        of: Of::Server,
        rule: RuleId::ProxyCertMissing,
        requirement: "there is a server certificate",
        test: |f| present(&f.server),
    },
    Requirement {
        id: "server-key-present",
        of: Of::Server,
        rule: RuleId::ProxyCertMissing,
        requirement: "there is a private key for the server certificate",
        test: |f| present(&f.server_key),
    },
    Requirement {
        id: "server-not-swapped",
        of: Of::Server,
        rule: RuleId::ProxyCertSwapped,
        requirement: "tls.crt holds the certificate and tls.key the private key",
        test: |f| match (f.server.fault(), f.server_key.fault()) {
            (Some(PemFault::KeyInsteadOfCertificate), Some(PemFault::CertificateInsteadOfKey)) => {
                Verdict::fail("the two files are swapped: tls.crt holds a private key, tls.key a certificate")
            }
            (Some(PemFault::KeyInsteadOfCertificate), _) => Verdict::fail("tls.crt holds a private key"),
            (_, Some(PemFault::CertificateInsteadOfKey)) => Verdict::fail("tls.key holds a certificate"),
            _ if f.server.good().is_none() && f.server_key.good().is_none() => {
                Verdict::skip("neither file is readable")
            }
            _ => Verdict::pass("each file holds its own kind"),
        },
    },
    Requirement {
        // Go's `tls.X509KeyPair`, with which the proxy loads them.
        id: "server-readable",
        of: Of::Server,
        rule: RuleId::ProxyCertEmpty,
        requirement: "tls.crt is a certificate in PEM form that the proxy can read",
        test: |f| match &f.server {
            File::Good(file) if !file.go_finds_it => Verdict::fail(HIDDEN),
            File::Good(file) if file.certificates() > 1 => {
                Verdict::pass(format!("{}; the first one is the server's", count(file.certificates(), "certificate")))
            }
            File::Good(_) => Verdict::pass("PEM certificate"),
            File::Faulty(PemFault::KeyInsteadOfCertificate) => Verdict::skip("it holds a private key, see above"),
            File::Faulty(fault) => Verdict::fail(fault.to_string()),
            File::Unreadable(why) => Verdict::fail(why.clone()),
            File::Absent => Verdict::skip("there is no tls.crt"),
        },
    },
    Requirement {
        id: "server-key-readable",
        of: Of::Server,
        rule: RuleId::ProxyCertEmpty,
        requirement: "tls.key is a private key in PEM form that the proxy can read",
        test: |f| match &f.server_key {
            File::Good(file) if !file.go_finds_it => Verdict::fail(HIDDEN),
            File::Good(file) => match &file.loads {
                Err(KeyFault::Inconsistent) => {
                    Verdict::fail(format!("{}: {}", file.key.kind(), KeyFault::Inconsistent))
                }
                Ok(()) | Err(KeyFault::Kind(_) | KeyFault::NoPublicHalf | KeyFault::Rejected(_)) => {
                    Verdict::pass(format!("{} private key", file.key.kind()))
                }
            },
            File::Faulty(PemFault::CertificateInsteadOfKey) => Verdict::skip("it holds a certificate, see above"),
            File::Faulty(PemFault::EncryptedKey) => Verdict::skip("it is encrypted, see below"),
            File::Faulty(fault) => Verdict::fail(fault.to_string()),
            // Its mode may be right for the proxy and wrong for the person who asks.
            File::Unreadable(why) => Verdict::skip(why.clone()),
            File::Absent => Verdict::skip("there is no tls.key"),
        },
    },
    Requirement {
        id: "server-key-not-encrypted",
        of: Of::Server,
        rule: RuleId::ProxyKeyEncrypted,
        requirement: "tls.key has no passphrase",
        test: |f| match &f.server_key {
            File::Good(_) => Verdict::pass("no passphrase"),
            File::Faulty(fault @ PemFault::EncryptedKey) => Verdict::fail(fault.to_string()),
            File::Faulty(_) | File::Unreadable(_) | File::Absent => Verdict::skip("there is no readable tls.key"),
        },
    },
    Requirement {
        id: "server-authority-key-id",
        of: Of::Server,
        rule: RuleId::TlsUnknownCa,
        requirement: "authorityKeyIdentifier is present",
        test: |f| {
            server(f, |c| {
                existing(&c.authority_key_id, "authorityKeyIdentifier", |id| match id {
                    Some(id) => Verdict::pass(hex(id, ":")),
                    None => {
                        Verdict::fail("authorityKeyIdentifier names issuer and serial number only, no key identifier")
                    }
                })
            })
        },
    },
    Requirement {
        id: "server-san-wildcard",
        of: Of::Server,
        rule: RuleId::TlsBadCert,
        requirement: "subjectAltName has *.<domain>, or names every route",
        test: |f| {
            server(f, |c| {
                let wildcard = format!("*.{}", f.domain);
                if c.dns_names().iter().any(|n| n.eq_ignore_ascii_case(&wildcard)) {
                    Verdict::pass(wildcard)
                } else if !f.routes.is_empty() && uncovered(f, c).is_empty() {
                    Verdict::pass(format!(
                        "no {wildcard}, but each route by name: {}; a new route needs a new certificate",
                        list(c.dns_names())
                    ))
                } else {
                    Verdict::fail(format!("no {wildcard}; {}", names(c)))
                }
            })
        },
    },
    Requirement {
        id: "server-san-routes",
        of: Of::Server,
        rule: RuleId::TlsBadCert,
        requirement: "subjectAltName covers <route>.<domain> for every configured route",
        test: |f| {
            server(f, |c| {
                let missing = uncovered(f, c);
                if f.routes.is_empty() {
                    Verdict::skip("no routes are configured")
                } else if missing.is_empty() {
                    Verdict::pass(format!("{} of {}", f.routes.len(), count(f.routes.len(), "route")))
                } else {
                    Verdict::fail(format!("not covered: {}; {}", list(&missing), names(c)))
                }
            })
        },
    },
    Requirement {
        id: "server-extended-key-usage",
        of: Of::Server,
        rule: RuleId::TlsUnsupportedCert,
        requirement: "extendedKeyUsage is absent or has serverAuth",
        test: |f| {
            server(f, |c| match &c.extended_key_usage {
                Extension::Absent => Verdict::pass("absent"),
                found @ (Extension::Broken(_) | Extension::Present { .. }) => {
                    existing(found, "extendedKeyUsage", |u| Verdict::of(u.iter().any(|u| u == "serverAuth"), list(u)))
                }
            })
        },
    },
    Requirement {
        id: "server-in-date",
        of: Of::Server,
        rule: RuleId::TlsExpired,
        requirement: "the server certificate is in date",
        test: |f| server(f, |c| dates(f, c)),
    },
    Requirement {
        id: "server-key-strength",
        of: Of::Server,
        rule: RuleId::ServerUnfit,
        requirement: "the server's key is RSA of at least 2048 bits or ECDSA on P-256 or larger",
        test: |f| server(f, strength),
    },
    Requirement {
        id: "server-signature-hash",
        of: Of::Server,
        rule: RuleId::ServerUnfit,
        requirement: "the server certificate is signed with SHA-256 or stronger",
        test: |f| server(f, hash),
    },
    Requirement {
        id: "pair-signed-by-ca",
        of: Of::Pair,
        rule: RuleId::TlsUnknownCa,
        requirement: "the server certificate is signed directly by this CA",
        test: |f| pair(f, |ca, server| signed(f, ca, server)),
    },
    Requirement {
        id: "pair-key-ids",
        of: Of::Pair,
        rule: RuleId::TlsUnknownCa,
        requirement: "the server's authorityKeyIdentifier equals the CA's subjectKeyIdentifier",
        test: |f| {
            pair(f, |ca, server| {
                match (server.authority_key_id.value().and_then(Option::as_ref), ca.subject_key_id.value()) {
                    (Some(authority), Some(subject)) if authority == subject => Verdict::pass(hex(subject, ":")),
                    (Some(authority), Some(subject)) => Verdict::fail(format!(
                        "the server's says {}, the CA's is {}",
                        hex(authority, ":"),
                        hex(subject, ":")
                    )),
                    (None, _) => Verdict::skip("the server certificate has no key identifier of its issuer"),
                    (_, None) => Verdict::skip("the CA certificate has no key identifier"),
                }
            })
        },
    },
    Requirement {
        id: "pair-server-key",
        of: Of::Pair,
        rule: RuleId::ProxyCertMismatch,
        requirement: "tls.key belongs to tls.crt",
        test: |f| server(f, |c| belongs(&f.server_key, "tls.key", c)),
    },
    Requirement {
        id: "pair-ca-key",
        of: Of::Pair,
        rule: RuleId::CaKeyMismatch,
        requirement: "ca.key, if it is on this host, belongs to ca.crt",
        test: |f| {
            ca(f, |c| match f.ca_key {
                File::Absent => Verdict::skip("there is no ca.key; only renewal needs it"),
                File::Unreadable(_) | File::Faulty(_) | File::Good(_) => belongs(&f.ca_key, "ca.key", c),
            })
        },
    },
];
