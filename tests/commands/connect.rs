//! `connect`: how to call the tunnel, valid as printed.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Answer, DOMAIN, deployment, edit, folder, helper, posix, script, skip, token, which};

#[test]
fn each_route_has_its_url_and_its_console_clicks() {
    let parent = folder();
    let dir = deployment(parent.path());
    let routes = json!({"routes": {"api": "http://10.0.0.7:80", "z-9": "http://host.docker.internal:3000"}});
    helper(["render"]).dir(&dir).json(routes).run().expect(0);
    let answer = helper(["connect"]).dir(&dir).secret(&token("healthy")).changes_nothing().run().expect(0);
    let calls = answer.data()["routes"].as_array().unwrap();
    let short: Vec<[&str; 3]> =
        calls.iter().map(|call| ["name", "upstream", "url"].map(|key| call[key].as_str().unwrap())).collect();
    let url = |name: &str| format!("https://{name}.{DOMAIN}/mcp");
    assert_eq!(
        short,
        [
            ["api", "http://10.0.0.7:80", &url("api")],
            ["echo", "http://hello-mcp:9000", &url("echo")],
            ["z-9", "http://host.docker.internal:3000", &url("z-9")],
        ]
    );
    assert_eq!(
        calls[1]["console"],
        json!([
            "Managed Agents > Sessions > New session > Create new agent > + MCP Server",
            format!("pick the tunnel {DOMAIN} (it is in the list once its CA is registered)"),
            "Subdomain: echo",
            "Path: mcp",
            format!("\"Resolves to\" must show {}", url("echo")),
            "ask: \"Use the hello tool to greet tunnel.\"",
        ])
    );
    let summary = answer.json["summary"].as_str().unwrap();
    assert!(summary.contains(&format!("Claude calls {}, {}, {}", url("api"), url("echo"), url("z-9"))), "{summary}");
    // Nothing was started: docker says so, or it is said that docker could not be asked.
    match answer.data()["running"].as_bool() {
        Some(running) => assert!(!running && !summary.starts_with("Claude calls"), "{summary}"),
        None => assert_eq!(answer.json["skipped"][0]["id"], "containers"),
    }
}

/// A `docker` that knows no containers, or says that it cannot be asked.
#[test]
fn what_cannot_be_called_now_is_not_said_to_be() {
    let parent = folder();
    let dir = deployment(parent.path());
    let bin = folder();
    let connect = || helper(["connect"]).dir(&dir).path(&[bin.path()]).changes_nothing().run();
    let summary = |answer: &Answer| answer.json["summary"].as_str().unwrap().to_owned();
    let unasked = connect().expect(0);
    assert_eq!((&unasked.data()["running"], &unasked.json["skipped"][0]["id"]), (&Value::Null, &json!("containers")));
    assert!(summary(&unasked).ends_with("was not checked"), "{}", unasked.json);
    script(bin.path(), "docker", "#!/bin/sh\nexit 0\n");
    let stopped = connect().expect(0);
    assert_eq!(stopped.data()["running"], false);
    assert!(
        !summary(&stopped).starts_with("Claude calls")
            && stopped.json["next"][0]["command"].as_str().unwrap().contains(" up ")
    );
    let env = std::fs::read_to_string(dir.join(".env")).unwrap();
    for (value, id) in
        [("PASTE_TUNNEL_TOKEN_HERE", "token-placeholder"), ("", "token-missing"), ("nonsense", "token-malformed")]
    {
        std::fs::write(dir.join(".env"), env.replace(&token("healthy"), value)).unwrap();
        let answer = connect();
        assert_eq!(answer.findings(), [id]);
        assert!(!summary(&answer).starts_with("Claude calls"), "{}", answer.json);
        assert!(answer.json["next"][0]["command"].as_str().unwrap().contains(" token set "));
    }
    std::fs::write(dir.join(".env"), env).unwrap();
    edit(&dir.join("config/mcp-gateway.yaml"), "echo:", "\"not a host\":");
    let answer = connect().expect(1);
    assert_eq!(answer.findings(), ["route-name-invalid"]);
    assert!(answer.data()["routes"].as_array().unwrap().is_empty() && !summary(&answer).contains("Claude calls"));
}

/// What the request of `curl` sends, and its command without it.
fn body(curl: &str) -> (String, Value) {
    let (command, rest) = curl.split_once(" -d '").unwrap();
    let json = rest.strip_suffix("'\n").unwrap();
    assert!(!json.contains('\''), "{json}");
    (command.to_owned(), serde_json::from_str(json).unwrap())
}

#[test]
fn the_request_of_curl_is_the_documented_one() {
    let parent = folder();
    let dir = deployment(parent.path());
    let answer = helper(["connect"]).dir(&dir).json(json!({"path": "/v1/mcp/", "model": "claude-x-1"})).run().expect(0);
    let call = &answer.data()["routes"][0];
    let (command, sent) = body(call["curl"].as_str().unwrap());
    assert_eq!(
        sent,
        json!({
            "model": "claude-x-1",
            "max_tokens": 1024,
            "messages": [{"role": "user", "content": "Use the hello tool to greet tunnel."}],
            "mcp_servers": [{"type": "url", "url": format!("https://echo.{DOMAIN}/v1/mcp"), "name": "echo"}],
            "tools": [{"type": "mcp_toolset", "mcp_server_name": "echo"}],
        })
    );
    let words = shlex::split(&command).unwrap();
    assert_eq!(
        words.iter().map(String::as_str).filter(|word| !word.trim().is_empty()).collect::<Vec<_>>(),
        [
            "curl",
            "https://api.anthropic.com/v1/messages",
            "-H",
            "x-api-key: $ANTHROPIC_API_KEY",
            "-H",
            "anthropic-version: 2023-06-01",
            "-H",
            "anthropic-beta: mcp-client-2025-11-20",
            "-H",
            "content-type: application/json",
        ]
    );
    assert_eq!(call["console"][3], "Path: v1/mcp");
    let (_, default) = body(helper(["connect"]).dir(&dir).run().data()["routes"][0]["curl"].as_str().unwrap());
    assert_eq!(default["model"], "claude-opus-5");
}

#[test]
fn curl_really_sends_it() {
    let (Some(_), Some(_)) = (which("curl"), which("sh")) else { return skip("curl_really_sends_it", "no curl") };
    let parent = folder();
    let dir = deployment(parent.path());
    let call =
        helper(["connect"]).dir(&dir).json(json!({"language": "all"})).run().expect(0).data()["routes"][0].clone();
    let curl = call["curl"].as_str().unwrap();
    // A stand-in on PATH that shows its arguments; the shell takes the command apart.
    let bin = folder();
    script(bin.path(), "curl", "#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n");
    let path = std::env::join_paths([bin.path(), std::path::Path::new("/bin"), "/usr/bin".as_ref()]).unwrap();
    let out = Command::new(posix("sh"))
        .args(["-c", curl])
        .env("PATH", path)
        .env("ANTHROPIC_API_KEY", "the key")
        .output()
        .unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    let words: Vec<&str> = said.split_terminator('\0').collect();
    assert_eq!(words[2], "x-api-key: the key");
    assert_eq!(serde_json::from_str::<Value>(words.last().unwrap()).unwrap(), body(curl).1);
}

#[test]
fn the_python_is_python_and_says_the_same() {
    let Some(python) = which("python3") else { return skip("the_python_is_python_and_says_the_same", "no python3") };
    // Runs it with a stand-in for the SDK that prints what it is called with.
    const PRELUDE: &str = r#"
import ast, json, sys, types
source = sys.stdin.read()
ast.parse(source)
class Messages:
    def create(self, **request):
        print(json.dumps(request))
        return types.SimpleNamespace(content="")
class Anthropic:
    def __init__(self):
        self.beta = types.SimpleNamespace(messages=Messages())
module = types.ModuleType("anthropic")
module.Anthropic = Anthropic
sys.modules["anthropic"] = module
exec(compile(source, "connect.py", "exec"), {})
"#;
    let parent = folder();
    let dir = deployment(parent.path());
    let call =
        helper(["connect"]).dir(&dir).json(json!({"language": "all"})).run().expect(0).data()["routes"][0].clone();
    let mut child = Command::new(python)
        .args(["-c", PRELUDE])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), call["python"].as_str().unwrap().as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", call["python"]);
    let said: Value = serde_json::from_slice(out.stdout.split(|b| *b == b'\n').next().unwrap()).unwrap();
    let mut expected = body(call["curl"].as_str().unwrap()).1;
    expected["betas"] = json!(["mcp-client-2025-11-20"]);
    assert_eq!(said, expected);
}

#[test]
fn the_typescript_is_a_module_and_says_the_same() {
    let Some(node) = which("node") else { return skip("the_typescript_is_a_module_and_says_the_same", "no node") };
    let parent = folder();
    let dir = deployment(parent.path());
    let call =
        helper(["connect"]).dir(&dir).json(json!({"language": "all"})).run().expect(0).data()["routes"][0].clone();
    let source = call["typescript"].as_str().unwrap();
    let files = folder();
    std::fs::write(files.path().join("connect.mjs"), source).unwrap();
    let check = Command::new(&node).args(["--check", "connect.mjs"]).current_dir(files.path()).output().unwrap();
    assert!(check.status.success(), "{source}\n{}", String::from_utf8_lossy(&check.stderr));
    let sdk = files.path().join("node_modules/@anthropic-ai/sdk");
    std::fs::create_dir_all(&sdk).unwrap();
    std::fs::write(sdk.join("package.json"), r#"{"name":"@anthropic-ai/sdk","type":"module","main":"index.js"}"#)
        .unwrap();
    std::fs::write(
        sdk.join("index.js"),
        "export default class { beta = { messages: { create: async (r) => { console.log(JSON.stringify(r)); return { content: '' }; } } }; }\n",
    )
    .unwrap();
    let out = Command::new(&node).arg("connect.mjs").current_dir(files.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said: Value = serde_json::from_slice(out.stdout.split(|b| *b == b'\n').next().unwrap()).unwrap();
    let mut expected = body(call["curl"].as_str().unwrap()).1;
    expected["betas"] = json!(["mcp-client-2025-11-20"]);
    assert_eq!(said, expected);
}

#[test]
fn one_language_is_shown_unless_all_are_asked_for() {
    const ALL: [&str; 3] = ["curl", "python", "typescript"];
    let parent = folder();
    let dir = deployment(parent.path());
    let shown = |call: crate::support::Call| {
        let answer = call.run().expect(0);
        ALL.into_iter().filter(|key| answer.data()["routes"][0][key].is_string()).collect::<Vec<_>>()
    };
    let connect = || helper(["connect"]).dir(&dir);
    assert_eq!(shown(connect()), ["curl"]);
    for one in ALL {
        assert_eq!(shown(connect().json(json!({"language": one}))), [one]);
        assert_eq!(shown(helper(["connect", "--language", one]).dir(&dir)), [one]);
    }
    assert_eq!(shown(connect().json(json!({"language": "all"}))), ALL);
    connect().json(json!({"language": "ruby"})).run().expect(2);
    // A key that reaches several workspaces says which.
    assert!(connect().run().data()["notes"].to_string().contains("`anthropic-workspace-id: "));
}

#[test]
fn a_token_in_another_place_is_a_token() {
    let parent = folder();
    let dir = deployment(parent.path());
    edit(&dir.join(".env"), &token("healthy"), "");
    assert_eq!(helper(["connect"]).dir(&dir).run().findings(), ["token-missing"]);
    let over = "services:\n  cloudflared:\n    environment: !reset null\n    command: !override [tunnel, --no-autoupdate, run, --token, \"TOKEN\"]\n";
    std::fs::write(dir.join("docker-compose.override.yaml"), over.replace("TOKEN", &token("elsewhere"))).unwrap();
    let answer = helper(["connect"]).dir(&dir).secret(&token("elsewhere")).run().expect(0);
    assert!(!answer.findings().contains(&"token-missing"), "{:#}", answer.json);
}

#[test]
fn paths_and_models_that_would_need_escaping_are_refused() {
    let parent = folder();
    let dir = deployment(parent.path());
    for request in [
        json!({"path": "a b"}),
        json!({"path": "a?b"}),
        json!({"path": "it's"}),
        json!({"path": "a\"b"}),
        json!({"path": "a\\b"}),
        json!({"path": "ä"}),
        json!({"path": "a\nb"}),
        json!({"path": "$(id)"}),
        json!({"path": "x".repeat(513)}),
        json!({"model": ""}),
        json!({"model": "a b"}),
        json!({"model": "a'b"}),
        json!({"model": "a\"b"}),
        json!({"model": "x".repeat(129)}),
    ] {
        let refused = helper(["connect"]).dir(&dir).json(request.clone()).run().expect(2);
        assert_eq!(refused.json["error"]["code"], "request", "{request}");
    }
    for (path, url) in [("", "/"), ("/", "/"), ("mcp/", "/mcp"), ("a/b.c~d_e-f", "/a/b.c~d_e-f")] {
        let answer = helper(["connect"]).dir(&dir).json(json!({"path": path})).run().expect(0);
        assert_eq!(answer.data()["routes"][0]["url"], format!("https://echo.{DOMAIN}{url}"), "{path:?}");
    }
}

#[test]
fn a_route_by_its_whole_name_is_called_by_it_and_one_that_cannot_be_is_left_out() {
    let parent = folder();
    let dir = deployment(parent.path());
    let file = dir.join("config/mcp-gateway.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}  whole.{DOMAIN}: http://10.0.0.1:1\n  Not_One: http://10.0.0.1:2\n"))
        .unwrap();
    let answer = helper(["connect"]).dir(&dir).run().expect(0);
    let urls: Vec<&str> =
        answer.data()["routes"].as_array().unwrap().iter().map(|call| call["url"].as_str().unwrap()).collect();
    assert_eq!(urls, [format!("https://echo.{DOMAIN}/mcp"), format!("https://whole.{DOMAIN}/mcp")]);
}

#[test]
fn without_a_route_or_a_directory_there_is_nothing_to_call() {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    assert_eq!(helper(["connect"]).dir(&dir).run().expect(2).json["error"]["code"], "directory");
    helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run().expect(0);
    let refused = helper(["connect"]).dir(&dir).changes_nothing().run().expect(2);
    assert!(refused.message().contains("no route"), "{}", refused.message());
    assert!(refused.json["error"]["hint"].as_str().unwrap().contains("sample"));
}
