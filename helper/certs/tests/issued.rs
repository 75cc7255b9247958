//! What is issued passes every row, at every number of days and at every clock.

use super::*;

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
    let mut ids: Vec<_> = REQUIREMENTS.iter().map(|r| r.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), REQUIREMENTS.len());
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
