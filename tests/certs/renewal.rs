//! `certs renew`: safe on any schedule, same CA, same key, and nothing that fails the audit.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::workshop::{BASIC, Bench, SKI, USAGE, living, no_openssl, with_routes};
use crate::support::{Answer, DOMAIN, chmod, folder, helper, is_root, mode, openssl, snapshot};

pub(super) fn renew(dir: &Path, request: Value) -> Answer {
    helper(["certs", "renew"]).dir(dir).json(request).run()
}

/// Nothing may be written.
pub(super) fn kept(dir: &Path, request: Value, code: i32) -> Answer {
    let answer = helper(["certs", "renew"]).dir(dir).json(request).changes_nothing().run().expect(code);
    if code < 2 {
        assert_eq!(answer.data()["renewed"], false);
        assert!(answer.data()["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    }
    answer
}

pub(super) fn read(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join("data").join(name)).unwrap()
}

fn serial(dir: &Path) -> String {
    openssl(&dir.join("data"), &["x509", "-in", "tls.crt", "-noout", "-serial"])
}

/// openssl takes the pair for a route, and key and certificate belong together.
fn verified(dir: &Path) {
    let data = dir.join("data");
    let host = format!("hello.{DOMAIN}");
    let args =
        ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", &host, "-CAfile", "ca.crt", "tls.crt"];
    assert_eq!(openssl(&data, &args), "tls.crt: OK\n");
    let of_certificate = openssl(&data, &["x509", "-in", "tls.crt", "-noout", "-pubkey"]);
    assert_eq!(of_certificate, openssl(&data, &["pkey", "-in", "tls.key", "-pubout"]));
}

#[test]
fn while_enough_days_are_left_nothing_is_touched() {
    let parent = folder();
    let dir = with_routes(parent.path());
    for request in
        [json!({}), json!({"renew_before_days": 88}), json!({"renew_before_days": 0}), json!({"server_days": 200})]
    {
        let answer = kept(&dir, request, 0);
        assert_eq!(answer.findings(), Vec::<&str>::new());
        assert_eq!(answer.data()["server"]["days_left"], 89);
        assert_eq!(answer.data()["files"][0]["action"], "unchanged");
        assert!(answer.json["summary"].as_str().unwrap().contains("89 days left"), "{}", answer.json["summary"]);
    }
    // Also without the CA's key: nothing needs it yet.
    std::fs::remove_file(dir.join("data/ca.key")).unwrap();
    let answer = kept(&dir, json!({}), 0);
    assert_eq!(answer.findings(), ["ca-key-missing"]);
}

#[test]
fn requests_that_no_schedule_can_have_are_refused() {
    let parent = folder();
    let dir = with_routes(parent.path());
    for request in [
        json!({"server_days": 0}),
        json!({"server_days": 3651}),
        json!({"renew_before_days": -1}),
        json!({"renew_before_days": 90}),
        json!({"renew_before_days": 20, "server_days": 20}),
        json!({"forced": true}),
        json!({"force": "yes"}),
    ] {
        let refused = kept(&dir, request.clone(), 2);
        assert_eq!(refused.json["error"]["code"], "request", "{request}");
    }
}

#[test]
fn by_date_or_by_force_the_certificate_is_replaced_and_nothing_else() {
    if no_openssl("by_date_or_by_force_the_certificate_is_replaced_and_nothing_else") {
        return;
    }
    let parent = folder();
    let short = living(&parent.path().join("short"), json!({"server_days": 20}));
    let long = with_routes(&parent.path().join("long"));
    kept(&short, json!({"renew_before_days": 18}), 0);
    for (dir, request, days) in [
        (&short, json!({}), 89),
        (&long, json!({"force": true}), 89),
        (&long, json!({"force": true, "server_days": 400}), 399),
        // 399 days are left of it.
        (&long, json!({"renew_before_days": 399, "server_days": 500}), 499),
    ] {
        let file = dir.join("data/tls.crt");
        chmod(&file, 0o640);
        if is_root() {
            std::os::unix::fs::chown(&file, Some(4321), Some(65532)).unwrap();
        }
        let before = std::fs::metadata(&file).unwrap();
        let (old, old_serial) = (snapshot(dir), serial(dir));
        let answer = renew(dir, request.clone()).expect(0);
        assert_eq!(answer.data()["renewed"], true, "{request}");
        assert_eq!(answer.data()["server"]["days_left"], days, "{request}");
        assert_eq!(answer.findings(), Vec::<&str>::new(), "{request}");
        let files = answer.data()["files"].as_array().unwrap();
        assert_eq!((files.len(), &files[0]["action"], &files[0]["mode"]), (1, &json!("updated"), &json!("0640")));
        let changed: Vec<PathBuf> =
            snapshot(dir).into_iter().zip(old).filter(|(new, old)| new != old).map(|(new, _)| new.0).collect();
        assert_eq!(changed, std::slice::from_ref(&file), "{request}");
        assert_ne!(serial(dir), old_serial);
        let after = std::fs::metadata(&file).unwrap();
        assert_ne!(after.ino(), before.ino(), "replaced as a whole, never written into");
        assert_eq!((after.uid(), after.gid(), mode(&file)), (before.uid(), before.gid(), 0o640));
        verified(dir);
    }
    // In the middle of an interrupted write of another process there is no half file: nothing but the four.
    let mut names: Vec<_> = std::fs::read_dir(long.join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
}

#[test]
fn keys_and_cas_of_openssl_are_renewed() {
    let Some(Bench { dir, data, workshop: w, _parent }) = Bench::new("keys_and_cas_of_openssl_are_renewed") else {
        return;
    };
    let odd = "/C=DE/ST=Würzburg/O=Beispiel & Söhne/OU=one/OU=two/CN=Tunnel CA";
    let sets = [
        ("RSA 2048", w.make(|p| (p.ca_key, p.key) = ("RSA 2048", "RSA 2048"))),
        ("RSA 2048 CA, EC server", w.make(|p| p.ca_key = "RSA 2048")),
        ("P-256 CA, RSA server", w.make(|p| p.key = "RSA 3072")),
        ("P-384", w.make(|p| (p.ca_key, p.key) = ("P-384", "P-384"))),
        ("an odd name", w.make(|p| p.ca_subject = odd)),
        (
            "an odd key identifier",
            w.ca_with(
                "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=01:02:03",
            ),
        ),
        (
            "a path length",
            w.ca_with(
                "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash",
            ),
        ),
    ];
    for (name, set) in sets {
        // PKCS#8 as made, then the older form: PKCS#1 or SEC1.
        let traditional = |key: &Option<Vec<u8>>| Some(w.converted(key.as_deref().unwrap(), "pkey -traditional"));
        let mut older = set.clone();
        (older.ca_key, older.key) = (traditional(&set.ca_key), traditional(&set.key));
        for set in [set, older] {
            set.put(&data);
            let old = serial(&dir);
            let answer = renew(&dir, json!({"force": true})).expect(0);
            assert_eq!(answer.data()["renewed"], true, "{name}");
            assert_ne!(serial(&dir), old, "{name}");
            for (file, content) in [("ca.crt", &set.ca), ("ca.key", &set.ca_key), ("tls.key", &set.key)] {
                assert_eq!(Some(read(&dir, file)), *content, "{name}: {file}");
            }
            verified(&dir);
            helper(["certs", "check"]).dir(&dir).run().expect(0);
        }
    }
}

#[test]
fn a_ca_that_ends_first_caps_the_life_and_is_not_renewed_for_ever() {
    let parent = folder();
    let dir = living(parent.path(), json!({"server_days": 20, "ca_days": 50}));
    let end = helper(["certs", "check"]).dir(&dir).run().data()["ca"]["not_after"].clone();
    let first = renew(&dir, json!({})).expect(0);
    assert_eq!(first.data()["renewed"], true);
    assert_eq!(first.finding("ca-ends-first")["severity"], "warning");
    assert_eq!(first.data()["server"]["not_after"], end);
    assert!(first.json["next"].to_string().contains("rotate-ca"), "{:#}", first.json["next"]);
    // 49 days are left.
    assert_eq!(kept(&dir, json!({}), 0).data()["server"]["not_after"], end);
    // Due by its days, and there is nothing to gain: no new certificate every day, and a schedule that is heard.
    let due = kept(&dir, json!({"renew_before_days": 49}), 1);
    assert_eq!(due.finding("ca-ends-first")["severity"], "error");
    assert!(due.json["next"].to_string().contains("rotate-ca"), "{:#}", due.json["next"]);
    // A life that ends before the CA's is asked for: nothing is cut short.
    let forced = renew(&dir, json!({"force": true, "server_days": 40, "renew_before_days": 5})).expect(0);
    assert_eq!(
        (forced.data()["renewed"].clone(), forced.data()["server"]["days_left"].clone()),
        (json!(true), json!(39))
    );
    assert!(!forced.findings().contains(&"ca-ends-first"));
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_written() {
    let Some(Bench { dir, data, workshop: w, _parent }) =
        Bench::new("what_stands_in_the_way_is_named_and_nothing_is_written")
    else {
        return;
    };
    let good = w.make(|_| {});
    let (ca_key, key) = (good.ca_key.clone().unwrap(), good.key.clone().unwrap());
    let changed = |change: &dyn Fn(&mut super::workshop::Set)| {
        let mut set = good.clone();
        change(&mut set);
        set
    };
    let (other, other_ca) = (Some(w.read(&w.key("other", "P-256").0)), w.make(|p| p.ca_key = "RSA 2048"));
    let locked = |key: &[u8]| Some(w.converted(key, "pkey -aes128 -passout pass:x"));
    let no_ski = w.make(|p| {
        (p.ca_extensions, p.extensions) = (
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=none",
            "subjectAltName=DNS:*.@\n2.5.29.35=DER:30:04:80:02:01:02",
        )
    });
    let cases = [
        ("no ca.key", changed(&|s| s.ca_key = None), "ca-key-needed", ""),
        ("ca.key with a passphrase", changed(&|s| s.ca_key = locked(&ca_key)), "ca-key-unusable", "passphrase"),
        ("an empty ca.key", changed(&|s| s.ca_key = Some(Vec::new())), "ca-key-unusable", "empty"),
        ("ca.key of another CA", changed(&|s| s.ca_key.clone_from(&other)), "ca-key-mismatch", ""),
        ("P-521 CA", w.make(|p| (p.ca_key, p.options) = ("P-521", "-sha512")), "ca-key-unusable", "P-521"),
        ("RSA 8192 CA", w.make(|p| p.ca_key = "RSA 8192"), "ca-key-unusable", "RSA 8192"),
        (
            "CA:FALSE",
            w.ca_with("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash"),
            "ca-unfit",
            "CA:FALSE",
        ),
        ("no subjectKeyIdentifier", no_ski, "ca-unfit", "subjectKeyIdentifier"),
        (
            "no keyUsage",
            w.ca_with("basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash"),
            "ca-unfit",
            "keyUsage",
        ),
        ("RSA 1024 CA", w.make(|p| p.ca_key = "RSA 1024"), "ca-key-unusable", "RSA 1024"),
        ("SHA-1 CA", w.make(|p| (p.ca_key, p.ca_options) = ("RSA 2048", "-sha1")), "ca-unfit", "SHA-1"),
        ("no ca.crt", changed(&|s| s.ca = None), "ca-missing", ""),
        ("an empty ca.crt", changed(&|s| s.ca = Some(Vec::new())), "ca-unusable", "empty"),
        ("no tls.key", changed(&|s| s.key = None), "proxy-cert-missing", ""),
        ("tls.key with a passphrase", changed(&|s| s.key = locked(&key)), "proxy-key-encrypted", ""),
        ("P-521 server key", w.make(|p| p.key = "P-521"), "server-unfit", "P-521"),
        ("P-224 server key", w.make(|p| p.key = "P-224"), "server-unfit", "P-224"),
    ];
    let constrained = format!("{BASIC}\n{USAGE}\n{SKI}\nnameConstraints=critical,excluded;DNS:{DOMAIN}");
    let constrained =
        ("names constrained to something else", w.ca_with(constrained.leak()), "ca-name-constraints", "excluded");
    let mut wrong = Vec::new();
    for (name, set, id, word) in cases.into_iter().chain([constrained]) {
        set.put(&data);
        let before = snapshot(&dir);
        let answer = renew(&dir, json!({"force": true}));
        let finding = answer.json["findings"].as_array().into_iter().flatten().find(|f| f["id"] == id);
        let named = finding.is_some_and(|f| f["severity"] == "error" && f.to_string().contains(word));
        let said = answer.json["summary"].as_str().is_some_and(|summary| summary.starts_with("not renewed"));
        if !named || !said || answer.code != 1 || snapshot(&dir) != before {
            wrong.push(format!("{name}, {id} expected: {}", answer.json));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Of another CA than the one in `data`: which is registered, only the Console knows.
    other_ca.put(&data);
    good.put_ca(&data);
    let answer = kept(&dir, json!({}), 1);
    assert!(answer.findings().contains(&"tls-unknown-ca"), "{:?}", answer.findings());
    renew(&dir, json!({"force": true})).expect(0);
    verified(&dir);
}

#[test]
fn a_certificate_that_is_wrong_is_renewed_before_its_time() {
    let Some(Bench { dir, data, workshop: w, _parent }) =
        Bench::new("a_certificate_that_is_wrong_is_renewed_before_its_time")
    else {
        return;
    };
    let good = w.make(|_| {});
    let mut other_key = good.clone();
    other_key.key = Some(w.read(&w.key("other", "P-256").0));
    let issuer_only = w.make(|p| {
        (p.ca_extensions, p.extensions) = (
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash",
            "subjectAltName=DNS:*.@\nauthorityKeyIdentifier=issuer:always",
        )
    });
    let mut damaged = good.clone();
    damaged.tls = good.tls.as_deref().map(|tls| {
        let mut der = super::workshop::der(tls);
        let at = der.len() - 5;
        der[at] ^= 1;
        super::workshop::pem("CERTIFICATE", &der).into_bytes()
    });
    let mut reversed = good.clone();
    reversed.tls = Some([good.ca.clone().unwrap(), good.tls.clone().unwrap()].concat());
    let mut none = good.clone();
    none.tls = None;
    let mut empty = good.clone();
    empty.tls = Some(Vec::new());
    for (name, set) in [
        ("too deep", w.server_with("subjectAltName=DNS:*.x.@\nauthorityKeyIdentifier=keyid")),
        ("another domain", w.server_with("subjectAltName=DNS:*.example.com\nauthorityKeyIdentifier=keyid")),
        ("no names", w.server_with("authorityKeyIdentifier=keyid")),
        (
            "clientAuth",
            w.server_with("subjectAltName=DNS:*.@\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=clientAuth"),
        ),
        ("SHA-1", w.make(|p| (p.ca_key, p.options) = ("RSA 2048", "-sha1"))),
        ("no AKI", w.server_with("subjectAltName=DNS:*.@\nauthorityKeyIdentifier=none\nextendedKeyUsage=serverAuth")),
        ("another AKI", w.server_with("subjectAltName=DNS:*.@\n2.5.29.35=DER:30:04:80:02:01:02")),
        ("AKI without a key identifier", issuer_only),
        ("a damaged signature", damaged),
        ("the CA first", reversed),
        ("another key", other_key),
        ("no tls.crt", none),
        ("an empty tls.crt", empty),
    ] {
        set.put(&data);
        let answer = renew(&dir, json!({})).expect(0);
        assert_eq!(answer.data()["renewed"], true, "{name}");
        assert_eq!(Some(read(&dir, "tls.key")), set.key, "{name}");
        verified(&dir);
        kept(&dir, json!({}), 0);
    }
}

#[test]
fn a_new_ca_is_asked_for_only_when_its_end_is_near() {
    let parent = folder();
    // Both end on the same day, far away.
    let dir = living(&parent.path().join("far"), json!({"server_days": 90, "ca_days": 90}));
    let dates = helper(["certs", "check"]).dir(&dir).run().expect(0);
    assert_eq!(dates.data()["server"]["not_after"], dates.data()["ca"]["not_after"]);
    for answer in [dates, kept(&dir, json!({}), 0), helper(["check"]).dir(&dir).run()] {
        assert!(!answer.json.to_string().contains("rotate-ca"), "{:#}", answer.json);
    }
    // And near: a renewal gains nothing, and a schedule must be heard.
    let dir = living(&parent.path().join("near"), json!({"server_days": 20, "ca_days": 20}));
    let near = helper(["certs", "check"]).dir(&dir).run().expect(0);
    let next = near.json["next"].to_string();
    assert!(next.contains("rotate-ca") && !next.contains("certs renew"), "{next}");
    assert_eq!(kept(&dir, json!({}), 1).finding("ca-ends-first")["severity"], "error");
}
