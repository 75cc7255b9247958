//! How the rendered services are confined; tests/engine/confined.rs tries it from inside.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{DOMAIN, folder, helper, skip};

/// The services of a deployment with these settings.
fn services(dir: &Path, mut settings: Value) -> Vec<(String, Value)> {
    settings["domain"] = json!(DOMAIN);
    helper(["init"]).dir(dir).json(settings).run().expect(0);
    let text = std::fs::read_to_string(dir.join("docker-compose.yaml")).unwrap();
    let file: Value = serde_yaml::from_str(&text).unwrap();
    file["services"].as_object().unwrap().clone().into_iter().collect()
}

#[test]
fn every_service_is_limited_and_no_limit_keeps_one_from_starting() {
    for profile in ["default", "hardened"] {
        let parent = folder();
        for (name, service) in services(&parent.path().join("d"), json!({"sample": true, "profile": profile})) {
            let memory = if profile == "hardened" { "512m" } else { "2g" };
            assert_eq!((&service["mem_limit"], &service["cpu_quota"]), (&json!(memory), &json!(400_000)), "{name}");
            // Engines refuse more than the host has.
            assert_eq!((&service["cpus"], &service["deploy"]), (&Value::Null, &Value::Null), "{name}");
            assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
            assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        }
    }
}

#[test]
fn compose_lint_finds_the_samples_tag_at_most() {
    let test = "compose_lint_finds_the_samples_tag_at_most";
    let python = std::env::var("MCP_TUNNELS_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import compose_lint"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        return skip(test, "MCP_TUNNELS_TEST_PYTHON names no Python with compose-lint");
    }
    for (settings, expected) in [
        (json!({"routes": {"own": "http://own:9000"}}), vec![]),
        (json!({"routes": {"own": "http://own:9000"}, "profile": "hardened", "namespace": "separate"}), vec![]),
        (json!({"sample": true}), vec!["CL-0019 hello-mcp"]),
        (json!({"sample": true, "profile": "hardened"}), vec!["CL-0019 hello-mcp"]),
    ] {
        let parent = folder();
        let dir = parent.path().join("d");
        services(&dir, settings.clone());
        let mut lint = Command::new(&python);
        lint.args(["-m", "compose_lint", "docker-compose.yaml", "--format", "json"]).current_dir(&dir);
        let out = lint.output().unwrap();
        let said: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
        let all = said["findings"].as_array().unwrap_or_else(|| panic!("{said}"));
        assert!(all.iter().any(|one| one["rule_id"] == "CL-0007"), "it has looked: {said}");
        let grave: Vec<_> = all.iter().filter(|one| one["severity"] != "low").collect();
        let found: Vec<String> =
            grave.iter().map(|one| format!("{} {}", one["rule_id"], one["service"]).replace('"', "")).collect();
        assert_eq!(found, expected, "{settings}: {grave:#?}");
    }
}
