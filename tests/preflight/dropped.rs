//! A network namespace in which packets are dropped: what the probes say then.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::network::{call, grave, outcome};
use crate::support::edge::{REGIONS, SRV, World, python};
use crate::support::{Answer, folder, script};

/// A network namespace with only the addresses of the real edge on loopback: names, ports and trust are
/// those of every user, and packets are dropped by the kernel's own filter.
struct Namespace {
    python: PathBuf,
    folder: tempfile::TempDir,
}

impl Namespace {
    fn new(test: &str) -> Option<Self> {
        let python = python(test)?;
        let missing = ["unshare", "ip", "nft"].into_iter().find(|tool| crate::support::which(tool).is_none());
        if let Some(tool) = missing {
            crate::support::skip(test, &format!("{tool} is not installed"));
            return None;
        }
        let allowed = std::process::Command::new("unshare").args(["--net", "--mount", "true"]).output();
        if !crate::support::is_root() || !allowed.is_ok_and(|out| out.status.success()) {
            crate::support::skip(test, "network namespaces need root");
            return None;
        }
        Some(Self { python, folder: folder() })
    }

    /// Runs `preflight` under these packet filter rules.
    fn run(&self, world: &World, rules: &str, request: Value) -> Answer {
        let script_text = r#"#!/bin/sh
# Servers and filter, then the helper; its output is the only one.
set -eu
ip link set lo up
for last in 1 2 11 12 13 53; do ip addr add 198.41.192.$last/32 dev lo; done
echo 'nameserver 198.41.192.53' >"$WORK/resolv.conf"
mount --bind "$WORK/resolv.conf" "$(readlink -f /etc/resolv.conf)"
mkfifo "$WORK/pipe"
"$PYTHON" "$EDGE" "$(cat "$WORK/config")" >"$WORK/pipe" &
server=$!
read -r ready <"$WORK/pipe"
[ "$ready" = ready ]
trap 'kill -9 $server' EXIT
nft -f "$WORK/rules"
unset MCP_TUNNELS_TEST_DESTINATIONS
status=0
"$@" || status=$?
exit $status
"#;
        let dir = self.folder.path();
        script(dir, "inside", script_text);
        let _ = std::fs::remove_file(dir.join("pipe"));
        std::fs::write(dir.join("config"), world.config(53, 7844, 443).to_string()).unwrap();
        let (input, output) = rules.split_once('|').unwrap_or((rules, ""));
        let chain = |hook, rules| format!("  chain {hook} {{ type filter hook {hook} priority 0; {rules} }}\n");
        let table = format!("table inet test {{\n{}{}}}\n", chain("input", input), chain("output", output));
        std::fs::write(dir.join("rules"), table).unwrap();
        let inside = dir.join("inside");
        let bin = folder();
        let path = std::env::join_paths(
            std::iter::once(bin.path().to_path_buf()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let call = call(bin.path(), request).env("PATH", path.unwrap());
        let call = call.env("WORK", dir).env("PYTHON", &self.python);
        let edge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/edge.py");
        let answer = call.env("EDGE", edge).under(&["unshare", "--net", "--mount", inside.to_str().unwrap()]).run();
        assert!(answer.data().get("test_destinations").is_none(), "the real destinations");
        answer
    }
}

#[test]
fn packets_that_are_dropped_in_a_namespace() {
    let Some(space) = Namespace::new("preflight in a network namespace") else { return };
    let world = World::real();
    // No packet is dropped. No public CA has signed the tests' certificates.
    let answer = space.run(&world, "", json!({})).expect(0);
    assert_eq!(grave(&answer), ["tls-inspected"], "{:#}", answer.json);
    assert_eq!(answer.data()["network"][0]["port"], 53);

    for (rules, expected, code) in [
        ("udp dport 7844 drop;", &["edge-quic-blocked"][..], 0),
        ("tcp dport 7844 drop;", &["edge-tcp-blocked"], 0),
        ("meta l4proto { tcp, udp } th dport 7844 drop;", &["edge-unreachable"], 1),
        ("ip daddr 198.41.192.2 meta l4proto { tcp, udp } th dport 7844 drop;", &["edge-region-unreachable"], 0),
        ("udp dport 53 drop; tcp dport 53 drop;", &["edge-dns-failed"], 1),
    ] {
        let answer = space.run(&world, rules, json!({"timeout_ms": 1500})).expect(code);
        let ids: Vec<&str> =
            grave(&answer).into_iter().filter(|id| !matches!(*id, "tls-inspected" | "registry-blocked")).collect();
        assert_eq!(ids, expected, "{rules}: {:#}", answer.json);
        let elapsed = answer.data()["elapsed_ms"].as_u64().unwrap();
        assert!(elapsed <= 1750, "{rules}: {elapsed} ms");
    }
    // A filter on this very host says so to who sends.
    let answer = space.run(&world, "|udp dport 7844 drop;", json!({"timeout_ms": 1500})).expect(0);
    assert_eq!(outcome(&answer, REGIONS[0], "udp"), "refused");
    assert!(answer.evidence("edge-quic-blocked").contains("a firewall on this host"), "{:#}", answer.json);
    let answer = space.run(&world, "|tcp dport 7844 reject with icmpx admin-prohibited;", json!({"timeout_ms": 1500}));
    assert_eq!(outcome(&answer, REGIONS[0], "tcp"), "unreachable", "{:#}", answer.json);
}

#[test]
fn a_host_without_any_way_out() {
    let Some(space) = Namespace::new("preflight without a network") else { return };
    let bin = folder();
    let call = call(bin.path(), json!({"timeout_ms": 2000}));
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(std::iter::once(bin.path().to_path_buf()).chain(std::env::split_paths(&path)));
    let inside = space.folder.path().join("alone");
    script(
        space.folder.path(),
        "alone",
        "#!/bin/sh\nunset MCP_TUNNELS_TEST_DESTINATIONS\necho 'nameserver 192.0.2.1' >\"$WORK/resolv.conf\"\nmount --bind \"$WORK/resolv.conf\" \"$(readlink -f /etc/resolv.conf)\"\nexec \"$@\"\n",
    );
    let call = call.env("PATH", path.unwrap()).env("WORK", space.folder.path());
    let answer = call.under(&["unshare", "--net", "--mount", inside.to_str().unwrap()]).run().expect(1);
    assert_eq!(answer.findings(), ["network-down"], "{:#}", answer.json);
    assert_eq!(outcome(&answer, SRV, "dns"), "unreachable");
}
