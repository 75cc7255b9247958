//! `certs issue`: makes what is missing, to the documented requirements, and replaces nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::workshop::no_openssl;
use crate::support::{DOMAIN, chmod, folder, helper, is_root, mode, openssl, skip, which, without_routes};

pub(super) const FILES: [&str; 4] = ["ca.crt", "ca.key", "tls.crt", "tls.key"];

pub(super) fn bytes(dir: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    FILES.into_iter().filter_map(|name| Some((name, std::fs::read(dir.join("data").join(name)).ok()?))).collect()
}

pub(super) fn remove(dir: &Path, names: &[&str]) {
    for name in names {
        std::fs::remove_file(dir.join("data").join(name)).unwrap();
    }
}

pub(super) fn created(answer: &Value) -> Vec<String> {
    let files = answer["data"]["files"].as_array().unwrap();
    let names = files.iter().filter(|file| file["action"] == "created");
    let mut names: Vec<String> =
        names.map(|file| file["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn date(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

/// One line of an `x509 -ext` print: the values below a heading.
pub(super) fn extension(dir: &Path, file: &str, name: &str) -> String {
    let text = openssl(dir, &["x509", "-in", file, "-noout", "-ext", name]);
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_issued_has_the_profile_of_the_documentation() {
    if no_openssl("what_is_issued_has_the_profile_of_the_documentation") {
        return;
    }
    let parent = folder();
    let dir = without_routes(parent.path());
    let data = dir.join("data");
    let name = |file: &str, which: &str| {
        openssl(&data, &["x509", "-in", file, "-noout", which, "-nameopt", "RFC2253"]).trim().to_owned()
    };
    assert_eq!(name("ca.crt", "-subject"), "subject=CN=mcp-tunnel-ca");
    assert_eq!(name("ca.crt", "-issuer"), "issuer=CN=mcp-tunnel-ca");
    assert_eq!(name("tls.crt", "-subject"), format!("subject=CN={DOMAIN}"));
    assert_eq!(name("tls.crt", "-issuer"), "issuer=CN=mcp-tunnel-ca");
    assert_eq!(extension(&data, "ca.crt", "basicConstraints"), "X509v3 Basic Constraints: critical\nCA:TRUE");
    assert_eq!(extension(&data, "ca.crt", "keyUsage"), "X509v3 Key Usage: critical\nCertificate Sign, CRL Sign");
    assert_eq!(
        extension(&data, "tls.crt", "subjectAltName"),
        format!("X509v3 Subject Alternative Name:\nDNS:{DOMAIN}, DNS:*.{DOMAIN}")
    );
    assert_eq!(
        extension(&data, "tls.crt", "extendedKeyUsage"),
        "X509v3 Extended Key Usage:\nTLS Web Server Authentication"
    );
    let ski = extension(&data, "ca.crt", "subjectKeyIdentifier");
    let aki = extension(&data, "tls.crt", "authorityKeyIdentifier");
    assert_eq!(aki.lines().nth(1), ski.lines().nth(1));
    for file in ["ca.crt", "tls.crt"] {
        let text = openssl(&data, &["x509", "-in", file, "-noout", "-text"]);
        assert!(text.contains("Version: 3 (0x2)"), "{text}");
        assert!(text.contains("ASN1 OID: prime256v1"), "{text}");
        assert_eq!(text.matches("Signature Algorithm: ecdsa-with-SHA256").count(), 2, "{text}");
    }
    assert_eq!(openssl(&data, &["verify", "-x509_strict", "-CAfile", "ca.crt", "ca.crt"]), "ca.crt: OK\n");
    let route = format!("echo.{DOMAIN}");
    for host in [DOMAIN, &route] {
        let verify = [
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-verify_hostname",
            host,
            "-CAfile",
            "ca.crt",
            "tls.crt",
        ];
        assert_eq!(openssl(&data, &verify), "tls.crt: OK\n");
    }
    let file = std::fs::read_to_string(data.join("ca.crt")).unwrap();
    assert!(file.len() < 8192 && !file.contains("KEY"), "{file}");
    assert_eq!(file.matches("BEGIN").count(), 1);
    let modes: Vec<u32> = FILES.iter().map(|name| mode(&data.join(name))).collect();
    assert_eq!(modes, [0o644, 0o600, 0o644, 0o644]);
}

#[test]
fn lives_are_as_long_as_asked_and_begin_an_hour_back() {
    for (request, server_days, ca_days) in [
        (json!({}), 90, 3650),
        (json!({"server_days": 1, "ca_days": 2}), 1, 2),
        (json!({"server_days": 3650, "ca_days": 36500}), 3650, 36500),
    ] {
        let parent = folder();
        let dir = without_routes(parent.path());
        remove(&dir, &FILES);
        let now = OffsetDateTime::now_utc();
        let answer = helper(["certs", "issue"]).dir(&dir).json(request).run().expect(0);
        for (which, days) in [("server", server_days), ("ca", ca_days)] {
            let info = &answer.data()[which];
            let (from, until) = (date(&info["not_before"]), date(&info["not_after"]));
            assert_eq!(until - from, Duration::days(days) + Duration::hours(1), "{which}");
            let back = now - from;
            let late = back - Duration::hours(1);
            assert!(late.abs() < Duration::seconds(30), "{which}: {back}");
            assert!([days, days - 1].contains(&info["days_left"].as_i64().unwrap()), "{which}");
        }
        assert_eq!(created(&answer.json), FILES);
        assert_eq!(answer.data()["ca"]["pem"], std::fs::read_to_string(dir.join("data/ca.crt")).unwrap());
    }
}

#[test]
fn a_server_certificate_ends_no_later_than_its_ca() {
    let parent = folder();
    let dir = without_routes(parent.path());
    remove(&dir, &FILES);
    let request = json!({"server_days": 90, "ca_days": 40});
    let answer = helper(["certs", "issue"]).dir(&dir).json(request).run().expect(0);
    assert_eq!(answer.findings(), ["ca-ends-first"]);
    assert_eq!(answer.data()["server"]["not_after"], answer.data()["ca"]["not_after"]);
}

#[test]
fn days_that_no_certificate_can_have_are_refused() {
    let parent = folder();
    let dir = without_routes(parent.path());
    remove(&dir, &FILES);
    for (request, word) in [
        (json!({"server_days": 0}), "between 1 and 3650"),
        (json!({"server_days": 3651}), "between 1 and 3650"),
        (json!({"ca_days": 0}), "between 1 and 36500"),
        (json!({"ca_days": 36501}), "between 1 and 36500"),
        (json!({"ca_days": 4294967295u32}), "between 1 and 36500"),
        (json!({"ca_days": 4294967296u64}), "u32"),
        (json!({"ca_days": -1}), "u32"),
        (json!({"server_days": 1.5}), "u32"),
        (json!({"server_days": "90"}), "u32"),
    ] {
        let refused = helper(["certs", "issue"]).dir(&dir).json(request.clone()).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request");
        assert!(refused.message().contains(word), "{request}: {}", refused.message());
    }
}

#[test]
fn a_second_issue_changes_nothing() {
    let parent = folder();
    let dir = without_routes(parent.path());
    let answer = helper(["certs", "issue"]).dir(&dir).json(json!({"server_days": 5})).changes_nothing().run().expect(0);
    assert_eq!(created(&answer.json), Vec::<String>::new());
    assert_eq!(answer.data()["server"]["days_left"], 89, "other days replace nothing");
    assert_eq!(answer.findings(), Vec::<&str>::new());
}

#[test]
fn without_a_directory_or_a_domain_nothing_is_issued() {
    let parent = folder();
    let dir = parent.path().join("x");
    let refused = helper(["certs", "issue"]).dir(&dir).run().expect(2);
    assert_eq!(refused.json["error"]["code"], "directory");
    assert!(!dir.exists());
    std::fs::create_dir(&dir).unwrap();
    let refused = helper(["certs", "issue"]).dir(&dir).changes_nothing().run().expect(2);
    assert_eq!(refused.json["error"]["code"], "directory");
    assert!(refused.message().contains("does not say which tunnel"), "{}", refused.message());
}

#[test]
fn a_ca_of_the_documented_openssl_commands_is_taken_up() {
    if no_openssl("a_ca_of_the_documented_openssl_commands_is_taken_up") {
        return;
    }
    let keys: [&[&str]; 3] = [
        &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key"],
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "ca.key"],
        &["genrsa", "-traditional", "-out", "ca.key", "2048"],
    ];
    for key in keys {
        let parent = folder();
        let dir = without_routes(parent.path());
        let data = dir.join("data");
        remove(&dir, &FILES);
        openssl(&data, key);
        let ca = [
            "req",
            "-x509",
            "-new",
            "-key",
            "ca.key",
            "-sha256",
            "-days",
            "3650",
            "-out",
            "ca.crt",
            "-subj",
            "/C=DE/O=Ärger & Söhne/CN=mcp-tunnel-ca",
            "-utf8",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ];
        openssl(&data, &ca);
        let before = bytes(&dir);
        let answer = helper(["certs", "issue"]).dir(&dir).run().expect(0);
        assert_eq!(created(&answer.json), ["tls.crt", "tls.key"]);
        assert_eq!(answer.findings(), Vec::<&str>::new());
        assert_eq!(openssl(&data, &["verify", "-x509_strict", "-CAfile", "ca.crt", "tls.crt"]), "tls.crt: OK\n");
        // And back from the key alone, with the server certificate as the witness of the name.
        remove(&dir, &["ca.crt"]);
        helper(["certs", "issue"]).dir(&dir).run().expect(0);
        assert_eq!(bytes(&dir)["ca.key"], before["ca.key"]);
        assert_eq!(openssl(&data, &["verify", "-x509_strict", "-CAfile", "ca.crt", "tls.crt"]), "tls.crt: OK\n");
    }
}

#[test]
fn the_certificate_in_the_answer_is_the_one_on_disk_whatever_letters_it_has() {
    if no_openssl("the_certificate_in_the_answer_is_the_one_on_disk_whatever_letters_it_has") {
        return;
    }
    let parent = folder();
    let dir = without_routes(parent.path());
    let data = dir.join("data");
    remove(&dir, &FILES);
    openssl(&data, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key"]);
    // Base64 of `{"a` is `eyJh`, at any of three offsets.
    let subject = format!("/O={}/CN=x", "{\"a.".repeat(15));
    openssl(
        &data,
        &[
            "req",
            "-x509",
            "-new",
            "-key",
            "ca.key",
            "-sha256",
            "-days",
            "90",
            "-out",
            "ca.crt",
            "-subj",
            &subject,
            "-addext",
            "keyUsage=critical,keyCertSign",
        ],
    );
    let pem = std::fs::read_to_string(data.join("ca.crt")).unwrap();
    assert!(pem.contains("eyJ"), "{pem}");
    let answer = helper(["certs", "issue"]).dir(&dir).run().expect(0);
    assert_eq!(answer.data()["ca"]["pem"], pem);
}

#[test]
fn a_key_in_the_certificate_file_never_reaches_the_answer() {
    let parent = folder();
    let dir = without_routes(parent.path());
    let files = bytes(&dir);
    let key = String::from_utf8(files["ca.key"].clone()).unwrap();
    let mixed = [files["ca.crt"].clone(), files["ca.key"].clone()].concat();
    std::fs::write(dir.join("data/ca.crt"), mixed).unwrap();
    let call = helper(["certs", "issue"]).dir(&dir).changes_nothing();
    let answer = key.lines().filter(|line| !line.starts_with("---")).fold(call, |call, line| call.secret(line)).run();
    assert!(!answer.expect(1).findings().is_empty());
}

#[test]
fn what_is_shown_is_the_certificate_and_nothing_that_is_pasted_around_it() {
    let token = crate::support::token("pasted");
    let about: [(&str, &str, bool); 8] = [
        ("a token after", &token, true),
        ("a token in words", &format!("the token is {token} for now"), true),
        ("a variable", &format!("TUNNEL_TOKEN={token}"), true),
        ("a password", "PASSWORD=correct-horse-battery", true),
        ("an API key", "sk-ant-api03-AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789", true),
        ("a block with the token for a label", &format!("-----BEGIN {token}-----\nAAAA\n-----END {token}-----"), true),
        ("a note", "register this one in the Console, then tell Zebulon", false),
        ("a dump", "Certificate:\n    Data:\n        Version: 3 (0x2)", false),
    ];
    for (name, text, secret) in about {
        for before in [false, true] {
            let parent = folder();
            let dir = without_routes(parent.path());
            let file = dir.join("data/ca.crt");
            let pem = std::fs::read_to_string(&file).unwrap();
            let both = if before { format!("{text}\n{pem}") } else { format!("{pem}{text}\n") };
            std::fs::write(&file, both).unwrap();
            for call in [
                helper(["certs", "check"]),
                helper(["certs", "check"]).json(json!({"verbose": true})),
                helper(["certs", "issue"]),
                helper(["certs", "renew"]),
                helper(["certs", "rotate-ca"]),
                helper(["init"]),
                helper(["check"]),
            ] {
                let answer = call.dir(&dir).secret(&token).secret(text).secret("Zebulon").run();
                assert_ne!(answer.code, 2, "{name}: {:#}", answer.json);
                if answer.json["command"] == "certs rotate-ca" {
                    continue;
                }
                let severity = if secret { "error" } else { "note" };
                assert_eq!(answer.finding("ca-extra-text")["severity"], severity, "{name}: {:#}", answer.json);
                if let Some(shown) = answer.data()["ca"]["pem"].as_str() {
                    assert_eq!(shown, pem, "{name}");
                }
            }
            // As the next CA too, which is shown to be registered.
            helper(["certs", "rotate-ca"]).dir(&dir).json(json!({"step": "begin"})).run().expect(0);
            let next = dir.join("data/ca-next.crt");
            let made = std::fs::read_to_string(&next).unwrap();
            std::fs::write(&next, format!("{made}{text}\n")).unwrap();
            let answer = helper(["certs", "rotate-ca"]).dir(&dir).secret(&token).secret(text).run().expect(0);
            assert_eq!(answer.data()["next_ca"]["pem"], made, "{name}");
        }
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_an_error_that_names_it() {
    let parent = folder();
    let dir = without_routes(parent.path());
    remove(&dir, &["tls.crt", "tls.key"]);
    chmod(&dir.join("data"), 0o555);
    let call = helper(["certs", "issue"]).dir(&dir).changes_nothing();
    let call = if is_root() {
        if which("setpriv").is_none() {
            return skip("a_directory_that_may_not_be_written_is_an_error_that_names_it", "no setpriv");
        }
        // Root without its privilege to pass over modes.
        call.under(&["setpriv", "--bounding-set=-all", "--inh-caps=-all"])
    } else {
        call
    };
    let refused = call.run().expect(2);
    assert_eq!(refused.json["error"]["code"], "io");
    assert!(refused.message().contains("/data/"), "{}", refused.message());
    assert!(refused.message().contains("permission denied"), "{}", refused.message());
    chmod(&dir.join("data"), 0o755);
}
