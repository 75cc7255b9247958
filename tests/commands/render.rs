//! `render`: the same request gives the same bytes, and what a person wrote is never lost.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::golden::golden;
use crate::support::{Answer, DOMAIN, deployment, folder, helper, sha256, snapshot, without_routes};

pub(super) const COMPOSE: &str = "docker-compose.yaml";

pub(super) const GATEWAY: &str = "config/mcp-gateway.yaml";

pub(super) fn render(dir: &Path, request: Value) -> Answer {
    helper(["render"]).dir(dir).json(request).run()
}

pub(super) fn read(dir: &Path, file: &str) -> String {
    std::fs::read_to_string(dir.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

pub(super) fn routes(dir: &Path) -> Value {
    let value: serde_yaml::Value = serde_yaml::from_str(&read(dir, GATEWAY)).unwrap();
    serde_json::to_value(&value["routes"]).unwrap()
}

pub(super) fn compose(dir: &Path) -> Value {
    serde_json::to_value(serde_yaml::from_str::<serde_yaml::Value>(&read(dir, COMPOSE)).unwrap()).unwrap()
}

/// All settings that do not exclude each other.
pub(super) fn everything() -> Value {
    json!({
        "routes": {
            "api": "http://10.20.0.7:8000",
            "secure": "https://backend.internal:8443",
            "host": "http://host.docker.internal:3000",
        },
        "sample": true,
        "allowed_ips": ["10.20.0.0/16", "172.16.0.0/12", "192.168.1.1"],
        "upstream": {"tls": {"ca_file": "/data/upstream-ca.pem", "include_system_cas": true}},
        "networks": ["backend", "other_net"],
        "protocol": "http2",
        "log_level": "debug",
        "shutdown_timeout": "1m30s",
        "profile": "hardened",
        "images": {
            "proxy": "registry.example.com:5000/mirror/mcp-proxy:1@sha256:0000000000000000000000000000000000000000000000000000000000000001",
            "cloudflared": "registry.example.com/cloudflared@sha256:0000000000000000000000000000000000000000000000000000000000000002",
            "python": "registry.example.com/python:3.13@sha256:0000000000000000000000000000000000000000000000000000000000000003",
        },
    })
}

#[test]
fn what_is_rendered_is_what_was_looked_at() {
    for (name, request) in [
        ("sample", json!({"sample": true})),
        ("hardened", json!({"sample": true, "profile": "hardened"})),
        ("separate", json!({"sample": true, "namespace": "separate", "networks": ["backend"]})),
        ("everything", everything()),
    ] {
        let parent = folder();
        let dir = without_routes(parent.path());
        std::fs::write(dir.join("data/upstream-ca.pem"), "x").unwrap();
        render(&dir, request).expect(0);
        golden(&format!("{name}/docker-compose.yaml"), &read(&dir, COMPOSE));
        golden(&format!("{name}/mcp-gateway.yaml"), &read(&dir, GATEWAY));
        golden(&format!("{name}/Dockerfile"), &read(&dir, "hello-mcp/Dockerfile"));
    }
}

#[test]
fn the_same_request_gives_the_same_bytes_and_the_second_time_changes_nothing() {
    let parents = [folder(), folder()];
    let all: Vec<_> = parents
        .iter()
        .map(|parent| {
            let dir = without_routes(parent.path());
            std::fs::write(dir.join("data/upstream-ca.pem"), "x").unwrap();
            render(&dir, everything()).expect(0);
            let again = helper(["render"]).dir(&dir).json(everything()).changes_nothing().run().expect(0);
            assert!(again.data()["files"].as_array().unwrap().iter().all(|file| file["action"] == "unchanged"));
            helper(["render"]).dir(&dir).changes_nothing().run().expect(0);
            let rendered = snapshot(&dir).into_iter().filter(|(path, ..)| !path.starts_with(dir.join("data")));
            rendered
                .map(|(path, mode, text)| (path.strip_prefix(&dir).unwrap().to_owned(), mode, text))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(all[0], all[1]);
}

#[test]
fn the_header_has_a_hash_of_all_the_rest_and_the_label_one_of_the_whole() {
    let parent = folder();
    let dir = deployment(parent.path());
    for file in [COMPOSE, GATEWAY, "hello-mcp/server.py", "hello-mcp/Dockerfile"] {
        let text = read(&dir, file);
        let line = text.lines().find(|line| line.starts_with("# content-sha256: ")).unwrap();
        let rest = text.replacen(&format!("{line}\n"), "", 1);
        assert_eq!(line, format!("# content-sha256: {}", sha256(rest.as_bytes())), "{file}");
        assert!(text.starts_with("# Written by mcp-tunnels-helper. You may edit this file"), "{file}");
    }
    let hash = sha256(read(&dir, GATEWAY).as_bytes());
    assert!(read(&dir, ".env").contains(&format!("MCP_TUNNEL_CONFIG_SHA256={hash}\n")));
}

#[test]
fn what_the_proxy_or_compose_would_refuse_is_refused_and_nothing_changes() {
    let parent = folder();
    let dir = deployment(parent.path());
    let digest = "a".repeat(63);
    let cases: Vec<(String, &[&str])> = vec![
        (r#"{"routes":{"a":"http://x:1/mcp"}}"#.into(), &["has a path", "http://x:1/mcp"]),
        (r#"{"routes":{"a":"http://x:1/"}}"#.into(), &["slash"]),
        (r#"{"routes":{"a":"http://x:1?y"}}"#.into(), &["has a path"]),
        (r#"{"routes":{"a":"http://x"}}"#.into(), &["has no port"]),
        (r#"{"routes":{"a":"http://x:"}}"#.into(), &["port"]),
        (r#"{"routes":{"a":"http://x:0"}}"#.into(), &["port between 1 and 65535"]),
        (r#"{"routes":{"a":"http://x:65536"}}"#.into(), &["port between 1 and 65535"]),
        (r#"{"routes":{"a":"x:1"}}"#.into(), &["has no scheme"]),
        (r#"{"routes":{"a":"ftp://x:1"}}"#.into(), &["scheme `ftp`"]),
        (r#"{"routes":{"a":"ws://x:1"}}"#.into(), &["scheme `ws`"]),
        (r#"{"routes":{"a":"http://[::1]:1"}}"#.into(), &["IPv6", "IPv4 only"]),
        (r#"{"routes":{"a":"http://fd00::1:80"}}"#.into(), &["IPv6"]),
        (r#"{"routes":{"a":"http://u:p@x:1"}}"#.into(), &["user name"]),
        (r#"{"routes":{"a":"http://x y:1"}}"#.into(), &["character ' '"]),
        (r#"{"routes":{"a":"http://${X}:1"}}"#.into(), &["character '$'"]),
        (r#"{"routes":{"a":"http://1.2.3.256:1"}}"#.into(), &["IPv4"]),
        (r#"{"routes":{"a":"http://8.8.8.8:1"}}"#.into(), &["`a`", "RFC 1918"]),
        (r#"{"routes":{"a":"http://127.0.0.1:1"}}"#.into(), &["`a`"]),
        (r#"{"routes":{"a":"http://localhost:1"}}"#.into(), &["container itself"]),
        (r#"{"routes":{"a":"https://x:1"}}"#.into(), &["`a`", "trust"]),
        (r#"{"routes":[{"a":"http://x:1"}]}"#.into(), &["a list where a map", "http://hello-mcp:9000"]),
        (r#"{"routes":{"a":"http://x:1","a":"http://y:1"}}"#.into(), &["duplicate key `a`"]),
        (r#"{"routes":{"":"http://x:1"}}"#.into(), &["is empty"]),
        (r#"{"routes":{"A":"http://x:1"}}"#.into(), &["capital letters"]),
        (r#"{"routes":{"a.b":"http://x:1"}}"#.into(), &["has a dot"]),
        (r#"{"routes":{"a_b":"http://x:1"}}"#.into(), &["underscore"]),
        (r#"{"routes":{"-a":"http://x:1"}}"#.into(), &["starts or ends"]),
        (r#"{"routes":{"*":"http://x:1"}}"#.into(), &["character '*'"]),
        (r#"{"routes":{"é":"http://x:1"}}"#.into(), &["'é'"]),
        (format!(r#"{{"routes":{{"{}":"http://x:1"}}}}"#, "a".repeat(64)), &["64 characters"]),
        (r#"{"routes":{"a.b":null}}"#.into(), &["has a dot"]),
        (r#"{"routes":{"echo":null},"sample":null}"#.into(), &["no route"]),
        (r#"{"sample":false}"#.into(), &["no route"]),
        (r#"{"allowed_ips":["10.0.0.0/33"]}"#.into(), &["10.0.0.0/33", "CIDR"]),
        (r#"{"allowed_ips":["10.0.0/8"]}"#.into(), &["CIDR"]),
        (r#"{"allowed_ips":["fd00::/8"]}"#.into(), &["IPv6"]),
        (r#"{"allowed_ips":["any"]}"#.into(), &["CIDR"]),
        (r#"{"allowed_ips":["192.168.0.0/16"],"routes":{"a":"http://10.0.0.1:1"}}"#.into(), &["`a`", "192.168.0.0/16"]),
        (r#"{"upstream":{"tls":{"ca_file":"/etc/ssl/x.pem"}}}"#.into(), &["/etc/ssl/x.pem"]),
        (r#"{"upstream":{"tls":{"ca_file":"/data/../x"}}}"#.into(), &["/data/../x"]),
        (r#"{"upstream":{"tls":{"ca_file":"/data/not-there.pem"}}}"#.into(), &["does not exist"]),
        (r#"{"networks":["host"]}"#.into(), &["`host`"]),
        (r#"{"networks":["a b"]}"#.into(), &["`a b`"]),
        (r#"{"networks":["${X}"]}"#.into(), &["Docker network"]),
        (r#"{"protocol":"http3"}"#.into(), &["http3", "`quic`"]),
        (r#"{"log_level":"trace"}"#.into(), &["trace", "`debug`"]),
        (r#"{"shutdown_timeout":"30"}"#.into(), &["`30`", "30s"]),
        (r#"{"shutdown_timeout":"0s"}"#.into(), &["`0s`"]),
        (r#"{"shutdown_timeout":"-1s"}"#.into(), &["`-1s`"]),
        (r#"{"profile":"tight"}"#.into(), &["tight", "`hardened`"]),
        (r#"{"images":{"proxy":""}}"#.into(), &["image"]),
        (r#"{"images":{"proxy":"a b"}}"#.into(), &["character ' '"]),
        (r#"{"images":{"python":"x@sha256:abc"}}"#.into(), &["64 hex digits"]),
        (format!(r#"{{"images":{{"python":"x@sha256:{digest}"}}}}"#), &["64 hex digits"]),
        (r#"{"images":{"cloudflared":"${X}"}}"#.into(), &["character '$'"]),
        (r#"{"images":{"cloudflared":"Name"}}"#.into(), &["capital letters"]),
    ];
    for (request, words) in cases {
        let refused = helper(["render", "--json", &request]).dir(&dir).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request", "{request}");
        for word in words {
            assert!(refused.message().contains(word), "{request}: no {word:?} in {}", refused.message());
        }
        let new = parent.path().join("new");
        let init = request.replacen('{', &format!(r#"{{"domain":"{DOMAIN}","#), 1);
        helper(["init", "--json", &init]).dir(&new).run().expect(2);
        let _ = std::fs::remove_dir_all(&new);
    }
}

#[test]
fn routes_are_added_and_taken_out_by_running_it_again() {
    let parent = folder();
    let dir = without_routes(parent.path());
    let steps = [
        (json!({"routes": {"b": "http://10.0.0.1:1"}}), json!({"b": "http://10.0.0.1:1"})),
        (json!({"routes": {"a": "HTTP://Server:2"}}), json!({"a": "http://server:2", "b": "http://10.0.0.1:1"})),
        (
            json!({"sample": true}),
            json!({"a": "http://server:2", "b": "http://10.0.0.1:1", "echo": "http://hello-mcp:9000"}),
        ),
        (
            json!({"log_level": "warn"}),
            json!({"a": "http://server:2", "b": "http://10.0.0.1:1", "echo": "http://hello-mcp:9000"}),
        ),
        (
            json!({"routes": {"b": null, "a": "http://other:3"}}),
            json!({"a": "http://other:3", "echo": "http://hello-mcp:9000"}),
        ),
        (json!({"routes": {"never-there": null}}), json!({"a": "http://other:3", "echo": "http://hello-mcp:9000"})),
        (json!({"sample": false}), json!({"a": "http://other:3"})),
        (json!({"routes": {"a": null, "c": "http://10.0.0.2:4"}}), json!({"c": "http://10.0.0.2:4"})),
    ];
    for (request, expected) in steps {
        let answer = render(&dir, request.clone()).expect(0);
        assert_eq!(*answer.data().get("routes").unwrap(), expected, "{request}");
        assert_eq!(routes(&dir), expected, "{request}");
        let sample = compose(&dir)["services"].get("hello-mcp").is_some();
        assert_eq!(sample, expected.get("echo").is_some(), "{request}");
    }
    assert!(read(&dir, GATEWAY).contains("log_level: warn"), "a setting that no request mentioned went");
}

#[test]
fn null_puts_every_setting_back() {
    let parent = folder();
    let dir = without_routes(parent.path());
    std::fs::write(dir.join("data/upstream-ca.pem"), "x").unwrap();
    render(&dir, json!({"sample": true})).expect(0);
    let before = snapshot(&dir);
    render(&dir, everything()).expect(0);
    assert_ne!(snapshot(&dir), before);
    let answer = render(
        &dir,
        json!({
            "routes": {"api": null, "secure": null, "host": null, "never": null},
            "allowed_ips": null, "upstream": null, "networks": null, "protocol": null, "log_level": null,
            "shutdown_timeout": null, "profile": null, "images": null,
        }),
    );
    answer.expect(0);
    assert_eq!(snapshot(&dir), before);
    // One at a time, and the spellings that mean the same.
    for (set, back) in [
        (json!({"protocol": "quic"}), json!({"protocol": "auto"})),
        (json!({"profile": "hardened"}), json!({"profile": "default"})),
        (json!({"networks": ["n"]}), json!({"networks": []})),
        (json!({"allowed_ips": ["10.0.0.0/8"]}), json!({"allowed_ips": []})),
        (json!({"images": {"python": "python:3"}}), json!({"images": {"python": null}})),
        (json!({"images": {"proxy": "a"}}), json!({"images": {"proxy": null}})),
        (json!({"upstream": {"tls": {"include_system_cas": true}}}), json!({"upstream": {"tls": null}})),
        (json!({"routes": {"host": "http://host.docker.internal:1"}}), json!({"routes": {"host": null}})),
    ] {
        render(&dir, set.clone()).expect(0);
        assert_ne!(snapshot(&dir), before, "{set}");
        render(&dir, back.clone()).expect(0);
        assert_eq!(snapshot(&dir), before, "{set} and {back}");
    }
}

#[test]
fn settings_that_a_request_does_not_mention_stay() {
    let parent = folder();
    let dir = without_routes(parent.path());
    std::fs::write(dir.join("data/upstream-ca.pem"), "x").unwrap();
    render(&dir, everything()).expect(0);
    let before = (read(&dir, GATEWAY), read(&dir, COMPOSE));
    render(&dir, json!({"routes": {"one-more": "http://10.20.0.9:1"}})).expect(0);
    let line = "  one-more: http://10.20.0.9:1\n";
    let without = |text: String| {
        text.replace(line, "").lines().filter(|l| !l.starts_with("# content-")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(without(read(&dir, GATEWAY)), without(before.0));
    assert_eq!(read(&dir, COMPOSE), before.1);
    // One image alone.
    render(&dir, json!({"images": {"proxy": null}})).expect(0);
    let services = compose(&dir)["services"].clone();
    assert!(services["mcp-gateway"]["image"].as_str().unwrap().starts_with("us-docker.pkg.dev/"));
    assert!(services["cloudflared"]["image"].as_str().unwrap().starts_with("registry.example.com/"));
}

/// `(NAME, content)` of every `NAME.bak-TIME` in a folder.
pub(super) fn backups(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some((file, time)) = name.split_once(".bak-") {
            let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(shape, "00000000T000000Z", "{name}");
            found.push((file.to_owned(), read(dir, &name)));
        }
    }
    found.sort();
    found
}

#[test]
fn the_last_route_stays_and_its_hint_is_not_what_was_taken_away() {
    let parent = folder();
    let dir = deployment(parent.path());
    for request in [json!({"sample": false}), json!({"sample": null}), json!({"routes": {"echo": null}})] {
        let answer = helper(["render"]).dir(&dir).json(request).changes_nothing().run().expect(2);
        let hint = answer.json["error"]["hint"].as_str().unwrap();
        assert!(hint.contains("\"routes\"") && !hint.contains("sample") && !hint.contains("hello-mcp"), "{hint}");
    }
}

#[test]
fn what_is_needed_for_the_host_and_for_networks_is_rendered() {
    let parent = folder();
    let dir = deployment(parent.path());
    assert_eq!(compose(&dir)["services"]["mcp-gateway"].get("extra_hosts"), None);
    render(&dir, json!({"routes": {"h": "http://host.docker.internal:1"}, "networks": ["a", "b", "a"]})).expect(0);
    let file = compose(&dir);
    assert_eq!(file["services"]["mcp-gateway"]["extra_hosts"], json!(["host.docker.internal:host-gateway"]));
    assert_eq!(file["services"]["mcp-gateway"]["networks"], json!(["default", "a", "b"]));
    assert_eq!(file["networks"], json!({"a": {"name": "a", "external": true}, "b": {"name": "b", "external": true}}));
    for service in ["cloudflared", "hello-mcp"] {
        assert_eq!(file["services"][service].get("networks"), None, "{service}");
    }
}

#[test]
fn images_without_a_digest_and_open_ranges_are_warnings() {
    let parent = folder();
    let dir = deployment(parent.path());
    let answer = render(&dir, json!({"images": {"proxy": "a:1", "cloudflared": "b", "python": "c"}})).expect(0);
    assert_eq!(answer.findings(), ["image-unpinned"]);
    assert_eq!(answer.finding("image-unpinned")["evidence"], json!(["proxy: a:1", "cloudflared: b", "python: c"]));
    let answer = render(&dir, json!({"images": null, "allowed_ips": ["0.0.0.0/0"]})).expect(0);
    assert_eq!(answer.findings(), ["allowed-ips-open"]);
    assert_eq!(answer.finding("allowed-ips-open")["severity"], "warning");
}

#[test]
fn without_a_domain_there_is_nothing_to_render_for() {
    let parent = folder();
    let dir = parent.path().join("x");
    assert_eq!(render(&dir, json!({"sample": true})).expect(2).json["error"]["code"], "directory");
    std::fs::create_dir(&dir).unwrap();
    let refused = helper(["render"]).dir(&dir).json(json!({"sample": true})).changes_nothing().run().expect(2);
    assert!(refused.message().contains("does not say which tunnel"), "{}", refused.message());
    std::fs::write(dir.join(".env"), "TUNNEL_DOMAIN=not a domain\n").unwrap();
    let refused = helper(["render"]).dir(&dir).json(json!({"sample": true})).changes_nothing().run().expect(2);
    assert!(refused.message().contains("TUNNEL_DOMAIN in `.env`"), "{}", refused.message());
}

#[test]
fn the_path_of_a_route_is_kept_and_used() {
    let parent = folder();
    let dir = without_routes(parent.path());
    let routes = json!({"wiki": "http://wiki:8000", "docs": "http://docs:8000"});
    render(&dir, json!({"routes": routes, "paths": {"wiki": "/sse", "docs": "/api/mcp"}})).expect(0);
    assert_eq!(compose(&dir)["x-mcp-tunnels"]["paths"], json!({"wiki": "/sse", "docs": "/api/mcp"}));
    let url = |name: &str| {
        let answer = helper(["connect"]).dir(&dir).run();
        let routes = answer.data()["routes"].as_array().unwrap();
        let route = routes.iter().find(|route| route["name"] == name).unwrap_or_else(|| panic!("{:#}", answer.json));
        route["url"].as_str().unwrap().to_owned()
    };
    assert_eq!(url("wiki"), format!("https://wiki.{DOMAIN}/sse"));
    // What a request does not mention stays, also when other settings change.
    render(&dir, json!({"protocol": "http2"})).expect(0);
    assert_eq!(url("docs"), format!("https://docs.{DOMAIN}/api/mcp"));
    // Null removes one; so does removing its route.
    render(&dir, json!({"paths": {"wiki": null}})).expect(0);
    assert_eq!(url("wiki"), format!("https://wiki.{DOMAIN}/mcp"));
    render(&dir, json!({"routes": {"docs": null}})).expect(0);
    assert_eq!(compose(&dir)["x-mcp-tunnels"]["paths"]["docs"], Value::Null);
    let before = snapshot(&dir);
    for (name, path) in [("nobody", "/mcp"), ("wiki", "/a b"), ("wiki", "/a?b"), ("wiki", "/a#b"), ("wiki", "/\u{1}")] {
        let answer = render(&dir, json!({"paths": {name: path}})).expect(2);
        assert_eq!(answer.json["error"]["code"], "request", "{name} {path}: {:#}", answer.json);
    }
    assert_eq!(snapshot(&dir), before, "a request that is refused changes nothing");
}

/// The service of a route may be written afterwards: a warning until then, an error of `check` in any case.
#[test]
fn a_route_to_a_service_that_is_not_defined_is_told() {
    let parent = folder();
    let dir = deployment(parent.path());
    let written = render(&dir, json!({"routes": {"wiki": "http://wiki:8000", "far": "http://10.20.0.9:1"}})).expect(0);
    assert_eq!(written.findings(), ["upstream-undefined"]);
    let finding = written.finding("upstream-undefined");
    assert_eq!((&finding["severity"], &finding["subject"]["name"]), (&json!("warning"), &json!("wiki")));
    assert_eq!(helper(["check"]).dir(&dir).run().finding("upstream-undefined")["severity"], "error");
    let over = "services: { wiki: { image: 'busybox@sha256:00' } }\n";
    std::fs::write(dir.join("docker-compose.override.yaml"), over).unwrap();
    assert_eq!(render(&dir, json!({})).expect(0).findings(), Vec::<&str>::new());
    // On a network that the proxy joins any container may have that name.
    std::fs::remove_file(dir.join("docker-compose.override.yaml")).unwrap();
    assert_eq!(render(&dir, json!({"networks": ["corp"]})).expect(0).findings(), Vec::<&str>::new());
}
