//! `logs`: a redacted stream, as text or one object a line, that ends with the engine's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::edge::fake_docker;
use crate::support::engine::{Stack, engine};
use crate::support::{HANG, deployment, folder, helper, plain, script, token};

const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8gJ9oTqnCbL6nWQZ";

/// A deployment whose two containers have printed these lines.
struct Host {
    parent: tempfile::TempDir,
    dir: PathBuf,
}

impl Host {
    fn new(proxy: &str, agent: &str) -> Self {
        let parent = folder();
        let dir = deployment(parent.path());
        let bin = parent.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::write(bin.join("proxy.log"), proxy).unwrap();
        std::fs::write(bin.join("agent.log"), agent).unwrap();
        let inspected = |id: &str, service: &str| {
            json!({
                "Id": id, "Name": format!("/{service}-1"), "Args": [],
                "State": {"Status": "running", "StartedAt": "2026-11-26T08:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"},
                "Config": {"Labels": {
                    "com.docker.compose.project": "mcp-tunnel-abcd1234", "com.docker.compose.service": service,
                    "com.docker.compose.project.working_dir": dir,
                }},
                "HostConfig": {},
            })
        };
        let (first, second) = ("a".repeat(64), "b".repeat(64));
        let all = json!([inspected(&first, "mcp-gateway"), inspected(&second, "cloudflared")]);
        std::fs::write(bin.join("inspect.json"), format!("{all}\n")).unwrap();
        let file = |name: &str| bin.join(name).display().to_string();
        // Without coreutils on PATH: the shell prints the files itself.
        let show = |name: &str| format!("while IFS= read -r line; do printf '%s\\n' \"$line\"; done <'{}'", file(name));
        let special = format!(
            "logs*--follow*) while IFS= read -r line; do printf '%s\\n' \"$line\"; done <'{agent}'; exec /bin/sleep 30 ;;\nlogs*{first}) {proxy} ;;\nlogs*{second}) {shown} ;;\nps*) echo {first}; echo {second} ;;\ninspect*|\"container inspect\"*) {inspect} ;;\n",
            agent = file("agent.log"),
            proxy = show("proxy.log"),
            shown = show("agent.log"),
            inspect = show("inspect.json"),
        );
        script(&bin, "docker", &fake_docker(&special));
        Self { parent, dir }
    }

    fn call(&self, words: &[&str]) -> Command {
        let mut command = plain(self.parent.path());
        command.env("PATH", self.parent.path().join("bin")).arg("logs").args(words).arg("--dir").arg(&self.dir);
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.call(words).output().unwrap()
    }
}

fn text(out: &Output) -> String {
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn stamped(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("2026-11-26T09:00:00.000000001Z {line}\n")).collect()
}

#[test]
fn lines_are_text_with_the_service_in_front() {
    let host =
        Host::new(&stamped(&["proxy starts", "route echo loaded"]), &stamped(&["INF Registered tunnel connection"]));
    let shown = text(&host.run(&[]));
    let mut lines: Vec<&str> = shown.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "cloudflared | INF Registered tunnel connection",
            "mcp-gateway | proxy starts",
            "mcp-gateway | route echo loaded"
        ]
    );
    assert_eq!(text(&host.run(&["--service", "cloudflared"])).lines().count(), 1);
    // A service that does not exist, an invalid time: an answer like any other.
    for words in [&["--service", "nginx"][..], &["--since", "yesterday"], &["--follow=perhaps"]] {
        let out = host.run(words);
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!((out.status.code(), &answer["status"]), (Some(2), &json!("error")), "{words:?}");
    }
}

#[test]
fn as_json_each_line_is_an_object_and_the_answer_is_the_last() {
    let host = Host::new(&stamped(&["one \u{1b}[31mred"]), &stamped(&["two"]));
    let shown = text(&host.run(&["--output", "json"]));
    let objects: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (answer, lines) = objects.split_last().unwrap();
    assert_eq!((&answer["command"], &answer["status"]), (&json!("logs"), &json!("ok")));
    assert_eq!(answer["data"]["lines"], json!({"mcp-gateway": 1, "cloudflared": 1}));
    let one = lines.iter().find(|line| line["service"] == "mcp-gateway").unwrap();
    assert_eq!(one["at"], "2026-11-26T09:00:00.000000001Z");
    let words = one["text"].as_str().unwrap();
    assert!(words.starts_with("one ") && !words.contains('\u{1b}'), "{words}");
}

#[test]
fn no_secret_comes_through_whole_or_in_parts() {
    let secret = token("healthy");
    // Cut by the longest line that is read, in the middle of a token.
    let long = format!("{}{secret}", "word ".repeat(817));
    let block = ["-----BEGIN PRIVATE KEY-----", KEY, "-----END PRIVATE KEY-----"];
    // A key whose beginning was rotated away.
    let rest = ["ready", KEY, KEY, "-----END PRIVATE KEY-----", "and on"];
    let proxy = stamped(&[&[long.as_str(), &format!("TUNNEL_TOKEN={secret}")][..], &block].concat());
    let host = Host::new(&proxy, &stamped(&rest));
    for words in [&[][..], &["--output", "json"]] {
        let shown = text(&host.run(words));
        for part in [secret.as_str(), &secret[..24], &secret[secret.len() - 24..], KEY, &KEY[..20]] {
            assert!(!shown.contains(part), "{part}: {shown}");
        }
        assert!(shown.contains("and on"), "{shown}");
    }
}

#[test]
fn following_shows_what_comes_and_leaves_no_child() {
    let host = Host::new("", &stamped(&["first", "second line"]));
    let mut child = host.call(&["--follow", "--service", "cloudflared"]).stdout(Stdio::piped()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(out));
    assert_eq!(lines.next().unwrap().unwrap(), "cloudflared | first");
    assert_eq!(lines.next().unwrap().unwrap(), "cloudflared | second line");
    assert!(child.try_wait().unwrap().is_none(), "it is shown when it comes");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn without_containers_it_says_what_starts_them() {
    let parent = folder();
    let dir = deployment(parent.path());
    let bin = parent.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    script(&bin, "docker", &fake_docker("\"compose down\"*) ;;"));
    let path = |bin: &Path| bin.to_path_buf();
    let answer = helper(["logs"]).dir(&dir).path(&[&path(&bin)]).json(json!({})).changes_nothing().run().expect(0);
    assert!(answer.json["next"][0]["command"].as_str().unwrap().contains(" up "), "{:#}", answer.json);
}

#[test]
fn engine_logs_end_with_the_engine_s() {
    let Some(engine) = engine("logs") else { return };
    let stack = Stack::small(engine, "logs", "healthy");
    stack.up_ready();
    let run = |words: &[&str]| {
        let home = folder();
        let mut command = plain(home.path());
        command.env("HOME", std::env::var_os("HOME").unwrap());
        command.arg("logs").args(words).arg("--dir").arg(&stack.dir).output().unwrap()
    };
    let shown = text(&run(&["--since", "1h"]));
    assert!(
        shown.lines().any(|line| line.starts_with("cloudflared ")) && !shown.contains(&token("healthy")),
        "{shown}"
    );
    assert!(text(&run(&["--service", "own"])).lines().all(|line| line.starts_with("own | ")));
    // Following ends when the stack does.
    let home = folder();
    let mut follow = plain(home.path());
    // The Compose plugin may be this machine's user's.
    follow.env("HOME", std::env::var_os("HOME").unwrap());
    let child = follow.args(["logs", "--follow", "--dir"]).arg(&stack.dir).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    stack.down().expect(0);
    let began = Instant::now();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && began.elapsed() < HANG, "{:?}", out.status);
}
