//! Beside openssl: it accepts what is issued, and its own certificates and keys are read.

use super::*;

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
