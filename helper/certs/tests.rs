//! Unit tests of this module: every PEM fault, what is issued passes the audit, and what is broken is named for what is broken.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime, macros::datetime};

use super::audit::{CertFacts, Checked, Purpose, Tested};
use super::file::{CertificateFile, Content, File, Files};
use super::issue::{Ca, IssueError};
use super::key::{Key, KeyFault, KeyKind};
use super::pem::{self, PemFault};
use super::rows::audit;
use super::x509::{Details, Extension, Signature};
use crate::deployment::Domain;

const NOW: OffsetDateTime = datetime!(2026-11-23 12:34:56.789 UTC);
const DOMAIN: &str = "abcd1234.tunnel.anthropic.com";

fn domain() -> Domain {
    Domain::parse(DOMAIN).unwrap()
}

/// The four files as text.
#[derive(Clone, Default)]
struct Set {
    ca: String,
    ca_key: String,
    tls: String,
    tls_key: String,
}

impl Set {
    fn issued() -> Self {
        let ca = Ca::create(NOW, 3650).unwrap();
        let server = ca.ca.issue(&domain(), None, NOW, 90).unwrap();
        Self {
            ca: ca.certificate,
            ca_key: ca.key.unwrap().expose().into(),
            tls: server.certificate,
            tls_key: server.key.unwrap().expose().into(),
        }
    }

    fn rows(&self) -> Vec<Checked> {
        self.rows_at(NOW, 0)
    }

    fn rows_at(&self, now: OffsetDateTime, fail_within_days: u32) -> Vec<Checked> {
        let routes = ["hello".to_owned(), "files".to_owned()];
        let purpose = Purpose { domain: &domain(), routes: &routes, now };
        audit(&CertFacts::gather(self.files(), purpose, fail_within_days))
    }

    fn files(&self) -> Files {
        fn file<T: Content>(text: &str) -> File<T> {
            if text.is_empty() { File::Absent } else { File::parse(text.as_bytes()) }
        }
        Files {
            ca: file(&self.ca),
            ca_key: file(&self.ca_key),
            server: file(&self.tls),
            server_key: file(&self.tls_key),
            replica: None,
        }
    }
}

fn failed(rows: &[Checked]) -> Vec<&'static str> {
    rows.iter().filter(|r| r.verdict.ok() == Some(false)).map(|r| r.of.id).collect()
}

fn skipped(rows: &[Checked]) -> Vec<&'static str> {
    rows.iter().filter(|r| r.verdict.ok().is_none()).map(|r| r.of.id).collect()
}

fn text<'a>(rows: &'a [Checked], id: &str) -> &'a str {
    rows.iter().find(|r| r.of.id == id).unwrap().verdict.text()
}

fn fault(text: impl AsRef<[u8]>) -> PemFault {
    CertificateFile::parse(text.as_ref()).unwrap_err()
}

fn key_fault(text: impl AsRef<[u8]>) -> PemFault {
    Key::parse(text.as_ref()).unwrap_err()
}

// ---------------------------------------------------------------- files as they are

#[test]
fn harmless_surroundings_are_read_through() {
    let set = Set::issued();
    for text in [
        set.tls.replace('\n', "\r\n"),
        format!("\u{feff}{}", set.tls),
        format!("Certificate:\n    Data:\n        Version: 3 (0x2)\n{}\ntrailing text\n", set.tls),
        set.tls.replace('\n', "  \n"),
        format!("{}\n\n\n   \t", set.tls),
        set.tls.trim_end().to_owned(),
    ] {
        let file = CertificateFile::parse(text.as_bytes()).unwrap();
        assert_eq!(file.certificates(), 1);
        assert_eq!(file.first.dns_names(), [DOMAIN.to_owned(), format!("*.{DOMAIN}")]);
        assert_eq!(file.go_finds_it, !text.starts_with('\u{feff}'));
    }
    for text in
        [set.tls_key.replace('\n', "\r\n"), format!("\u{feff}{}", set.tls_key), format!("{}{}", set.tls, set.tls_key)]
    {
        assert_eq!(*Key::parse(text.as_bytes()).unwrap().kind(), KeyKind::EcdsaP256);
    }
}

#[test]
fn each_fault_of_a_certificate_file_has_its_name() {
    let set = Set::issued();
    let der = CertificateFile::parse(set.tls.as_bytes()).unwrap().first.der;
    assert_eq!(fault(""), PemFault::Empty);
    assert_eq!(fault(" \r\n\t"), PemFault::Empty);
    assert_eq!(fault("\u{feff}\n"), PemFault::Empty);
    assert_eq!(fault([0xff, 0xfe, b'-', 0]), PemFault::Utf16);
    assert_eq!(fault(&der), PemFault::Der);
    assert_eq!(fault(&der[..200]), PemFault::Der);
    assert_eq!(fault("hello"), PemFault::NoBlock);
    assert_eq!(fault("0 is not DER"), PemFault::NoBlock);
    assert_eq!(fault(set.tls.replace("-----BEGIN", "  -----BEGIN")), PemFault::Indented);
    assert_eq!(fault(set.tls.replace('\n', "\\n")), PemFault::EscapedBreaks);
    assert_eq!(fault(&set.tls_key), PemFault::KeyInsteadOfCertificate);
    let request = set.tls.replace(" CERTIFICATE", " CERTIFICATE REQUEST");
    assert_eq!(fault(&request), PemFault::Request);
    assert_eq!(fault(set.tls.replace(" CERTIFICATE", " X509 CRL")), PemFault::OtherBlock("X509 CRL".into()));
    assert_eq!(fault(&set.tls[..set.tls.len() - 40]), PemFault::CutOff("CERTIFICATE".into()));
    assert_eq!(fault(&set.tls[..200]), PemFault::CutOff("CERTIFICATE".into()));
    assert_eq!(fault(format!("{}\n{}", &set.tls[..200], set.tls)), PemFault::CutOff("CERTIFICATE".into()));
    assert_eq!(fault(set.tls.replacen("MII", "M!I", 1)), PemFault::Base64("CERTIFICATE".into()));
    assert_eq!(fault(pem::encode("CERTIFICATE", &der[..der.len() - 9])), PemFault::Incomplete("certificate"));
    assert_eq!(
        fault(pem::encode("CERTIFICATE", &[der.as_slice(), b"xyz"].concat())),
        PemFault::TrailingBytes("certificate", 3)
    );
    assert_eq!(fault(pem::encode("CERTIFICATE", b"\x30\x03\x02\x01\x05")), PemFault::Malformed("certificate"));
    assert_eq!(fault(pem::encode("CERTIFICATE", b"")), PemFault::Malformed("certificate"));
    // One more element after the signature, inside the outer SEQUENCE.
    let stuffed = super::der::write(0x30, &[&der[4..], &[5, 0]]);
    assert_eq!(fault(pem::encode("CERTIFICATE", &stuffed)), PemFault::Malformed("certificate"));
}

#[test]
fn each_fault_of_a_key_file_has_its_name() {
    let set = Set::issued();
    assert_eq!(key_fault(""), PemFault::Empty);
    assert_eq!(key_fault(&set.tls), PemFault::CertificateInsteadOfKey);
    assert_eq!(key_fault(set.tls_key.replace("PRIVATE", "PUBLIC")), PemFault::OtherBlock("PUBLIC KEY".into()));
    assert_eq!(key_fault(set.tls_key.replace(" PRIVATE", " ENCRYPTED PRIVATE")), PemFault::EncryptedKey);
    let legacy = set.tls_key.replace(" PRIVATE", " EC PRIVATE").replacen(
        "KEY-----\n",
        "KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,00\r\n\r\n",
        1,
    );
    assert_eq!(key_fault(legacy), PemFault::EncryptedKey);
    assert_eq!(
        key_fault(set.tls_key.replace(" PRIVATE", " OPENSSH PRIVATE")),
        PemFault::OtherBlock("OPENSSH PRIVATE KEY".into())
    );
    assert_eq!(key_fault(&set.tls_key[..100]), PemFault::CutOff("PRIVATE KEY".into()));
    assert_eq!(key_fault(pem::encode("PRIVATE KEY", &[0x30, 3, 2, 1, 0])), PemFault::Malformed("private key"));
    assert_eq!(key_fault(set.tls_key.replace(" PRIVATE", " RSA PRIVATE")), PemFault::Malformed("private key"));
    // Two files pasted into one another: the base64 of the key must not show up in what is said about it.
    let broken = set.tls_key.replacen("\nM", "\nM%", 1);
    let said = key_fault(&broken).to_string();
    assert!(!broken.lines().skip(1).any(|l| !l.starts_with('-') && said.contains(l)), "{said}");
}

#[test]
fn no_bytes_make_it_panic() {
    let set = Set::issued();
    let der = CertificateFile::parse(set.tls.as_bytes()).unwrap().first.der;
    let key = KeyPair::generate().unwrap().serialize_der();
    for (label, der) in
        [("CERTIFICATE", der), ("PRIVATE KEY", key.clone()), ("EC PRIVATE KEY", key.clone()), ("RSA PRIVATE KEY", key)]
    {
        for at in 0..der.len() {
            for value in [0x00, 0x80, 0xff, der[at] ^ 1] {
                let mut der = der.clone();
                der[at] = value;
                let text = pem::encode(label, &der);
                let _ = CertificateFile::parse(text.as_bytes());
                if let Ok(key) = Key::parse(text.as_bytes()) {
                    let _ = (key.signing(), key.public_key());
                }
            }
            let text = pem::encode(label, &der[..at]);
            let _ = (CertificateFile::parse(text.as_bytes()), Key::parse(text.as_bytes()));
        }
    }
    for cut in 0..set.tls_key.len() {
        let _ = (Key::parse(&set.tls_key.as_bytes()[cut..]), CertificateFile::parse(&set.tls.as_bytes()[..cut]));
    }
}

#[test]
fn secrets_do_not_print() {
    let made = Ca::create(NOW, 1).unwrap();
    let pem = made.key.as_ref().unwrap().expose().to_owned();
    let key = Key::parse(pem.as_bytes()).unwrap();
    assert_eq!(format!("{key:?}"), "Key(ECDSA P-256)");
    assert_eq!(format!("{:?}", made.key), "Some(SecretPem(..))");
    assert_eq!(format!("{:?}", made.ca), format!("Ca(until {})", datetime!(2026-11-24 12:34:56 UTC)));
}

// ---------------------------------------------------------------- what is issued

#[test]
fn what_is_issued_passes_every_row() {
    let set = Set::issued();
    let rows = set.rows();
    assert_eq!(failed(&rows), [""; 0]);
    assert_eq!(skipped(&rows), [""; 0]);
    let ca = CertificateFile::parse(set.ca.as_bytes()).unwrap().first;
    let server = CertificateFile::parse(set.tls.as_bytes()).unwrap().first;
    assert_eq!(
        (ca.subject.as_str(), ca.issuer.as_str(), server.issuer.as_str()),
        ("CN=mcp-tunnel-ca", "CN=mcp-tunnel-ca", "CN=mcp-tunnel-ca")
    );
    assert_eq!(server.subject, format!("CN={DOMAIN}"));
    assert_eq!(ca.key_usage, Extension::Present { critical: true, value: vec!["keyCertSign", "cRLSign"] });
    assert_eq!(server.key_usage, Extension::Present { critical: true, value: vec!["digitalSignature"] });
    assert_eq!(server.basic_constraints, Extension::Present { critical: true, value: false });
    assert_eq!((ca.not_before, ca.not_after), (datetime!(2026-11-23 11:34:56 UTC), datetime!(2036-11-20 12:34:56 UTC)));
    assert_eq!(
        (server.not_before, server.not_after),
        (datetime!(2026-11-23 11:34:56 UTC), datetime!(2027-02-21 12:34:56 UTC))
    );
    assert_eq!(server.days_left(NOW), 89);
    assert_eq!(server.fingerprint_sha256().len(), 64);
    assert_ne!(CertificateFile::parse(Set::issued().tls.as_bytes()).unwrap().first.der, server.der);
}

#[test]
fn rows_have_unique_ids_and_words() {
    let mut ids: Vec<_> = super::rows::REQUIREMENTS.iter().map(|r| r.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), super::rows::REQUIREMENTS.len());
    assert!(ids.iter().all(|id| id.bytes().all(|b| b == b'-' || b.is_ascii_lowercase())));
}

#[test]
fn any_number_of_days_and_any_clock_is_sayable() {
    for now in [
        NOW,
        datetime!(1950-01-01 00:00 UTC),
        datetime!(9999-12-31 23:59:59 -12),
        datetime!(-9999-01-01 00:00 +12),
        datetime!(2049-12-31 23:59:59 UTC),
    ] {
        for days in [0, 1, 90, u32::MAX] {
            let ca = Ca::create(now, days).unwrap();
            let details = CertificateFile::parse(ca.certificate.as_bytes()).unwrap().first;
            assert!(details.not_before <= details.not_after, "{now} {days}");
            let _ = ca.ca.issue(&domain(), None, now, days);
        }
    }
}

#[test]
fn server_life_stays_inside_the_ca_life() {
    let made = Ca::create(NOW, 30).unwrap();
    let server = made.ca.issue(&domain(), None, NOW, 90).unwrap();
    assert!(server.shortened);
    let end = CertificateFile::parse(server.certificate.as_bytes()).unwrap().first.not_after;
    assert_eq!(end, datetime!(2026-12-23 12:34:56 UTC));
    assert!(!made.ca.issue(&domain(), None, NOW, 30).unwrap().shortened);
    assert_eq!(
        made.ca.issue(&domain(), None, NOW + Duration::days(31), 1).unwrap_err(),
        IssueError::CaExpired("2026-12-23".into())
    );
    assert_eq!(
        made.ca.issue(&domain(), None, NOW - Duration::days(1), 1).unwrap_err(),
        IssueError::CaNotYetValid("2026-11-23".into())
    );
    let early = made.ca.issue(&domain(), None, NOW - Duration::minutes(30), 1).unwrap();
    assert_eq!(
        CertificateFile::parse(early.certificate.as_bytes()).unwrap().first.not_before,
        datetime!(2026-11-23 11:34:56 UTC)
    );
}

#[test]
fn a_domain_too_long_for_a_common_name_gets_a_critical_san() {
    let ca = Ca::create(NOW, 3650).unwrap();
    for (length, subject_is_empty) in [(64, false), (65, true), (189, true)] {
        let label = "a".repeat(50);
        let name = format!("{label}.{label}.{label}.{}.anthropic.com", "b".repeat(40));
        let name = Domain::parse(name.get(name.len() - length..).unwrap().trim_start_matches('.')).unwrap();
        let server = ca.ca.issue(&name, None, NOW, 90).unwrap();
        let details = CertificateFile::parse(server.certificate.as_bytes()).unwrap().first;
        assert_eq!(details.subject.is_empty(), subject_is_empty);
        let Extension::Present { critical, value } = details.dns_names else { panic!() };
        assert_eq!((critical, value), (subject_is_empty, vec![name.to_string(), format!("*.{name}")]));
    }
}

#[test]
fn half_states_are_completed() {
    let set = Set::issued();
    let (ca_key, tls_key) = (Key::parse(set.ca_key.as_bytes()).unwrap(), Key::parse(set.tls_key.as_bytes()).unwrap());
    let old = CertificateFile::parse(set.ca.as_bytes()).unwrap();
    // ca.crt lost: with and without a certificate to learn from, and with one of another CA.
    for witness in [None, Some(&set.tls), Some(&Set::issued().tls)] {
        let witness = witness.map(|t| CertificateFile::parse(t.as_bytes()).unwrap());
        let again = Ca::recreate(&ca_key, witness.as_ref(), NOW + Duration::days(1), 3650).unwrap();
        assert!(again.key.is_none());
        let now = CertificateFile::parse(again.certificate.as_bytes()).unwrap();
        assert_eq!(
            (&now.first.subject_der, &now.first.subject_key_id),
            (&old.first.subject_der, &old.first.subject_key_id)
        );
        assert_eq!(failed(&Set { ca: again.certificate, ..set.clone() }.rows_at(NOW + Duration::days(1), 0)), [""; 0]);
    }
    // tls.crt lost.
    let ca = Ca::load(&old, &ca_key).unwrap();
    let server = ca.issue(&domain(), Some(&tls_key), NOW, 90).unwrap();
    assert!(server.key.is_none());
    assert_eq!(failed(&Set { tls: server.certificate, ..set.clone() }.rows()), [""; 0]);
    assert_eq!(Ca::load(&old, &tls_key).unwrap_err(), IssueError::CaMismatch);
}

// ---------------------------------------------------------------- what is broken

/// A CA and server certificate of rcgen's own making, changed by the tests before they are signed.
fn made(change_ca: impl FnOnce(&mut CertificateParams), change_server: impl FnOnce(&mut CertificateParams)) -> Set {
    let (ca_key, tls_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "made");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    (ca.not_before, ca.not_after) = (NOW - Duration::days(10), NOW + Duration::days(1000));
    change_ca(&mut ca);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let mut server = CertificateParams::new(vec![format!("*.{DOMAIN}")]).unwrap();
    server.use_authority_key_identifier_extension = true;
    (server.not_before, server.not_after) = (NOW - Duration::days(10), NOW + Duration::days(20));
    change_server(&mut server);
    let certificate = server.signed_by(&tls_key, &Issuer::from_params(&ca, &ca_key)).unwrap();
    Set {
        ca: ca_certificate.pem(),
        ca_key: ca_key.serialize_pem(),
        tls: certificate.pem(),
        tls_key: tls_key.serialize_pem(),
    }
}

fn names(server: &mut CertificateParams, dns: &[&str]) {
    server.subject_alt_names =
        CertificateParams::new(dns.iter().map(|d| (*d).to_owned()).collect::<Vec<_>>()).unwrap().subject_alt_names;
}

#[test]
fn broken_certificates_are_named_for_what_is_broken() {
    let nothing = |_: &mut CertificateParams| {};
    let constraints = |critical: bool, der: &'static [u8]| {
        move |p: &mut CertificateParams| {
            let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 19], der.to_vec());
            extension.set_criticality(critical);
            let key_id = CustomExtension::from_oid_content(&[2, 5, 29, 14], vec![4, 2, 1, 2]);
            p.is_ca = IsCa::NoCa;
            p.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![1, 2]);
            p.custom_extensions = vec![extension, key_id];
        }
    };
    let cases: Vec<(&str, Set, &[&str])> = vec![
        ("nothing", made(nothing, nothing), &[]),
        ("CA:FALSE", made(|p| p.is_ca = IsCa::ExplicitNoCa, nothing), &["ca-basic-constraints"]),
        ("not critical", made(constraints(false, &[0x30, 3, 1, 1, 0xff]), nothing), &["ca-basic-constraints-critical"]),
        ("broken", made(constraints(true, &[0x31, 0]), nothing), &["ca-basic-constraints"]),
        (
            "no constraints, no SKI",
            made(|p| p.is_ca = IsCa::NoCa, nothing),
            &["ca-basic-constraints", "ca-subject-key-id"],
        ),
        ("no keyUsage", made(|p| p.key_usages.clear(), nothing), &["ca-key-usage"]),
        ("no keyCertSign", made(|p| p.key_usages = vec![KeyUsagePurpose::CrlSign], nothing), &["ca-key-usage"]),
        ("old CA", made(|p| p.not_after = NOW - Duration::seconds(1), nothing), &["ca-in-date"]),
        ("no AKI", made(nothing, |p| p.use_authority_key_identifier_extension = false), &["server-authority-key-id"]),
        (
            "AKI elsewhere",
            made(nothing, |p| {
                p.use_authority_key_identifier_extension = false;
                p.custom_extensions =
                    vec![CustomExtension::from_oid_content(&[2, 5, 29, 35], vec![0x30, 4, 0x80, 2, 1, 2])];
            }),
            &["pair-key-ids"],
        ),
        (
            "other domain",
            made(nothing, |p| names(p, &["*.other.tunnel.anthropic.com"])),
            &["server-san-wildcard", "server-san-routes"],
        ),
        (
            "deeper",
            made(nothing, |p| names(p, &[&format!("*.x.{DOMAIN}")])),
            &["server-san-wildcard", "server-san-routes"],
        ),
        (
            "shallower",
            made(nothing, |p| names(p, &["*.tunnel.anthropic.com"])),
            &["server-san-wildcard", "server-san-routes"],
        ),
        ("domain only", made(nothing, |p| names(p, &[DOMAIN])), &["server-san-wildcard", "server-san-routes"]),
        ("no SAN", made(nothing, |p| names(p, &[])), &["server-san-wildcard", "server-san-routes"]),
        (
            "one route",
            made(nothing, |p| names(p, &[&format!("hello.{DOMAIN}")])),
            &["server-san-wildcard", "server-san-routes"],
        ),
        ("every route", made(nothing, |p| names(p, &[&format!("Hello.{DOMAIN}"), &format!("files.{DOMAIN}")])), &[]),
        (
            "clientAuth",
            made(nothing, |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            &["server-extended-key-usage"],
        ),
        (
            "any",
            made(nothing, |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
            &["server-extended-key-usage"],
        ),
        ("expired", made(nothing, |p| p.not_after = NOW - Duration::seconds(1)), &["server-in-date"]),
        ("too early", made(nothing, |p| p.not_before = NOW + Duration::seconds(1)), &["server-in-date"]),
    ];
    for (what, set, expected) in cases {
        let rows = set.rows();
        assert_eq!(failed(&rows), expected, "{what}: {rows:#?}");
    }
    assert!(text(&made(nothing, |p| names(p, &[])).rows(), "server-san-routes").contains("no subjectAltName"));
    assert!(
        text(&made(nothing, |p| names(p, &["a.example.com"])).rows(), "server-san-wildcard").contains("a.example.com")
    );
}

#[test]
fn weak_and_foreign_parts_are_named() {
    let (a, b) = (Set::issued(), Set::issued());
    // Same name, another key: what a CA made anew looks like.
    let rows = Set { ca: b.ca.clone(), ca_key: b.ca_key.clone(), ..a.clone() }.rows();
    assert_eq!(failed(&rows), ["pair-signed-by-ca", "pair-key-ids"]);
    assert!(text(&rows, "pair-signed-by-ca").contains("made anew"));
    assert_eq!(failed(&Set { tls_key: b.tls_key.clone(), ..a.clone() }.rows()), ["pair-server-key"]);
    assert_eq!(failed(&Set { ca_key: b.ca_key.clone(), ..a.clone() }.rows()), ["pair-ca-key"]);
    assert_eq!(failed(&Set { ca: format!("{}{}", a.ca, b.ca), ..a.clone() }.rows()), ["ca-single"]);
    assert_eq!(failed(&Set { ca: format!("{}{}", a.ca, a.ca_key), ..a.clone() }.rows()), ["ca-no-key-material"]);
    assert_eq!(failed(&Set { ca: format!("{}{}", " ".repeat(8192), a.ca), ..a.clone() }.rows()), ["ca-readable"]);
    assert_eq!(failed(&Set { ca: format!("{}\n{}", " ".repeat(8192), a.ca), ..a.clone() }.rows()), ["ca-size"]);
    assert_eq!(
        failed(&Set { tls: a.tls_key.clone(), tls_key: a.tls.clone(), ..a.clone() }.rows()),
        ["server-not-swapped"]
    );
    assert_eq!(failed(&Set { tls: format!("\u{feff}{}", a.tls), ..a.clone() }.rows()), ["server-readable"]);
    assert_eq!(failed(&Set { tls_key: String::new(), ..a.clone() }.rows()), ["server-key-present"]);
    assert_eq!(failed(&Set::default().rows()), ["ca-present", "server-present", "server-key-present"]);
    let encrypted = Set { tls_key: a.tls_key.replace(" PRIVATE", " ENCRYPTED PRIVATE"), ..a.clone() };
    assert_eq!(failed(&encrypted.rows()), ["server-key-not-encrypted"]);
    let without = Set { ca_key: String::new(), ..a.clone() }.rows();
    assert_eq!((failed(&without), skipped(&without)), (vec![], vec!["ca-key-usable", "pair-ca-key"]));
    // The horizon: 89 whole days and some hours are left.
    assert_eq!(failed(&a.rows_at(NOW, 89)), [""; 0]);
    assert_eq!(failed(&a.rows_at(NOW, 90)), ["server-in-date"]);
    assert_eq!(failed(&a.rows_at(NOW, u32::MAX)), ["ca-in-date", "server-in-date"]);
    assert_eq!(failed(&a.rows_at(datetime!(9999-12-31 23:59:59 UTC), 0)), ["ca-in-date", "server-in-date"]);
}

#[test]
fn the_halves_of_a_key_must_belong_together() {
    let set = Set::issued();
    let other = KeyPair::generate().unwrap();
    let key = Key::parse(set.tls_key.as_bytes()).unwrap();
    let der = KeyPair::from_pem(&set.tls_key).unwrap().serialize_der();
    let at = der.len() - 65;
    assert_eq!(key.public_key().unwrap(), &der[at..]);
    let mixed = [&der[..at], other.public_key_raw()].concat();
    let mixed = Key::parse(pem::encode("PRIVATE KEY", &mixed).as_bytes()).unwrap();
    assert_eq!(mixed.signing().unwrap_err(), KeyFault::Inconsistent);
}

// ---------------------------------------------------------------- beside openssl

/// A folder of openssl's work, or `None` (said aloud) where there is no openssl.
fn openssl_folder() -> Option<tempfile::TempDir> {
    if Command::new("openssl").arg("version").output().is_ok_and(|o| o.status.success()) {
        return Some(tempfile::tempdir().unwrap());
    }
    assert!(std::env::var_os("MCP_TUNNELS_REQUIRE_REAL").is_none(), "openssl is required and not on PATH");
    eprintln!("SKIPPED: openssl is not on PATH");
    None
}

fn openssl(folder: &Path, line: &str) -> String {
    let output = Command::new("openssl").args(line.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn openssl_takes_what_is_issued() {
    let Some(folder) = openssl_folder() else { return };
    let path = folder.path();
    let write = |set: &Set| {
        fs::write(path.join("ca.crt"), &set.ca).unwrap();
        fs::write(path.join("tls.crt"), &set.tls).unwrap();
        fs::write(path.join("tls.key"), &set.tls_key).unwrap();
    };
    let verify = || {
        let at = NOW.unix_timestamp();
        openssl(
            path,
            &format!(
                "verify -x509_strict -attime {at} -purpose sslserver -verify_hostname hello.{DOMAIN} -CAfile ca.crt tls.crt"
            ),
        );
    };
    write(&Set::issued());
    verify();
    openssl(path, "pkey -in tls.key -check -noout");
    assert!(
        openssl(path, "x509 -in tls.crt -noout -ext authorityKeyIdentifier,subjectAltName")
            .contains(&format!("DNS:*.{DOMAIN}"))
    );
    // A long domain: no subject at all.
    let long = Domain::parse(&format!("{}.{}.anthropic.com", "a".repeat(60), "b".repeat(60))).unwrap();
    let ca = Ca::create(NOW, 3650).unwrap();
    let server = ca.ca.issue(&long, None, NOW, 90).unwrap();
    write(&Set {
        ca: ca.certificate,
        tls: server.certificate,
        tls_key: server.key.unwrap().expose().into(),
        ..Set::default()
    });
    openssl(
        path,
        &format!(
            "verify -x509_strict -attime {} -purpose sslserver -verify_hostname x.{long} -CAfile ca.crt tls.crt",
            NOW.unix_timestamp()
        ),
    );
}

#[test]
fn a_ca_of_openssl_with_an_odd_name_issues_and_comes_back() {
    let Some(folder) = openssl_folder() else { return };
    let path = folder.path();
    fs::write(
        path.join("c.cnf"),
        "[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=v3\nstring_mask=pkix\n[dn]\n0.OU=first\n1.OU=second\nCN=odd\nemailAddress=a@b.example\n\
         [v3]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=01:02:03\n",
    )
    .unwrap();
    for (new_key, kind) in
        [("rsa:2048", KeyKind::Rsa(2048)), ("ec -pkeyopt ec_paramgen_curve:P-384", KeyKind::EcdsaP384)]
    {
        openssl(
            path,
            &format!("req -x509 -config c.cnf -newkey {new_key} -nodes -keyout ca.key -out ca.crt -days 1000"),
        );
        let (ca, ca_key) =
            (fs::read_to_string(path.join("ca.crt")).unwrap(), fs::read_to_string(path.join("ca.key")).unwrap());
        let file = CertificateFile::parse(ca.as_bytes()).unwrap();
        let key = Key::parse(ca_key.as_bytes()).unwrap();
        assert_eq!(*key.kind(), kind);
        let now = file.first.not_before + Duration::hours(2);
        let server = Ca::load(&file, &key).unwrap().issue(&domain(), None, now, 90).unwrap();
        let set = Set { ca, ca_key, tls: server.certificate, tls_key: server.key.unwrap().expose().into() };
        let rows = set.rows_at(now, 30);
        assert_eq!((failed(&rows), skipped(&rows)), (vec![], vec![]), "{rows:#?}");
        fs::write(path.join("tls.crt"), &set.tls).unwrap();
        let verify = || {
            openssl(
                path,
                &format!(
                    "verify -x509_strict -attime {} -purpose sslserver -CAfile ca.crt tls.crt",
                    now.unix_timestamp()
                ),
            )
        };
        verify();
        // ca.crt lost: name and key identifier come back from the server certificate, byte for byte.
        let witness = CertificateFile::parse(set.tls.as_bytes()).unwrap();
        let again = Ca::recreate(&key, Some(&witness), now, 3650).unwrap();
        let new = CertificateFile::parse(again.certificate.as_bytes()).unwrap();
        assert_eq!((&new.first.subject_der, &new.first.issuer_der), (&file.first.subject_der, &file.first.subject_der));
        assert_eq!(new.first.subject_key_id.value(), Some(&vec![1, 2, 3]));
        fs::write(path.join("ca.crt"), again.certificate).unwrap();
        verify();
    }
}

#[test]
fn keys_in_every_form_of_openssl() {
    let Some(folder) = openssl_folder() else { return };
    let path = folder.path();
    for (make, kind, signs) in [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", KeyKind::Rsa(2048), true),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", KeyKind::Rsa(1024), false),
        ("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", KeyKind::RsaPss(2048), false),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", KeyKind::EcdsaP256, true),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", KeyKind::EcdsaP384, true),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521", KeyKind::EcdsaP521, false),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-224", KeyKind::EcdsaP224, false),
        (
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
            KeyKind::EcdsaOther("curve 1.3.132.0.10".into()),
            false,
        ),
        (
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
            KeyKind::EcdsaOther("with explicit parameters".into()),
            false,
        ),
        ("genpkey -algorithm ED25519", KeyKind::Ed25519, false),
        ("ecparam -name prime256v1 -genkey", KeyKind::EcdsaP256, true),
    ] {
        openssl(path, &format!("{make} -out key"));
        let forms: &[&str] =
            if matches!(kind, KeyKind::RsaPss(_) | KeyKind::Ed25519) { &["key"] } else { &["key", "traditional"] };
        if forms.len() > 1 {
            openssl(path, "pkey -in key -traditional -out traditional");
        }
        openssl(path, "pkey -in key -pubout -outform DER -out public");
        for form in forms {
            let text = fs::read(path.join(form)).unwrap();
            let key = Key::parse(&text).unwrap();
            assert_eq!((key.kind(), key.kind().signs()), (&kind, signs), "{make} {form}");
            assert_eq!(key.signing().is_ok(), signs, "{make} {form}");
            // The bits of the key are the end of its SubjectPublicKeyInfo.
            assert!(fs::read(path.join("public")).unwrap().ends_with(key.public_key().unwrap()), "{make} {form}");
        }
        if signs {
            let key = Key::parse(&fs::read(path.join("key")).unwrap()).unwrap();
            let ca = Ca::create(NOW, 3650).unwrap();
            let server = ca.ca.issue(&domain(), Some(&key), NOW, 90).unwrap();
            let set = Set {
                ca: ca.certificate,
                ca_key: String::new(),
                tls: server.certificate,
                tls_key: fs::read_to_string(path.join("key")).unwrap(),
            };
            assert_eq!(failed(&set.rows()), [""; 0]);
            let usage = CertificateFile::parse(set.tls.as_bytes()).unwrap().first.key_usage;
            assert_eq!(usage.value().unwrap().contains(&"keyEncipherment"), kind.is_rsa());
        }
        // The certificate of each kind: what is known of it without the library.
        if kind != KeyKind::RsaPss(2048) {
            openssl(path, "req -x509 -new -key key -subj /CN=x -out crt -days 2");
            let file = CertificateFile::parse(&fs::read(path.join("crt")).unwrap()).unwrap();
            assert_eq!(file.first.key, kind);
            let verified = file.first.signed_by(&file.first.spki_der);
            let unknown =
                matches!(kind, KeyKind::EcdsaP521 | KeyKind::EcdsaP224 | KeyKind::EcdsaOther(_) | KeyKind::Rsa(1024));
            assert_eq!(matches!(verified, Signature::Unknown(_)), unknown, "{make}: {verified:?}");
            assert_ne!(verified, Signature::Bad, "{make}");
        }
    }
    openssl(path, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key");
    openssl(path, "pkey -in key -aes128 -passout pass:x -out encrypted");
    openssl(path, "ec -in key -aes128 -passout pass:x -out legacy");
    openssl(path, "req -new -key key -subj /CN=x -out csr");
    openssl(path, "pkey -in key -outform DER -out der");
    let read = |name: &str| fs::read(path.join(name)).unwrap();
    assert_eq!(
        (key_fault(read("encrypted")), key_fault(read("legacy"))),
        (PemFault::EncryptedKey, PemFault::EncryptedKey)
    );
    assert_eq!((fault(read("csr")), key_fault(read("der"))), (PemFault::Request, PemFault::Der));
    openssl(path, "ec -in key -no_public -out half");
    let half = Key::parse(&read("half")).unwrap();
    assert_eq!((half.public_key(), half.signing().unwrap_err()), (None, KeyFault::NoPublicHalf));
}

#[test]
fn weak_hashes_small_keys_and_intermediates_of_openssl() {
    let Some(folder) = openssl_folder() else { return };
    let path = folder.path();
    fs::write(
        path.join("ca.ext"),
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n",
    )
    .unwrap();
    fs::write(path.join("tls.ext"), format!("subjectAltName=DNS:*.{DOMAIN}\nauthorityKeyIdentifier=keyid\n")).unwrap();
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    let run = |ca_key: &str, hash: &str| {
        openssl(path, &format!("genpkey {ca_key} -out ca.key"));
        openssl(path, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out tls.key");
        openssl(path, "req -new -key ca.key -subj /CN=root -out ca.csr");
        openssl(path, &format!("x509 -req -in ca.csr -signkey ca.key -extfile ca.ext -out ca.crt -days 90 {hash}"));
        openssl(path, "req -new -key tls.key -subj /CN=leaf -out tls.csr");
        openssl(
            path,
            &format!(
                "x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile tls.ext -out tls.crt -days 30 {hash}"
            ),
        );
        let set = Set { ca: read("ca.crt"), ca_key: read("ca.key"), tls: read("tls.crt"), tls_key: read("tls.key") };
        let now = CertificateFile::parse(set.ca.as_bytes()).unwrap().first.not_before + Duration::days(1);
        (set.rows_at(now, 0), set, now)
    };
    let rsa = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
    assert_eq!(failed(&run(rsa, "-sha256").0), [""; 0]);
    assert_eq!(failed(&run(rsa, "-sha1").0), ["ca-signature-hash", "server-signature-hash"]);
    assert_eq!(skipped(&run(rsa, "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest").0), [""; 0]);
    let (rows, ..) = run(rsa, "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max");
    assert_eq!((failed(&rows), skipped(&rows)), (vec![], vec!["ca-self-signature", "pair-signed-by-ca"]));
    let (rows, ..) = run(rsa, "-md5");
    assert_eq!(failed(&rows), ["ca-signature-hash", "server-signature-hash"]);
    assert!(text(&rows, "pair-signed-by-ca").contains("MD5"), "{rows:#?}");
    let (rows, ..) = run("-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "-sha256");
    assert_eq!(failed(&rows), ["ca-key-strength"]);
    assert_eq!(failed(&run("-algorithm ED25519", "").0), ["ca-key-strength"]);
    assert_eq!(failed(&run("-algorithm EC -pkeyopt ec_paramgen_curve:P-224", "").0), ["ca-key-strength"]);
    let (rows, ..) = run("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", "-sha512");
    assert_eq!(
        (failed(&rows), skipped(&rows)),
        (vec![], vec!["ca-self-signature", "ca-key-usable", "pair-signed-by-ca"])
    );
    // A chain: root, intermediate (signed like a CA), leaf.
    let (_, root, _) = run(rsa, "-sha256");
    for name in ["ca.crt", "ca.key"] {
        fs::rename(path.join(name), path.join(format!("root-{name}"))).unwrap();
    }
    let (_, inner, now) = run(rsa, "-sha256");
    openssl(path, "req -new -key ca.key -subj /CN=between -out between.csr");
    openssl(
        path,
        "x509 -req -in between.csr -CA root-ca.crt -CAkey root-ca.key -CAcreateserial -extfile ca.ext -out ca.crt -days 30",
    );
    openssl(
        path,
        "x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile tls.ext -out tls.crt -days 20",
    );
    let chain = Set {
        ca: root.ca,
        ca_key: root.ca_key,
        tls: format!("{}{}", read("tls.crt"), read("ca.crt")),
        tls_key: inner.tls_key,
    };
    let rows = chain.rows_at(now, 0);
    assert_eq!(failed(&rows), ["pair-signed-by-ca", "pair-key-ids"]);
    assert!(text(&rows, "pair-signed-by-ca").contains("an intermediate that is in tls.crt too"));
    // An intermediate as the registered CA is not a fault.
    let registered = Set { ca: read("ca.crt"), ca_key: read("ca.key"), tls: read("tls.crt"), ..chain };
    let rows = registered.rows_at(now, 0);
    assert_eq!(failed(&rows), [""; 0]);
    assert!(
        matches!(&rows.iter().find(|r| r.of.id == "ca-self-signature").unwrap().verdict, Tested::Pass(t) if t.contains("CN=root"))
    );
    assert!(Details::read(b"junk".to_vec()).is_err());
}
