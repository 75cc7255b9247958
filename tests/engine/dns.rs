//! What the stack makes of an engine whose DNS is silent or slow, under both settings of `namespace`. Times are printed, as
//! those of [`super::heal`].

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::call::bring;
use super::heal::{PROGRAMS, is_callable, proxy_of, recovery, settle, stack};
use crate::support::engine::{Engine, Stack, engine, unique, until};
use crate::support::namespace::in_network_of;
use crate::support::{Answer, is_root, skip, which};

const SETTINGS: [&str; 2] = ["separate", "shared"];

/// Without these rights and tools no container's DNS can be changed.
fn may_change(test: &str) -> Option<Engine> {
    let engine = engine(test)?;
    if !is_root() || which("nft").is_none() || which("nsenter").is_none() {
        skip(test, "only root with nft and nsenter can change what a container's questions meet");
        return None;
    }
    Some(engine)
}

/// A table of rules in a container's network, until it is dropped.
struct Table {
    pid: String,
    name: String,
}

impl Table {
    fn in_network_of(pid: &str, chain: &str) -> Self {
        let name = unique("dns").replace('-', "_");
        let table = Self { pid: pid.to_owned(), name };
        let rules = format!("table ip {} {{\nchain asked {{\n{chain}\n}}\n}}\n", table.name);
        assert!(table.nft(&[&rules]), "nft makes no table in the container's network");
        table
    }

    fn nft(&self, args: &[&str]) -> bool {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--net", "nft"]).args(args);
        command.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.nft(&["delete", "table", "ip", &self.name]);
    }
}

fn pid(stack: &Stack, service: &str) -> String {
    stack.inspect(service)["State"]["Pid"].to_string()
}

/// Drops every question to the engine's DNS that a container asks.
fn silence(stack: &Stack, service: &str) -> Table {
    // As they arrive: a question that cannot even be sent is an error at once.
    let chain = "type filter hook input priority 0\nip daddr 127.0.0.11 drop";
    Table::in_network_of(&pid(stack, service), chain)
}

/// Hands every question that a container asks to the engine's DNS late, until it is dropped.
struct Late {
    _table: Table,
    ends: Arc<AtomicBool>,
}

impl Late {
    fn by(delay: Duration, stack: &Stack, service: &str) -> Self {
        let pid = pid(stack, service);
        // The engine answers at a port of its own, to which its rules lead port 53.
        let sockets = std::fs::read_to_string(format!("/proc/{pid}/net/udp")).unwrap();
        let of_engine = |line: &str| {
            let port = line.split_whitespace().nth(1)?.strip_prefix("0B00007F:")?;
            u16::from_str_radix(port, 16).ok()
        };
        let real = sockets.lines().find_map(of_engine).expect("the engine's DNS listens in the container's network");
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let port = in_network_of(pid.parse().unwrap(), move || {
            let asked = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
            let port = asked.local_addr().unwrap().port();
            asked.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            std::thread::spawn(move || {
                let mut question = [0; 1500];
                while !ended.load(Ordering::Relaxed) {
                    let Ok((length, client)) = asked.recv_from(&mut question) else { continue };
                    let (asked, question) = (Arc::clone(&asked), question[..length].to_vec());
                    std::thread::spawn(move || {
                        std::thread::sleep(delay);
                        let engine = UdpSocket::bind("127.0.0.1:0").unwrap();
                        engine.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                        engine.connect(("127.0.0.11", real)).unwrap();
                        let mut answer = [0; 1500];
                        // Who asked may have gone away, and the engine, too.
                        let got = engine.send(&question).and_then(|_| engine.recv(&mut answer));
                        let _ = got.and_then(|length| asked.send_to(&answer[..length], client));
                    });
                }
            });
            port
        });
        // Before the engine's own rule.
        let chain =
            format!("type nat hook output priority -150\nip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.1:{port}");
        Self { _table: Table::in_network_of(&pid, &chain), ends }
    }

    /// For every network in which the tunnel's programs ask.
    fn for_all(delay: Duration, stack: &Stack, namespace: &str) -> Vec<Self> {
        let services: &[&str] = if namespace == "shared" { &["mcp-gateway"] } else { &["mcp-gateway", "cloudflared"] };
        services.iter().map(|service| Self::by(delay, stack, service)).collect()
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

fn started(stack: &Stack) -> Vec<serde_json::Value> {
    PROGRAMS.iter().map(|service| stack.inspect(service)["State"]["StartedAt"].clone()).collect()
}

/// What is said of a DNS that does not answer in time: never that the name is unknown.
fn is_said_to_be_late(answer: &Answer, severity: &str) {
    let finding = answer.finding("upstream-dns");
    assert_eq!(finding["severity"], severity, "{finding}");
    assert!(finding["cause"].as_str().unwrap().contains("in time"), "{finding}");
}

fn recovered(stack: &Stack, namespace: &str, what: &str) {
    let took = recovery(stack, namespace, Instant::now());
    println!("{what:<34} {namespace:<9} {:.1} s", took.as_secs_f64());
}

#[test]
fn engine_a_silent_dns_is_outlived() {
    let Some(engine) = may_change("a DNS that does not answer") else { return };
    let outlives = |namespace: &str| {
        let stack = stack(engine, &format!("dns{namespace}"), namespace);
        stack.up_ready();
        let before = started(&stack);
        // The proxy cannot find the server: that is said, and what is said of a server that is down is not.
        let silent = silence(&stack, "mcp-gateway");
        let probe = stack.call(["probe"]).json(json!({"timeout_ms": 1500})).run().expect(1);
        assert_eq!(probe.findings(), ["upstream-dns"], "{:#}", probe.json);
        is_said_to_be_late(&probe, "error");
        let status = stack.status().expect(1);
        assert_eq!(status.data()["connections"]["registered"], 4, "{:#}", status.json);
        drop(silent);
        recovered(&stack, namespace, "DNS of the proxy answers again");
        assert_eq!(started(&stack), before, "nothing was started anew");
        if namespace == "separate" {
            // cloudflared cannot find the proxy, which dies meanwhile and has another address, maybe.
            settle(&stack);
            let silent = silence(&stack, "cloudflared");
            stack.kill("mcp-gateway");
            std::thread::sleep(Duration::from_secs(5));
            drop(silent);
            recovered(&stack, namespace, "DNS of cloudflared answers again");
        }
        let status = stack.status_within(30).expect(0);
        assert_eq!(status.data()["ready"], true, "{:#}", status.json);
    };
    std::thread::scope(|scope| SETTINGS.map(|namespace| scope.spawn(move || outlives(namespace))).map(|_| ()));
}

/// Answers after two seconds make calls slow; after six, longer than the five that a program waits, they are lost.
#[test]
fn engine_a_slow_dns_is_told_from_one_that_does_not_know_the_name() {
    let Some(engine) = may_change("a DNS that is slow") else { return };
    let outlives = |namespace: &str| {
        let stack = stack(engine, &format!("slow{namespace}"), namespace);
        stack.up_ready();
        let before = started(&stack);
        let call = || bring(&stack, &format!("own.{}/mcp", stack.domain));
        let counted = |what: &str, number: u64| {
            until("the call is over", || stack.status().data()["calls"][what].as_u64() == Some(number));
        };
        let slow = Late::for_all(Duration::from_secs(2), &stack, namespace);
        assert!(is_callable(&stack, proxy_of(namespace)), "late, and answered");
        call();
        let probe = stack.call(["probe"]).run().expect(0);
        assert_eq!(probe.data()["routes"][0]["state"], "callable", "{:#}", probe.json);
        is_said_to_be_late(&probe, "warning");
        let status = stack.status().expect(0);
        assert_eq!(status.data()["ready"], true, "{:#}", status.json);
        is_said_to_be_late(&status, "warning");
        drop(slow);
        recovered(&stack, namespace, "DNS was slow (2 s), and is well");
        let status = stack.status().expect(0);
        assert!(!status.findings().contains(&"upstream-dns"), "{:#}", status.json);

        let slow = Late::for_all(Duration::from_secs(6), &stack, namespace);
        assert!(!is_callable(&stack, proxy_of(namespace)));
        call();
        // Whatever the time that a probe has.
        for limit in [5_000, 14_000] {
            let probe = stack.call(["probe"]).json(json!({"timeout_ms": limit})).run().expect(1);
            assert_eq!(probe.data()["routes"][0]["state"], "unreachable", "{:#}", probe.json);
            is_said_to_be_late(&probe, "error");
        }
        let status = stack.status().expect(1);
        assert_eq!(status.data()["connections"]["registered"], 4, "{:#}", status.json);
        is_said_to_be_late(&status, "error");
        let diagnosis = stack.call(["diagnose"]).run().expect(1);
        is_said_to_be_late(&diagnosis, "error");
        drop(slow);
        recovered(&stack, namespace, "DNS was slow (6 s), and is well");
        counted("total", 2);
        assert_eq!(started(&stack), before, "nothing was started anew");
        let status = stack.status_within(30).expect(0);
        assert_eq!(status.data()["ready"], true, "{:#}", status.json);
        let probe = stack.call(["probe"]).run().expect(0);
        assert!(probe.findings().is_empty(), "{:#}", probe.json);
    };
    std::thread::scope(|scope| SETTINGS.map(|namespace| scope.spawn(move || outlives(namespace))).map(|_| ()));
}
