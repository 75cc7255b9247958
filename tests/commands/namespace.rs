//! The setting `namespace`: cloudflared in the proxy's network namespace, or on a network with it. Files only; what runs
//! is in `engine/heal.rs`.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Answer, deployment, edit, folder, helper, skip, snapshot};

const COMPOSE: &str = "docker-compose.yaml";
const GATEWAY: &str = "config/mcp-gateway.yaml";

fn render(dir: &Path, request: Value) -> Answer {
    helper(["render"]).dir(dir).json(request).run()
}

fn compose(dir: &Path) -> Value {
    let text = std::fs::read_to_string(dir.join(COMPOSE)).unwrap();
    serde_json::to_value(serde_yaml::from_str::<serde_yaml::Value>(&text).unwrap()).unwrap()
}

fn words(service: &Value) -> Vec<&str> {
    service["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

/// What `check` finds beyond what a fresh deployment has.
fn found(dir: &Path) -> Vec<(String, String)> {
    let answer = helper(["check"]).dir(dir).run();
    let findings = answer.json["findings"].as_array().unwrap().clone();
    let of_interest = ["listen-loopback", "namespace-shared", "proxy-name-shared", "upstream-ip-rejected"];
    let rest = ["network-mode-missing", "compose-netmode-conflict", "depends-on-plain", "listen-mismatch"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pair = |f: &Value| (text(&f["id"]), text(&f["severity"]));
    let known = |(id, _): &(String, String)| of_interest.iter().chain(&rest).any(|known| known == id);
    findings.iter().map(pair).filter(known).collect()
}

#[test]
fn separate_puts_cloudflared_on_a_network_with_the_proxy_alone() {
    let parent = folder();
    let dir = deployment(parent.path());
    render(&dir, json!({"namespace": "separate", "networks": ["backend"]})).expect(0);
    let file = compose(&dir);
    let (proxy, agent) = (&file["services"]["mcp-gateway"], &file["services"]["cloudflared"]);
    assert_eq!(proxy["networks"], json!(["default", "tunnel", "backend"]));
    assert_eq!(agent["networks"], json!(["tunnel"]));
    assert!(agent.get("network_mode").is_none());
    assert_eq!(file["networks"], json!({"backend": {"name": "backend", "external": true}, "tunnel": {}}));
    assert!(words(agent).ends_with(&["run", "--url", "http://mcp-gateway:8080"]));
    // A restart of the proxy cuts no call that comes through another connection of cloudflared's.
    assert_eq!(agent["depends_on"], json!({"mcp-gateway": {"condition": "service_started"}}));
    // Asked in its own container, on its own loopback.
    assert_eq!(agent["healthcheck"]["test"][3], "--metrics");
    assert!(words(agent).contains(&"127.0.0.1:20241"));
    assert!(file["services"]["hello-mcp"].get("networks").is_none(), "servers stay where they were");
    assert_eq!(found(&dir), []);
}

#[test]
fn init_takes_the_setting_where_it_is_the_only_one() {
    let parent = folder();
    let dir = deployment(parent.path());
    helper(["init"]).dir(&dir).json(json!({"namespace": "separate"})).run().expect(0);
    assert_eq!(compose(&dir)["services"]["cloudflared"]["networks"], json!(["tunnel"]));
}

#[test]
fn a_change_of_the_setting_touches_the_compose_file_alone_and_can_be_taken_back() {
    let parent = folder();
    let dir = deployment(parent.path());
    let before = snapshot(&dir);
    let changed = || -> Vec<String> {
        let now = snapshot(&dir);
        let differs = now.iter().filter(|entry| !before.contains(entry));
        differs.map(|(path, ..)| path.strip_prefix(&dir).unwrap().to_string_lossy().into_owned()).collect()
    };
    helper(["render", "--namespace", "separate"]).dir(&dir).run().expect(0);
    assert_eq!(changed(), [COMPOSE]);
    // What other requests don't mention stays.
    render(&dir, json!({"protocol": "http2"})).expect(0);
    render(&dir, json!({"protocol": null, "profile": "hardened"})).expect(0);
    assert_eq!(compose(&dir)["services"]["cloudflared"]["networks"], json!(["tunnel"]));
    assert_eq!(compose(&dir)["services"]["mcp-gateway"]["read_only"], true);
    render(&dir, json!({"profile": null})).expect(0);
    for back in [json!("shared"), Value::Null] {
        render(&dir, json!({"namespace": "separate"})).expect(0);
        assert_eq!(changed(), [COMPOSE]);
        render(&dir, json!({"namespace": back})).expect(0);
        assert_eq!(changed(), Vec::<String>::new());
    }
    let wrong = helper(["render"]).dir(&dir).json(json!({"namespace": "host"})).changes_nothing().run().expect(2);
    assert_eq!(wrong.json["error"]["code"], "request");
    // From the start, too.
    let other = parent.path().join("other");
    let request = json!({"domain": "abcd1234.tunnel.anthropic.com", "sample": true, "namespace": "separate"});
    helper(["init"]).dir(&other).json(request).run().expect(0);
    assert_eq!(compose(&other)["services"]["cloudflared"]["networks"], json!(["tunnel"]));
}

#[test]
fn a_network_of_that_name_is_not_taken_for_the_tunnels() {
    let parent = folder();
    let dir = deployment(parent.path());
    render(&dir, json!({"namespace": "separate", "networks": ["tunnel", "x"]})).expect(0);
    let file = compose(&dir);
    assert_eq!(file["networks"]["tunnel"]["external"], true);
    let own = file["services"]["cloudflared"]["networks"][0].as_str().unwrap().to_owned();
    assert_ne!(own, "tunnel");
    assert!(file["networks"][&own].get("external").is_none());
    assert_eq!(file["services"]["mcp-gateway"]["networks"], json!(["default", own, "tunnel", "x"]));
    let again = helper(["render"]).dir(&dir).json(json!({})).changes_nothing().run().expect(0);
    assert_eq!(again.data()["networks"], json!(["tunnel", "x"]));
}

#[test]
fn a_proxy_on_loopback_is_reached_from_its_own_namespace_only() {
    for address in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.1.2.3:8080"] {
        let parent = folder();
        let dir = deployment(parent.path());
        edit(&dir.join(GATEWAY), "listen_addr: :8080", &format!("listen_addr: '{address}'"));
        // cloudflared dials localhost, which is not every address of loopback.
        let is_another = address.starts_with("127.1.");
        let expected = is_another.then(|| ("listen-mismatch".to_owned(), "error".to_owned()));
        assert_eq!(found(&dir), Vec::from_iter(expected.clone()), "shared, {address}");
        let request = json!({"namespace": "separate"});
        let refused = helper(["render"]).dir(&dir).json(request.clone()).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request");
        assert!(refused.message().contains(address));

        edit(&dir.join(GATEWAY), &format!("listen_addr: '{address}'"), "listen_addr: :8080");
        render(&dir, request).expect(0);
        edit(&dir.join(GATEWAY), "listen_addr: :8080", &format!("listen_addr: '{address}'"));
        assert_eq!(found(&dir), [("listen-loopback".to_owned(), "error".to_owned())], "separate, {address}");
        // A render about something else says nothing of it, and the way out is open.
        render(&dir, json!({"protocol": "http2"})).expect(0);
        render(&dir, json!({"namespace": "shared"})).expect(0);
        assert_eq!(found(&dir), Vec::from_iter(expected));
    }
}

#[test]
fn ranges_are_judged_by_the_networks_of_the_servers() {
    let over = |tunnel: &str, servers: &str| {
        format!(
            "networks:\n  tunnel: {{ ipam: {{ config: [{{ subnet: {tunnel} }}] }} }}\n  default: {{ ipam: {{ config: [{{ subnet: {servers} }}] }} }}\n"
        )
    };
    for (tunnel, servers, expected) in [
        ("10.9.0.0/24", "172.30.0.0/24", 0),
        ("172.30.0.0/24", "10.9.0.0/24", 1),
        ("172.30.0.0/24", "172.30.1.0/24", 0),
    ] {
        let parent = folder();
        let dir = deployment(parent.path());
        render(&dir, json!({"namespace": "separate", "allowed_ips": ["172.30.0.0/16"]})).expect(0);
        std::fs::write(dir.join("docker-compose.override.yaml"), over(tunnel, servers)).unwrap();
        assert_eq!(found(&dir).len(), expected, "tunnel {tunnel}, servers {servers}: {:?}", found(&dir));
    }
}

#[test]
fn what_the_shared_namespace_leaves_open_is_said_where_it_matters() {
    let parent = folder();
    let dir = deployment(parent.path());
    assert_eq!(found(&dir), [], "not to everybody");
    render(&dir, json!({"profile": "hardened"})).expect(0);
    assert_eq!(found(&dir), [("namespace-shared".to_owned(), "note".to_owned())]);
    render(&dir, json!({"namespace": "separate"})).expect(0);
    assert_eq!(found(&dir), []);
}

#[test]
fn a_name_that_others_may_have_is_said() {
    let parent = folder();
    let dir = deployment(parent.path());
    render(&dir, json!({"namespace": "separate", "networks": ["lan"]})).expect(0);
    assert_eq!(found(&dir), [], "the proxy alone is on it");
    std::fs::write(dir.join("docker-compose.override.yaml"), "services: {cloudflared: {networks: [lan]}}\n").unwrap();
    assert_eq!(found(&dir), [("proxy-name-shared".to_owned(), "warning".to_owned())]);
    // A name of its own: the container's.
    let named = "services: {cloudflared: {networks: [lan], command: tunnel run --url http://my-proxy:8080}, mcp-gateway: {container_name: my-proxy}}\n";
    std::fs::write(dir.join("docker-compose.override.yaml"), named).unwrap();
    assert_eq!(found(&dir), []);
}

#[test]
fn an_override_that_does_not_fit_is_found() {
    let parent = folder();
    let dir = deployment(parent.path());
    let over = dir.join("docker-compose.override.yaml");
    render(&dir, json!({"namespace": "separate"})).expect(0);
    // Written for the shared namespace.
    std::fs::write(&over, "services: {cloudflared: {network_mode: 'service:mcp-gateway'}}\n").unwrap();
    assert!(found(&dir).iter().any(|(id, _)| id == "compose-netmode-conflict"), "{:?}", found(&dir));
    std::fs::write(&over, "services: {cloudflared: {command: 'tunnel run --url http://localhost:8080'}}\n").unwrap();
    assert_eq!(found(&dir), [("network-mode-missing".to_owned(), "error".to_owned())]);
    // What belongs to cloudflared alone is at home there.
    std::fs::write(&over, "services: {cloudflared: {dns: [127.0.0.1], extra_hosts: ['a:127.0.0.1']}}\n").unwrap();
    assert_eq!(found(&dir), []);
}

#[test]
fn compose_takes_every_combination() {
    let works = Command::new("docker").args(["compose", "version"]).output().is_ok_and(|out| out.status.success());
    if !works {
        return skip("compose_takes_every_combination", "no docker compose");
    }
    for profile in ["default", "hardened"] {
        for networks in [json!([]), json!(["tunnel", "default_lan"])] {
            let parent = folder();
            let dir = deployment(parent.path());
            render(&dir, json!({"namespace": "separate", "profile": profile, "networks": networks})).expect(0);
            let out = Command::new("docker").args(["compose", "config", "-q"]).current_dir(&dir).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
    }
}
