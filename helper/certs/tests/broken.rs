//! What is broken is named for what is broken.

use super::*;

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
    // Same name, another key: what a re-created CA looks like.
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
