//! `certs renew`: which pair it renews, and what it needs for that.

use std::path::Path;

use serde_json::json;

use super::renewal::{kept, renew};
use super::workshop::living;
use crate::support::{DOMAIN, folder, helper};

#[test]
fn a_renewal_of_a_file_that_the_proxy_may_not_read_is_no_success() {
    type Change = fn(&Path);
    fn edit(dir: &Path, file: &str, old: &str, new: &str) {
        crate::support::edit(&dir.join(file), old, new);
    }
    const COMPOSE: &str = "docker-compose.yaml";
    const GATEWAY: &str = "config/mcp-gateway.yaml";
    let told: [(&str, Change); 9] = [
        ("another file", |d| edit(d, GATEWAY, "/data/tls.crt", "/data/server.pem")),
        ("another key", |d| edit(d, GATEWAY, "/data/tls.key", "/data/server.key")),
        ("another folder", |d| edit(d, GATEWAY, "/data/tls.", "/certs/tls.")),
        ("no name", |d| edit(d, GATEWAY, "cert_file:", "cert_fill:")),
        ("a volume", |d| edit(d, COMPOSE, "target: /data", "target: /elsewhere")),
        ("another mount below", |d| {
            std::fs::write(
                d.join("docker-compose.override.yaml"),
                "services: {mcp-gateway: {volumes: ['./own.crt:/data/tls.crt:ro']}}\n",
            )
            .unwrap();
        }),
        ("a broken compose file", |d| std::fs::write(d.join(COMPOSE), "services: [\n").unwrap()),
        ("a broken override", |d| std::fs::write(d.join("docker-compose.override.yaml"), "\t: x: [\n").unwrap()),
        ("a broken configuration", |d| std::fs::write(d.join(GATEWAY), "routes: [\n").unwrap()),
    ];
    for (name, change) in told {
        let parent = folder();
        let dir = living(parent.path(), json!({"server_days": 20}));
        change(&dir);
        let answer = renew(&dir, json!({})).expect(1);
        assert_eq!(answer.data()["renewed"], true, "{name}: it may still be the right one");
        assert_eq!(answer.finding("proxy-pair-unknown")["severity"], "error", "{name}");
        assert!(!answer.json["next"].to_string().contains("cron"), "{name}");
        let again = kept(&dir, json!({}), 1);
        assert!(again.findings().contains(&"proxy-pair-unknown"), "{name}: also when it is not due");
        let check = helper(["certs", "check"]).dir(&dir).changes_nothing().run();
        assert_ne!(check.code, 2, "{name}");
        assert_eq!(check.finding("proxy-pair-unknown")["severity"], "warning", "{name}");
    }
    // The same file under another name is the same file.
    let parent = folder();
    let dir = living(parent.path(), json!({"server_days": 20}));
    edit(&dir, GATEWAY, "/data/tls.", "/data/link.");
    for name in ["crt", "key"] {
        std::os::unix::fs::symlink(format!("tls.{name}"), dir.join(format!("data/link.{name}"))).unwrap();
    }
    assert_eq!(renew(&dir, json!({})).expect(0).findings(), Vec::<&str>::new());
}

#[test]
fn a_stack_of_another_shape_reads_the_same_pair() {
    let tunnel = "  tunnel:\n    image: cloudflare/cloudflared:2026.3.0\n    network_mode: 'service:mcp-proxy'\n";
    let stack = |volumes: &str, rest: &str| {
        format!("services:\n  mcp-proxy:\n    image: example/mcp-proxy\n    volumes: [{volumes}]\n{rest}")
    };
    for (name, compose) in [
        ("a folder", stack("'./config:/etc/mcp-gateway:ro', './data:/data:ro'", tunnel)),
        (
            "two files",
            stack(
                "'./config:/etc/mcp-gateway', './data/tls.crt:/data/tls.crt', './data/tls.key:/data/tls.key'",
                tunnel,
            ),
        ),
        (
            "a config",
            stack(
                "'./data:/data:ro'",
                &format!(
                    "    configs: [{{source: gw, target: /etc/mcp-gateway/config.yaml}}]\n{tunnel}configs: {{gw: {{file: ./config/config.yaml}}}}\n"
                ),
            ),
        ),
    ] {
        let parent = folder();
        let dir = living(parent.path(), json!({"server_days": 20}));
        std::fs::rename(dir.join("config/mcp-gateway.yaml"), dir.join("config/config.yaml")).unwrap();
        std::fs::write(dir.join("docker-compose.yaml"), compose).unwrap();
        let answer = renew(&dir, json!({})).expect(0);
        assert_eq!(answer.findings(), Vec::<&str>::new(), "{name}");
        let check = helper(["certs", "check"]).dir(&dir).json(json!({"verbose": true})).run().expect(0);
        assert!(check.data()["requirements"].to_string().contains(&format!("handshake:hello.{DOMAIN}")), "{name}");
    }
}

#[test]
fn no_certificate_command_needs_docker() {
    let parent = folder();
    let dir = living(parent.path(), json!({"server_days": 20}));
    let empty = parent.path().join("bin");
    std::fs::create_dir(&empty).unwrap();
    for verb in ["check", "issue", "renew", "rotate-ca"] {
        let answer = helper(["certs", verb]).dir(&dir).path(&[&empty]).run().expect(0);
        assert_eq!(answer.json["skipped"], json!([]), "{verb}");
    }
    assert_eq!(helper(["certs", "check"]).dir(&dir).run().data()["server"]["days_left"], 89);
}
