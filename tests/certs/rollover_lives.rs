//! `certs rotate-ca`: how long the new certificates are valid, and whose CA is replaced.

use serde_json::json;

use super::rollover::{refused, signed_by, state, step, to};
use super::workshop::{Bench, with_routes};
use crate::support::{DOMAIN, folder, helper, openssl};

#[test]
fn lives_are_as_asked_and_what_cannot_be_is_refused() {
    let parent = folder();
    let dir = with_routes(parent.path());
    for request in [
        json!({"step": "begin", "ca_days": 0}),
        json!({"step": "forward"}),
        json!({"steps": "begin"}),
        json!({"server_days": 4000}),
    ] {
        let refused = helper(["certs", "rotate-ca"]).dir(&dir).json(request).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request");
    }
    let begin = helper(["certs", "rotate-ca"]).dir(&dir).json(json!({"step": "begin", "ca_days": 700})).run().expect(0);
    assert_eq!(begin.data()["next_ca"]["days_left"], 699);
    helper(["certs", "rotate-ca"]).dir(&dir).json(json!({"step": "switch", "server_days": 40})).run().expect(0);
    let check = helper(["certs", "check"]).dir(&dir).run().expect(0);
    assert_eq!((&check.data()["ca"]["days_left"], &check.data()["server"]["days_left"]), (&json!(699), &json!(39)));
    // No CA yet: nothing to change from.
    let empty = parent.path().join("empty");
    helper(["init"]).dir(&empty).json(json!({"domain": DOMAIN})).run().expect(0);
    for name in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
        std::fs::remove_file(empty.join("data").join(name)).unwrap();
    }
    refused(&empty, "begin");
}

#[test]
fn a_ca_of_openssl_is_changed_too() {
    let Some(Bench { dir, data: _, workshop: w, _parent }) = Bench::new("a_ca_of_openssl_is_changed_too") else {
        return;
    };
    // A CA whose kind the helper cannot sign with: the way back is the certificate that it had signed.
    let made = |kind| w.make(|p| (p.ca_key, p.key, p.options) = (kind, "RSA 2048", "-sha384"));
    let mut locked = made("P-256");
    locked.ca_key = Some(w.converted(locked.ca_key.as_deref().unwrap(), "pkey -aes128 -passout pass:x"));
    for (kind, set, signs) in [
        ("RSA 2048", made("RSA 2048"), true),
        ("P-384", made("P-384"), true),
        ("a passphrase", locked, false),
        ("P-521", made("P-521"), false),
    ] {
        set.put(&dir.join("data"));
        let old = state(&dir);
        step(&dir, "begin", "begun");
        step(&dir, "switch", "switched");
        assert!(signed_by(&dir, "ca.crt"), "{kind}");
        let text = openssl(&dir.join("data"), &["x509", "-in", "ca.crt", "-noout", "-subject"]);
        assert!(text.contains("mcp-tunnel-ca"), "{text}");
        step(&dir, "back", "begun");
        assert!(signed_by(&dir, "ca.crt"), "{kind}");
        assert!(state(&dir)["ca.crt"] == old["ca.crt"] && state(&dir)["ca.key"] == old["ca.key"], "{kind}");
        assert_eq!(state(&dir)["tls.crt"] == old["tls.crt"], !signs, "{kind}");
        to(&dir, "idle");
    }
}
