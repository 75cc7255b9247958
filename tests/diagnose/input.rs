//! Where a log comes from: a file, standard input, a pipe that never ends.

use std::fs::OpenOptions;
use std::io::Write;

use serde_json::json;

use super::{case, diagnose, logs};
use crate::support::{Answer, folder, helper};

#[test]
fn neither_docker_nor_a_deployment_is_needed() {
    let empty = folder();
    let path = logs().join("no-network-mode.log");
    let call = helper(["diagnose"]).json(json!({"logs": path})).env("PATH", empty.path()).cwd(empty.path());
    assert_eq!(call.run().expect(1).findings(), ["proxy-unreachable"]);
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_log_says_so_and_how_to_get_one() {
    let answer = diagnose("").expect(0);
    assert_eq!(answer.json["summary"], "the log is empty");
    assert_eq!(answer.data()["healthy"], false);
    assert!(answer.json["next"][0]["what"].as_str().unwrap().contains("docker compose logs"));
    let answer = diagnose("nothing that is known\n").expect(0);
    assert_eq!((answer.data()["healthy"].clone(), answer.findings().len()), (json!(false), 0));
    assert_eq!(answer.data()["lines"], 1);
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_it() {
    let dir = folder();
    let answer = helper(["diagnose"]).json(json!({"logs": dir.path()})).run().expect(2);
    assert!(answer.message().contains("directory"), "{}", answer.message());
    let answer = helper(["diagnose"]).json(json!({"logs": dir.path().join("none.log")})).run().expect(2);
    assert!(answer.message().contains("none.log"), "{}", answer.message());
    for request in [
        json!({"logs": "-", "max_seconds": 0}),
        json!({"logs": "-", "max_seconds": 3601}),
        json!({"logs": "-", "since": "yesterday"}),
        json!({"logs": "-", "bundle": "x.tar.gz"}),
    ] {
        let answer = helper(["diagnose"]).json(request.clone()).run().expect(2);
        assert_eq!(answer.json["error"]["code"], "request", "{request}");
    }
}

/// A pipe that stays open, by its name and on standard input.
#[test]
fn a_stream_that_never_ends_is_left_in_time() {
    let dir = folder();
    let fifo = dir.path().join("log");
    assert!(std::process::Command::new(crate::support::posix("mkfifo")).arg(&fifo).status().unwrap().success());
    // Open for reading, too, so that it has no end.
    let mut writer = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let name = fifo.to_str().unwrap();
    let script = format!("exec \"$0\" \"$@\" < '{name}'");
    for by_name in [true, false] {
        writer.write_all(case("no-route-then-other-ok").text.as_bytes()).unwrap();
        let source = if by_name { name } else { "-" };
        let call = helper(["diagnose"]).json(json!({"logs": source, "max_seconds": 1})).bounded();
        let answer = if by_name { call } else { call.under(&["sh", "-c", &script]) }.run().expect(1);
        assert_eq!(answer.findings(), ["no-route"], "{source}");
        assert!(answer.json["skipped"].to_string().contains("did not end within 1 s"), "{}", answer.json["skipped"]);
    }
}

#[test]
fn since_leaves_out_what_is_older() {
    let lost = &case("run-edge-lost-recovered").text;
    let of = |since: &str| helper(["diagnose"]).json(json!({"logs": "-", "since": since})).stdin(lost.as_str()).run();
    assert_eq!(of("2026-11-22T21:00:00Z").findings(), ["edge-conn-lost"]);
    assert_eq!(of("2026-11-22T21:01:00Z").findings(), Vec::<&str>::new());
    let later = of("2099-01-01T00:00:00Z");
    assert_eq!((later.data()["healthy"].clone(), later.findings().len()), (json!(false), 0));
    assert_eq!(later.data()["lines"], lost.lines().count());
    // Lines without a moment are read too, and it says so.
    let answer = helper(["diagnose"])
        .json(json!({"logs": "-", "since": "15m"}))
        .stdin("Provided Tunnel token is not valid.\n")
        .run();
    assert_eq!(answer.findings(), ["token-malformed"]);
    assert!(answer.json["skipped"].to_string().contains("without a time stamp"), "{}", answer.json["skipped"]);
}

#[test]
fn a_tilde_is_the_home_directory() {
    let home = folder();
    std::fs::write(home.path().join("saved.log"), "").unwrap();
    let answer = helper(["diagnose"]).json(json!({"logs": "~/saved.log"})).env("HOME", home.path()).run();
    assert_eq!(answer.json["summary"], "the log is empty", "{:#}", answer.json);
}

#[test]
fn what_a_whole_hosts_journal_leaves_open_is_said() {
    let of = |lines: &[&str]| {
        let text: String = lines.iter().map(|line| format!("Nov 26 09:00:01 vm1 {line}\n")).collect();
        helper(["diagnose"]).json(json!({"logs": "-"})).stdin(text).run()
    };
    let skipped = |answer: &Answer| answer.json["skipped"].to_string();
    let proxy = "mcp-tunnel-mcp-gateway-1[7]: time=2026-11-26T09:00:01.000Z level=INFO msg=\"starting mcp-proxy\"";
    let (ssh, error) = ("sshd[1]: error: maximum authentication attempts exceeded", "wiki[9]: Error: no index");
    // A journal of some units: each of them is the stack's.
    let units = of(&[proxy, error]);
    assert_eq!(units.findings(), ["unexplained-error"]);
    assert!(!skipped(&units).contains("wiki"), "{:#}", units.json);
    // A whole host's: a program is the stack's once it answers calls.
    let host = of(&[ssh, proxy, error]);
    assert_eq!(host.findings(), Vec::<&str>::new());
    assert!(skipped(&host).contains("lines of `wiki`"), "{:#}", host.json);
    let serves = "wiki[9]: INFO:     172.18.0.2:40102 - \"POST /mcp HTTP/1.1\" 500 Internal Server Error";
    let server = of(&[ssh, proxy, serves, error]);
    assert!(server.findings().contains(&"unexplained-error"), "{:#}", server.json);
    assert!(!skipped(&server).contains("wiki"), "{:#}", server.json);
}
