//! No token and no key is in an answer, wherever a person put it.

use std::fs::{self, File};
use std::io::Write;

use serde_json::json;

use crate::support::{DOMAIN, deployment, folder, helper, token};

#[test]
fn a_token_in_the_wrong_place_is_in_no_answer() {
    let parent = folder();
    let dir = deployment(parent.path());
    // What a person pastes: whole, or without its beginning.
    let whole = token("a-rather-long-secret-0123456789");
    let tail = &whole[9..];
    for secret in [whole.as_str(), tail] {
        let lines: Vec<Vec<String>> = [
            vec!["token", "set", secret],
            vec!["token", secret],
            vec![secret],
            vec!["init", secret],
            vec!["token", "set", "--token", secret],
            vec!["up", &format!("--token={secret}")],
            vec![&format!("--{secret}")],
            vec!["init", "--json", secret],
            vec!["init", "--json", &format!("\"{secret}\"")],
            vec!["init", "--json", &format!("@{secret}")],
            vec!["init", "--json", &json!({"domain": secret}).to_string()],
            vec!["init", "--json", &json!({"token": secret}).to_string()],
            vec!["init", "--json", &json!({secret: 1}).to_string()],
            vec!["render", "--json", &json!({"routes": {secret: "http://a:1"}}).to_string()],
            vec!["render", "--json", &json!({"routes": {"a": secret}}).to_string()],
            vec!["render", "--json", &json!({"routes": {"a": format!("http://{secret}:80")}}).to_string()],
            vec!["render", "--json", &json!({"log_level": secret}).to_string()],
            vec!["render", "--json", &json!({"networks": [format!("/{secret}")]}).to_string()],
            vec!["render", "--json", &json!({"allowed_ips": [secret]}).to_string()],
            vec!["render", "--json", &json!({"shutdown_timeout": secret}).to_string()],
            vec!["render", "--json", &json!({"images": {"proxy": secret}}).to_string()],
            vec!["connect", "--json", &json!({"path": format!("{secret}?")}).to_string()],
            vec!["connect", "--json", &json!({"model": format!("{secret} ")}).to_string()],
            vec!["rules", "--json", &json!({"id": secret}).to_string()],
        ]
        .into_iter()
        .map(|line| line.into_iter().map(str::to_owned).collect())
        .collect();
        for line in lines {
            let refused = helper(line.clone()).dir(&dir).secret(secret).changes_nothing().run();
            assert_eq!(refused.code, 2, "{line:?}: {:#}", refused.json);
        }
    }
    let sent = helper(["init", "--json", "-"]).dir(&dir).stdin(whole.clone()).secret(&whole);
    sent.changes_nothing().run().expect(2);
}

#[test]
fn a_token_or_key_in_a_file_that_is_quoted_is_in_no_answer() {
    let secret = token("somewhere-it-does-not-belong");
    let key =
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n";
    for (file, text) in [
        ("config/mcp-gateway.yaml", format!("routes: [{secret}]\n")),
        ("config/mcp-gateway.yaml", format!("routes:\n  {secret}: \"{secret}\"\n")),
        ("config/mcp-gateway.yaml", format!("routes: {{a: \"http://a:1\"}}\nlog_level: {{{secret}: x}}\n")),
        ("config/mcp-gateway.yaml", format!("{secret}\n")),
        ("config/mcp-gateway.yaml", key.to_owned()),
        ("docker-compose.yaml", format!("services:\n\t{secret}\n")),
        ("docker-compose.yaml", format!("name: {secret}\nservices: {{}}\n")),
        (
            "docker-compose.yaml",
            format!("services: {{cloudflared: {{image: cloudflared, command: tunnel run --token {secret}}}}}\n"),
        ),
        (
            "docker-compose.override.yaml",
            format!("services: {{cloudflared: {{environment: [TUNNEL_TOKEN={secret}]}}}}\n"),
        ),
        (".env", format!("TUNNEL_DOMAIN={secret}\nTUNNEL_TOKEN=x\n")),
        (".env", format!("A B {secret}\nTUNNEL_DOMAIN={DOMAIN}\nC=\"{secret}\n")),
        ("data/ca.crt", format!("{key}{secret}")),
    ] {
        let parent = folder();
        let dir = deployment(parent.path());
        let mut open = File::create(dir.join(file)).unwrap();
        open.write_all(text.as_bytes()).unwrap();
        let secrets = ["MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg", &secret];
        for (words, request) in [
            (&["check"][..], json!({})),
            (&["init"], json!({})),
            (&["init"], json!({"domain": DOMAIN, "verbose": true})),
            (&["render"], json!({"log_level": "warn", "verbose": true})),
            (&["render"], json!({"overwrite": true, "dry_run": true, "verbose": true})),
            (&["connect"], json!({})),
            (&["token", "check"], json!({})),
            (&["certs", "issue"], json!({})),
        ] {
            let call = helper(words.iter().copied()).dir(&dir).json(request);
            secrets.iter().fold(call, |call, secret| call.secret(secret)).run();
        }
    }
}

#[test]
fn a_value_of_env_is_said_by_no_fix_whatever_its_name() {
    let parent = folder();
    let dir = deployment(parent.path());
    let secret = "hunter2-and-more";
    let (config, env) = (dir.join("config/mcp-gateway.yaml"), dir.join(".env"));
    let sound = fs::read_to_string(&config).unwrap();
    fs::write(&env, fs::read_to_string(&env).unwrap() + &format!("DB={secret}\nNAME={DOMAIN}\n")).unwrap();
    let replaced = |key: &str, line: &str| {
        let lines = sound.lines().map(|old| if old.trim_start().starts_with(key) { line } else { old });
        fs::write(&config, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
        helper(["check"]).dir(&dir).secret(secret).run()
    };
    for (key, line) in [
        ("tunnel_domain:", "tunnel_domain: ${DB}"),
        ("listen_addr:", "listen_addr: ${DB}"),
        ("echo:", "  echo: http://u:${DB}@echo:9000"),
        ("echo:", "  echo: http://echo:9000/${DB}"),
        ("echo:", "  echo: http://${DB}:9000"),
        ("echo:", "  \"1\": http://${DB}:9000"),
    ] {
        let answer = replaced(key, line);
        assert!(answer.findings().contains(&"proxy-config-variable"), "{line}: {:#}", answer.json);
        let said = answer.finding("proxy-config-variable")["evidence"][0].as_str().unwrap();
        let name = line.split(": ").next().unwrap().trim().trim_matches('"');
        assert!(said.split(": ").next().unwrap().ends_with(name), "{line}: {said}");
    }
    let domain = replaced("tunnel_domain:", "tunnel_domain: ${NAME}");
    let fix = domain.finding("proxy-config-variable")["fix"].as_str().unwrap();
    assert!(fix.contains(&format!("write `tunnel_domain: {DOMAIN}`")), "{fix}");
}
