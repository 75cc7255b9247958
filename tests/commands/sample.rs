//! The sample server: the very file that is rendered, called by a real MCP client, alone and in its container.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::engine::{Removed, Stack, docker_says, engine, images, ready, unique, until};
use crate::support::{DOMAIN, deployment, edit, folder, helper, sha256, skip, snapshot};

/// Starts the server, waits until it listens, and has it called by the client of each era, who is interrupted by a
/// restart of the server between its first and its second request.
const SCRIPT: &str = r#"
if [ "$NAMESPACE" = own ]; then "$PYTHON" -c "$LOOPBACK_UP" || exit 90; fi
cat >start.sh <<'END'
"$PYTHON" "$SERVER" >>server.log 2>&1 &
echo $! >pid
tries=0
until "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', 9000), 1)" 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 "$(cat pid)"; then cat server.log >&2; exit 91; fi
    sleep 0.2
done
END
cat >restart.sh <<'END'
kill "$(cat pid)"
while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.1; done
. ./start.sh
END
trap 'kill "$(cat pid)"' EXIT
sh start.sh || exit
for client in $CLIENTS; do
    "$client" "$CLIENT" http://127.0.0.1:9000/mcp "$TUNNEL_HOST" Ada --between 'sh restart.sh' || exit
done
"#;

/// A new network namespace has its loopback down.
const LOOPBACK_UP: &str = "import fcntl, socket, struct
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, struct.pack('16sh22x', b'lo', 0x41))";

/// The Python of a variable.
fn python(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        skip("sample under its SDK", &format!("{name} names no Python with the MCP SDK"));
    }
    value
}

/// What clients get of the `server.py` of a deployment that `server`, an interpreter, runs: one answer a client.
fn called(dir: &Path, server: &str, clients: &[&str]) -> Option<Vec<Value>> {
    // The port is fixed in the file, and it may be taken here.
    let alone = ["unshare", "--net", "--map-root-user"];
    let can_be_alone = Command::new(alone[0]).args(&alone[1..]).arg("true").stderr(Stdio::null()).status();
    let namespace = if can_be_alone.is_ok_and(|status| status.success()) {
        "own"
    } else if std::net::TcpListener::bind("0.0.0.0:9000").is_ok() {
        "shared"
    } else {
        skip("sample under its SDK", "port 9000 is taken, and there is no network namespace to be had");
        return None;
    };
    let elsewhere = folder();
    let mut words: Vec<&str> = if namespace == "own" { alone.to_vec() } else { Vec::new() };
    words.extend(["sh", "-c", SCRIPT]);
    let out = Command::new(words[0])
        .args(&words[1..])
        .env("PYTHON", server)
        .env("CLIENTS", clients.join(" "))
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
    Some(String::from_utf8_lossy(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn assert_hello(answer: &Value, protocol: &str) {
    assert_eq!(answer["protocol"], protocol, "{answer}");
    assert_eq!(answer["tools"], json!(["hello"]));
    assert!(answer["text"].as_str().unwrap().starts_with("Hello, Ada!"), "{answer}");
}

#[test]
fn sample_answers_real_clients_of_both_eras_across_a_restart() {
    let Some(one) = python("MCP_TUNNELS_TEST_PYTHON") else { return };
    let Some(two) = python("MCP_TUNNELS_TEST_PYTHON2") else { return };
    let parent = folder();
    let dir = deployment(parent.path());
    let before = snapshot(&dir);
    let Some(answers) = called(&dir, &two, &[&one, &two]) else { return };
    assert_hello(&answers[0], "2025-11-25");
    assert_hello(&answers[1], "2026-07-28");
    assert_eq!(snapshot(&dir), before, "running it leaves nothing behind");
}

/// The files of the sample as they were rendered when it ran on version 1 of the SDK; `edit` is a person's.
fn make_older(dir: &Path, python_image: &str, edit: impl Fn(&str, String) -> String) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/mcp1-sample");
    for name in ["server.py", "Dockerfile", "requirements.txt"] {
        let body = std::fs::read_to_string(source.join(name)).unwrap().replace("@PYTHON_IMAGE@", python_image);
        let made_by = "# Written by mcp-tunnels-helper. You may edit this file: your version is then kept.\n";
        let hash = sha256(format!("{made_by}{body}").as_bytes());
        let text = edit(name, format!("{made_by}# content-sha256: {hash}\n{body}"));
        std::fs::write(dir.join("hello-mcp").join(name), text).unwrap();
    }
}

fn sample_files(dir: &Path) -> Vec<(String, String)> {
    let read = |name: &str| (name.to_owned(), std::fs::read_to_string(dir.join("hello-mcp").join(name)).unwrap());
    ["server.py", "Dockerfile", "requirements.txt"].map(read).into()
}

#[test]
fn an_older_sample_that_a_person_edited_goes_on_with_what_it_needs() {
    let parent = folder();
    let dir = deployment(parent.path());
    let render = |request: Value| helper(["render"]).dir(&dir).json(request).run();
    let current = sample_files(&dir);
    let base = current[1].1.lines().find_map(|line| line.strip_prefix("FROM ")).unwrap().to_owned();

    // As the helper wrote it: the whole of it is the helper's to replace.
    make_older(&dir, &base, |_, text| text);
    let answer = render(json!({})).expect(0);
    assert_eq!((sample_files(&dir), answer.findings()), (current.clone(), vec![]));

    // An edit of any one of its files keeps the others on the same version.
    for edited in ["server.py", "Dockerfile", "requirements.txt"] {
        make_older(&dir, &base, |name, text| if name == edited { text + "# mine\n" } else { text });
        let before = sample_files(&dir);
        let answer = render(json!({})).expect(0);
        assert_eq!(sample_files(&dir), before, "{edited}");
        let subject = json!({"kind": "file", "name": format!("hello-mcp/{edited}")});
        assert_eq!(answer.finding("sample-of-mcp-1")["subject"], subject);
        // What a request asks for is still done.
        let other = json!({"images": {"python": "python:other@sha256:0000000000000000000000000000000000000000000000000000000000000001"}});
        let asked = render(other.clone());
        if edited == "Dockerfile" {
            asked.expect(1).finding("edit-blocks-change");
            render(json!({"overwrite": true, "images": other["images"]})).expect(0);
            assert_eq!(sample_files(&dir)[0], current[0], "nothing of the old one is left");
        } else {
            asked.expect(0);
            let docker = &sample_files(&dir)[1].1;
            assert_eq!(*docker, {
                make_older(&dir, other["images"]["python"].as_str().unwrap(), |name, text| {
                    if name == edited { text + "# mine\n" } else { text }
                });
                sample_files(&dir)[1].1.clone()
            });
        }
        render(json!({"images": null, "overwrite": true})).expect(0);
        std::fs::remove_dir_all(dir.join("hello-mcp")).unwrap();
        render(json!({})).expect(0);
        assert_eq!(sample_files(&dir), current);
    }

    // A server is never replaced, and so nor is what it runs on, edited or not.
    make_older(&dir, &base, |_, text| text + "# mine\n");
    let before = sample_files(&dir);
    render(json!({"overwrite": true})).expect(0).finding("sample-of-mcp-1");
    assert_eq!(sample_files(&dir), before);
    // A server of version 2 takes the packages of today.
    let server = current[0].1.replace("Hello, {name}", "Howdy, {name}");
    make_older(&dir, &base, |name, text| if name == "server.py" { server.clone() } else { text });
    assert_eq!(render(json!({})).expect(0).findings(), Vec::<&str>::new());
    assert_eq!(sample_files(&dir)[1..], current[1..]);
    assert_eq!(sample_files(&dir)[0].1, server);
}

#[test]
fn a_server_of_version_1_on_version_2_is_found_before_it_is_started() {
    let parent = folder();
    let dir = deployment(parent.path());
    edit(
        &dir.join("hello-mcp/server.py"),
        "from mcp.server import MCPServer",
        "from mcp.server.fastmcp import FastMCP",
    );
    let answer = helper(["check"]).dir(&dir).run();
    assert_eq!(answer.finding("mcp-sdk-v2")["subject"], json!({"kind": "service", "name": "hello-mcp"}));
}

#[test]
fn an_older_sample_runs_under_its_sdk() {
    let Some(one) = python("MCP_TUNNELS_TEST_PYTHON") else { return };
    let parent = folder();
    let dir = deployment(parent.path());
    make_older(&dir, "python:3", |name, text| if name == "server.py" { text + "# mine\n" } else { text });
    helper(["render"]).dir(&dir).json(json!({})).run().expect(0);
    let Some(answers) = called(&dir, &one, &[&one]) else { return };
    assert_hello(&answers[0], "2025-11-25");
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
    let server = &up.data()["routes"][0]["server"];
    assert_eq!((&server["name"], &server["protocol"]), (&json!("hello-server"), &json!("2026-07-28")), "{server}");
    assert!(call(&stack, "Ada").contains("Hello, Ada!"));
    let container = stack.inspect("hello-mcp");
    assert_eq!(container["Config"]["User"], "65532:65532");

    // No session that one of two could lose for the other: the client opens one connection a request.
    stack.compose_ok(&["up", "--detach", "--no-recreate", "--scale", "hello-mcp=2"]);
    until("both are healthy", || {
        let all = stack.containers().into_iter();
        let health = |id: String| {
            docker_says([
                "inspect",
                "--format",
                "{{.Config.Image}} {{if .State.Health}}{{.State.Health.Status}}{{end}}",
                &id,
            ])
        };
        all.map(health).filter(|said| said.contains("hello-mcp") && said.ends_with(" healthy")).count() == 2
    });
    for _ in 0..6 {
        assert!(call(&stack, "Ada").contains("Hello, Ada!"));
    }
    stack.compose_ok(&["up", "--detach", "--no-recreate", "--scale", "hello-mcp=1"]);

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

    // A package that does not exist: said, and what runs keeps running.
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
fn engine_an_older_sample_goes_on() {
    let Some(engine) = engine("an older sample") else { return };
    let base = format!("mcp-tunnels-test/python:{}", unique("older"));
    docker_says(["tag", images()["python"].as_str().unwrap(), &base]);
    let _base = Removed("image", base.clone());
    let mut chosen = images();
    chosen["python"] = json!(base);
    let _built = Removed("built", format!("mcp-tunnel-{}", unique("older")));
    let stack = Stack::new(engine, "older", json!({"sample": true, "images": chosen}), "healthy");
    make_older(&stack.dir, &base, |name, text| match name {
        "server.py" => text.replace("This came through your MCP tunnel.", "Edited by a person."),
        _ => text,
    });
    stack.call(["render"]).run().expect(0).finding("sample-of-mcp-1");
    let up = stack.up_ready();
    assert_eq!(up.data()["routes"][0]["server"]["version"], "1.30.0", "{:#}", up.json);
    assert!(call(&stack, "Ada").contains("Edited by a person."));
    let before = stack.id("hello-mcp");
    // Rendered again and started again, it is the same.
    stack.call(["render"]).json(json!({"log_level": "debug"})).run().expect(0);
    stack.up_ready();
    assert_eq!(stack.id("hello-mcp"), before);
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
    // Typed by hand, too, the image is built and no registry is asked for it.
    let report = one.compose_ok(&["up", "--detach"]);
    assert!(!report.contains("Pulling") && !report.contains("Warning"), "{report}");
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
