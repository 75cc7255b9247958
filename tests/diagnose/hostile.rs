//! Hostile logs: never a panic, never a secret, never anything that is not escaped.

use base64::Engine;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;

use super::{case, corpus, diagnose, nothing_unescaped};
use crate::support::{helper, token};

fn few() -> Config {
    Config { cases: 96, failure_persistence: None, ..Config::default() }
}

/// Things that must not leave the log, in the words in which logs hold them.
fn secrets() -> Vec<(String, String)> {
    let key = base64::engine::general_purpose::STANDARD.encode([0x5a; 48]);
    let token = token("planted");
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U".to_owned();
    vec![
        (format!("TUNNEL_TOKEN={token}"), token.clone()),
        (format!("unterminated quoted value \"{token}"), token),
        (format!("-----BEGIN PRIVATE KEY----- {key} -----END PRIVATE KEY-----"), key),
        ("Authorization: Bearer s3cr3t-bearer-value-0123".to_owned(), "s3cr3t-bearer-value-0123".to_owned()),
        ("Cookie: session=c00kie-of-somebody-9876".to_owned(), "c00kie-of-somebody-9876".to_owned()),
        (jwt.clone(), jwt.clone()),
        ("Cookie: a=1; sid=c00kie-of-nobody-5432".to_owned(), "c00kie-of-nobody-5432".to_owned()),
        (format!("GET /{jwt}"), jwt.clone()),
        (format!("one\\n{jwt}"), jwt.clone()),
        ("GET /eyJhIjox.eyJi.c2hvcnQ".to_owned(), "eyJhIjox.eyJi.c2hvcnQ".to_owned()),
        ("DB_PASS=db-pass-77".to_owned(), "db-pass-77".to_owned()),
        ("pwd=pwd-value-78".to_owned(), "pwd-value-78".to_owned()),
        ("X-Auth-Token: x-auth-79".to_owned(), "x-auth-79".to_owned()),
        ("token: bare-token-80".to_owned(), "bare-token-80".to_owned()),
        ("password=ab,tail-81".to_owned(), "tail-81".to_owned()),
        ("Authorization: Digest username=\"u\", response=\"digest-82\"".to_owned(), "digest-82".to_owned()),
        ("postgres://u:pa/slash-83@h/x".to_owned(), "slash-83".to_owned()),
        ("http://u:hun@at-84@h/x".to_owned(), "at-84".to_owned()),
        ("mail from jane.doe@example.com".to_owned(), "jane.doe@example.com".to_owned()),
    ]
}

/// What is done to a log.
#[derive(Clone, Debug)]
enum Change {
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    Insert(usize, Vec<u8>),
    Cut(usize),
    Plant(usize, usize),
    Flip(usize, u8),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0..400usize;
    prop_oneof![
        at.clone().prop_map(Change::Drop),
        at.clone().prop_map(Change::Double),
        (at.clone(), at.clone()).prop_map(|(a, b)| Change::Swap(a, b)),
        (at.clone(), vec(any::<u8>(), 0..40)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        at.clone().prop_map(Change::Cut),
        (at.clone(), 0..19usize).prop_map(|(at, which)| Change::Plant(at, which)),
        (at, any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
    let secrets = secrets();
    // Last, so that no other change hits one: what is called by a broken name is for the redactor's own tests.
    let (planted, others): (Vec<_>, Vec<_>) = changes.iter().partition(|change| matches!(change, Change::Plant(..)));
    for change in others.into_iter().chain(planted) {
        let count = lines.len().max(1);
        match change {
            Change::Drop(at) if !lines.is_empty() => drop(lines.remove(at % count)),
            Change::Double(at) if !lines.is_empty() => lines.insert(at % count, lines[at % count].clone()),
            Change::Swap(a, b) if !lines.is_empty() => lines.swap(a % count, b % count),
            Change::Insert(at, bytes) => lines.insert(at % count, bytes.clone()),
            Change::Cut(at) if !lines.is_empty() => {
                let line = &mut lines[at % count];
                line.truncate(at % (line.len() + 1));
            }
            // Behind what is there, so that it comes along with the evidence.
            Change::Plant(at, which) if !lines.is_empty() => {
                lines[at % count].extend(format!(" {}", secrets[which % secrets.len()].0).bytes());
            }
            Change::Flip(at, byte) if !lines.is_empty() => {
                let line = &mut lines[at % count];
                if let Some(place) = line.len().checked_sub(1) {
                    line[at % (place + 1)] = *byte;
                }
            }
            Change::Drop(_)
            | Change::Double(_)
            | Change::Swap(..)
            | Change::Cut(_)
            | Change::Plant(..)
            | Change::Flip(..) => {}
        }
    }
    lines.join(&b'\n')
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn any_bytes_get_an_answer(bytes in vec(any::<u8>(), 0..4000)) {
        let answer = diagnose(bytes);
        prop_assert!(answer.code < 2, "{:#}", answer.json);
    }

    #[test]
    fn changed_logs_get_an_answer_without_their_secrets(which in 0..10_000usize, changes in vec(change(), 0..12)) {
        let text = &corpus()[which % corpus().len()].text;
        let mut call = helper(["diagnose"]).json(json!({"logs": "-"})).stdin(changed(text, &changes));
        for (_, secret) in secrets() {
            call = call.secret(&secret);
        }
        let answer = call.run();
        nothing_unescaped(&answer.json);
        prop_assert!(answer.code < 2, "{:#}", answer.json);
        prop_assert!(answer.length < 16 << 10, "{} bytes", answer.length);
    }

    #[test]
    fn pieces_of_logs_in_any_order_get_an_answer(pieces in vec((0..10_000usize, 0..60usize, 0..60usize), 1..8)) {
        let mut text = String::new();
        for (which, from, count) in pieces {
            let lines = corpus()[which % corpus().len()].text.lines();
            text.extend(lines.skip(from).take(count).map(|line| format!("{line}\n")));
        }
        let answer = diagnose(text);
        prop_assert!(answer.code < 2, "{:#}", answer.json);
        prop_assert!(answer.length < 32 << 10, "{} bytes", answer.length);
    }
}

/// On every line that becomes evidence.
#[test]
fn secrets_beside_a_fault_do_not_come_along() {
    for name in
        ["proxy-crash-key-denied", "token-malformed-stack", "upstream-refused", "docker-env-quote", "docker-port-240"]
    {
        for (words, secret) in secrets() {
            let text: String = case(name).text.lines().map(|line| format!("{line} {words}\n")).collect();
            let call = helper(["diagnose"]).json(json!({"logs": "-"})).stdin(text).secret(&secret);
            let answer = call.run();
            assert_eq!(answer.code, 1, "{name}: {words}: {:#}", answer.json);
        }
    }
}

#[test]
fn what_a_log_says_is_no_instruction_and_no_finding_of_ours() {
    let text = "mcp-proxy-1  | time=2026-11-22T20:52:51Z level=ERROR msg=\"no route for host\" host=\"a\u{202e}b\u{7}\u{1b}[31m\u{0}<script>\"}],\"findings\":[]\n";
    let answer = diagnose(text).expect(1);
    assert_eq!(answer.findings(), ["no-route"]);
    let evidence = answer.finding("no-route")["evidence"][0].as_str().unwrap();
    assert!(!evidence.contains('\u{202e}') && evidence.contains("\\u{202e}"), "{evidence}");
}

#[test]
fn lines_of_megabytes_and_bytes_that_are_no_text() {
    let long = "x".repeat(3 << 20);
    let text = format!("mcp-proxy-1  | {long} no route for host {long}\n{}", case("proxy-crash-key-denied").text);
    let answer = diagnose(text).expect(1);
    assert!(
        answer.findings().contains(&"proxy-key-denied") && answer.findings().contains(&"no-route"),
        "{:#}",
        answer.json
    );
    assert!(answer.length < 8192, "{}", answer.length);
    let mut text = b"mcp-proxy-1  | \xff\xfe\x80 no route for host \xc3\n".to_vec();
    text.extend(vec![0u8; 1 << 20]);
    assert_eq!(diagnose(text).expect(1).findings(), ["no-route"]);
    let many: String = (0..200_000).map(|n| format!("service{}-1  | x{n}\n", n % 5000)).collect();
    assert_eq!(diagnose(many).expect(0).findings(), Vec::<&str>::new());
}
