//! The tests behind the requirements: from facts to a verdict with what was found.

use time::OffsetDateTime;

use super::audit::{CertFacts, Tested};
use super::file::{CertificateFile, File, KeyFile};
use super::key::KeyFault;
use super::pem::PemFault;
use super::x509::{Details, Extension, Signature};
use crate::answer::count;
use crate::hash::hex;
use crate::list::first;

/// Why Go finds no block in a file in which we find one.
pub(super) const HIDDEN: &str = "the proxy finds no PEM block in it: a byte-order mark comes before `-----BEGIN`, or its lines end in CR only; save it as plain ASCII";

pub(super) fn present<T>(file: &File<T>) -> Tested {
    match file {
        File::Absent => Tested::fail("it does not exist"),
        File::Unreadable(_) | File::Faulty(_) | File::Good(_) => Tested::pass("it exists"),
    }
}

/// Runs a test on `ca.crt` as a file; skips without one.
pub(super) fn ca_file(facts: &CertFacts, test: impl FnOnce(&CertificateFile) -> Tested) -> Tested {
    facts.files.ca.good().map_or_else(|| Tested::skip("no readable ca.crt"), test)
}

/// Runs a test on the CA certificate; skips without one.
pub(super) fn ca(facts: &CertFacts, test: impl FnOnce(&Details) -> Tested) -> Tested {
    facts.ca().map_or_else(|| Tested::skip("no readable ca.crt"), test)
}

/// Runs a test on the server certificate; skips without one.
pub(super) fn server(facts: &CertFacts, test: impl FnOnce(&Details) -> Tested) -> Tested {
    facts.server().map_or_else(|| Tested::skip("no readable tls.crt"), test)
}

/// Runs a test on both certificates; skips unless both can be read.
pub(super) fn pair(facts: &CertFacts, test: impl FnOnce(&Details, &Details) -> Tested) -> Tested {
    ca(facts, |ca| server(facts, |server| test(ca, server)))
}

/// Runs a test on an extension; fails if it is absent or broken.
pub(super) fn existing<T>(extension: &Extension<T>, name: &str, test: impl FnOnce(&T) -> Tested) -> Tested {
    match extension {
        Extension::Absent => Tested::fail(format!("no {name}")),
        Extension::Broken(how) => Tested::fail(format!("{name} {how}")),
        Extension::Present { value, .. } => test(value),
    }
}

/// basicConstraints, judged by `ok` from its CA and critical flags.
pub(super) fn constraints(c: &Details, ok: impl FnOnce(bool, bool) -> bool) -> Tested {
    match &c.basic_constraints {
        Extension::Present { critical, value } => {
            let found = format!(
                "{}critical, CA:{}",
                if *critical { "" } else { "not " },
                if *value { "TRUE" } else { "FALSE" }
            );
            Tested::of(ok(*value, *critical), found)
        }
        absent => existing(absent, "basicConstraints", |_| Tested::pass("")),
    }
}

/// In date now, and for as many more days as are asked for.
pub(super) fn dates(facts: &CertFacts, c: &Details) -> Tested {
    let left = c.days_left(facts.now);
    let end = c.not_after.date();
    if c.not_before > facts.now {
        Tested::fail(format!("not valid before {}; a wrong clock looks the same", moment(c.not_before)))
    } else if c.not_after < facts.now {
        Tested::fail(format!("expired on {}", moment(c.not_after)))
    } else if left < i64::from(facts.fail_within_days) {
        Tested::fail(format!("{} left, until {end}; at least {} asked for", count(left, "day"), facts.fail_within_days))
    } else {
        Tested::pass(format!("{} left, until {end}", count(left, "day")))
    }
}

/// The floor for keys.
pub(super) fn strength(c: &Details) -> Tested {
    Tested::of(c.key.meets_floor(), c.key.to_string())
}

/// The floor for signature hashes.
pub(super) fn hash(c: &Details) -> Tested {
    Tested::of(c.signature.strong, c.signature.name.clone())
}

/// Whether this program can sign with the CA's key; a kind that it cannot use is not a fault of the deployment.
pub(super) fn ca_key_signs(file: &File<KeyFile>) -> Tested {
    match file {
        File::Absent => Tested::skip("there is no ca.key; only renewal needs it"),
        File::Unreadable(why) => Tested::skip(format!("{why}; only renewal needs it")),
        // A choice of its owner; what runs is not affected.
        File::Faulty(fault @ PemFault::EncryptedKey) => {
            Tested::Warn(format!("{fault}, so `certs renew` cannot use it; nothing that runs needs it"))
        }
        File::Faulty(fault) => Tested::fail(fault.to_string()),
        File::Good(file) => match &file.loads {
            Ok(()) => Tested::pass(file.key.kind().to_string()),
            Err(fault @ (KeyFault::Kind(_) | KeyFault::NoPublicHalf | KeyFault::Rejected(_))) => {
                Tested::skip(format!("{fault}; `certs renew` cannot use it"))
            }
            Err(fault @ KeyFault::Inconsistent) => Tested::fail(fault.to_string()),
        },
    }
}

/// Whether the proxy can read the server's key.
pub(super) fn server_key_loads(file: &File<KeyFile>) -> Tested {
    match file {
        File::Good(file) if !file.go_finds_it => Tested::fail(HIDDEN),
        File::Good(file) => match &file.loads {
            Err(fault @ KeyFault::Inconsistent) => Tested::fail(format!("{}: {fault}", file.key.kind())),
            Ok(()) | Err(KeyFault::Kind(_) | KeyFault::NoPublicHalf | KeyFault::Rejected(_)) => {
                Tested::pass(format!("{} private key", file.key.kind()))
            }
        },
        File::Faulty(PemFault::CertificateInsteadOfKey) => Tested::skip("it contains a certificate"),
        File::Faulty(fault @ PemFault::EncryptedKey) => Tested::skip(fault.to_string()),
        File::Faulty(fault) => Tested::fail(fault.to_string()),
        // Its mode may be right for the proxy and wrong for the caller.
        File::Unreadable(why) => Tested::skip(why.clone()),
        File::Absent => Tested::skip("there is no tls.key"),
    }
}

/// Whether the proxy can read the server's certificate, with Go's `tls.X509KeyPair`.
pub(super) fn server_certificate_loads(file: &File<CertificateFile>) -> Tested {
    match file {
        File::Good(file) if !file.go_finds_it => Tested::fail(HIDDEN),
        File::Good(file) => Tested::pass(count(file.certificates(), "PEM certificate")),
        File::Faulty(PemFault::KeyInsteadOfCertificate) => Tested::skip("it contains a private key"),
        File::Faulty(fault) => Tested::fail(fault.to_string()),
        File::Unreadable(why) => Tested::fail(why.clone()),
        File::Absent => Tested::skip("there is no tls.crt"),
    }
}

/// Whether `tls.crt` and `tls.key` hold each other's content.
pub(super) fn not_swapped(facts: &CertFacts) -> Tested {
    match (facts.files.server.fault(), facts.files.server_key.fault()) {
        (Some(PemFault::KeyInsteadOfCertificate), Some(PemFault::CertificateInsteadOfKey)) => {
            Tested::fail("the certificate's file contains a private key, and the file of the key a certificate")
        }
        (Some(PemFault::KeyInsteadOfCertificate), _) => Tested::fail("tls.crt contains a private key"),
        (_, Some(PemFault::CertificateInsteadOfKey)) => Tested::fail("tls.key contains a certificate"),
        _ if facts.files.server.good().is_none() && facts.files.server_key.good().is_none() => {
            Tested::skip("neither file can be read")
        }
        _ => Tested::pass("each file contains its own kind"),
    }
}

/// Whether the CA's name constraints allow the host names of the tunnel.
pub(super) fn names_allowed(facts: &CertFacts, ca: &Details) -> Tested {
    let constraints = match &ca.name_constraints {
        Extension::Absent => return Tested::pass("no nameConstraints"),
        Extension::Broken(how) => return Tested::fail(format!("nameConstraints {how}")),
        Extension::Present { value, .. } => value,
    };
    let routes = facts.routes.iter().map(|route| format!("{route}.{}", facts.domain));
    let any = std::iter::once(format!("any-route.{}", facts.domain));
    let refused: Vec<String> = routes.chain(any).filter(|host| !constraints.allow(host)).collect();
    let mut said = Vec::new();
    if !constraints.permitted.is_empty() {
        said.push(format!("only {} permitted", list(&constraints.permitted)));
    }
    if !constraints.excluded.is_empty() {
        said.push(format!("{} excluded", list(&constraints.excluded)));
    }
    if said.is_empty() {
        said.push("none for DNS names".into());
    }
    let said = format!("nameConstraints: {}", said.join("; "));
    match refused.first() {
        None => Tested::pass(said),
        Some(host) => Tested::fail(format!("{said}, which rules out {host}")),
    }
}

/// Whether the key in `file` is the certificate's.
pub(super) fn belongs(file: &File<KeyFile>, name: &str, c: &Details) -> Tested {
    match file {
        File::Good(file) => match file.key.public_key() {
            Some(public) if public == c.public_key.as_slice() => Tested::pass(format!("both {}", c.key)),
            Some(_) => {
                Tested::fail(format!("{name} is {}, the certificate is for another key, {}", file.key.kind(), c.key))
            }
            None if *file.key.kind() != c.key => {
                Tested::fail(format!("{name} is {}, the certificate is for {}", file.key.kind(), c.key))
            }
            None => Tested::skip(format!("both {}, but {name} lacks its public half", c.key)),
        },
        File::Unreadable(why) => Tested::skip(why.clone()),
        File::Faulty(_) | File::Absent => Tested::skip(format!("no readable {name}")),
    }
}

/// Whether the CA itself signed the server certificate. Issuer and subject are compared byte for byte, as Go and webpki do.
pub(super) fn signed(facts: &CertFacts, ca: &Details, server: &Details) -> Tested {
    if server.issuer_der != ca.subject_der {
        let mut sent = facts.files.server.good().into_iter().flat_map(CertificateFile::other_certificates);
        let how = if sent.any(|other| other.subject_der == server.issuer_der) {
            ", an intermediate that is in tls.crt too; the registered CA itself must sign"
        } else if server.subject_der == server.issuer_der {
            ", that is by itself"
        } else if server.issuer == ca.subject {
            ", the same name in another encoding"
        } else {
            ""
        };
        return Tested::fail(format!("issued by {}{how}; the CA is {}", shown(&server.issuer), shown(&ca.subject)));
    }
    match &facts.server_signature {
        Some(Signature::Good) => Tested::pass(format!("signed by {}", shown(&ca.subject))),
        Some(Signature::Unknown(what)) => Tested::skip(what.clone()),
        Some(Signature::Bad) | None if names_key_of(server, ca) => {
            Tested::fail("it names this CA and its key, but the signature does not verify: tls.crt is damaged")
        }
        Some(Signature::Bad) | None => Tested::fail(format!(
            "issued by a CA of the same name, {}, but this one's key did not sign it; was ca.crt replaced?",
            shown(&ca.subject)
        )),
    }
}

/// Whether the server's authorityKeyIdentifier equals the CA's subjectKeyIdentifier.
fn names_key_of(server: &Details, ca: &Details) -> bool {
    let named = server.authority_key_id.value().and_then(Option::as_ref);
    named.is_some() && named == ca.subject_key_id.value()
}

/// Whether this CA issued the server certificate, and the certificate was damaged since.
pub(super) fn is_damaged(facts: &CertFacts) -> bool {
    let (Some(ca), Some(server)) = (facts.ca(), facts.server()) else { return false };
    facts.server_signature == Some(Signature::Bad) && server.issuer_der == ca.subject_der && names_key_of(server, ca)
}

/// Whether the key identifiers of both certificates agree.
pub(super) fn key_ids(ca: &Details, server: &Details) -> Tested {
    match (server.authority_key_id.value().and_then(Option::as_ref), ca.subject_key_id.value()) {
        (Some(authority), Some(subject)) if authority == subject => Tested::pass(hex(subject, ":")),
        (Some(authority), Some(subject)) => {
            Tested::fail(format!("the server's is {}, the CA's is {}", hex(authority, ":"), hex(subject, ":")))
        }
        (None, _) => Tested::skip("the server certificate has no key identifier of its issuer"),
        (_, None) => Tested::skip("the CA certificate has no key identifier"),
    }
}

/// Whether the names of the server certificate go on covering routes that are added.
pub(super) fn wildcard(facts: &CertFacts, c: &Details) -> Tested {
    let wildcard = format!("*.{}", facts.domain);
    if c.dns_names().iter().any(|n| n.eq_ignore_ascii_case(&wildcard)) {
        Tested::pass(wildcard)
    } else if !facts.routes.is_empty() && uncovered(facts, c).is_empty() {
        Tested::pass(format!(
            "no {wildcard}, but each route by name: {}; a new route needs a new certificate",
            list(c.dns_names())
        ))
    } else {
        Tested::fail(format!("no {wildcard}; {}", names(c)))
    }
}

/// Whether the server certificate covers every configured route.
pub(super) fn routes_covered(facts: &CertFacts, c: &Details) -> Tested {
    let missing = uncovered(facts, c);
    if facts.routes.is_empty() {
        Tested::skip("no routes are configured")
    } else if missing.is_empty() {
        Tested::pass(format!("{} of {}", facts.routes.len(), count(facts.routes.len(), "route")))
    } else {
        Tested::fail(format!("not covered: {}; {}", list(&missing), names(c)))
    }
}

/// The configured routes' host names that no name of the certificate covers.
fn uncovered(facts: &CertFacts, c: &Details) -> Vec<String> {
    let hosts = facts.routes.iter().map(|route| format!("{route}.{}", facts.domain));
    hosts.filter(|host| !c.dns_names().iter().any(|name| covers(name, host))).collect()
}

/// RFC 6125 §6.4.3 as Go and webpki do it: `*` matches exactly one label, the leftmost, and for the whole of it.
fn covers(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((label, rest))) => !label.is_empty() && parent.eq_ignore_ascii_case(rest),
        _ => false,
    }
}

fn names(c: &Details) -> String {
    match &c.dns_names {
        Extension::Absent => {
            format!("no subjectAltName, and the common name ({}) does not count", shown(&c.subject))
        }
        Extension::Broken(how) => format!("the subjectAltName {how}"),
        Extension::Present { value, .. } if value.is_empty() => "the subjectAltName has no DNS name".into(),
        Extension::Present { value, .. } => format!("the certificate is for {}", list(value)),
    }
}

/// A list in words, cut where it gets long.
pub(super) fn list<T: AsRef<str>>(items: &[T]) -> String {
    first(items, 8)
}

/// A name in backquotes, or words for none.
pub(super) fn shown(name: &str) -> String {
    if name.is_empty() { "an empty name".into() } else { format!("`{name}`") }
}

fn moment(time: OffsetDateTime) -> String {
    format!("{} {:02}:{:02}:{:02} UTC", time.date(), time.hour(), time.minute(), time.second())
}
