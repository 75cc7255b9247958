//! `check`: what is wrong with the certificates that the proxy reads.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use time::{Duration, OffsetDateTime};

use super::check::{check, remove, require, write};
use crate::support::{DOMAIN, chmod, deployment, folder, of_another_ca, skip, which};

/// A CA and a server certificate made to measure, written as the deployment's own.
struct Made {
    ca: CertificateParams,
    server: CertificateParams,
}

impl Made {
    fn new() -> Self {
        let now = OffsetDateTime::now_utc();
        let mut ca = CertificateParams::default();
        ca.distinguished_name.push(DnType::CommonName, "mcp-tunnel-ca");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.not_before = now - Duration::days(1);
        ca.not_after = now + Duration::days(1000);
        let mut server = CertificateParams::default();
        server.distinguished_name.push(DnType::CommonName, DOMAIN);
        server.subject_alt_names = vec![
            SanType::DnsName(DOMAIN.try_into().unwrap()),
            SanType::DnsName(format!("*.{DOMAIN}").try_into().unwrap()),
        ];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        server.not_before = now - Duration::days(1);
        server.not_after = now + Duration::days(60);
        Self { ca, server }
    }

    fn write(self, dir: &Path) {
        let (ca_key, server_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let ca = self.ca.self_signed(&ca_key).unwrap().pem();
        let (ca_pem, tls_pem) = (ca_key.serialize_pem(), server_key.serialize_pem());
        let server = self.server.signed_by(&server_key, &Issuer::new(self.ca, ca_key)).unwrap().pem();
        for (name, text) in [("ca.crt", ca), ("ca.key", ca_pem), ("tls.crt", server), ("tls.key", tls_pem)] {
            std::fs::write(dir.join("data").join(name), text).unwrap();
        }
    }
}

fn made(change: impl Fn(&mut Made) + 'static) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| {
        let mut made = Made::new();
        change(&mut made);
        made.write(dir);
    })
}

#[test]
fn what_is_wrong_with_the_certificates_is_found() {
    let days = |n: i64| OffsetDateTime::now_utc() + Duration::days(n);
    let swap: fn(&Path) = |dir| {
        let data = dir.join("data");
        for (from, to) in [("tls.crt", "x"), ("tls.key", "tls.crt"), ("x", "tls.key")] {
            std::fs::rename(data.join(from), data.join(to)).unwrap();
        }
    };
    let foreign: fn(&Path, &str) = |dir, name| {
        let parent = folder();
        let other: PathBuf = of_another_ca(parent.path());
        std::fs::copy(other.join("data").join(name), dir.join("data").join(name)).unwrap();
    };
    require(vec![
        ("made to measure, sound", made(|_| {}), &[]),
        ("no tls.crt", remove("data/tls.crt"), &["proxy-cert-missing"]),
        ("no tls.key", remove("data/tls.key"), &["proxy-cert-missing"]),
        ("no ca.crt", remove("data/ca.crt"), &["ca-missing"]),
        ("no ca.key", remove("data/ca.key"), &["ca-key-missing"]),
        ("garbage in ca.crt", write("data/ca.crt", "x"), &["ca-unusable"]),
        ("garbage in ca.key", write("data/ca.key", "x"), &["ca-key-unusable"]),
        ("garbage in tls.crt", write("data/tls.crt", "x"), &["proxy-cert-empty"]),
        ("an empty tls.key", write("data/tls.key", ""), &["proxy-cert-empty"]),
        ("swapped", Box::new(swap), &["proxy-cert-swapped"]),
        ("another tls.key", Box::new(move |dir| foreign(dir, "tls.key")), &["proxy-cert-mismatch"]),
        ("another ca.key", Box::new(move |dir| foreign(dir, "ca.key")), &["ca-key-mismatch"]),
        (
            "an encrypted tls.key",
            write("data/tls.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
            &["proxy-key-encrypted"],
        ),
        ("no CA", made(|m| m.ca.is_ca = IsCa::ExplicitNoCa), &["ca-unfit"]),
        ("a CA that may not sign", made(|m| m.ca.key_usages = vec![KeyUsagePurpose::CrlSign]), &["ca-unfit"]),
        ("a CA without key usage", made(|m| m.ca.key_usages = vec![]), &["ca-unfit"]),
        ("an old CA", made(move |m| m.ca.not_after = days(-1)), &["ca-expired"]),
        ("a CA of tomorrow", made(move |m| m.ca.not_before = days(1)), &["ca-expired"]),
        ("an old certificate", made(move |m| m.server.not_after = days(-1)), &["tls-expired"]),
        ("a certificate of tomorrow", made(move |m| m.server.not_before = days(1)), &["tls-expired"]),
        ("a certificate that ends soon", made(move |m| m.server.not_after = days(20)), &["tls-expires-soon"]),
        ("no AKI", made(|m| m.server.use_authority_key_identifier_extension = false), &["tls-key-id"]),
        (
            "only the domain itself",
            made(|m| {
                m.server.subject_alt_names.pop();
            }),
            &["tls-bad-cert"],
        ),
        ("no names", made(|m| m.server.subject_alt_names.clear()), &["tls-bad-cert"]),
        (
            "for clients",
            made(|m| m.server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            &["tls-unsupported-cert"],
        ),
    ]);
}

#[test]
fn a_weak_key_or_hash_is_found() {
    if which("openssl").is_none() {
        return skip("a_weak_key_or_hash_is_found", "no openssl");
    }
    let parent = folder();
    let dir = deployment(parent.path());
    let data = dir.join("data");
    let run = |args: &[&str]| crate::support::openssl(&data, args);
    run(&["req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", "tls.key", "-out", "x.csr", "-subj", "/CN=x"]);
    std::fs::write(
        data.join("x.ext"),
        format!("subjectAltName=DNS:*.{DOMAIN}\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid\n"),
    )
    .unwrap();
    run(&[
        "x509",
        "-req",
        "-in",
        "x.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "60",
        "-out",
        "tls.crt",
        "-extfile",
        "x.ext",
        "-sha256",
    ]);
    chmod(&data.join("tls.key"), 0o644);
    assert_eq!(check(&dir).expect(1).findings(), ["server-unfit"]);
}
