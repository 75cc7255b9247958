//! The sample server: the very file that is rendered, called by a real MCP client, alone and in its container.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::engine::{Removed, Stack, docker_says, engine, images, ready, unique};
use crate::support::{DOMAIN, deployment, folder, skip, snapshot};

/// Starts the server, waits until it listens, calls it.
const SCRIPT: &str = r#"
if [ "$NAMESPACE" = own ]; then "$PYTHON" -c "$LOOPBACK_UP" || exit 90; fi
"$PYTHON" "$SERVER" >server.log 2>&1 &
server=$!
trap 'kill $server; wait $server' EXIT
tries=0
until "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', 9000), 1)" 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 $server; then cat server.log >&2; exit 91; fi
    sleep 0.2
done
"$PYTHON" "$CLIENT" http://127.0.0.1:9000/mcp "$TUNNEL_HOST" Ada
"#;

/// A new network namespace has its loopback down.
const LOOPBACK_UP: &str = "import fcntl, socket, struct
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, struct.pack('16sh22x', b'lo', 0x41))";

#[test]
fn sample_answers_a_real_client_with_the_tunnels_host() {
    let Some(python) = std::env::var_os("MCP_TUNNELS_TEST_PYTHON") else {
        skip("sample under its SDK", "MCP_TUNNELS_TEST_PYTHON names no Python with the MCP SDK");
        return;
    };
    let (parent, elsewhere) = (folder(), folder());
    let dir = deployment(parent.path());
    // The port is fixed in the file, and it may be taken here.
    let alone = ["unshare", "--net", "--map-root-user"];
    let can_be_alone = Command::new(alone[0]).args(&alone[1..]).arg("true").stderr(Stdio::null()).status();
    let namespace = if can_be_alone.is_ok_and(|status| status.success()) {
        "own"
    } else if std::net::TcpListener::bind("0.0.0.0:9000").is_ok() {
        "shared"
    } else {
        skip("sample under its SDK", "port 9000 is taken, and there is no network namespace to be had");
        return;
    };
    let before = snapshot(&dir);
    let mut words: Vec<&str> = if namespace == "own" { alone.to_vec() } else { Vec::new() };
    words.extend(["sh", "-c", SCRIPT]);
    let out = Command::new(words[0])
        .args(&words[1..])
        .env("PYTHON", python)
        .env("NAMESPACE", namespace)
        .env("LOOPBACK_UP", LOOPBACK_UP)
        .env("SERVER", dir.join("hello-mcp/server.py"))
        .env("CLIENT", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/call_hello.py"))
        .env("TUNNEL_HOST", format!("echo.{DOMAIN}"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(elsewhere.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(out.status.success(), "{:?}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(answer["tools"], json!(["hello"]));
    assert!(answer["text"].as_str().unwrap().starts_with("Hello, Ada!"), "{answer}");
    assert_eq!(snapshot(&dir), before, "running it leaves nothing behind");
}

/// Calls the sample's tool through the proxy, from where cloudflared sits.
fn call(stack: &Stack, name: &str) -> String {
    let host = format!("echo.{}", stack.domain);
    let arguments = json!({ "name": name }).to_string();
    let (called, text) = stack.probe("cloudflared", &["mcp", "localhost:8080", "/mcp", &host, "hello", &arguments]);
    assert!(called, "{text}");
    text
}

#[test]
fn engine_sample_in_its_container() {
    let Some(engine) = engine("sample in its container") else { return };
    // A base of another name: what is built of it has a name that no other test has.
    let base = format!("mcp-tunnels-test/python:{}", unique("sample"));
    docker_says(["tag", images()["python"].as_str().unwrap(), &base]);
    let _base = Removed("image", base.clone());
    let mut chosen = images();
    chosen["python"] = json!(base);
    let settings = json!({"sample": true, "images": chosen});

    let _built = Removed("built", format!("mcp-tunnel-{}", unique("sample")));
    let stack = Stack::new(engine, "sample", settings, "healthy");

    let up = stack.up_ready();
    assert!(up.data()["containers"].to_string().contains("healthy"), "{:#}", up.json);
    assert!(call(&stack, "Ada").contains("Hello, Ada!"));
    let container = stack.inspect("hello-mcp");
    assert_eq!(container["Config"]["User"], "65532:65532");

    // The first thing that anyone tries.
    stack.edit("hello-mcp/server.py", "This came through your MCP tunnel.", "Edited by a person.");
    assert!(!call(&stack, "Ada").contains("Edited by a person."), "it is read when the server starts");
    stack.restart_ready();
    assert!(call(&stack, "Ada").contains("Edited by a person."));
    assert_eq!(stack.inspect("hello-mcp")["Image"], container["Image"], "an edit of the server needs no build");

    // What it is built of: the next `up` builds, and the proxy has nothing to do with it.
    let others = stack.ids(["mcp-gateway", "cloudflared"]);
    let requirements = stack.read("hello-mcp/requirements.txt");
    stack.write("hello-mcp/requirements.txt", &format!("{requirements}# mine\n"));
    stack.up_ready();
    assert_ne!(stack.inspect("hello-mcp")["Image"], container["Image"], "it was built anew");
    assert!(call(&stack, "Ada").contains("Edited by a person."));
    assert_eq!(stack.ids(["mcp-gateway", "cloudflared"]), others);
    let built = stack.id("hello-mcp");
    stack.up_ready();
    assert_eq!(stack.id("hello-mcp"), built, "once is enough");

    // A package that does not exist: said, and what runs goes on.
    let unknown = format!("mcp-tunnels-test-nobody==1.0 --hash=sha256:{}", "0".repeat(64));
    stack.write("hello-mcp/requirements.txt", &format!("{requirements}{unknown}\n"));
    let failed = stack.up(60).expect(1);
    assert_eq!(failed.findings()[0], "build-packages", "{:#}", failed.json);
    assert!(call(&stack, "Ada").contains("Hello, Ada!"));

    stack.write("hello-mcp/requirements.txt", &requirements);
    ready(stack.up(60));
    stack.assert_no_token();
}

#[test]
fn engine_samples_of_two_deployments_are_two() {
    let Some(engine) = engine("samples of two deployments") else { return };
    let base = format!("mcp-tunnels-test/python:{}", unique("twins"));
    docker_says(["tag", images()["python"].as_str().unwrap(), &base]);
    let _base = Removed("image", base.clone());
    let mut chosen = images();
    chosen["python"] = json!(base);
    let settings = json!({"sample": true, "images": chosen});

    let _built = ["samplea", "sampleb"].map(|label| Removed("built", format!("mcp-tunnel-{}", unique(label))));
    let one = Stack::new(engine, "samplea", settings.clone(), "healthy");
    let other = Stack::new(engine, "sampleb", settings, "healthy");
    one.up_ready();
    let before = one.ids(["cloudflared", "mcp-gateway", "hello-mcp"]);

    // The other one's packages are the other one's.
    let requirements = other.read("hello-mcp/requirements.txt");
    other.write("hello-mcp/requirements.txt", &format!("{requirements}# mine\n"));
    other.up_ready();
    assert_ne!(other.inspect("hello-mcp")["Image"], one.inspect("hello-mcp")["Image"]);
    one.up_ready();
    assert_eq!(one.ids(["cloudflared", "mcp-gateway", "hello-mcp"]), before, "nothing of it has changed");
}
