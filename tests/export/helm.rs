//! The folder for Anthropic's chart, without a cluster.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use super::{export, state};
use crate::support::{DOMAIN, deployment, edit, folder, helper, mode, posix, skip, snapshot, token, tree, which};

/// A value of `values.yaml`.
fn values(out: &Path) -> Value {
    serde_yaml::from_str(&std::fs::read_to_string(out.join("values.yaml")).unwrap()).unwrap()
}

/// Names of all values, joined by dots; routes are one.
fn names(value: &Value, above: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if above != "gateway.config.routes" => {
            for (key, value) in map {
                names(value, &if above.is_empty() { key.clone() } else { format!("{above}.{key}") }, into);
            }
        }
        _ => drop(into.insert(above.to_owned())),
    }
}

#[test]
fn it_holds_what_the_pages_name_and_no_secret() {
    let parent = folder();
    let dir = deployment(parent.path());
    let settings = json!({"allowed_ips": ["10.0.0.0/8", "172.16.0.0/12"], "log_level": "debug", "shutdown_timeout": "1m",
        "upstream": {"tls": {"include_system_cas": true}}});
    helper(["render"]).dir(&dir).json(settings).run().expect(0);
    let out = parent.path().join("helm");
    let answer = export(&dir, json!({"to": "helm", "out": out})).changes_nothing().run().expect(0);
    assert_eq!(state(&answer, "echo"), "carried");
    let mut all = BTreeSet::new();
    names(&values(&out), "", &mut all);
    let documented = [
        "external.serverCertSecretName",
        "external.tunnelTokenSecretName",
        "gateway.config.log_level",
        "gateway.config.routes",
        "gateway.config.shutdown_timeout",
        "gateway.config.tunnel_domain",
        "gateway.config.upstream.allowed_ips",
        "gateway.config.upstream.tls.include_system_cas",
        "setup.enabled",
    ];
    assert_eq!(all, documented.map(str::to_owned).into());
    let config = &values(&out)["gateway"]["config"];
    assert_eq!(config["routes"], json!({"echo": "http://hello-mcp:9000"}));
    assert_eq!((&config["tunnel_domain"], &config["shutdown_timeout"]), (&json!(DOMAIN), &json!("1m")));
    let modes = |name: &str| mode(&out.join(name));
    assert_eq!((modes(""), modes("values.yaml"), modes("apply.sh"), modes("renew.sh")), (0o700, 0o644, 0o755, 0o755));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 5);
    // Whether something that `contains` does not find is there: the token in base64, too.
    let key = std::fs::read_to_string(dir.join("data/tls.key")).unwrap();
    let key = key.lines().nth(1).unwrap();
    for (path, _, bytes) in snapshot(&out) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("eyJ") && !text.contains(key) && !text.contains("PRIVATE"), "{}", path.display());
    }
    // What a `sample.yaml` of another image would be is not pinned.
    let sample = std::fs::read_to_string(out.join("sample.yaml")).unwrap();
    assert!(sample.contains("@sha256:") && sample.contains("--require-hashes"), "{sample}");
    // What `apply.sh` makes can be removed again, the sample only where it goes along.
    let removes = |out: &Path| {
        let guide = std::fs::read_to_string(out.join("README.md")).unwrap();
        let line = |text: &str| guide.lines().any(|line| line == text);
        assert!(line("helm uninstall mcp-tunnel --namespace mcp-tunnel"), "{guide}");
        assert!(line("kubectl --namespace mcp-tunnel delete secret mcp-tunnel-token mcp-tunnel-cert"), "{guide}");
        assert!(guide.contains("kubectl delete namespace mcp-tunnel"), "{guide}");
        line("kubectl delete -f sample.yaml")
    };
    assert!(removes(&out));
    helper(["render"])
        .dir(&dir)
        .json(json!({"routes": {"lan": "http://10.1.2.3:80"}, "sample": false}))
        .run()
        .expect(0);
    let bare = parent.path().join("bare");
    export(&dir, json!({"to": "helm", "out": bare})).run().expect(0);
    assert!(!bare.join("sample.yaml").exists() && !removes(&bare));
}

#[test]
fn each_route_is_carried_or_named_with_what_to_write() {
    let parent = folder();
    let dir = deployment(parent.path());
    let routes = json!({"routes": {
        "wiki": "http://wiki:8000", "odd": "http://my_server:8000", "alias": "http://wiki.corp:8000",
        "host": "http://host.docker.internal:8000", "lan": "http://10.1.2.3:80", "name": "http://wiki.example.com:80",
        "no": "http://10.1.2.4:80", "1e3": "http://10.1.2.5:80", "null": "http://10.1.2.6:80",
    }});
    helper(["render"]).dir(&dir).json(routes).run().expect(0);
    let over =
        "services:\n  wiki: {image: nginx, networks: {default: {aliases: [wiki.corp]}}}\n  my_server: {image: nginx}\n";
    std::fs::write(dir.join("docker-compose.override.yaml"), over).unwrap();
    edit(
        &dir.join("config/mcp-gateway.yaml"),
        "  lan:",
        "  away: http://8.8.8.8:80\n  self: http://localhost:1\n  lan:",
    );
    let out = parent.path().join("helm");
    let answer = export(&dir, json!({"to": "helm", "out": out})).run().expect(0);
    for (route, expected) in [
        ("echo", "carried"),
        ("lan", "carried"),
        ("name", "carried"),
        ("no", "carried"),
        ("1e3", "carried"),
        ("null", "carried"),
        ("wiki", "needs-service"),
        ("odd", "not-portable"),
        ("alias", "not-portable"),
        ("host", "not-portable"),
        ("away", "not-portable"),
        ("self", "not-portable"),
    ] {
        assert_eq!(state(&answer, route), expected, "{route}");
        let row = answer.data()["routes"].as_array().unwrap().iter().find(|r| r["name"] == route).unwrap();
        assert_eq!(row["instead"].is_string(), expected != "carried", "{row}");
        let id = match expected {
            "carried" => None,
            "needs-service" => Some("export-route-needs-service"),
            _ => Some("export-route-not-portable"),
        };
        let findings = answer.json["findings"].as_array().unwrap();
        let found = findings.iter().find(|f| f["subject"]["name"] == route && f["layer"] == "upstream");
        assert_eq!(found.and_then(|f| f["id"].as_str()), id, "{route}");
    }
    let written: BTreeSet<String> =
        values(&out)["gateway"]["config"]["routes"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(written, ["1e3", "echo", "lan", "name", "no", "null", "wiki"].map(str::to_owned).into());
    // The guide names every one of them.
    let guide = std::fs::read_to_string(out.join("README.md")).unwrap();
    assert!(
        ["odd", "alias", "host", "away", "self"].iter().all(|name| guide.contains(&format!("| {name} |"))),
        "{guide}"
    );
    let script = std::fs::read_to_string(out.join("apply.sh")).unwrap();
    assert!(script.contains("for service in wiki; do"), "{script}");
}

#[test]
fn a_private_ca_and_settings_without_a_page_are_named() {
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::copy(dir.join("data/ca.crt"), dir.join("data/upstream.pem")).unwrap();
    let settings = json!({"routes": {"tls": "https://10.1.2.3:443"}, "upstream": {"tls": {"ca_file": "/data/upstream.pem"}},
        "protocol": "http2", "profile": "hardened"});
    helper(["render"]).dir(&dir).json(settings).run().expect(0);
    let out = parent.path().join("helm");
    let answer = export(&dir, json!({"to": "helm", "out": out})).run().expect(0);
    assert_eq!(state(&answer, "tls"), "not-portable");
    answer.finding("export-setting-left-out");
    let left: Vec<&str> =
        answer.data()["left_out"].as_array().unwrap().iter().map(|l| l["what"].as_str().unwrap()).collect();
    for what in ["upstream.tls.ca_file", "protocol http2", "profile hardened"] {
        assert!(left.contains(&what), "{left:?}");
    }
    assert!(values(&out)["gateway"]["config"]["upstream"].is_null());
    // With public CAs as well it may work, and that is said.
    let both = json!({"upstream": {"tls": {"ca_file": "/data/upstream.pem", "include_system_cas": true}}});
    helper(["render"]).dir(&dir).json(both).run().expect(0);
    let answer = export(&dir, json!({"to": "helm", "out": out})).run().expect(0);
    assert_eq!(state(&answer, "tls"), "carried");
    assert_eq!(values(&out)["gateway"]["config"]["upstream"], json!({"tls": {"include_system_cas": true}}));
}

#[test]
fn without_a_route_that_can_go_nothing_is_written() {
    let parent = folder();
    let dir = parent.path().join("d");
    helper(["init"])
        .dir(&dir)
        .json(json!({"domain": DOMAIN, "routes": {"h": "http://host.docker.internal:1"}}))
        .run()
        .expect(0);
    let out = parent.path().join("helm");
    let answer = export(&dir, json!({"to": "helm", "out": out})).run().expect(1);
    assert_eq!(answer.findings(), ["export-route-not-portable"]);
    assert!(!out.exists());
}

#[test]
fn an_export_is_brought_up_to_date_and_an_edit_is_kept() {
    let parent = folder();
    let dir = deployment(parent.path());
    let out = parent.path().join("helm");
    let request = json!({"to": "helm", "out": out});
    export(&dir, request.clone()).run().expect(0);
    let before = snapshot(&out);
    let again = export(&dir, request.clone()).run().expect(0);
    assert!(again.data()["files"].as_array().unwrap().iter().all(|f| f["action"] == "unchanged"), "{:#}", again.json);
    assert_eq!(snapshot(&out), before);

    helper(["render"]).dir(&dir).json(json!({"routes": {"lan": "http://10.1.2.3:80"}})).run().expect(0);
    export(&dir, request.clone()).run().expect(0);
    assert_eq!(values(&out)["gateway"]["config"]["routes"]["lan"], "http://10.1.2.3:80");
    helper(["render"]).dir(&dir).json(json!({"routes": {"lan": null}})).run().expect(0);
    edit(&out.join("apply.sh"), "set -eu", "set -eu # mine");
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    let answer = export(&dir, request).run().expect(0);
    assert_eq!(answer.finding("edit-not-replaced")["subject"]["name"], "apply.sh");
    assert!(values(&out)["gateway"]["config"]["routes"]["lan"].is_null());
    assert!(std::fs::read_to_string(out.join("apply.sh")).unwrap().contains("# mine"));
    assert_eq!(std::fs::read_to_string(out.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn no_folder_and_no_file_of_a_person_is_touched() {
    let parent = folder();
    let dir = deployment(parent.path());
    let other = parent.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("values.yaml"), "mine: true\n").unwrap();
    std::fs::write(parent.path().join("file"), "x").unwrap();
    symlink(parent.path().join("nowhere"), parent.path().join("link")).unwrap();
    let before = tree(parent.path());
    for (request, code) in [
        (json!({"to": "helm", "out": other}), "directory"),
        (json!({"to": "helm", "out": parent.path().join("file")}), "directory"),
        (json!({"to": "helm", "out": parent.path().join("link")}), "io"),
        (json!({"to": "helm", "out": dir.join("helm")}), "request"),
        (json!({"to": "helm", "out": dir}), "request"),
        (json!({"to": "helm", "out": parent.path().join("other/../mcp-tunnel/x")}), "request"),
        (json!({"to": "helm"}), "request"),
        (json!({"out": "x"}), "request"),
        (json!({"to": "helm", "out": ""}), "request"),
        (json!({"to": "moon", "out": "x"}), "request"),
        (json!({"to": "helm", "out": "x", "only": "certificate"}), "request"),
        (json!({"to": "replica", "out": "x.tar.gz", "include_token": true}), "request"),
        (json!({"to": "replica", "out": "x.zip"}), "request"),
        (json!({"to": "replica", "out": parent.path().join("missing/x.tar.gz")}), "request"),
        (json!({"to": "replica", "out": dir.join("x.tar.gz")}), "request"),
    ] {
        let answer = export(&dir, request.clone()).run().expect(2);
        assert_eq!(answer.json["error"]["code"], code, "{request}");
    }
    assert_eq!(tree(parent.path()), before);
}

#[test]
fn the_token_is_included_only_when_asked_and_then_loudly() {
    let parent = folder();
    let dir = deployment(parent.path());
    let out = parent.path().join("helm");
    let request = json!({"to": "helm", "out": out, "include_token": true});
    // A model must not have it written to a file that it could read.
    export(&dir, request.clone()).env("CLAUDECODE", "1").changes_nothing().run().expect(2);
    assert!(!out.exists());
    let answer = export(&dir, request).changes_nothing().run().expect(0);
    assert_eq!(answer.finding("export-holds-token")["severity"], "warning");
    assert_eq!(mode(&out.join("secrets.yaml")), 0o600);
    let documents = std::fs::read_to_string(out.join("secrets.yaml")).unwrap();
    let documents: Vec<Value> = documents.split("---\n").map(|text| serde_yaml::from_str(text).unwrap()).collect();
    let base64 = |bytes: &[u8]| {
        use base64::Engine;
        json!(base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    assert_eq!(documents[0]["data"], json!({"tunnel-token": base64(token("healthy").as_bytes())}));
    let file = |name: &str| base64(&std::fs::read(dir.join(name)).unwrap());
    assert_eq!(documents[1]["data"], json!({"tls.crt": file("data/tls.crt"), "tls.key": file("data/tls.key")}));
    // It stays loud while the file is there.
    let answer = export(&dir, json!({"to": "helm", "out": out})).run().expect(0);
    answer.finding("export-holds-token");

    // Nothing to include is an error, and nothing is written.
    let bare = parent.path().join("bare");
    helper(["init"]).dir(&bare).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    let none = parent.path().join("none");
    export(&bare, json!({"to": "helm", "out": none, "include_token": true})).run().expect(2);
    assert!(!none.exists());
    // Without it the token may come later.
    export(&bare, json!({"to": "helm", "out": none})).run().expect(0);
}

#[test]
fn what_is_broken_here_is_not_exported() {
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::write(dir.join("data/tls.crt"), "not a certificate").unwrap();
    for (to, out) in [("helm", "helm"), ("replica", "x.tar.gz")] {
        let out = parent.path().join(out);
        let answer = export(&dir, json!({"to": to, "out": out})).changes_nothing().run().expect(1);
        assert!(!answer.findings().is_empty() && !out.exists(), "{:#}", answer.json);
    }
}

#[test]
fn the_scripts_are_posix_and_sound() {
    let parent = folder();
    // A directory whose name would hurt an unquoted word.
    let odd = parent.path().join("it's $HOME \"x\" @CRT@");
    let usual = parent.path().join("mcp-tunnel");
    for dir in [&odd, &usual] {
        helper(["init"]).dir(dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
        helper(["token", "set"]).dir(dir).stdin(token("healthy")).run().expect(0);
    }
    // Odd quotes of an odd name are worth a note to shellcheck, and no fault.
    let all = [("plain", &usual, false, "style"), ("token", &usual, true, "style"), ("odd", &odd, false, "warning")];
    for (name, dir, include, severity) in all {
        let out = parent.path().join(name);
        export(dir, json!({"to": "helm", "out": out, "include_token": include})).run().expect(0);
        for script in ["apply.sh", "renew.sh"] {
            for shell in ["sh", "dash", "busybox"] {
                let Some(program) = which(shell) else { continue };
                let mut command = std::process::Command::new(program);
                command.args(if shell == "busybox" { &["sh", "-n"][..] } else { &["-n"] }).arg(out.join(script));
                assert!(command.status().unwrap().success(), "{shell} -n {script}");
            }
            let Some(shellcheck) = which("shellcheck") else {
                skip("the exported scripts", "shellcheck is not installed");
                continue;
            };
            let mut command = std::process::Command::new(shellcheck);
            let out = command.args(["--severity", severity]).arg(out.join(script)).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
        }
    }
    // Without kubectl it says so and does nothing.
    let bin = parent.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(posix("dirname"), bin.join("dirname")).unwrap();
    let run =
        std::process::Command::new(posix("sh")).arg(parent.path().join("plain/apply.sh")).env("PATH", &bin).output();
    let run = run.unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stderr).contains("kubectl"), "{run:?}");
}
