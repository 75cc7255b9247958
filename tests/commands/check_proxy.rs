//! `check`: what is wrong with the proxy's configuration and with the files that it names.

use super::check::{COMPOSE, GATEWAY, OVER, change, check, remove, require, routes, write};
use crate::support::{DOMAIN, chmod, deployment, edit, folder, which};

#[test]
fn what_is_wrong_with_the_proxy_configuration_is_found() {
    require(vec![
        ("none", remove(GATEWAY), &["proxy-config-missing"]),
        (
            "not mounted",
            change(COMPOSE, "/etc/mcp-gateway/config.yaml", "/etc/mcp-proxy/config.yaml"),
            &["proxy-config-missing"],
        ),
        (
            "a directory",
            Box::new(|dir| {
                std::fs::remove_file(dir.join(GATEWAY)).unwrap();
                std::fs::create_dir(dir.join(GATEWAY)).unwrap();
            }),
            &["proxy-config-is-dir"],
        ),
        ("a tab", write(GATEWAY, "routes:\n\ta: http://b:1\n"), &["proxy-config-yaml"]),
        ("no YAML", write(GATEWAY, "log_level: \"unclosed\n"), &["proxy-config-yaml"]),
        (
            "a key twice",
            routes("routes: {echo: 'http://hello-mcp:9000', echo: 'http://hello-mcp:9000'}"),
            &["proxy-config-yaml"],
        ),
        (
            "routes as a list",
            routes("routes: [{name: echo, upstream: 'http://hello-mcp:9000'}]"),
            &["proxy-config-routes-list"],
        ),
        ("routes as text", routes("routes: echo"), &["proxy-config-type"]),
        ("a route as a map", routes("routes: {echo: {url: 'http://hello-mcp:9000'}}"), &["proxy-config-type"]),
        ("no routes", routes("routes: {}"), &["proxy-config-routes-empty"]),
        ("no routes at all", routes(""), &["proxy-config-routes-empty"]),
        ("a path", routes("routes: {echo: 'http://hello-mcp:9000/mcp'}"), &["proxy-config-upstream"]),
        ("no port", routes("routes: {echo: 'http://hello-mcp'}"), &["proxy-config-upstream"]),
        ("IPv6", routes("routes: {echo: 'http://[fd00::1]:80'}"), &["proxy-config-upstream"]),
        ("a bad name", routes("routes: {Echo: 'http://hello-mcp:9000'}"), &["route-name-invalid"]),
        ("two labels", routes("routes: {a.b: 'http://hello-mcp:9000'}"), &["route-name-invalid"]),
        ("another domain", change(GATEWAY, DOMAIN, "zzzz9999.tunnel.anthropic.com"), &["domain-mismatch"]),
        (
            "no domain",
            Box::new(|dir| edit(&dir.join(GATEWAY), &format!("tunnel_domain: {DOMAIN}\n"), "")),
            &["domain-mismatch"],
        ),
        ("nobody's name", routes("routes: {echo: 'http://nobody:9000'}"), &["upstream-undefined"]),
        ("a public address", routes("routes: {echo: 'http://8.8.8.8:80'}"), &["upstream-ip-rejected"]),
        ("the proxy itself", routes("routes: {echo: 'http://localhost:80'}"), &["upstream-ip-rejected"]),
        (
            "an address outside of the ranges",
            routes("routes: {echo: 'http://10.0.0.1:80'}\nupstream: {allowed_ips: [192.168.0.0/16]}"),
            &["upstream-ip-rejected"],
        ),
        ("https without trust", routes("routes: {echo: 'https://hello-mcp:9000'}"), &["upstream-tls"]),
        (
            "trust in a file that is not there",
            routes("routes: {echo: 'https://hello-mcp:9000'}\nupstream: {tls: {ca_file: /data/none.pem}}"),
            &["upstream-ca-missing"],
        ),
        (
            "all ranges",
            routes("routes: {echo: 'http://hello-mcp:9000'}\nupstream: {allowed_ips: [0.0.0.0/0]}"),
            &["allowed-ips-open"],
        ),
        (
            "no ranges",
            routes("routes: {echo: 'http://hello-mcp:9000'}\nupstream: {disable_ip_validation: true}"),
            &["allowed-ips-open"],
        ),
    ]);
}

#[test]
fn an_upstream_certificate_that_the_proxy_cannot_read_is_found() {
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::write(dir.join("data/ca.pem"), "x").unwrap();
    routes("routes: {echo: 'https://hello-mcp:9000'}\nupstream: {tls: {ca_file: /data/ca.pem}}")(&dir);
    chmod(&dir.join("data/ca.pem"), 0o644);
    assert_eq!(check(&dir).expect(0).findings(), Vec::<&str>::new());
    chmod(&dir.join("data/ca.pem"), 0o600);
    assert_eq!(check(&dir).expect(1).findings(), ["upstream-ca-missing"]);
}

#[test]
fn what_lies_outside_is_skipped_and_said_so() {
    let parent = folder();
    let dir = deployment(parent.path());
    routes("routes: {a: 'http://10.0.0.1:80', b: 'http://host.docker.internal:80', c: 'http://x.example.com:80'}")(
        &dir,
    );
    if cfg!(target_os = "linux") {
        assert_eq!(check(&dir).expect(1).findings(), ["upstream-host-unmapped"]);
    }
    let mapped = "services: {mcp-gateway: {extra_hosts: ['host.docker.internal:host-gateway']}}\n";
    std::fs::write(dir.join(OVER), mapped).unwrap();
    let answer = check(&dir).expect(0);
    let ids: Vec<&str> = answer.json["skipped"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    let ids: Vec<&str> = ids.into_iter().filter(|id| which("git").is_some() || *id != "git-not-ignored").collect();
    assert_eq!(ids, ["upstream:a", "upstream:b", "upstream:c"]);
    assert_eq!(answer.findings(), Vec::<&str>::new());
}
