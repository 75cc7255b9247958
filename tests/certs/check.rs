//! The answer of `certs check`: horizons, days in words, rows, who can read the keys.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::workshop::{by_rcgen, der, hosts, living, with_routes};
use crate::support::{Answer, DOMAIN, chmod, folder, helper, is_root, sha256};

/// Request, exit code, findings with their severities.
type Horizon = (Value, i32, &'static [(&'static str, &'static str)]);

#[test]
fn exit_codes_follow_the_horizons_to_the_day() {
    let parent = folder();
    // The first day has begun a moment ago: 19 whole days are left, and 59 of the CA.
    let dir = living(parent.path(), json!({"server_days": 20, "ca_days": 60}));
    let cases: [Horizon; 14] = [
        (json!({}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"warn_within_days": 19}), 0, &[]),
        (json!({"warn_within_days": 20}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"warn_within_days": 59}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"warn_within_days": 60}), 0, &[("tls-expires-soon", "warning"), ("ca-expires-soon", "warning")]),
        (json!({"warn_within_days": 0}), 0, &[]),
        (json!({"fail_within_days": 19}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"fail_within_days": 20}), 1, &[("tls-expires-soon", "error")]),
        (json!({"fail_within_days": 14}), 0, &[("tls-expires-soon", "warning")]),
        (json!({"fail_within_days": 19, "warn_within_days": 0}), 0, &[]),
        (json!({"fail_within_days": 20, "warn_within_days": 0}), 1, &[("tls-expires-soon", "error")]),
        (
            json!({"fail_within_days": 20, "warn_within_days": 60}),
            1,
            &[("tls-expires-soon", "error"), ("ca-expires-soon", "warning")],
        ),
        (json!({"fail_within_days": 60}), 1, &[("tls-expires-soon", "error"), ("ca-expires-soon", "error")]),
        (
            json!({"fail_within_days": u32::MAX, "warn_within_days": u32::MAX}),
            1,
            &[("tls-expires-soon", "error"), ("ca-expires-soon", "error")],
        ),
    ];
    for (request, code, expected) in cases {
        let answer = helper(["certs", "check"]).dir(&dir).json(request.clone()).changes_nothing().run();
        assert_eq!(answer.code, code, "{request}: {:#}", answer.json);
        let mut found: Vec<(&str, &str)> =
            answer.findings().into_iter().map(|id| (id, answer.finding(id)["severity"].as_str().unwrap())).collect();
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{request}");
        let until = answer.data()["server"]["not_after"].as_str().unwrap()[..10].to_owned();
        let summary = answer.json["summary"].as_str().unwrap();
        assert!(summary.ends_with(&format!("; 19 days left, until {until}")), "{summary}");
        let renewal = answer.json["next"].to_string().contains("certs renew");
        assert_eq!(
            renewal,
            found.iter().any(|(id, _)| *id == "tls-expires-soon"),
            "{request}: {:#}",
            answer.json["next"]
        );
    }
    for wrong in [json!({"fail_within_days": -1}), json!({"warn_within_days": 1.5}), json!({"fail_in_days": 3})] {
        let refused = helper(["certs", "check"]).dir(&dir).json(wrong).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request");
    }
}

#[test]
fn days_are_counted_in_words_that_are_true() {
    let parent = folder();
    let dir = with_routes(parent.path());
    let data = dir.join("data");
    let now = OffsetDateTime::now_utc();
    let (minute, day) = (time::Duration::MINUTE, time::Duration::DAY);
    let mut wrong = Vec::new();
    for (end, expected) in [
        (now + day * 80 + minute, "; 80 days left, until "),
        (now + day + minute, "; 1 day left, until "),
        (now + minute, "; 0 days left, until "),
        (now - minute, "; ended 0 days ago, on "),
        (now - day - minute, "; ended 1 day ago, on "),
        (now - day * 3 - minute, "; ended 3 days ago, on "),
    ] {
        by_rcgen(|_| {}, |server| server.not_after = end).put(&data);
        let answer = helper(["certs", "check"]).dir(&dir).run().expect(i32::from(end < now));
        let summary = answer.json["summary"].as_str().unwrap();
        if !summary.ends_with(&format!("{expected}{}", end.date())) {
            wrong.push(format!("{expected:?}: {summary:?}"));
        }
        let left = answer.data()["server"]["days_left"].as_i64().unwrap();
        assert_eq!(left < 0, end < now, "negative when it is over");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn verbose_shows_every_row_once_and_otherwise_only_what_is_not_met() {
    let parent = folder();
    let dir = with_routes(parent.path());
    let check = |request: Value| helper(["certs", "check"]).dir(&dir).json(request).changes_nothing().run().expect(0);
    let rows = |answer: &Answer| answer.data()["requirements"].as_array().unwrap().clone();
    let all = check(json!({"verbose": true}));
    let ids: Vec<String> = rows(&all).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    for host in hosts() {
        assert!(ids.contains(&format!("handshake:{host}")), "{ids:?}");
    }
    for row in rows(&all) {
        assert_eq!(row["ok"], true, "{row}");
        assert!(["ca", "server", "pair"].contains(&row["of"].as_str().unwrap()), "{row}");
        assert!(row["requirement"].as_str().is_some_and(|t| !t.is_empty()), "{row}");
        assert!(row["found"].as_str().is_some_and(|t| !t.is_empty()), "{row}");
    }
    assert_eq!(all.data()["of"], ids.len());
    assert_eq!(all.data()["met"], ids.len());
    let summary = all.json["summary"].as_str().unwrap();
    let whole = format!("CA and server certificate meet all {} requirements; 89 days left, until ", ids.len());
    assert!(summary.starts_with(&whole), "{summary}");
    assert_eq!(all.findings(), Vec::<&str>::new());

    let short = check(json!({}));
    assert_eq!(rows(&short), Vec::<Value>::new());
    assert_eq!((&short.data()["of"], &short.data()["met"]), (&all.data()["of"], &all.data()["met"]));
    assert!(short.length < 4096, "{}", short.length);
    assert_eq!(short.data()["ca"]["pem"], std::fs::read_to_string(dir.join("data/ca.crt")).unwrap());
    let der = der(&std::fs::read(dir.join("data/ca.crt")).unwrap());
    assert_eq!(short.data()["ca"]["fingerprint_sha256"], sha256(&der));

    by_rcgen(|_| {}, |server| server.use_authority_key_identifier_extension = false).put(&dir.join("data"));
    let broken = helper(["certs", "check"]).dir(&dir).changes_nothing().run().expect(1);
    let shown: Vec<Value> = rows(&broken).iter().map(|row| json!([row["id"], row["ok"]])).collect();
    assert_eq!(shown, [json!(["server-authority-key-id", false]), json!(["pair-key-ids", null])]);
}

#[test]
fn without_routes_any_name_of_the_domain_is_tried() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run().expect(0);
    let answer = helper(["certs", "check"]).dir(&dir).json(json!({"verbose": true})).run().expect(0);
    let rows = answer.data()["requirements"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no {id}"));
    assert_eq!(row(&format!("handshake:any-route.{DOMAIN}"))["ok"], true);
    assert_eq!(row("server-san-routes")["ok"], Value::Null);
    assert_eq!(answer.json["skipped"], json!([]), "nothing is amiss");
}

#[test]
fn the_cas_key_may_be_elsewhere() {
    let parent = folder();
    let dir = with_routes(parent.path());
    std::fs::remove_file(dir.join("data/ca.key")).unwrap();
    let answer = helper(["certs", "check"]).dir(&dir).changes_nothing().run().expect(0);
    assert_eq!(answer.findings(), ["ca-key-missing"]);
    assert_eq!(answer.finding("ca-key-missing")["severity"], "note");
    assert_eq!(answer.json["skipped"], json!([]), "it is said once");
    assert!(answer.data()["requirements"].as_array().unwrap().iter().all(|row| row["ok"] != false));
    let check = helper(["check"]).dir(&dir).changes_nothing().run();
    assert_eq!(check.finding("ca-key-missing")["severity"], "note");
    let about: Vec<&str> =
        check.findings().into_iter().filter(|id| id.starts_with("ca-") || id.starts_with("certs-")).collect();
    assert_eq!(about, ["ca-key-missing"]);
}

#[test]
fn who_can_read_or_write_the_keys_is_part_of_it() {
    let parent = folder();
    let dir = with_routes(parent.path());
    let data = dir.join("data");
    let cases: [(&str, u32, u32, i32, &[&str]); 9] = [
        ("ca.key", 0o644, 0o600, 0, &["key-readable"]),
        ("ca.key", 0o640, 0o600, 0, &["key-readable"]),
        ("ca.key", 0o400, 0o600, 0, &[]),
        ("ca.key", 0o666, 0o600, 1, &["key-writable"]),
        ("tls.key", 0o600, 0o644, 1, &["proxy-key-denied"]),
        ("tls.key", 0o666, 0o644, 1, &["key-writable"]),
        ("tls.key", 0o444, 0o644, 0, &[]),
        ("tls.crt", 0o600, 0o644, 1, &["proxy-key-denied"]),
        ("", 0o700, 0o755, 1, &["proxy-key-denied"]),
    ];
    for (name, mode, usual, code, expected) in cases {
        let file = data.join(name);
        chmod(&file, mode);
        let answer = helper(["certs", "check"]).dir(&dir).changes_nothing().run();
        assert_eq!((answer.code, answer.findings().as_slice()), (code, expected), "{name} {mode:o}: {:#}", answer.json);
        chmod(&file, usual);
    }
    if is_root() {
        // Owned by the user that the image runs as, it is readable with 0600.
        std::os::unix::fs::chown(data.join("tls.key"), Some(65532), Some(65532)).unwrap();
        chmod(&data.join("tls.key"), 0o600);
        let answer = helper(["certs", "check"]).dir(&dir).changes_nothing().run().expect(0);
        assert_eq!(answer.findings(), Vec::<&str>::new());
    }
}
