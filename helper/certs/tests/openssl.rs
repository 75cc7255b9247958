//! Beside openssl: a CA and keys of its making are read, and what they sign is accepted.

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
        [("rsa:2048", KeyKind::Rsa(2048)), ("ec -pkeyopt ec_paramgen_curve:P-384", KeyKind::Ecdsa(384))]
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
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", KeyKind::Ecdsa(256), true),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", KeyKind::Ecdsa(384), true),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521", KeyKind::Ecdsa(521), false),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-224", KeyKind::Ecdsa(224), false),
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
        ("ecparam -name prime256v1 -genkey", KeyKind::Ecdsa(256), true),
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
            let unknown = matches!(kind, KeyKind::Ecdsa(521 | 224) | KeyKind::EcdsaOther(_) | KeyKind::Rsa(1024));
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
