//! `next` never leads in a circle: it asks for the edit that the `fix` says, or its command changes what was found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rcgen::CertificateParams;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{field, made};
use crate::certs::workshop::by_rcgen;
use crate::contract::advice::run;
use crate::diagnose::each;
use crate::support::{Answer, deployment, folder, helper, token};

/// The errors and what proves them.
fn errors(answer: &Answer) -> BTreeSet<String> {
    let errors = answer.json["findings"].as_array().unwrap().iter().filter(|f| f["severity"] == "error");
    errors.map(|f| format!("{} {} {}", f["id"], f["subject"], f["evidence"])).collect()
}

/// The helper commands of a step: its own, or those that it quotes, without one that has a place for a name.
fn commands(step: &Value) -> Vec<String> {
    let quoted = || step["what"].as_str().unwrap().split('`').skip(1).step_by(2);
    let own = |text: &&str| text.starts_with(env!("CARGO_BIN_EXE_mcp-tunnels-helper")) && !text.contains("NAME");
    match step["command"].as_str() {
        Some(command) => vec![command.to_owned()],
        None => quoted().filter(own).map(str::to_owned).collect(),
    }
}

fn check(dir: &Path) -> Answer {
    helper(["check"]).dir(dir).run()
}

/// Follows `next` to its end, or to an act of the person. Says where it leads in a circle, or is refused.
fn circle(dir: &Path) -> Option<String> {
    let mut answer = check(dir);
    for _ in 0..6 {
        let before = errors(&answer);
        if before.is_empty() {
            return None;
        }
        let steps = answer.json["next"].as_array().unwrap().clone();
        let Some(first) = steps.first() else { return Some(format!("{before:?}: there is no next step")) };
        let commands = commands(first);
        let is_by_hand = commands.first().is_none_or(|command| command.contains(" check "));
        let Some(command) = commands.first().filter(|_| !is_by_hand) else {
            return (first["who"] != "person").then(|| format!("{before:?}: {first}"));
        };
        if [" up ", " restart ", " diagnose ", " allow "].iter().any(|word| command.contains(word)) {
            return None;
        }
        let done = run(command, dir, &token("healthy"));
        answer = check(dir);
        // A change of the CA waits for the Console behind its first step.
        if errors(&answer) == before && answer.json["next"][0]["command"] == first["command"] {
            return Some(format!("{before:?} is the same after {command}: {:#}", done.json));
        }
    }
    Some(format!("no end: {:#}", answer.json["next"]))
}

#[test]
fn next_leads_nowhere_in_a_circle() {
    let all = field("deployments.json");
    let cases: Vec<(&String, &Value)> = all["cases"].as_object().unwrap().iter().collect();
    let cases: Vec<_> = cases.into_iter().filter(|(_, case)| case["expected"] != json!([])).collect();
    each(&cases, |(name, case)| {
        let parent = folder();
        let dir = made(parent.path(), &all["base"], case);
        assert_eq!(circle(&dir), None, "{name} ({})", case["what"]);
    });
}

fn remove(dir: &Path, names: &[&str]) {
    names.iter().for_each(|name| fs::remove_file(dir.join("data").join(name)).unwrap());
}

fn ended(params: &mut CertificateParams) {
    params.not_after = OffsetDateTime::now_utc() - Duration::days(1);
}

fn begin(dir: &Path) {
    helper(["certs", "rotate-ca"]).dir(dir).json(json!({"step": "begin"})).run().expect(0);
}

/// A state of the certificates, and what `next` comes to at last: words of the fix, or none where a command ends it.
type Certificates = (&'static str, fn(&Path), &'static str);

const CERTIFICATES: [Certificates; 9] = [
    ("the key is gone, its certificate is not", |dir| remove(dir, &["tls.key"]), "move data/tls.crt away"),
    ("the certificate is gone", |dir| remove(dir, &["tls.crt"]), ""),
    ("the certificate and the CA's key are gone", |dir| remove(dir, &["tls.crt", "ca.key"]), "key back as data/ca.key"),
    ("it ended", |dir| by_rcgen(|_| (), ended).put(&dir.join("data")), ""),
    (
        "it ended, and the CA's key is elsewhere",
        |dir| {
            by_rcgen(|_| (), ended).put(&dir.join("data"));
            remove(dir, &["ca.key"]);
        },
        "key back as data/ca.key",
    ),
    ("the CA ended", |dir| by_rcgen(ended, |_| ()).put(&dir.join("data")), "\"step\":\"switch\""),
    (
        "the CA ended, and its change has begun",
        |dir| {
            by_rcgen(ended, |_| ()).put(&dir.join("data"));
            begin(dir);
        },
        "\"step\":\"switch\"",
    ),
    (
        "the CA ended before it signed anything",
        |dir| {
            by_rcgen(ended, |_| ()).put(&dir.join("data"));
            remove(dir, &["tls.crt", "tls.key"]);
        },
        "move data/ca.crt and data/ca.key away",
    ),
    (
        "the file of the CA has its key as well",
        |dir| {
            let read = |name: &str| fs::read_to_string(dir.join("data").join(name)).unwrap();
            fs::write(dir.join("data/ca.crt"), read("ca.crt") + &read("ca.key")).unwrap();
        },
        "keep only the registered CA's certificate",
    ),
];

#[test]
fn next_fits_the_state_of_the_certificates() {
    each(&CERTIFICATES, |(name, make, words)| {
        let parent = folder();
        let dir = deployment(parent.path());
        make(&dir);
        assert_eq!(circle(&dir), None, "{name}");
        let answer = check(&dir);
        let left = errors(&answer);
        assert_eq!(left.is_empty(), words.is_empty(), "{name}: {left:?}");
        let Some(first) = answer.json["findings"].as_array().unwrap().first().filter(|_| !left.is_empty()) else {
            return;
        };
        assert!(first["fix"].as_str().unwrap().contains(words), "{name}: {first:#}");
    });
}
