//! Files as they are: harmless surroundings, and the name of every fault.

use super::*;

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
        assert_eq!(*Key::parse(text.as_bytes()).unwrap().kind(), KeyKind::Ecdsa(256));
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
    assert_eq!(fault("see tls.crt"), PemFault::NoBlock);
    assert_eq!(fault("../archive/wiki/fullchain1.pem"), PemFault::LinkAsText);
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
    let stuffed = der::write(0x30, &[&der[4..], &[5, 0]]);
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
