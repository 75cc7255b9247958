//! A stack that was written by hand gives way only when that is asked for; what it loses by it is said before.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::render::{COMPOSE, GATEWAY, backups, compose as rendered, read, render, routes};
use crate::support::{Answer, DOMAIN, folder, helper, plain};

const PROXY: &str = "listen_addr: \":8080\"
tunnel_domain: abcd1234.tunnel.anthropic.com
tls: {cert_file: /data/tls.crt, key_file: /data/tls.key}
routes: {wiki: 'http://wiki:8000', api: 'http://10.1.2.4:8000'}
";

/// A directory with these files and a `.env`.
fn by_hand(parent: &Path, env: &str, compose: &str) -> PathBuf {
    let dir = parent.join("by-hand");
    std::fs::create_dir_all(dir.join("config")).unwrap();
    std::fs::create_dir_all(dir.join("data")).unwrap();
    std::fs::write(dir.join(".env"), format!("TUNNEL_DOMAIN={DOMAIN}\n{env}")).unwrap();
    std::fs::write(dir.join("compose.yaml"), compose.replace("DIR", dir.to_str().unwrap())).unwrap();
    std::fs::write(dir.join("config/proxy.yaml"), PROXY).unwrap();
    dir
}

/// A compose file with the mount of the proxy's configuration, the words of cloudflared, and more.
fn stack(mount: &str, cloudflared: &str, more: &str) -> String {
    format!(
        "services:
  mcp-proxy:
    image: us-docker.pkg.dev/x/mcp-proxy:1
    networks: [default, lan]
    volumes: ['{mount}:/etc/mcp-gateway/config.yaml:ro', './data:/data:ro']
  cloudflared:
    image: cloudflare/cloudflared:2026.3.0
    network_mode: service:mcp-proxy
    {cloudflared}
{more}networks: {{lan: {{external: true, name: corp_lan}}}}
"
    )
}

const COMMAND: &str = "command: tunnel run --url http://localhost:8080";
const MOUNT: &str = "./config/proxy.yaml";

fn ask(dir: &Path, request: Value) -> Answer {
    helper(["render"]).dir(dir).json(request).run()
}

fn compose(dir: &Path) -> serde_yaml::Value {
    serde_yaml::from_str(&std::fs::read_to_string(dir.join("docker-compose.yaml")).unwrap()).unwrap()
}

#[test]
fn the_real_name_of_an_external_network_is_kept() {
    for networks in [
        "{lan: {external: true, name: corp_lan}}",
        "{lan: {external: {name: corp_lan}}}",
        "{lan: {external: true, name: '${LAN:-corp_lan}'}}",
    ] {
        let parent = folder();
        let text = stack(MOUNT, COMMAND, "").replace("{lan: {external: true, name: corp_lan}}", networks);
        let dir = by_hand(parent.path(), "", &text);
        let answer = ask(&dir, json!({"overwrite": true})).expect(0);
        assert_eq!(answer.data()["networks"], json!(["corp_lan"]), "{networks}");
        assert_eq!(compose(&dir)["networks"]["corp_lan"]["external"], true, "{networks}");
    }
}

#[test]
fn the_protocol_is_kept_in_every_spelling() {
    for (cloudflared, env) in [
        ("command: tunnel --protocol http2 run", ""),
        ("command: tunnel --protocol=http2 run", ""),
        ("command: [tunnel, -p, http2, run]", ""),
        ("command: tunnel --protocol=${PROTO:-http2} run", ""),
        ("entrypoint: [cloudflared, tunnel, --protocol, quic]\n    command: [run, -p, http2]", ""),
        ("command: tunnel run\n    environment: [TUNNEL_TRANSPORT_PROTOCOL=http2]", ""),
        ("command: tunnel run\n    environment: {TUNNEL_TRANSPORT_PROTOCOL: http2}", ""),
        ("command: tunnel run\n    environment: [TUNNEL_TRANSPORT_PROTOCOL]", "TUNNEL_TRANSPORT_PROTOCOL=http2\n"),
        ("command: tunnel run\n    environment: {TUNNEL_TRANSPORT_PROTOCOL: '${P}'}", "P=http2\n"),
    ] {
        let parent = folder();
        let dir = by_hand(parent.path(), env, &stack(MOUNT, cloudflared, ""));
        ask(&dir, json!({"overwrite": true})).expect(0);
        let words = serde_json::to_string(&compose(&dir)["services"]["cloudflared"]["command"]).unwrap();
        assert!(words.contains(r#""--protocol","http2""#), "{cloudflared}: {words}");
    }
    // The flag has the last word.
    let parent = folder();
    let both = "command: tunnel --protocol quic run\n    environment: [TUNNEL_TRANSPORT_PROTOCOL=http2]";
    let dir = by_hand(parent.path(), "", &stack(MOUNT, both, ""));
    ask(&dir, json!({"overwrite": true})).expect(0);
    let words = serde_json::to_string(&compose(&dir)["services"]["cloudflared"]["command"]).unwrap();
    assert!(words.contains(r#""--protocol","quic""#), "{words}");
}

#[test]
fn routes_are_kept_wherever_the_configuration_is_mounted_from() {
    let carried = json!({"api": "http://10.1.2.4:8000", "wiki": "http://wiki:8000"});
    for mount in [
        MOUNT,
        "DIR/config/proxy.yaml",
        "DIR/../elsewhere/proxy.yaml",
        "../elsewhere/proxy.yaml",
        "${WHERE}/proxy.yaml",
    ] {
        let parent = folder();
        let elsewhere = parent.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::write(elsewhere.join("proxy.yaml"), PROXY).unwrap();
        let dir = by_hand(parent.path(), "WHERE=./config\n", &stack(mount, COMMAND, ""));
        // One of ours that was forgotten here is not what runs.
        std::fs::write(dir.join("config/mcp-gateway.yaml"), PROXY.replace("wiki", "stale")).unwrap();
        let answer = ask(&dir, json!({"overwrite": true, "dry_run": true})).expect(0);
        assert_eq!(answer.data()["routes"], carried, "{mount}");
        let answer = ask(&dir, json!({"overwrite": true})).expect(0);
        assert_eq!(answer.data()["routes"], carried, "{mount}");
    }
}

/// What cannot be carried over is said before it is lost.
#[test]
fn routes_that_cannot_be_read_are_said_to_be_lost() {
    for (mount, text) in [
        ("./config/none.yaml", PROXY),
        ("./config/proxy.yaml", "routes: ["),
        ("~/proxy.yaml", PROXY),
        ("${NOT_SET}", PROXY),
    ] {
        let parent = folder();
        let dir = by_hand(parent.path(), "", &stack(mount, COMMAND, ""));
        std::fs::write(dir.join("config/proxy.yaml"), text).unwrap();
        let routes = json!({"new": "http://10.1.2.5:1"});
        for request in [json!({}), json!({"overwrite": true, "dry_run": true, "routes": routes})] {
            let answer = helper(["render"]).dir(&dir).json(request).changes_nothing().run();
            let lost = answer.data()["replaces"]["lost"].to_string();
            assert!(lost.contains("routes"), "{mount}: {:#}", answer.json);
        }
        // Without any route there is nothing to take over to.
        let refused = helper(["render"]).dir(&dir).json(json!({"overwrite": true})).changes_nothing().run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request", "{mount}");
    }
}

#[test]
fn all_that_is_replaced_is_said_in_the_refusal_and_in_a_dry_run() {
    let parent = folder();
    let names: Vec<String> = (0..60).map(|n| format!("their-own-server-number-{n:02}")).collect();
    let more: String = names.iter().map(|name| format!("  {name}: {{image: x}}\n")).collect();
    let more = format!("{more}  hello-mcp: {{image: theirs}}\n");
    let dir = by_hand(parent.path(), "", &stack(MOUNT, COMMAND, &more));
    let mut all = names;
    all.insert(0, "hello-mcp".into());
    for (request, id, code) in [
        (json!({}), "foreign-deployment", 1),
        (json!({"sample": true}), "foreign-deployment", 1),
        (json!({"overwrite": true, "dry_run": true}), "foreign-replaced", 0),
        (json!({"overwrite": true, "dry_run": true, "sample": true}), "foreign-replaced", 0),
    ] {
        let answer = helper(["render"]).dir(&dir).json(request.clone()).changes_nothing().run().expect(code);
        let replaces = &answer.data()["replaces"];
        assert_eq!(replaces["services"], json!(all), "{request}");
        assert_eq!(replaces["project"], "by-hand");
        assert_eq!(replaces["files"], json!(["compose.yaml"]));
        let evidence = answer.finding(id)["evidence"].to_string();
        assert!(evidence.contains("hello-mcp") && evidence.contains("by-hand"), "{evidence}");
        let stop = "docker compose -p by-hand down --remove-orphans";
        let says = answer.json["next"].as_array().unwrap().iter().any(|step| step["command"] == stop);
        assert_eq!(says, code == 0, "{:#}", answer.json["next"]);
    }
    // `hello-mcp` was theirs: the new stack does not build another program under its name unless that is asked for.
    ask(&dir, json!({"overwrite": true})).expect(0);
    assert_eq!(compose(&dir)["services"]["hello-mcp"], serde_yaml::Value::Null);
}

/// A rule that warns never ends in a stack that is replaced.
#[test]
fn no_fix_of_a_warning_is_a_take_over() {
    let out = plain(folder().path()).arg("rules").output().unwrap();
    let rules: Value = serde_json::from_slice(&out.stdout).unwrap();
    for rule in rules["data"]["rules"].as_array().unwrap().iter().filter(|rule| rule["severity"] != "error") {
        assert!(!rule["fix"].as_str().unwrap().contains("overwrite"), "{rule}");
    }
}

const QUICKSTART: &str = "services:
  mcp-proxy:
    image: us-docker.pkg.dev/anthropic-public-registry/images/mcp-proxy@sha256:efb27b299d627e4134815663cb8896641eeaee025d734c0f695582b4df38f013
    volumes:
      - ./config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro
      - ./data:/data:ro
  cloudflared:
    image: cloudflare/cloudflared:2026.3.0
    network_mode: \"service:mcp-proxy\"
    command: tunnel --no-autoupdate run --url http://localhost:8080
    environment: [TUNNEL_TOKEN]
";

const QUICKSTART_PROXY: &str = "listen_addr: \":8080\"
log_level: warn
tunnel_domain: abcd1234.tunnel.anthropic.com
tls: {cert_file: /data/tls.crt, key_file: /data/tls.key}
routes:
  wiki: http://10.1.2.3:8000
  api: http://10.1.2.4:8000
upstream: {allowed_ips: [10.1.0.0/16]}
";

fn quickstart(parent: &Path, name: &str) -> PathBuf {
    let dir = parent.join("by-hand");
    std::fs::create_dir_all(dir.join("config")).unwrap();
    std::fs::write(dir.join(".env"), format!("TUNNEL_DOMAIN={DOMAIN}\n")).unwrap();
    std::fs::write(dir.join(name), QUICKSTART).unwrap();
    std::fs::write(dir.join("config/mcp-proxy.yaml"), QUICKSTART_PROXY).unwrap();
    dir
}

#[test]
fn a_stack_made_by_hand_is_left_alone_until_it_may_be_taken_over_with_its_routes() {
    for name in ["docker-compose.yaml", "compose.yaml", "docker-compose.yml"] {
        let parent = folder();
        let dir = quickstart(parent.path(), name);
        for request in [json!({}), json!({"sample": true}), json!({"routes": {"x": "http://10.1.0.1:1"}})] {
            let refused = helper(["render"]).dir(&dir).json(request).changes_nothing().run().expect(1);
            assert!(refused.findings().contains(&"foreign-deployment"), "{name}: {:?}", refused.findings());
        }
        let dry = json!({"overwrite": true, "dry_run": true});
        helper(["render"]).dir(&dir).json(dry).changes_nothing().run().expect(0);
        let request = json!({"overwrite": true, "routes": {"new": "http://10.1.2.5:1"}});
        let answer = render(&dir, request).expect(0);
        let carried =
            json!({"api": "http://10.1.2.4:8000", "new": "http://10.1.2.5:1", "wiki": "http://10.1.2.3:8000"});
        assert_eq!(*answer.data().get("routes").unwrap(), carried, "{name}");
        assert_eq!(routes(&dir), carried);
        let config = read(&dir, GATEWAY);
        assert!(config.contains("log_level: warn") && config.contains("10.1.0.0/16"), "{config}");
        assert_eq!(read(&dir, "config/mcp-proxy.yaml"), QUICKSTART_PROXY);
        assert_eq!(backups(&dir), [(name.to_owned(), QUICKSTART.to_owned())]);
        assert!(name == COMPOSE || !dir.join(name).exists(), "{name} would still hide ours");
        assert!(rendered(&dir)["services"]["mcp-gateway"].is_object());
        helper(["render"]).dir(&dir).changes_nothing().run().expect(0);
        // `init` on it continues from there.
        helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run().expect(0);
    }
}

#[test]
fn init_on_a_stack_made_by_hand_replaces_none_of_it() {
    let parent = folder();
    let dir = quickstart(parent.path(), COMPOSE);
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run();
    assert_eq!(read(&dir, COMPOSE), QUICKSTART);
    assert_eq!(read(&dir, "config/mcp-proxy.yaml"), QUICKSTART_PROXY);
    let refused = helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(1);
    assert!(refused.findings().contains(&"foreign-deployment"));
    assert_eq!(read(&dir, COMPOSE), QUICKSTART);
    assert!(!dir.join(GATEWAY).exists() && !dir.join("hello-mcp").exists());
}
