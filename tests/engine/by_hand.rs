//! Stacks that people wrote by hand, on a real engine.

use std::path::Path;

use serde_json::json;

use super::diagnose::{diagnose, fix, healthy, ids, next, root};
use super::quickstart;
use crate::support::engine::{Engine, Stack, engine, images, ready, unique, until};
use crate::support::{chmod, folder, helper, token};

/// Made by hand in `parent`, with a text of the compose file replaced.
pub(super) fn by_hand(engine: Engine, parent: &Path, label: &str, old: &str, new: &str) -> Stack {
    let dir = parent.join(unique(label));
    let mut stack = Stack::unmade(engine, &dir, label);
    stack.project = unique(label);
    let made = parent.join(format!("made-{label}"));
    let settings = json!({"domain": stack.domain, "routes": {"echo": "http://hello:9000"}, "images": images()});
    helper(["init"]).dir(&made).json(settings).run().expect(0);
    std::fs::create_dir_all(dir.join("config")).unwrap();
    std::fs::rename(made.join("data"), dir.join("data")).unwrap();
    std::fs::copy(made.join("config/mcp-gateway.yaml"), dir.join("config/mcp-proxy.yaml")).unwrap();
    let compose = quickstart();
    assert!(compose.contains(old), "{old}");
    stack.write("docker-compose.yml", &compose.replace(old, new));
    stack.write(".env", &format!("TUNNEL_TOKEN={}\n", token("healthy")));
    chmod(&dir.join(".env"), 0o600);
    chmod(&dir, 0o700);
    stack.remember(token("healthy"));
    stack
}

#[test]
fn engine_diagnose_stacks_made_by_hand() {
    let Some(engine) = engine("diagnose: stacks made by hand") else { return };
    let parent = folder();
    let started = |label: &str, old: &str, new: &str| {
        let stack = by_hand(engine, parent.path(), label, old, new);
        stack.compose(&["up", "-d"]);
        stack.status_within(4);
        stack
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let stack = started("dsound", "hello by hand", "hello by hand");
            ready(stack.status_within(60));
            assert!(stack.ask("echo").0);
            healthy(&diagnose(&stack));
            // Nothing labels the configuration and the token of a stack made by hand.
            stack.edit("config/mcp-proxy.yaml", "routes:\n", "routes:\n  two: http://hello:9000\n");
            stack.edit(".env", &token("healthy"), &token("changed"));
            stack.remember(token("changed"));
            let changed = diagnose(&stack);
            root(&changed, "config-not-applied");
            assert_eq!(changed.finding("route-not-configured")["consequence_of"], "config-not-applied");
            changed.finding("token-not-applied");
            assert!(changed.evidence("config-not-applied").contains("config/mcp-proxy.yaml"), "{:#}", changed.json);
            stack.restart_ready();
            healthy(&diagnose(&stack));
            assert!(stack.ask("two").0);
            assert_eq!(ids(&diagnose(&stack)), ["proxy-reaches-nothing"], "what came beside the tunnel is no call");
        });
        scope.spawn(|| {
            let stack = started("dnourl", " --url http://localhost:8080", "");
            let answer = diagnose(&stack).expect(1);
            root(&answer, "no-ingress-url");
            assert!(next(&answer).contains("--url http://localhost:8080"), "{}", next(&answer));
        });
        scope.spawn(|| {
            let stack = started("dnomode", "    network_mode: \"service:mcp-proxy\"\n", "");
            let answer = diagnose(&stack).expect(1);
            root(&answer, "network-mode-missing");
            assert!(next(&answer).contains("`network_mode: \"service:mcp-proxy\"`"), "{}", next(&answer));
        });
        scope.spawn(|| {
            let stack = started("dmode", "service:mcp-proxy", "service:hello");
            let answer = diagnose(&stack).expect(1);
            root(&answer, "network-mode-missing");
            assert!(answer.evidence("network-mode-missing").contains("service:hello"), "{:#}", answer.json);
            assert!(next(&answer).contains("`network_mode: \"service:mcp-proxy\"`"), "{}", next(&answer));
        });
        scope.spawn(|| {
            // As many a compose file mounts them: one by one, before they are there.
            let each = "./data/tls.crt:/data/tls.crt:ro\n      - ./data/tls.key:/data/tls.key:ro";
            let stack = by_hand(engine, parent.path(), "dkeydir", "./data:/data:ro", each);
            std::fs::remove_file(stack.dir.join("data/tls.key")).unwrap();
            stack.compose(&["up", "-d"]);
            until("the proxy was restarted", || stack.inspect("mcp-proxy")["RestartCount"].as_u64() > Some(1));
            let answer = diagnose(&stack).expect(1);
            root(&answer, "proxy-cert-missing");
            assert!(answer.evidence("proxy-cert-missing").contains("`data/tls.key` is a directory"));
            assert_eq!(answer.finding("crash-loop")["consequence_of"], "proxy-cert-missing");
            let advice = fix(&answer, "proxy-cert-missing");
            assert!(advice.contains("remove the directory `data/tls.key`"), "{advice}");
        });
    });
}
