//! A stack that was written by hand gives way only when that is asked for; what it loses by it is said before.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Answer, DOMAIN, folder, helper, plain};

const PROXY: &str = "listen_addr: \":8080\"
tunnel_domain: abcd1234.tunnel.anthropic.com
tls: {cert_file: /data/tls.crt, key_file: /data/tls.key}
routes: {wiki: 'http://wiki:8000', api: 'http://10.1.2.4:8000'}
";

/// A directory with these files beside its `.env`.
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
