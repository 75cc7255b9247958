//! `namespace: separate`: what it separates.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::json;

use super::heal::{is_callable, reaches, stack};
use crate::support::engine::{Removed, bridge, docker_says, engine, services, unique};

/// Answers one request on an address of this host.
fn process_of_this_host(address: &str) -> u16 {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 1024]);
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    port
}

#[test]
fn engine_separate_separates_containers_and_nothing_else() {
    let Some(engine) = engine("what `separate` separates") else { return };
    let host = bridge();
    let free = TcpListener::bind((host.as_str(), 0)).unwrap().local_addr().unwrap().port();
    let stack = stack(engine, "apart", "separate");
    let published = format!("    ports: ['{host}:{free}:9000']\n");
    stack.write("docker-compose.override.yaml", &services(&[("own", ""), ("open", &published)]));
    stack.up_ready();
    let answers = |from: &str, address: &str| stack.probe(from, &["http", address, "GET", "/", "x"]).0;
    // By address and by name; the proxy reaches it by both, as `own` itself does.
    assert!(!reaches(&stack, "cloudflared", "own") && !answers("cloudflared", "own:9000"));
    assert!(reaches(&stack, "open", "own") && answers("open", "own:9000"));
    // A published port, and a process of this host: the network needs a way out.
    assert!(answers("cloudflared", &format!("{host}:{free}")));
    assert!(answers("cloudflared", &format!("{host}:{}", process_of_this_host(&host))));
    // Servers still see the proxy's port, and no longer the container that holds the token.
    assert!(stack.probe("own", &["http", "mcp-gateway:8080", "GET", "/", "x"]).1.starts_with("HTTP/1.1"));
    let agents = stack.inspect("cloudflared")["NetworkSettings"]["Networks"].as_object().unwrap().len();
    assert_eq!(agents, 1);
}

#[test]
fn engine_two_separate_stacks_on_one_network_stay_apart() {
    let Some(engine) = engine("two stacks on one network") else { return };
    let network = unique("mcp-tunnels-shared-lan");
    docker_says(["network", "create", &network]);
    let _network = Removed("network", network.clone());
    let stacks = ["lana", "lanb"].map(|label| {
        let stack = stack(engine, label, "separate");
        stack.call(["render"]).json(json!({"networks": [network]})).run().expect(0);
        stack.up_ready();
        stack
    });
    for stack in &stacks {
        // Every lookup of the name leads to its own proxy: the other one knows no such host.
        for _ in 0..8 {
            assert!(is_callable(stack, "mcp-gateway:8080"));
        }
    }
    for stack in &stacks {
        stack.down().expect(0);
    }
}
