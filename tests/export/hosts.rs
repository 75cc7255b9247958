//! Two hosts with one tunnel, as two projects on one engine: the second is made from a bundle of the first.

use std::path::Path;

use serde_json::json;

use super::{bundle, init_from, update};
use crate::support::engine::{Engine, Stack, docker_says, engine, ready, services, unique};
use crate::support::{folder, token};

/// A stack, and a directory for its replica whose project has a name of its own.
fn two(engine: Engine, label: &str, parent: &Path) -> (Stack, Stack) {
    let first = Stack::small(engine, label, "healthy");
    let mut second = Stack::unmade(engine, &parent.join("second"), label);
    second.project = unique(&format!("mcp-tunnel-{label}-second"));
    std::fs::create_dir(&second.dir).unwrap();
    let over = format!("name: {}\n{}", second.project, services(&[("own", "")]));
    second.write("docker-compose.override.yaml", &over);
    (first, second)
}

#[test]
fn engine_two_hosts_answer_with_one_token_and_one_certificate() {
    let Some(engine) = engine("two hosts") else { return };
    let parent = folder();
    let (first, second) = two(engine, "hosts", parent.path());
    first.up_ready();
    let archive = bundle(&first.dir, parent.path(), "b.tar.gz");

    // As it is, its project is the one that runs from the first directory.
    let same = parent.path().join("same");
    let refused = init_from(&same, &archive).run().expect(1);
    refused.finding("project-conflict");
    assert!(!same.exists());

    init_from(&second.dir, &archive).run().expect(0);
    second.set_token("healthy");
    let up = second.up_ready();
    assert!(up.data()["replica_of"].is_string(), "{:#}", up.json);
    assert_eq!(up.data()["project"], json!(second.project));
    for stack in [&first, &second] {
        let status = ready(stack.status_within(30));
        assert_eq!(status.data()["routes"][0]["state"], "callable", "{:#}", status.json);
        assert!(stack.ask("own").0);
        stack.assert_no_token();
    }
    // The same certificate: a client that trusts one CA is answered by either.
    assert_eq!(first.read("data/tls.crt"), second.read("data/tls.crt"));
    assert!(!second.dir.join("data/ca.key").exists());

    // Without its name it is the first one's project, and `up` refuses.
    second.write("docker-compose.override.yaml", &services(&[("own", "")]));
    let refused = second.call(["up"]).json(json!({"wait_seconds": 1})).run().expect(1);
    refused.finding("project-conflict");
    assert!(first.ask("own").0);
}

#[test]
fn engine_a_renewal_reaches_the_second_host_without_a_restart() {
    let Some(engine) = engine("renewal on two hosts") else { return };
    let parent = folder();
    let (first, second) = two(engine, "renewal", parent.path());
    init_from(&second.dir, &bundle(&first.dir, parent.path(), "b.tar.gz")).run().expect(0);
    second.set_token("healthy");
    second.up_ready();
    let started = || {
        let ids = second.ids(["mcp-gateway", "cloudflared", "own"]);
        docker_says(
            ["inspect", "--format", "{{.Id}} {{.State.StartedAt}}"].into_iter().chain(ids.iter().map(String::as_str)),
        )
    };
    let before = started();
    first.call(["certs", "renew"]).json(json!({"force": true})).run().expect(0);
    let update = update(&first.dir, parent.path(), "u.tar.gz");
    init_from(&second.dir, &update).secret(&token("healthy")).run().expect(0);
    // What the proxy reads is the new one, through the mount of the container that runs since before.
    let (read, shown) = second.probe("mcp-gateway", &["cat", "/data/tls.crt"]);
    assert!(read && shown.trim() == first.read("data/tls.crt").trim());
    let status = ready(second.status_within(30));
    assert!(status.findings().iter().all(|id| *id != "config-not-applied"), "{:#}", status.json);
    assert_eq!(started(), before);
}
