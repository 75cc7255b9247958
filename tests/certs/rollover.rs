//! `certs rotate-ca`: from one CA to the next, interrupted anywhere, taken back anywhere, and never without a certificate that one
//! of the two signed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::workshop::{no_openssl, with_routes};
use crate::support::{Answer, DOMAIN, folder, helper, mode};

const FILES: [&str; 8] =
    ["ca.crt", "ca.key", "tls.crt", "ca-next.crt", "ca-next.key", "ca-old.crt", "ca-old.key", "tls-old.crt"];

/// Says that the last step was `back`.
const TAKEN_BACK: &str = "ca-next.back";

/// What the changing files hold.
pub(super) type State = BTreeMap<&'static str, Vec<u8>>;

pub(super) fn state(dir: &Path) -> State {
    FILES.into_iter().filter_map(|name| Some((name, std::fs::read(dir.join("data").join(name)).ok()?))).collect()
}

pub(super) fn restore(dir: &Path, state: &State) {
    let _ = std::fs::remove_file(dir.join("data").join(TAKEN_BACK));
    for name in FILES {
        let file = dir.join("data").join(name);
        let _ = std::fs::remove_file(&file);
        if let Some(content) = state.get(name) {
            std::fs::write(&file, content).unwrap();
            crate::support::chmod(&file, if name.ends_with(".key") { 0o600 } else { 0o644 });
        }
    }
}

/// One step, with the promises that hold for all of them.
pub(super) fn rotate(dir: &Path, step: Option<&str>) -> Answer {
    let before = state(dir);
    let mut call = helper(["certs", "rotate-ca"]).dir(dir);
    if let Some(step) = step {
        call = call.json(json!({"step": step}));
    }
    for name in ["ca-next.key", "ca-old.key"] {
        if let Some(key) = before.get(name) {
            for line in
                std::str::from_utf8(key).unwrap().lines().filter(|line| line.len() > 20 && !line.starts_with('-'))
            {
                call = call.secret(line);
            }
        }
    }
    let answer = call.run();
    let after = state(dir);
    for name in after.keys().filter(|name| name.ends_with(".key")) {
        assert_eq!(mode(&dir.join("data").join(name)), 0o600, "{name}");
    }
    for name in after.keys().filter(|name| name.ends_with(".crt")) {
        assert_eq!(mode(&dir.join("data").join(name)), 0o644, "{name}");
    }
    answer
}

/// A step that fits.
pub(super) fn step(dir: &Path, step: &str, stage: &str) -> Answer {
    let answer = rotate(dir, Some(step)).expect(0);
    assert_eq!(answer.data()["stage"], stage, "{step}: {:#}", answer.json);
    answer
}

/// All the way back, or only to the old CA.
pub(super) fn to(dir: &Path, stage: &str) -> Answer {
    let request = json!({"step": "back", "to": stage});
    let answer = helper(["certs", "rotate-ca"]).dir(dir).json(request).run().expect(0);
    assert_eq!(answer.data()["stage"], stage, "{:#}", answer.json);
    answer
}

/// Every private key in `data/`, whatever the name of its file.
fn keys(dir: &Path) -> BTreeSet<Vec<u8>> {
    let files = std::fs::read_dir(dir.join("data")).unwrap().map(|entry| entry.unwrap().path());
    let keys: Vec<PathBuf> = files.filter(|path| std::fs::read_to_string(path).unwrap().contains("PRIVATE")).collect();
    for key in keys.iter().filter(|key| !key.ends_with("tls.key")) {
        assert_eq!(mode(key), 0o600, "{}", key.display());
    }
    keys.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A step that does not fit, so nothing happens.
pub(super) fn refused(dir: &Path, step: &str) -> Answer {
    let before = state(dir);
    let answer = rotate(dir, Some(step)).expect(2);
    assert!(state(dir) == before, "{step} was refused and changed files: {:?}", state(dir).keys());
    answer
}

/// Whether `tls.crt` is signed by the CA in this file; as openssl sees it, if it is there.
pub(super) fn signed_by(dir: &Path, ca: &str) -> bool {
    let host = format!("hello.{DOMAIN}");
    let args = ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", &host, "-CAfile", ca, "tls.crt"];
    let out = std::process::Command::new("openssl").args(args).current_dir(dir.join("data")).output().unwrap();
    out.status.success()
}

/// `certs check` has nothing against it, and says that a change is under way.
fn open(dir: &Path) {
    let answer = helper(["certs", "check"]).dir(dir).changes_nothing().run().expect(0);
    assert_eq!(answer.finding("certs-rotation-open")["severity"], "note");
}

/// Without a step it only reports the phase.
pub(super) fn phase(dir: &Path, stage: &str) -> Answer {
    let answer = helper(["certs", "rotate-ca"]).dir(dir).changes_nothing().run().expect(0);
    assert_eq!(answer.data()["stage"], stage);
    assert!(answer.data()["files"].as_array().unwrap().iter().all(|file| file["action"] == "unchanged"));
    answer
}

fn names(state: &State) -> Vec<&'static str> {
    state.keys().copied().collect()
}

#[test]
fn three_steps_change_the_ca_and_every_moment_has_a_valid_certificate() {
    if no_openssl("three_steps_change_the_ca_and_every_moment_has_a_valid_certificate") {
        return;
    }
    let parent = folder();
    let dir = with_routes(parent.path());
    let idle = state(&dir);
    let answer = phase(&dir, "idle");
    assert_eq!((&answer.data()["next_ca"], &answer.data()["old_ca"]), (&Value::Null, &Value::Null));
    refused(&dir, "switch");
    // Nothing to finish or to take back is not a fault, and changes nothing.
    step(&dir, "finish", "idle");
    step(&dir, "back", "idle");
    assert!(state(&dir) == idle);

    let begun = step(&dir, "begin", "begun");
    let next = String::from_utf8(state(&dir)["ca-next.crt"].clone()).unwrap();
    assert_eq!(begun.data()["next_ca"]["pem"], next, "to be registered");
    assert_eq!(begun.data()["next_ca"]["days_left"], 3649);
    assert!(begun.json["next"].to_string().contains("ca-next.crt"), "{:#}", begun.json["next"]);
    let with_next = state(&dir);
    assert_eq!(names(&with_next), ["ca-next.crt", "ca-next.key", "ca.crt", "ca.key", "tls.crt"]);
    assert!(idle.iter().all(|(name, content)| with_next[name] == *content), "nothing in use is touched");
    step(&dir, "begin", "begun");
    assert!(state(&dir) == with_next, "begun once");
    phase(&dir, "begun");
    open(&dir);
    refused(&dir, "finish");
    assert!(signed_by(&dir, "ca.crt") && !signed_by(&dir, "ca-next.crt"));

    let switched = step(&dir, "switch", "switched");
    let both = state(&dir);
    assert_eq!(names(&both), ["ca-old.crt", "ca-old.key", "ca.crt", "ca.key", "tls-old.crt", "tls.crt"]);
    for (now, before) in [
        ("ca.crt", "ca-next.crt"),
        ("ca.key", "ca-next.key"),
        ("ca-old.crt", "ca.crt"),
        ("ca-old.key", "ca.key"),
        ("tls-old.crt", "tls.crt"),
    ] {
        assert!(both[now] == with_next[before], "{now} was {before}");
    }
    assert_eq!(switched.data()["ca"]["fingerprint_sha256"], begun.data()["next_ca"]["fingerprint_sha256"]);
    assert_eq!(switched.data()["old_ca"]["fingerprint_sha256"], begun.data()["ca"]["fingerprint_sha256"]);
    assert!(
        switched.json["next"].to_string().contains(switched.data()["old_ca"]["fingerprint_sha256"].as_str().unwrap())
    );
    step(&dir, "switch", "switched");
    assert!(state(&dir) == both, "switched once");
    phase(&dir, "switched");
    open(&dir);
    refused(&dir, "begin");
    assert!(signed_by(&dir, "ca.crt") && !signed_by(&dir, "ca-old.crt"));

    step(&dir, "finish", "idle");
    let done = state(&dir);
    assert_eq!(names(&done), ["ca.crt", "ca.key", "tls.crt"]);
    assert!(done.iter().all(|(name, content)| both[name] == *content));
    assert!(signed_by(&dir, "ca.crt"));
    let check = helper(["certs", "check"]).dir(&dir).run().expect(0);
    assert_eq!(check.findings(), Vec::<&str>::new());
    step(&dir, "back", "idle");
    assert!(state(&dir) == done);
    let key = |state: &State, name: &str| state[name].clone();
    assert!(key(&done, "tls.crt") != key(&idle, "tls.crt") && key(&done, "ca.key") != key(&idle, "ca.key"));
}

#[test]
fn each_step_can_be_taken_back_and_done_again() {
    if no_openssl("each_step_can_be_taken_back_and_done_again") {
        return;
    }
    let parent = folder();
    let dir = with_routes(parent.path());
    let idle = state(&dir);
    step(&dir, "begin", "begun");
    step(&dir, "back", "idle");
    assert!(state(&dir) == idle);
    step(&dir, "begin", "begun");
    let begun = state(&dir);
    step(&dir, "switch", "switched");
    step(&dir, "back", "begun");
    let back = state(&dir);
    assert_eq!(names(&back), names(&begun));
    for name in ["ca.crt", "ca.key", "ca-next.crt", "ca-next.key"] {
        assert!(back[name] == begun[name], "{name}");
    }
    assert!(signed_by(&dir, "ca.crt"));
    open(&dir);
    step(&dir, "switch", "switched");
    assert!(signed_by(&dir, "ca.crt"));
    assert!(state(&dir)["ca.crt"] == begun["ca-next.crt"]);
    step(&dir, "back", "begun");
    to(&dir, "idle");
    let end = state(&dir);
    assert_eq!(names(&end), names(&idle));
    assert!(end["ca.crt"] == idle["ca.crt"] && end["ca.key"] == idle["ca.key"]);
    assert!(signed_by(&dir, "ca.crt"));
}

#[test]
fn every_step_can_be_repeated_and_no_key_is_ever_lost() {
    let parent = folder();
    let dir = with_routes(parent.path());
    let mut known = keys(&dir);
    let mut same = |dir: &Path, what: &str, stage: &str| {
        let before = keys(dir);
        assert!(known.is_subset(&before), "{what}: a key is lost");
        known = before;
        assert_eq!(phase(dir, stage).data()["phase"], stage, "{what}");
    };
    for round in 0..2 {
        for (what, stage) in [("begin", "begun"), ("switch", "switched"), ("back", "begun"), ("switch", "switched")] {
            step(&dir, what, stage);
            same(&dir, what, stage);
            let once = state(&dir);
            step(&dir, what, stage);
            step(&dir, what, stage);
            assert!(state(&dir) == once, "{what} was done again");
        }
        // Either way out, with and without the switch.
        let (what, request) = if round == 0 {
            ("finish", json!({"step": "finish"}))
        } else {
            ("back", json!({"step": "back", "to": "idle"}))
        };
        for _ in 0..3 {
            let answer = helper(["certs", "rotate-ca"]).dir(&dir).json(request.clone()).run().expect(0);
            assert_eq!(answer.data()["stage"], "idle");
        }
        same(&dir, what, "idle");
        helper(["certs", "check"]).dir(&dir).run().expect(0);
    }
    // Begun and taken back, before any switch.
    step(&dir, "begin", "begun");
    to(&dir, "begun");
    same(&dir, "to begun", "begun");
    let answer = step(&dir, "back", "idle");
    same(&dir, "back", "idle");
    let aside = answer.data()["files"].as_array().unwrap().iter().filter(|f| f["action"] == "created").count();
    assert_eq!(aside, 2, "{:#}", answer.data()["files"]);
    step(&dir, "back", "idle");
    // `to` goes with nothing else.
    let wrong = json!({"step": "begin", "to": "idle"});
    helper(["certs", "rotate-ca"]).dir(&dir).json(wrong).changes_nothing().run().expect(2);
}

#[test]
fn no_empty_certificate_is_kept_or_put_in_use() {
    for content in [None, Some(""), Some("not a certificate")] {
        let parent = folder();
        let dir = with_routes(parent.path());
        let (tls, old_key) = (dir.join("data/tls.crt"), dir.join("data/ca-old.key"));
        step(&dir, "begin", "begun");
        match content {
            None => std::fs::remove_file(&tls).unwrap(),
            Some(text) => std::fs::write(&tls, text).unwrap(),
        }
        step(&dir, "switch", "switched");
        assert!(!dir.join("data/tls-old.crt").exists(), "{content:?}: nothing was worth keeping");
        // Without the old key there is no way back, and what is in use stays.
        let kept = parent.path().join("ca-old.key");
        std::fs::rename(&old_key, &kept).unwrap();
        refused(&dir, "back");
        for damaged in ["", "not a certificate"] {
            std::fs::write(dir.join("data/tls-old.crt"), damaged).unwrap();
            refused(&dir, "back");
        }
        std::fs::rename(&kept, &old_key).unwrap();
        step(&dir, "back", "begun");
        helper(["certs", "check"]).dir(&dir).run().expect(0);
    }
}

#[test]
fn without_the_new_key_there_is_no_switch() {
    let parent = folder();
    let dir = with_routes(parent.path());
    step(&dir, "begin", "begun");
    let begun = state(&dir);
    let mut without = begun.clone();
    without.remove("ca-next.key");
    restore(&dir, &without);
    refused(&dir, "switch");
    refused(&dir, "begin");
    open(&dir);
    // The key of another CA.
    let mut other = begun.clone();
    other.insert("ca-next.key", begun["ca.key"].clone());
    restore(&dir, &other);
    refused(&dir, "switch");
    // Damaged, empty.
    other.insert("ca-next.key", Vec::new());
    restore(&dir, &other);
    refused(&dir, "switch");
    restore(&dir, &begun);
    step(&dir, "switch", "switched");
}

#[test]
fn a_server_certificate_is_renewed_at_every_stage() {
    if no_openssl("a_server_certificate_is_renewed_at_every_stage") {
        return;
    }
    let parent = folder();
    let dir = with_routes(parent.path());
    let renew = |dir: &PathBuf| {
        let before = state(dir);
        let answer = helper(["certs", "renew"]).dir(dir).json(json!({"force": true})).run().expect(0);
        assert_eq!(answer.data()["renewed"], true);
        let after = state(dir);
        let changed: Vec<_> = FILES.into_iter().filter(|name| before.get(name) != after.get(name)).collect();
        assert_eq!(changed, ["tls.crt"]);
        assert!(signed_by(dir, "ca.crt"));
    };
    renew(&dir);
    step(&dir, "begin", "begun");
    renew(&dir);
    step(&dir, "switch", "switched");
    renew(&dir);
    step(&dir, "back", "begun");
    renew(&dir);
    step(&dir, "switch", "switched");
    renew(&dir);
    step(&dir, "finish", "idle");
    renew(&dir);
}
