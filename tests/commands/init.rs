//! `init`: one call makes the whole deployment, as often as one likes, and nothing of a person's is lost.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{
    DOMAIN, chmod, deployment, edit, folder, helper, mode, openssl, sha256, skip, snapshot, token, tree, which,
};

/// The layout table, in the order of `snapshot`.
const LAYOUT: [(&str, u32); 16] = [
    ("", 0o700),
    (".env", 0o600),
    (".gitignore", 0o644),
    ("config", 0o755),
    ("config/mcp-gateway.yaml", 0o644),
    ("data", 0o755),
    ("data/ca.crt", 0o644),
    ("data/ca.key", 0o600),
    ("data/tls.crt", 0o644),
    ("data/tls.key", 0o644),
    ("docker-compose.yaml", 0o644),
    ("hello-mcp", 0o755),
    ("hello-mcp/.dockerignore", 0o644),
    ("hello-mcp/Dockerfile", 0o644),
    ("hello-mcp/requirements.txt", 0o644),
    ("hello-mcp/server.py", 0o644),
];

pub(super) fn layout() -> Vec<(String, u32)> {
    LAYOUT.iter().map(|(path, mode)| ((*path).to_owned(), *mode)).collect()
}

pub(super) fn whole() -> Value {
    json!({"domain": DOMAIN, "sample": true})
}

/// `(path below the directory, action)` of every file in an answer.
fn actions(answer: &Value, dir: &Path) -> Vec<(String, String)> {
    let files = answer["data"]["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| {
            let path = Path::new(file["path"].as_str().unwrap()).strip_prefix(dir).unwrap();
            (path.to_string_lossy().into_owned(), file["action"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn one_call_writes_the_whole_deployment_with_the_modes_of_the_table() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let answer = helper(["init"]).dir(&dir).json(whole()).run().expect(0);
    assert_eq!(tree(&dir), layout());
    let mut said = actions(&answer.json, &dir);
    said.sort();
    // Folders inside are not files of their own.
    let folders = ["config", "data", "hello-mcp"];
    let expected: Vec<_> = LAYOUT
        .iter()
        .filter(|(path, _)| !folders.contains(path))
        .map(|(path, _)| ((*path).to_owned(), "created".to_owned()))
        .collect();
    assert_eq!(said, expected);
    assert_eq!(answer.data()["dir"], dir.to_str().unwrap());
    assert_eq!(answer.data()["domain"], DOMAIN);
    assert_eq!(answer.data()["token"], "placeholder");
    assert_eq!(answer.data()["routes"], json!({"echo": "http://hello-mcp:9000"}));
    assert_eq!(answer.findings(), Vec::<&str>::new());
    let config = std::fs::read(dir.join("config/mcp-gateway.yaml")).unwrap();
    assert_eq!(
        std::fs::read_to_string(dir.join(".env")).unwrap(),
        format!(
            "# Read by Docker Compose. Keep it out of git and chats: the token is a secret.\n\
             TUNNEL_DOMAIN={DOMAIN}\n\
             TUNNEL_TOKEN=PASTE_TUNNEL_TOKEN_HERE\n\
             # Kept by mcp-tunnels-helper: when they change, Compose re-creates the containers that they concern.\n\
             MCP_TUNNEL_CONFIG_SHA256={}\n\
             MCP_TUNNEL_TOKEN_FINGERPRINT=\n",
            sha256(&config)
        )
    );
    let ignored = std::fs::read_to_string(dir.join(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == ".env") && ignored.lines().any(|line| line == "data/"), "{ignored}");
}

#[test]
fn the_answer_fits_into_four_kilobytes() {
    let home = folder();
    let dir = home.path().join("mcp-tunnel");
    let first = helper(["init"]).dir(&dir).json(whole()).run().expect(0);
    assert!(first.length < 4096, "{} bytes", first.length);
    let again = helper(["init"]).dir(&dir).json(whole()).run().expect(0);
    assert!(again.length < 4096, "{} bytes", again.length);
    let report = helper(["init"]).dir(&dir).run().expect(0);
    assert!(report.length < 4096, "{} bytes", report.length);
}

#[test]
fn the_fingerprint_is_the_one_that_openssl_computes() {
    if which("openssl").is_none() {
        return skip("the_fingerprint_is_the_one_that_openssl_computes", "no openssl");
    }
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let init = helper(["init"]).dir(&dir).json(whole()).run().expect(0);
    let answer = helper(["certs", "check"]).dir(&dir).run().expect(0);
    for (file, key) in [("data/ca.crt", "ca"), ("data/tls.crt", "server")] {
        let said = openssl(&dir, &["x509", "-in", file, "-noout", "-fingerprint", "-sha256"]);
        let hex = said.trim().split_once('=').unwrap().1.replace(':', "").to_ascii_lowercase();
        assert_eq!(answer.data()[key]["fingerprint_sha256"], hex, "{file}");
    }
    assert_eq!(init.data()["ca"]["fingerprint_sha256"], answer.data()["ca"]["fingerprint_sha256"]);
    let set = helper(["token", "set"]).dir(&dir).stdin(token("x")).run().expect(0);
    let register = set.json["next"].to_string();
    assert!(register.contains("data/ca.crt") && register.contains("fingerprint"), "{register}");
}

#[test]
fn a_second_init_changes_nothing() {
    let parent = folder();
    let dir = deployment(parent.path());
    let again = helper(["init"]).dir(&dir).json(whole()).changes_nothing().run().expect(0);
    assert!(actions(&again.json, &dir).iter().all(|(_, action)| action == "unchanged"), "{:#}", again.json);
    assert_eq!(actions(&again.json, &dir).len(), LAYOUT.len() - 3);
    // The domain as the person may type it the second time.
    for domain in [DOMAIN.to_ascii_uppercase(), format!("{DOMAIN}."), format!(" {DOMAIN} ")] {
        helper(["init"]).dir(&dir).json(json!({"domain": domain})).changes_nothing().run().expect(0);
    }
}

#[test]
fn another_domain_is_refused_with_both_names_and_the_way_out() {
    let parent = folder();
    let dir = deployment(parent.path());
    let other = "zzzz9999.tunnel.anthropic.com";
    let refused =
        helper(["init"]).dir(&dir).json(json!({"domain": other, "sample": true})).changes_nothing().run().expect(2);
    assert_eq!(refused.json["error"]["code"], "other-domain");
    // Also where only the proxy's configuration knows it.
    std::fs::remove_file(dir.join(".env")).unwrap();
    helper(["init"]).dir(&dir).json(json!({"domain": other})).changes_nothing().run().expect(2);
}

#[test]
fn without_a_domain_it_reports_and_changes_nothing() {
    let parent = folder();
    let missing = parent.path().join("nothing-here");
    let answer = helper(["init"]).dir(&missing).run().expect(0);
    assert!(!missing.exists(), "a report made a directory");
    assert_eq!(answer.data()["domain"], Value::Null);
    assert_eq!(answer.data()["files"], json!([]));
    assert_eq!((&answer.data()["step"], answer.data()["steps"].as_array().unwrap().len()), (&json!("preflight"), 9));
    let refused = helper(["init"]).dir(&missing).json(json!({"sample": true})).run().expect(2);
    assert!(refused.message().contains("`domain`"), "{}", refused.message());
    assert!(!missing.exists());

    let dir = deployment(parent.path());
    let report = helper(["init"]).dir(&dir).changes_nothing().run().expect(0);
    assert_eq!(report.data()["domain"], DOMAIN);
    assert_eq!(report.data()["token"], "set");
    assert_eq!(report.data()["routes"], json!({"echo": "http://hello-mcp:9000"}));
    assert_eq!(report.data()["files"], json!([]));
    // An empty folder of the person's.
    let empty = parent.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    helper(["init"]).dir(&empty).changes_nothing().run().expect(0);
}

#[test]
fn an_existing_env_and_gitignore_are_added_to_and_kept_byte_for_byte() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    std::fs::create_dir(&dir).unwrap();
    let env = "\u{feff}# mine\r\nZ=1 # why\r\n\r\n  export Q = 'a\r\nb'\r\n#TUNNEL_TOKEN=no\r\nLAST=x";
    let ignore = "# häufig\r\nnode_modules\r\n!keep\r\n*.log";
    std::fs::write(dir.join(".env"), env).unwrap();
    std::fs::write(dir.join(".gitignore"), ignore).unwrap();
    chmod(&dir.join(".env"), 0o640);
    chmod(&dir.join(".gitignore"), 0o664);
    // Another project's, so that it has to be told.
    let refused = helper(["init"]).dir(&dir).json(whole()).changes_nothing().run().expect(2);
    assert_eq!(refused.json["error"]["code"], "directory");
    let mut told = whole();
    told["into_other_project"] = json!(true);
    let answer = helper(["init"]).dir(&dir).json(told).run().expect(0);
    let hash = sha256(&std::fs::read(dir.join("config/mcp-gateway.yaml")).unwrap());
    assert_eq!(
        std::fs::read_to_string(dir.join(".env")).unwrap(),
        format!(
            "{env}\r\nTUNNEL_DOMAIN={DOMAIN}\r\nTUNNEL_TOKEN=PASTE_TUNNEL_TOKEN_HERE\r\nMCP_TUNNEL_CONFIG_SHA256={hash}\r\n"
        )
    );
    let merged = std::fs::read_to_string(dir.join(".gitignore")).unwrap();
    assert!(merged.starts_with(&format!("{ignore}\r\n")), "{merged:?}");
    let added: Vec<&str> = merged[ignore.len()..].split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(added, [".env", "data/", "*.bak-*", ".*.tmp"]);
    assert_eq!((mode(&dir.join(".env")), mode(&dir.join(".gitignore"))), (0o640, 0o664));
    let said = actions(&answer.json, &dir);
    assert!(
        said.contains(&(".env".into(), "updated".into())) && said.contains(&(".gitignore".into(), "updated".into()))
    );
    helper(["init"]).dir(&dir).json(whole()).changes_nothing().run().expect(0);
}

#[test]
fn a_token_that_is_there_already_is_kept() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    std::fs::create_dir(&dir).unwrap();
    let text = format!("TUNNEL_TOKEN=\"{}\" # from the Console\n", token("first"));
    std::fs::write(dir.join(".env"), &text).unwrap();
    let answer = helper(["init"]).dir(&dir).json(whole()).secret(&token("first")).run().expect(0);
    assert_eq!(answer.data()["token"], "set");
    assert!(std::fs::read_to_string(dir.join(".env")).unwrap().starts_with(&text));
}

#[test]
fn a_file_that_a_person_edited_is_kept() {
    let parent = folder();
    let dir = deployment(parent.path());
    edit(&dir.join("config/mcp-gateway.yaml"), "routes:", "# mine\nroutes:");
    edit(&dir.join("docker-compose.yaml"), "max-size: 10m", "max-size: 20m");
    edit(&dir.join("hello-mcp/server.py"), "Hello", "Howdy");
    edit(&dir.join("hello-mcp/Dockerfile"), "FROM", "# mine\nFROM");
    std::fs::write(dir.join("docker-compose.override.yaml"), "services: {}\n").unwrap();
    // The label's line in `.env` follows the edited configuration.
    helper(["init"]).dir(&dir).json(whole()).run().expect(0);
    let answer = helper(["init"]).dir(&dir).json(whole()).changes_nothing().run().expect(0);
    let kept: Vec<String> =
        actions(&answer.json, &dir).into_iter().filter(|(_, action)| action == "kept").map(|(path, _)| path).collect();
    assert_eq!(kept, ["hello-mcp/server.py", "hello-mcp/Dockerfile", "config/mcp-gateway.yaml", "docker-compose.yaml"]);
    assert!(answer.json["findings"].as_array().unwrap().iter().all(|f| f["id"] == "edit-kept"), "{:#}", answer.json);
    for (file, text) in [
        ("config/mcp-gateway.yaml", "# mine"),
        ("docker-compose.yaml", "20m"),
        ("hello-mcp/server.py", "Howdy"),
        ("hello-mcp/Dockerfile", "# mine"),
    ] {
        assert!(std::fs::read_to_string(dir.join(file)).unwrap().contains(text), "{file}");
    }
}

#[test]
fn an_existing_directory_keeps_its_mode_and_its_files() {
    let parent = folder();
    let dir = parent.path().join("shared");
    std::fs::create_dir(&dir).unwrap();
    chmod(&dir, 0o2755);
    std::fs::write(dir.join("notes.txt"), "mine").unwrap();
    std::fs::create_dir(dir.join("data")).unwrap();
    chmod(&dir.join("data"), 0o711);
    helper(["init"]).dir(&dir).json(whole()).run().expect(0);
    assert_eq!((mode(&dir), mode(&dir.join("data"))), (0o2755, 0o711));
    assert_eq!(std::fs::read_to_string(dir.join("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_lost_file_comes_back_and_nothing_else_changes() {
    let parent = folder();
    let dir = deployment(parent.path());
    let before = snapshot(&dir);
    for lost in ["docker-compose.yaml", "hello-mcp/server.py", "data/tls.crt", ".gitignore", "data/ca.crt"] {
        std::fs::remove_file(dir.join(lost)).unwrap();
        let answer = helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run().expect(0);
        let made: Vec<_> = actions(&answer.json, &dir).into_iter().filter(|(_, a)| a != "unchanged").collect();
        assert_eq!(made, [(lost.to_owned(), "created".to_owned())]);
        for ((path, mode, old), (_, now, new)) in before.iter().zip(snapshot(&dir)) {
            assert_eq!(*mode, now, "{}", path.display());
            assert!(*old == new || path.ends_with("tls.crt") || path.ends_with("ca.crt"), "{}", path.display());
        }
    }
}

#[test]
fn a_domain_that_is_none_is_refused_and_nothing_is_made() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    for (domain, why) in [
        ("", "is empty"),
        ("localhost", "has no dot"),
        ("https://abcd1234.tunnel.anthropic.com", "is a URL or has a path"),
        ("abcd1234.tunnel.anthropic.com/mcp", "is a URL or has a path"),
        ("abcd1234.tunnel.anthropic.com:443", "has a port"),
        ("*.tunnel.anthropic.com", "has a wildcard"),
        ("10.0.0.1", "is an IP address"),
        ("a_b.tunnel.anthropic.com", "has an underscore"),
        ("a..b", "is empty"),
        ("-a.b", "starts or ends with `-`"),
        ("a b.c", "has the character ' '"),
        ("a\n.b", "has the character '\\n'"),
        ("ä.b", "has the character 'ä'"),
        ("a$b.c", "has the character '$'"),
    ] {
        let refused = helper(["init"]).dir(&dir).json(json!({"domain": domain})).run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request");
        assert!(refused.message().contains(why), "{domain:?}: {}", refused.message());
        assert!(
            refused.message().contains("abcd1234.tunnel.anthropic.com"),
            "what would be right: {}",
            refused.message()
        );
        assert!(!dir.exists(), "{domain:?}");
    }
    let pasted = token("in-the-wrong-place");
    let refused = helper(["init"]).dir(&dir).json(json!({"domain": pasted})).secret(&pasted).run().expect(2);
    assert!(refused.message().contains("token, not its domain"), "{}", refused.message());
    assert!(!dir.exists());
}

#[test]
fn settings_of_the_first_call_are_rendered_at_once() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let request = json!({"domain": DOMAIN, "routes": {"api": "http://10.1.2.3:8000"}, "log_level": "debug"});
    let answer = helper(["init"]).dir(&dir).json(request).run().expect(0);
    assert_eq!(answer.data()["routes"], json!({"api": "http://10.1.2.3:8000"}));
    assert!(!dir.join("hello-mcp").exists());
    // Where a setting is refused, what was made before can be continued.
    let dir = parent.path().join("second");
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "routes": {"a": "https://10.1.2.3:1"}})).run().expect(2);
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN, "sample": true})).run().expect(0);
    assert_eq!(tree(&dir), layout());
}

#[test]
fn a_domain_pasted_as_the_token_does_not_blot_the_domain_out() {
    let parent = folder();
    let dir = deployment(parent.path());
    let env = std::fs::read_to_string(dir.join(".env")).unwrap();
    std::fs::write(dir.join(".env"), env.replace(&token("healthy"), DOMAIN)).unwrap();
    let answer = helper(["init"]).dir(&dir).changes_nothing().run().expect(0);
    assert_eq!(answer.data()["token"], "malformed");
    assert_eq!(answer.data()["domain"], DOMAIN);
}

#[test]
fn a_domain_that_looks_mistyped_is_made_and_warned_about() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    let answer = helper(["init"]).dir(&dir).json(json!({"domain": "abcd.tunnel.antrhopic.com"})).run().expect(0);
    let finding = answer.finding("domain-unusual");
    assert_eq!(finding["severity"], "warning");
    assert!(finding["evidence"].to_string().contains("abcd.tunnel.antrhopic.com"), "{finding}");
}
