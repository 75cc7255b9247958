//! `certs issue`: what is missing is made, and nothing that exists is replaced.

use std::path::Path;

use serde_json::json;

use super::issue::{FILES, bytes, created, extension, remove};
use super::workshop::no_openssl;
use crate::support::{DOMAIN, folder, helper, of_another_ca, openssl, skip, which, without_routes};

#[test]
fn a_lost_ca_certificate_comes_back_from_its_key_and_the_server_certificate_stays_valid() {
    let parent = folder();
    let dir = without_routes(parent.path());
    let data = dir.join("data");
    let tool = which("openssl").is_some();
    let identity = |dir: &Path| {
        let subject = openssl(dir, &["x509", "-in", "ca.crt", "-noout", "-subject"]);
        (subject, extension(dir, "ca.crt", "subjectKeyIdentifier"))
    };
    let before = tool.then(|| identity(&data));
    let old = bytes(&dir);
    remove(&dir, &["ca.crt"]);
    let answer = helper(["certs", "issue"]).dir(&dir).run().expect(0);
    assert_eq!(created(&answer.json), ["ca.crt"]);
    assert_eq!(answer.findings(), Vec::<&str>::new(), "our own audit takes the old server certificate");
    let new = bytes(&dir);
    for kept in ["ca.key", "tls.crt", "tls.key"] {
        assert_eq!(old[kept], new[kept], "{kept}");
    }
    let Some(before) = before else {
        return skip("a_lost_ca_certificate_comes_back…", "no openssl");
    };
    assert_eq!(identity(&data), before);
    assert_eq!(openssl(&data, &["verify", "-x509_strict", "-CAfile", "ca.crt", "tls.crt"]), "tls.crt: OK\n");
}

#[test]
fn a_lost_server_certificate_is_issued_for_the_key_that_is_there() {
    if no_openssl("a_lost_server_certificate_is_issued_for_the_key_that_is_there") {
        return;
    }
    let parent = folder();
    let dir = without_routes(parent.path());
    let data = dir.join("data");
    let old = bytes(&dir);
    remove(&dir, &["tls.crt"]);
    let answer = helper(["certs", "issue"]).dir(&dir).run().expect(0);
    assert_eq!(created(&answer.json), ["tls.crt"]);
    assert_eq!(bytes(&dir)["tls.key"], old["tls.key"]);
    let of_certificate = openssl(&data, &["x509", "-in", "tls.crt", "-noout", "-pubkey"]);
    assert_eq!(of_certificate, openssl(&data, &["pkey", "-in", "tls.key", "-pubout"]));
}

/// What is there, exit code, findings, files made.
type Half<'a> = (&'a str, Box<dyn Fn(&Path)>, i32, &'a [&'a str], &'a [&'a str]);

fn put(name: &'static str, content: &'static [u8]) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| std::fs::write(dir.join("data").join(name), content).unwrap())
}

fn lose(names: &'static [&'static str]) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| remove(dir, names))
}

fn swap(one: &'static str, other: &'static str) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| {
        let data = dir.join("data");
        std::fs::rename(data.join(one), data.join("x")).unwrap();
        std::fs::rename(data.join(other), data.join(one)).unwrap();
        std::fs::rename(data.join("x"), data.join(other)).unwrap();
    })
}

/// Takes files from another deployment.
pub(super) fn other(names: &'static [&'static str]) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| {
        let parent = folder();
        let foreign = of_another_ca(parent.path());
        for name in names {
            std::fs::copy(foreign.join("data").join(name), dir.join("data").join(name)).unwrap();
        }
    })
}

pub(super) fn both(one: Box<dyn Fn(&Path)>, two: Box<dyn Fn(&Path)>) -> Box<dyn Fn(&Path)> {
    Box::new(move |dir| {
        one(dir);
        two(dir);
    })
}

#[test]
fn every_half_finished_state_is_completed_or_named_and_nothing_is_replaced() {
    const GARBAGE: &[u8] = b"-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n";
    let cases: Vec<Half<'_>> = vec![
        ("nothing", lose(&FILES), 0, &[], &FILES),
        ("ca.key alone", lose(&["ca.crt", "tls.crt", "tls.key"]), 0, &[], &["ca.crt", "tls.crt", "tls.key"]),
        ("both keys", lose(&["ca.crt", "tls.crt"]), 0, &[], &["ca.crt", "tls.crt"]),
        ("tls.key alone", lose(&["ca.crt", "ca.key", "tls.crt"]), 0, &[], &["ca.crt", "ca.key", "tls.crt"]),
        ("no server pair", lose(&["tls.crt", "tls.key"]), 0, &[], &["tls.crt", "tls.key"]),
        ("no ca.key", lose(&["ca.key"]), 0, &["ca-key-missing"], &[]),
        ("ca.crt alone", lose(&["ca.key", "tls.crt", "tls.key"]), 1, &["ca-key-needed"], &[]),
        ("no ca.key, no tls.crt", lose(&["ca.key", "tls.crt"]), 1, &["ca-key-needed"], &[]),
        ("no tls.key", lose(&["tls.key"]), 1, &["proxy-cert-missing"], &[]),
        ("no CA at all", lose(&["ca.crt", "ca.key"]), 1, &["ca-missing"], &[]),
        ("another tls.key", other(&["tls.key"]), 1, &["proxy-cert-mismatch"], &[]),
        ("another ca.key", other(&["ca.key"]), 1, &["ca-key-mismatch"], &[]),
        ("another ca.crt", other(&["ca.crt"]), 1, &["ca-key-mismatch", "tls-unknown-ca"], &[]),
        ("another server pair", other(&["tls.crt", "tls.key"]), 1, &["tls-unknown-ca"], &[]),
        ("another CA", other(&["ca.crt", "ca.key"]), 1, &["tls-unknown-ca"], &[]),
        ("another ca.key and no ca.crt", both(other(&["ca.key"]), lose(&["ca.crt"])), 1, &["tls-unknown-ca"], &[]),
        ("empty ca.crt", put("ca.crt", b""), 1, &["ca-unusable"], &[]),
        ("empty ca.key", put("ca.key", b""), 1, &["ca-key-unusable"], &[]),
        ("empty tls.crt", put("tls.crt", b""), 1, &["proxy-cert-empty"], &[]),
        ("empty tls.key", put("tls.key", b""), 1, &["proxy-cert-empty"], &[]),
        ("garbage in ca.crt", put("ca.crt", GARBAGE), 1, &["ca-unusable"], &[]),
        ("garbage in ca.key", put("ca.key", b"\xff\xfe\0"), 1, &["ca-key-unusable"], &[]),
        ("garbage in tls.crt", put("tls.crt", GARBAGE), 1, &["proxy-cert-empty"], &[]),
        ("garbage in tls.key", put("tls.key", b"\xff\xfe\0"), 1, &["proxy-cert-empty"], &[]),
        ("empty ca.key, no ca.crt", both(put("ca.key", b""), lose(&["ca.crt"])), 1, &["ca-key-unusable"], &[]),
        ("empty tls.key, no tls.crt", both(put("tls.key", b""), lose(&["tls.crt"])), 1, &["proxy-cert-empty"], &[]),
        ("empty tls.crt, no tls.key", both(put("tls.crt", b""), lose(&["tls.key"])), 1, &["proxy-cert-empty"], &[]),
        ("swapped server files", swap("tls.crt", "tls.key"), 1, &["proxy-cert-swapped"], &[]),
        ("swapped CA files", swap("ca.crt", "ca.key"), 1, &["ca-unusable"], &[]),
    ];
    for (name, breaks, code, findings, made) in cases {
        let parent = folder();
        let dir = without_routes(parent.path());
        breaks(&dir);
        let before = bytes(&dir);
        let answer = helper(["certs", "issue"]).dir(&dir).run();
        assert_eq!(answer.code, code, "{name}: {:#}", answer.json);
        let ids = answer.findings();
        for id in findings {
            assert!(ids.contains(id), "{name}: no {id} in {ids:?}");
        }
        if code == 0 {
            assert_eq!(ids, findings, "{name}");
        } else {
            let summary = answer.json["summary"].as_str().unwrap();
            assert!(!summary.contains("meet all"), "{name}: {summary}");
        }
        assert_eq!(created(&answer.json), made, "{name}");
        let after = bytes(&dir);
        for (file, content) in &before {
            assert_eq!(*content, after[file], "{name}: {file} was replaced");
        }
        let new: Vec<&str> = after.keys().filter(|file| !before.contains_key(*file)).copied().collect();
        assert_eq!(new, made, "{name}");
        assert_eq!(std::fs::read_dir(dir.join("data")).unwrap().count(), after.len(), "{name}: something was left");
        let again = helper(["certs", "issue"]).dir(&dir).changes_nothing().run();
        assert_eq!(again.code, code, "{name}, again");
        // `init` does the same and no more.
        let init = helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run();
        assert_eq!(init.code, code, "{name}, init: {:#}", init.json);
        assert_eq!(bytes(&dir), after, "{name}, init");
    }
}
