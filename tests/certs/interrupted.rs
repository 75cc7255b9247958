//! A change of the CA that is interrupted at any moment goes on, forward and back.

use std::collections::BTreeSet;
use std::path::Path;

use super::rollover::{State, phase, refused, restore, rotate, signed_by, state, step};
use super::workshop::with_routes;
use crate::support::{Answer, folder, helper, which};

#[test]
fn an_interrupted_begin_is_named_as_that_by_every_command() {
    let parent = folder();
    let dir = with_routes(parent.path());
    step(&dir, "begin", "begun");
    std::fs::remove_file(dir.join("data/ca-next.crt")).unwrap();
    let look = phase(&dir, "beginning");
    let next = look.json["next"].to_string();
    assert!(!next.contains("ca-next.crt") && next.contains("begin"), "nothing to register yet: {next}");
    for what in ["switch", "finish"] {
        let answer = refused(&dir, what);
        assert!(!answer.json.to_string().contains("data/ca.crt"), "{:#}", answer.json);
    }
    let check = helper(["certs", "check"]).dir(&dir).changes_nothing().run().expect(0);
    assert_eq!(check.findings(), ["certs-rotation-open"]);
    for call in [helper(["certs", "renew"]), helper(["certs", "issue"]), helper(["init"]), helper(["check"])] {
        let answer = call.dir(&dir).run();
        assert_ne!(answer.code, 2, "{:#}", answer.json);
    }
    step(&dir, "begin", "begun");
    // A damaged file of the new CA is named by its own name.
    for name in ["ca-next.crt", "ca-next.key"] {
        let file = dir.join("data").join(name);
        let good = std::fs::read(&file).unwrap();
        std::fs::write(&file, "").unwrap();
        let answer = refused(&dir, "switch");
        assert!(answer.message().contains(name), "{:#}", answer.json);
        std::fs::write(&file, good).unwrap();
    }
    step(&dir, "switch", "switched");
}

/// The changes of files that `switch` and `back` make, one by one, as they make them. A crash leaves what some first ones made.
fn operations(back: bool, s: &State, old: &State, new: &State) -> Vec<State> {
    let mut all = Vec::new();
    let mut s = s.clone();
    let mut done = |s: &State| all.push(s.clone());
    let rename = |s: &mut State, from: &'static str, to: &'static str| {
        if let Some(content) = s.remove(from) {
            s.insert(to, content);
        }
    };
    let is_next = s.contains_key("ca-next.crt") || s.contains_key("ca-next.key");
    let is_old = s.contains_key("ca-old.crt") || s.contains_key("ca-old.key");
    match (back, is_next, is_old) {
        (false, true, _) => {
            if s.contains_key("ca-next.key") {
                if !is_old {
                    s.insert("tls-old.crt", s["tls.crt"].clone());
                    done(&s);
                    s.insert("ca-old.crt", s["ca.crt"].clone());
                    done(&s);
                }
                s.insert("tls.crt", new["tls.crt"].clone());
                done(&s);
                if !s.contains_key("ca-old.key") {
                    rename(&mut s, "ca.key", "ca-old.key");
                    done(&s);
                }
                rename(&mut s, "ca-next.key", "ca.key");
                done(&s);
            }
            rename(&mut s, "ca-next.crt", "ca.crt");
            done(&s);
        }
        (true, true, false) => {
            for name in ["ca-next.key", "ca-next.crt", "tls-old.crt"] {
                s.remove(name);
                done(&s);
            }
        }
        (true, _, true) => {
            if !s.contains_key("ca-next.crt") {
                s.insert("ca-next.crt", s["ca.crt"].clone());
                done(&s);
            }
            if !s.contains_key("ca-next.key") {
                rename(&mut s, "ca.key", "ca-next.key");
                done(&s);
            }
            s.insert("tls.crt", old["tls.crt"].clone());
            done(&s);
            rename(&mut s, "ca-old.key", "ca.key");
            done(&s);
            rename(&mut s, "ca-old.crt", "ca.crt");
            done(&s);
            s.remove("tls-old.crt");
            done(&s);
        }
        _ => {}
    }
    all
}

/// Every state that a crash of `switch` or `back`, or several in a row, can leave behind.
fn reachable(begun: &State, switched: &State) -> BTreeSet<State> {
    let mut found = BTreeSet::new();
    let mut todo = vec![begun.clone(), switched.clone()];
    while let Some(next) = todo.pop() {
        // Without a new CA there is no change under way.
        let open = next.contains_key("ca-next.crt") || next.contains_key("ca-old.crt");
        if open && found.insert(next.clone()) {
            for back in [false, true] {
                todo.extend(operations(back, &next, begun, switched));
            }
        }
    }
    found
}

/// Tries every reachable state; `key_here`: whether the old CA's key is on this host.
fn interrupted(dir: &Path, key_here: bool) {
    let tool = which("openssl").is_some();
    let idle = state(dir);
    step(dir, "begin", "begun");
    let begun = state(dir);
    step(dir, "switch", "switched");
    let switched = state(dir);
    assert_eq!(switched.contains_key("ca-old.key"), key_here);
    let states = reachable(&begun, &switched);
    assert!(states.len() >= 9, "{}", states.len());
    let mut wrong = Vec::new();
    for from in &states {
        let label = |s: &State| {
            let what = |content: &Vec<u8>| {
                let whose = [("old", &begun), ("new", &switched)];
                let found = whose
                    .into_iter()
                    .find(|(_, of)| ["ca.crt", "ca.key", "tls.crt"].iter().any(|n| of.get(n) == Some(content)));
                found.map_or("another", |(whose, _)| whose)
            };
            s.iter().map(|(name, content)| format!("{name}={}", what(content))).collect::<Vec<_>>().join(" ")
        };
        // A crash of `back` while it takes away the new CA: half of it may be gone.
        let whole = from.contains_key("ca-next.key") || from.contains_key("ca-old.crt");
        let interrupted_at = label(from);
        let mut check = |ok: bool, what: &str, answer: &Answer| {
            if !ok {
                wrong.push(format!("{interrupted_at}\n  {what}, now {}\n  {}", label(&state(dir)), answer.json));
            }
        };
        let known = |s: &State, file: &str, of: &State, name: &str| s.get(file) == of.get(name);

        restore(dir, from);
        let look = rotate(dir, None);
        check(look.code == 0 && state(dir) == *from, "a look changes nothing", &look);

        if whole {
            let answer = rotate(dir, Some("switch"));
            let s = state(dir);
            check(answer.code == 0 && answer.data()["stage"] == "switched", "switch completes it", &answer);
            let cas = ["ca.crt", "ca.key"].iter().all(|name| known(&s, name, &switched, name));
            let old = known(&s, "ca-old.crt", &begun, "ca.crt") && known(&s, "ca-old.key", &begun, "ca.key");
            check(cas && old, "switch keeps both CAs, the new one in use", &answer);
            check(
                !s.contains_key("ca-next.crt") && !s.contains_key("ca-next.key"),
                "switch leaves nothing behind",
                &answer,
            );
            check(known(&s, "tls-old.crt", &begun, "tls.crt") || key_here, "a way back without the old key", &answer);
            check(!tool || signed_by(dir, "ca.crt"), "tls.crt is signed by the new CA", &answer);
        }

        restore(dir, from);
        let was_begun = !from.contains_key("ca-old.crt");
        let answer = rotate(dir, Some("back"));
        let s = state(dir);
        let stage = if was_begun { "idle" } else { "begun" };
        check(answer.code == 0 && answer.data()["stage"] == stage, "back completes it", &answer);
        check(
            ["ca.crt", "ca.key"].iter().all(|name| known(&s, name, &idle, name)),
            "back puts the old CA in use",
            &answer,
        );
        if !was_begun {
            let next = known(&s, "ca-next.crt", &switched, "ca.crt") && known(&s, "ca-next.key", &switched, "ca.key");
            check(next, "back keeps the new CA", &answer);
        }
        let left = ["ca-old.crt", "ca-old.key", "tls-old.crt"].iter().any(|name| s.contains_key(name));
        check(!left, "back leaves nothing behind", &answer);
        check(!tool || signed_by(dir, "ca.crt"), "tls.crt is signed by the old CA", &answer);
    }
    assert!(wrong.is_empty(), "{} of {} states:\n{}", wrong.len(), states.len(), wrong.join("\n"));
}

#[test]
fn an_interruption_anywhere_is_completed_by_switch_and_by_back() {
    let parent = folder();
    interrupted(&with_routes(parent.path()), true);
}

#[test]
fn so_it_is_with_the_old_key_off_the_host() {
    let parent = folder();
    let dir = with_routes(parent.path());
    std::fs::remove_file(dir.join("data/ca.key")).unwrap();
    interrupted(&dir, false);
}

#[test]
fn an_interrupted_begin_and_an_interrupted_finish_go_on() {
    let parent = folder();
    let dir = with_routes(parent.path());
    step(&dir, "begin", "begun");
    let begun = state(&dir);
    // The key was written, the certificate was not.
    let mut half = begun.clone();
    half.remove("ca-next.crt");
    restore(&dir, &half);
    step(&dir, "begin", "begun");
    assert!(state(&dir)["ca-next.key"] == begun["ca-next.key"]);
    step(&dir, "switch", "switched");
    let switched = state(&dir);
    restore(&dir, &half);
    step(&dir, "back", "idle");

    let mut half = switched.clone();
    half.remove("ca-old.key");
    restore(&dir, &half);
    step(&dir, "finish", "idle");
    restore(&dir, &half);
    // The certificate that the old CA signed is still there.
    step(&dir, "back", "begun");
    assert!(state(&dir)["tls.crt"] == begun["tls.crt"]);
    half.remove("tls-old.crt");
    restore(&dir, &half);
    step(&dir, "finish", "idle");
    assert!(state(&dir)["ca.key"] == switched["ca.key"]);
    restore(&dir, &half);
    // Now neither is, and there is no way back.
    refused(&dir, "back");
}
