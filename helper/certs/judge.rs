//! The tests behind the requirements: each looks at facts and gives a verdict with what was found, in words.

use time::OffsetDateTime;

use super::audit::{Facts, File, KeyFile, Verdict};
use super::key::KeyFault;
use super::pem::CertificateFile;
use super::x509::{Details, Extension, Signature};

/// Why Go finds nothing in a file in which we find a block.
pub(super) const HIDDEN: &str = "the proxy finds no PEM block in it: a byte-order mark stands before `-----BEGIN`, or its lines end in CR only; save it as plain ASCII";

/// Whether there is such a file, whatever is in it.
pub(super) fn present<T>(file: &File<T>) -> Verdict {
    match file {
        File::Absent => Verdict::fail("there is none"),
        File::Unreadable(_) | File::Faulty(_) | File::Good(_) => Verdict::pass("there is one"),
    }
}

/// Runs a test on `ca.crt` as a file; skips without one.
pub(super) fn ca_file(facts: &Facts, test: impl FnOnce(&CertificateFile) -> Verdict) -> Verdict {
    facts.ca.good().map_or_else(|| Verdict::skip("there is no readable ca.crt"), test)
}

/// Runs a test on the CA certificate; skips without one.
pub(super) fn ca(facts: &Facts, test: impl FnOnce(&Details) -> Verdict) -> Verdict {
    facts.ca_details().map_or_else(|| Verdict::skip("there is no readable ca.crt"), test)
}

/// Runs a test on the server certificate; skips without one.
pub(super) fn server(facts: &Facts, test: impl FnOnce(&Details) -> Verdict) -> Verdict {
    facts.server_details().map_or_else(|| Verdict::skip("there is no readable tls.crt"), test)
}

/// Runs a test on both certificates; skips unless both are there.
pub(super) fn pair(facts: &Facts, test: impl FnOnce(&Details, &Details) -> Verdict) -> Verdict {
    ca(facts, |ca| server(facts, |server| test(ca, server)))
}

/// Fails on an absent or broken extension, in the same words for all of them.
pub(super) fn existing<T>(extension: &Extension<T>, name: &str, test: impl FnOnce(&T) -> Verdict) -> Verdict {
    match extension {
        Extension::Absent => Verdict::fail(format!("no {name}")),
        Extension::Broken(how) => Verdict::fail(format!("{name} {how}")),
        Extension::Present { value, .. } => test(value),
    }
}

/// basicConstraints, judged by `ok` from its CA and critical flags.
pub(super) fn constraints(c: &Details, ok: impl FnOnce(bool, bool) -> bool) -> Verdict {
    match c.basic_constraints {
        Extension::Absent => Verdict::fail("no basicConstraints"),
        Extension::Broken(how) => Verdict::fail(format!("basicConstraints {how}")),
        Extension::Present { critical, value } => {
            let found = format!(
                "{}CA:{}",
                if critical { "critical, " } else { "not critical, " },
                if value { "TRUE" } else { "FALSE" }
            );
            Verdict::of(ok(value, critical), found)
        }
    }
}

/// In date now, and for as many more days as are asked for.
pub(super) fn dates(facts: &Facts, c: &Details) -> Verdict {
    let left = c.days_left(facts.now);
    let end = c.not_after.date();
    if c.not_before > facts.now {
        Verdict::fail(format!("not valid before {}; a wrong clock looks the same", moment(c.not_before)))
    } else if c.not_after < facts.now {
        Verdict::fail(format!("expired on {}", moment(c.not_after)))
    } else if left < i64::from(facts.fail_within_days) {
        Verdict::fail(format!("{} left, until {end}; asked for at least {}", count_days(left), facts.fail_within_days))
    } else {
        Verdict::pass(format!("{} left, until {end}", count_days(left)))
    }
}

/// The floor for keys.
pub(super) fn strength(c: &Details) -> Verdict {
    Verdict::of(c.key.meets_floor(), c.key.to_string())
}

/// The floor for signature hashes.
pub(super) fn hash(c: &Details) -> Verdict {
    Verdict::of(c.signature.strong, c.signature.name.clone())
}

/// Whether a CA key can sign here; kinds that cannot are no fault of the deployment.
pub(super) fn loads(file: &KeyFile) -> Verdict {
    match &file.loads {
        Ok(()) => Verdict::pass(file.key.kind().to_string()),
        Err(fault @ (KeyFault::Kind(_) | KeyFault::NoPublicHalf | KeyFault::Rejected(_))) => {
            Verdict::skip(format!("{fault}; renewal is not possible with it"))
        }
        Err(KeyFault::Inconsistent) => Verdict::fail(KeyFault::Inconsistent.to_string()),
    }
}

/// Whether the key in `file` is the one that the certificate is for.
pub(super) fn belongs(file: &File<KeyFile>, name: &str, c: &Details) -> Verdict {
    match file {
        File::Good(file) => match file.key.public_key() {
            Some(public) if public == c.public_key.as_slice() => Verdict::pass(format!("both {}", c.key)),
            Some(_) => {
                Verdict::fail(format!("{name} is {}, the certificate is for another key, {}", file.key.kind(), c.key))
            }
            None if *file.key.kind() != c.key => {
                Verdict::fail(format!("{name} is {}, the certificate is for {}", file.key.kind(), c.key))
            }
            None => Verdict::skip(format!("both {}, but {name} does not hold its public half", c.key)),
        },
        File::Unreadable(why) => Verdict::skip(why.clone()),
        File::Faulty(_) | File::Absent => Verdict::skip(format!("there is no readable {name}")),
    }
}

/// Issuer and subject are compared byte for byte, as Go and webpki do.
pub(super) fn signed(facts: &Facts, ca: &Details, server: &Details) -> Verdict {
    if server.issuer_der != ca.subject_der {
        let between =
            facts.server.good().into_iter().flat_map(|f| &f.others).filter_map(|der| Details::read(der.clone()).ok());
        let intermediate = between.into_iter().any(|d| d.subject_der == server.issuer_der);
        let how = if intermediate {
            ", an intermediate that stands in tls.crt too; it must be signed by the registered CA itself"
        } else if server.subject_der == server.issuer_der {
            ", that is by itself"
        } else if server.issuer == ca.subject {
            ", the same name in another encoding"
        } else {
            ""
        };
        return Verdict::fail(format!("issued by {}{how}; the CA is {}", shown(&server.issuer), shown(&ca.subject)));
    }
    match &facts.server_signature {
        Some(Signature::Good) => Verdict::pass(format!("signed by {}", shown(&ca.subject))),
        Some(Signature::Unknown(what)) => Verdict::skip(what.clone()),
        Some(Signature::Bad) | None => Verdict::fail(format!(
            "issued by a CA of the same name, {}, but not signed by this one's key; was ca.crt made anew?",
            shown(&ca.subject)
        )),
    }
}

/// The configured routes' host names that no name of the certificate covers.
pub(super) fn uncovered(facts: &Facts, c: &Details) -> Vec<String> {
    let hosts = facts.routes.iter().map(|route| format!("{route}.{}", facts.domain));
    hosts.filter(|host| !c.dns_names().iter().any(|name| covers(name, host))).collect()
}

/// RFC 6125 §6.4.3 as Go and webpki do it: `*` stands for exactly one label, the leftmost, and for the whole of it.
fn covers(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((label, rest))) => !label.is_empty() && parent.eq_ignore_ascii_case(rest),
        _ => false,
    }
}

/// What the certificate is for instead, in words.
pub(super) fn names(c: &Details) -> String {
    match &c.dns_names {
        Extension::Absent => {
            format!("there is no subjectAltName, and the name in the subject ({}) is not looked at", shown(&c.subject))
        }
        Extension::Broken(how) => format!("the subjectAltName {how}"),
        Extension::Present { value, .. } if value.is_empty() => "the subjectAltName has no DNS name".into(),
        Extension::Present { value, .. } => format!("the certificate is for {}", list(value)),
    }
}

/// A list in words, cut where it gets long.
pub(super) fn list<T: AsRef<str>>(items: &[T]) -> String {
    const SHOWN: usize = 8;
    let text = items.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN { format!("{text} and {} more", items.len() - SHOWN) } else { text }
}

/// A name in backquotes, or words for none.
pub(super) fn shown(name: &str) -> String {
    if name.is_empty() { "an empty name".into() } else { format!("`{name}`") }
}

/// `1 route`, `2 routes`.
pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// `1 day`, `-2 days`.
fn count_days(n: i64) -> String {
    format!("{n} day{}", if n == 1 { "" } else { "s" })
}

/// A date and time in words.
fn moment(time: OffsetDateTime) -> String {
    format!("{} {:02}:{:02}:{:02} UTC", time.date(), time.hour(), time.minute(), time.second())
}
