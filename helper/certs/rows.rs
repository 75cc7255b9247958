//! The requirements, one row each. Source, unless a row names another: "Certificate requirements" in Anthropic's MCP tunnels
//! reference.

use super::audit::Of::{Ca, Pair, Server};
use super::audit::{CertFacts, Checked, Optional, Requirement, Tested, row};
use super::file::File;
use super::judge::{
    belongs, ca, ca_file, ca_key_signs, constraints, dates, existing, hash, key_ids, list, names_allowed, not_swapped,
    pair, present, routes_covered, server, server_certificate_loads, server_key_loads, shown, signed, strength,
    wildcard,
};
use super::pem::PemFault;
use super::x509::{Extension, Signature};
use crate::answer::count;
use crate::hash::hex;
use crate::rules::RuleId::*;

/// "At most 8 kB", taken as 8 × 1024 bytes of the file as it is uploaded.
const LARGEST_CA_FILE: usize = 8 * 1024;

/// A file with more in it is a good CA with something to remove: nothing that it signed becomes invalid.
const ONLY_THE_CA: &str = "keep only the registered CA's certificate in data/ca.crt, the lines from its BEGIN CERTIFICATE to its \
    END CERTIFICATE; if a private key in the file was given to anyone, then change to a new CA: `{helper} certs rotate-ca --dir \
    {dir} --json '{\"step\":\"begin\"}'`";

/// Every requirement's verdict, in the table's order.
pub(crate) fn audit(facts: &CertFacts) -> Vec<Checked> {
    REQUIREMENTS.iter().map(|of| Checked { of, verdict: (of.test)(facts) }).collect()
}

/// Every requirement. Order: what must exist before what is in it, the CA before the server, the pair last.
pub(crate) static REQUIREMENTS: &[Requirement] = &[
    row("ca-present", Ca, CaMissing, "there is a CA certificate", |f| present(&f.files.ca)),
    row("ca-readable", Ca, CaUnusable, "ca.crt is a certificate in PEM form", |f| match &f.files.ca {
        File::Good(_) => Tested::pass("PEM certificate"),
        File::Faulty(fault) => Tested::fail(fault.to_string()),
        File::Unreadable(why) => Tested::fail(why.clone()),
        File::Absent => Tested::skip("there is no ca.crt"),
    }),
    row("ca-single", Ca, CaUnfit, "ca.crt contains exactly one certificate", |f| {
        ca_file(f, |c| Tested::of(c.certificates() == 1, count(c.certificates(), "certificate")))
    })
    .fix(ONLY_THE_CA),
    row("ca-no-key-material", Ca, CaUnfit, "no private key is in ca.crt", |f| {
        ca_file(f, |c| Tested::of(c.private_keys == 0, count(c.private_keys, "private key block")))
    })
    .fix(ONLY_THE_CA),
    // Not documented: the file is registered in the Console and mounted into the proxy.
    row("ca-no-secret", Ca, CaExtraText, "ca.crt contains no token or password", |f| {
        ca_file(f, |c| match (c.other_text, c.holds_secret) {
            (0, _) => Tested::pass("only the certificate"),
            (n, false) => Tested::pass(format!("{} of other text", count(n, "byte"))),
            (n, true) => {
                Tested::fail(format!("{} of other text; a part of it looks like a token or password", count(n, "byte")))
            }
        })
    }),
    row("ca-size", Ca, CaUnfit, "ca.crt is at most 8 kB", |f| {
        ca_file(f, |c| Tested::of(c.size <= LARGEST_CA_FILE, format!("{} bytes", c.size)))
    }),
    row("ca-basic-constraints", Ca, CaUnfit, "basicConstraints says CA:TRUE", |f| {
        ca(f, |c| constraints(c, |ca, _| ca))
    }),
    row("ca-basic-constraints-critical", Ca, CaUnfit, "basicConstraints is marked critical", |f| {
        ca(f, |c| match c.basic_constraints {
            Extension::Absent | Extension::Broken(_) => Tested::skip("no readable basicConstraints"),
            Extension::Present { .. } => constraints(c, |_, critical| critical),
        })
    }),
    row("ca-subject-key-id", Ca, CaUnfit, "subjectKeyIdentifier is present", |f| {
        ca(f, |c| existing(&c.subject_key_id, "subjectKeyIdentifier", |id| Tested::pass(hex(id, ":"))))
    }),
    row("ca-key-usage", Ca, CaUnfit, "keyUsage has keyCertSign", |f| {
        ca(f, |c| existing(&c.key_usage, "keyUsage", |u| Tested::of(u.contains(&"keyCertSign"), list(u))))
    }),
    // Not documented; Go, openssl and webpki refuse what a CA issues outside of its constraints.
    row("ca-name-constraints", Ca, CaNameConstraints, "nameConstraints, if any, allow the tunnel's host names", |f| {
        ca(f, |c| names_allowed(f, c))
    }),
    row("ca-in-date", Ca, CaExpired, "the CA is in date", |f| ca(f, |c| dates(f, c))).date(),
    row("ca-key-strength", Ca, CaUnfit, "the CA's key is RSA of at least 2048 bits or ECDSA on P-256 or larger", |f| {
        ca(f, strength)
    }),
    row("ca-signature-hash", Ca, CaUnfit, "the CA certificate is signed with SHA-256 or stronger", |f| ca(f, hash)),
    // Not documented; a self-signed certificate whose signature fails is damaged, and every verifier refuses it.
    row("ca-self-signature", Ca, CaUnfit, "a self-signed CA certificate is signed by its own key", |f| {
        ca(f, |c| match &f.ca_self_signature {
            None => Tested::pass(format!("not self-signed: issued by {}", shown(&c.issuer))),
            Some(Signature::Good) => Tested::pass("self-signed, the signature is valid"),
            Some(Signature::Bad) => Tested::fail("names itself as issuer, but its key did not make the signature"),
            Some(Signature::Unknown(what)) => Tested::skip(what.clone()),
        })
    })
    .proof(),
    row("ca-key-usable", Ca, CaKeyUnusable, "ca.key, if it is on this host, is a private key that can sign", |f| {
        ca_key_signs(&f.files.ca_key)
    })
    .proof()
    .about(Optional::CaKey),
    row("server-present", Server, ProxyCertMissing, "there is a server certificate", |f| present(&f.files.server)),
    row("server-key-present", Server, ProxyCertMissing, "there is a private key for the server certificate", |f| {
        present(&f.files.server_key)
    }),
    row(
        "server-not-swapped",
        Server,
        ProxyCertSwapped,
        "tls.key contains the private key and tls.crt the certificate",
        not_swapped,
    ),
    row(
        "server-readable",
        Server,
        ProxyCertEmpty,
        "tls.crt is a certificate in PEM form that the proxy can read",
        |f| server_certificate_loads(&f.files.server),
    ),
    // Go's `tls.X509KeyPair` takes the first certificate for the server's, RFC 8446 §4.4.2 wants it there.
    row("server-first", Server, ProxyCertOrder, "the server's certificate is the first in tls.crt", |f| {
        server(f, |c| match f.server_is_misplaced() {
            false => Tested::pass("it is the first"),
            true => Tested::fail(format!("another certificate comes before that of {}", shown(&c.subject))),
        })
    }),
    row(
        "server-key-readable",
        Server,
        ProxyCertEmpty,
        "tls.key is a private key in PEM form that the proxy can read",
        |f| server_key_loads(&f.files.server_key),
    ),
    row("server-key-not-encrypted", Server, ProxyKeyEncrypted, "tls.key is not encrypted", |f| {
        match &f.files.server_key {
            File::Good(_) => Tested::pass("no passphrase"),
            File::Faulty(fault @ PemFault::EncryptedKey) => Tested::fail(fault.to_string()),
            File::Faulty(_) | File::Unreadable(_) | File::Absent => Tested::skip("no readable tls.key"),
        }
    }),
    row("server-authority-key-id", Server, TlsKeyId, "authorityKeyIdentifier is present", |f| {
        server(f, |c| {
            existing(&c.authority_key_id, "authorityKeyIdentifier", |id| match id {
                Some(id) => Tested::pass(hex(id, ":")),
                None => Tested::fail("authorityKeyIdentifier has issuer and serial number only, no key identifier"),
            })
        })
    })
    .explained_by("pair-signed-by-ca"),
    row("server-san-wildcard", Server, TlsBadCert, "subjectAltName has *.<domain>, or names every route", |f| {
        server(f, |c| wildcard(f, c))
    }),
    row(
        "server-san-routes",
        Server,
        TlsBadCert,
        "subjectAltName covers <route>.<domain> for every configured route",
        |f| server(f, |c| routes_covered(f, c)),
    )
    .about(Optional::Routes),
    row("server-extended-key-usage", Server, TlsUnsupportedCert, "extendedKeyUsage is absent or has serverAuth", |f| {
        server(f, |c| match &c.extended_key_usage {
            Extension::Absent => Tested::pass("absent"),
            found @ (Extension::Broken(_) | Extension::Present { .. }) => {
                existing(found, "extendedKeyUsage", |u| Tested::of(u.iter().any(|u| u == "serverAuth"), list(u)))
            }
        })
    }),
    row("server-in-date", Server, TlsExpired, "the server certificate is in date", |f| server(f, |c| dates(f, c)))
        .date(),
    row(
        "server-key-strength",
        Server,
        ServerUnfit,
        "the server's key is RSA of at least 2048 bits or ECDSA on P-256 or larger",
        |f| server(f, strength),
    )
    // A renewal keeps the key.
    .fix("move data/tls.crt and data/tls.key away, then run `{helper} certs issue --dir {dir}`"),
    row(
        "server-signature-hash",
        Server,
        ServerUnfit,
        "the server certificate is signed with SHA-256 or stronger",
        |f| server(f, hash),
    ),
    row("pair-signed-by-ca", Pair, TlsUnknownCa, "the server certificate is signed directly by this CA", |f| {
        pair(f, |ca, server| signed(f, ca, server))
    })
    .proof(),
    row(
        "pair-key-ids",
        Pair,
        TlsKeyId,
        "the server's authorityKeyIdentifier equals the CA's subjectKeyIdentifier",
        |f| pair(f, key_ids),
    )
    .explained_by("pair-signed-by-ca"),
    row("pair-server-key", Pair, ProxyCertMismatch, "tls.key belongs to tls.crt", |f| {
        server(f, |c| belongs(&f.files.server_key, "tls.key", c))
    })
    .proof(),
    row("pair-ca-key", Pair, CaKeyMismatch, "ca.key, if it is on this host, belongs to ca.crt", |f| {
        ca(f, |c| match f.files.ca_key {
            File::Absent => Tested::skip("there is no ca.key; only renewal needs it"),
            File::Unreadable(_) | File::Faulty(_) | File::Good(_) => belongs(&f.files.ca_key, "ca.key", c),
        })
    })
    .proof()
    .about(Optional::CaKey),
];
