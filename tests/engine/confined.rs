//! What a process in a container of the stack can do, tried from inside.

use serde_json::json;

use crate::support::engine::{Stack, docker, docker_says, engine};

/// Does to a path what `probe` does, in an image that has Python and no probe.
const PYTHON: &str = "import sys
act, path = sys.argv[1:]
try: print(open(path).read() if act == 'cat' else open(path, 'w'))
except OSError as e: sys.exit(print(e.strerror) or 1)";

/// Reads (`cat`) or makes (`write`) a file, as a process of the service's container: whether it worked, and the content
/// or why not, in lower case.
fn tried(stack: &Stack, service: &str, act: &str, path: &str) -> (bool, String) {
    let (done, text) = if service == "hello-mcp" {
        let id = stack.id(service).unwrap();
        let out = docker(["exec", &id, "python", "-IS", "-c", PYTHON, act, path]);
        (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
    } else {
        stack.probe(service, &[act, path])
    };
    (done, text.to_lowercase())
}

/// What holds for every container of both profiles.
fn is_confined(stack: &Stack, service: &str, is_read_only: bool) {
    let (_, status) = tried(stack, service, "cat", "/proc/1/status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("{service}: no {name} in {status}")).trim().to_owned()
    };
    for set in ["capinh", "capprm", "capeff", "capbnd", "capamb"] {
        assert_eq!(field(set), "0".repeat(16), "{service}: {set}");
    }
    assert_eq!(field("nonewprivs"), "1", "{service}");
    assert_eq!(field("uid"), ["65532"; 4].join("\t"), "{service}");
    assert_eq!(field("gid"), ["65532"; 4].join("\t"), "{service}");
    if docker_says(["info", "--format", "{{json .SecurityOptions}}"]).contains("name=seccomp") {
        assert_eq!(field("seccomp"), "2", "{service}: system calls are filtered");
    }

    for path in ["/made", "/etc/made", "/usr/local/bin/made", "/proc/sys/kernel/core_pattern"] {
        let (made, why) = tried(stack, service, "write", path);
        let is_refused = !made && (!is_read_only || why.contains("read-only file system"));
        assert!(is_refused, "{service}: {path}: {why}");
    }

    // The keys of the CA, the one to come among them, and the token of the agent.
    for name in ["ca.key", "ca-next.key"] {
        let (read, why) = tried(stack, service, "cat", &format!("/data/{name}"));
        let expected = if service == "mcp-gateway" { "permission denied" } else { "no such file" };
        assert!(!read && why.contains(expected), "{service}: {name}: {why}");
    }
    let (has_token, _) = tried(stack, service, "cat", "/run/secrets/tunnel_token");
    assert_eq!(has_token, service == "cloudflared", "{service}: the token");

    let limits = &stack.inspect(service)["HostConfig"];
    assert_eq!(limits["ReadonlyRootfs"], is_read_only, "{service}");
    assert_eq!(limits["CpuQuota"], 400_000, "{service}");
    assert_eq!(limits["Memory"], limits["MemorySwap"].as_u64().unwrap() / 2, "{service}: as much swap");
    assert_eq!(limits["SecurityOpt"], json!(["no-new-privileges:true"]), "{service}");
    assert_eq!((&limits["Privileged"], &limits["CapAdd"]), (&json!(false), &json!(null)), "{service}");
}

#[test]
fn engine_hardened_profile_from_inside() {
    let Some(engine) = engine("hardened profile") else { return };
    let stack = Stack::new(engine, "hardened", json!({"sample": true, "profile": "hardened"}), "healthy");
    stack.up_ready();
    stack.call(["certs", "rotate-ca"]).json(json!({"step": "begin"})).run().expect(0);
    for (service, is_read_only) in [("mcp-gateway", true), ("hello-mcp", true), ("cloudflared", false)] {
        is_confined(&stack, service, is_read_only);
        let limits = &stack.inspect(service)["HostConfig"];
        assert_eq!((&limits["Memory"], &limits["PidsLimit"]), (&json!(512 << 20), &json!(256)), "{service}");
    }
    assert!(tried(&stack, "hello-mcp", "write", "/tmp/made").0, "Python needs a place for temporary files");
    assert!(stack.ask("echo").1.contains("HTTP/1.1 4"), "the sample answers a GET with a client error");
    stack.assert_no_token();
}

#[test]
fn engine_default_profile_from_inside() {
    let Some(engine) = engine("default profile") else { return };
    let stack = Stack::small(engine, "confined", "healthy");
    stack.up_ready();
    stack.call(["certs", "rotate-ca"]).json(json!({"step": "begin"})).run().expect(0);
    for service in ["mcp-gateway", "cloudflared"] {
        is_confined(&stack, service, false);
        assert_eq!(stack.inspect(service)["HostConfig"]["Memory"], 2_u64 << 30, "{service}");
    }
    stack.assert_no_token();
}
