//! Both conversations, held without a model: every line of the prompts, through the launcher, against real containers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::{CALL, Line, Prompt, prompt, root};
use crate::engine::call::{bring, while_followed};
use crate::support::edge::{World, python};
use crate::support::engine::{Removed, Stack, docker_says, engine, images, services, unique};
use crate::support::{Answer, folder, helper, skip, token};

/// What Claude may read of a run from nothing to the end of the prompt, in bytes: nothing went wrong, and no detour.
const CLEAN_RUN: usize = 12_000;

/// A prompt whose lines are taken one by one, and the deployment that they work on.
struct Talk<'a> {
    prompt: Prompt,
    stack: &'a Stack,
    network: String,
    /// How long is waited for a call.
    seconds: u32,
    taken: BTreeSet<String>,
    /// Bytes of the answers so far.
    bytes: usize,
}

impl<'a> Talk<'a> {
    fn new(name: &str, stack: &'a Stack, network: &str) -> Self {
        Self { prompt: prompt(name), stack, network: network.to_owned(), seconds: 1, taken: BTreeSet::new(), bytes: 0 }
    }

    fn line(&mut self, begin: &str) -> Line {
        let lines = self.prompt.lines();
        let fits = |line: &&Line| {
            let json = line.json.as_deref().map_or(String::new(), |json| format!(" {json}"));
            format!("{}{json}", line.command) == begin
        };
        let line = lines.iter().find(fits).unwrap_or_else(|| panic!("{} has no line `{begin}`", self.prompt.name));
        self.taken.insert(line.text.clone());
        line.clone()
    }

    /// Runs a line as Claude does: its placeholders filled in, by a shell, through the launcher.
    fn run(&mut self, begin: &str) -> Answer {
        self.run_with(begin, &[], "")
    }

    fn run_with(&mut self, begin: &str, wrapper: &[&str], stdin: &str) -> Answer {
        let line = self.line(begin);
        let text = line.text.replace("${CLAUDE_PLUGIN_ROOT}", root().to_str().unwrap());
        let text = [
            ("\"DIR\"", format!("\"{}\"", self.stack.dir.display())),
            ("DOMAIN", self.stack.domain.clone()),
            ("NETWORK", self.network.clone()),
            ("UPSTREAM", "http://own:9000".into()),
            ("NAME", "own".into()),
            ("STEP", "begin".into()),
            ("SECONDS", self.seconds.to_string()),
            ("FILE", self.stack.dir.with_file_name("report.tar.gz").display().to_string()),
        ]
        .iter()
        .fold(text, |text, (name, value)| text.replace(name, value));
        let answer = shell(self.stack, &text, wrapper, stdin);
        assert_eq!(answer.json["command"], line.command.as_str());
        let bytes = self.counted(&answer.json);
        self.bytes += bytes;
        eprintln!("{begin}: {bytes} bytes");
        answer
    }

    /// The length of an answer where a person has the plugin and the deployment, and images with digests.
    fn counted(&self, answer: &Value) -> usize {
        let mut answer = answer.clone();
        for list in ["findings", "next"] {
            answer[list].as_array_mut().into_iter().for_each(|list| {
                list.retain(|one| one["id"] != "image-unpinned" && !one["what"].to_string().contains("@sha256:"));
            });
        }
        let text = answer.to_string().replace("; but an image is not pinned by digest", "");
        let places = [
            (self.stack.dir.display().to_string(), "/home/user/mcp-tunnel"),
            (root().display().to_string(), "/home/user/.claude/plugins/cache/mcp-tunnels/mcp-tunnels/0.1.0"),
        ];
        places.into_iter().fold(text, |text, (here, there)| text.replace(&here, there)).len()
    }

    /// A line that a clean run does not have: what it answers is not counted.
    fn aside(&mut self, begin: &str) -> Answer {
        let before = self.bytes;
        let answer = self.run(begin);
        self.bytes = before;
        answer
    }

    /// No line of the prompt was left out.
    fn end(self) {
        let all: BTreeSet<String> = self.prompt.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(self.taken, all);
    }
}

/// A line in a shell, with this build in place of what the launcher would get.
fn shell(stack: &Stack, line: &str, wrapper: &[&str], stdin: &str) -> Answer {
    let call = stack.call(Vec::<String>::new()).env("MCP_TUNNELS_HELPER", env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
    call.under(&[wrapper, &["sh", "-c", line]].concat()).within(Duration::from_secs(300)).stdin(stdin).run()
}

/// The command that `next` gives the person, as pasted.
fn pasted(stack: &Stack, answer: &Answer, containing: &str, stdin: &str) -> Answer {
    let next = answer.json["next"].as_array().unwrap().iter();
    let command = next
        .filter(|step| step["who"] == "person")
        .filter_map(|step| step["command"].as_str())
        .find(|command| command.contains(containing))
        .unwrap_or_else(|| panic!("no `{containing}` in {:#}", answer.json));
    assert!(command.starts_with(root().join("bin/mcp-tunnels-helper").to_str().unwrap()), "{command}");
    shell(stack, command, &[], stdin)
}

/// States of the steps.
fn steps(answer: &Answer) -> Vec<(&str, &str)> {
    let steps = answer.data()["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["id"].as_str().unwrap(), step["state"].as_str().unwrap())).collect()
}

/// Where no packet leaves the machine: the probes of `preflight` are not sent.
pub(super) fn closed() -> Option<Vec<&'static str>> {
    let works =
        |args: &[&str]| Command::new("unshare").args(args).arg("true").output().is_ok_and(|o| o.status.success());
    [vec!["unshare", "-n"], vec!["unshare", "-rn"]].into_iter().find(|words| works(&words[1..]))
}

#[test]
fn engine_both_conversations_from_nothing_to_torn_down() {
    let Some(engine) = engine("both conversations") else { return };
    let Some(closed) = closed() else { return skip("both conversations", "no network namespace can be made") };
    let parent = folder();
    let stack = Stack::unmade(engine, &parent.path().join("a tunnel"), "talk");
    let _built = Removed("built", stack.project.clone());
    let network = unique("talk-network");
    docker_says(["network", "create", &network]);
    let _network = Removed("network", network.clone());

    let mut talk = Talk::new("create-docker-mcp-tunnel", &stack, &network);
    // Steps 0 and 1: nothing is there, and nothing is made by looking.
    let nothing = talk.run("init").expect(0);
    assert_eq!(nothing.data()["domain"], Value::Null);
    let machine = talk.run_with("preflight", &closed, "");
    // Where something answers, it is what Claude reads in a clean run.
    let python = python("size of the answers of a clean run");
    if let Some(python) = &python {
        talk.bytes = talk.counted(&nothing.json);
        let world = World::healthy();
        let edge = world.start(python);
        let destinations = format!("MCP_TUNNELS_TEST_DESTINATIONS={}", edge.destinations);
        talk.run_with("preflight", &["env", &destinations], "").expect(0);
    }
    assert!(machine.data()["tools"].is_array() || machine.data()["tools"].is_object(), "{:#}", machine.json);
    assert!(machine.data()["network"].is_array(), "{:#}", machine.json);
    let console = machine.json["next"][0]["what"].as_str().unwrap_or_default();
    assert!(machine.code == 1 || console.contains("MCP tunnels > New tunnel"), "{console}");
    assert!(!stack.dir.exists());

    // Steps 2 and 3: the domain, and the token past the chat.
    let made = talk.run("init {\"domain\":\"DOMAIN\"}").expect(0);
    let waiting = talk.aside("token check").expect(1);
    assert_eq!(waiting.data()["state"], "placeholder");
    stack.remember(token("healthy"));
    pasted(&stack, &made, " token set ", &token("healthy")).expect(0);
    assert_eq!(talk.run("token check").expect(0).data()["state"], "set");

    // Step 4: what is to be pasted is the certificate, and the fingerprint is one of both answers.
    let certificates = talk.run("certs check").expect(0);
    let ca = &certificates.data()["ca"];
    assert_eq!(ca["pem"], fs::read_to_string(stack.dir.join("data/ca.crt")).unwrap());
    assert_eq!(ca["fingerprint_sha256"], made.data()["ca"]["fingerprint_sha256"]);

    // The person comes back the next day.
    let later = talk.aside("init").expect(0);
    let done = |answer: &Answer| {
        steps(answer).into_iter().filter(|(_, state)| *state == "done").map(|(id, _)| id.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(done(&later), ["create-tunnel", "directory", "token"]);
    assert_eq!(later.data()["step"], "register-ca");

    // Steps 5 to 8 with the sample. These images are this machine's.
    helper(["init"]).dir(&stack.dir).json(json!({"sample": true, "images": images()})).run().expect(0);
    let rendered = talk.run("render {\"sample\":true}").expect(0);
    assert_eq!(rendered.data()["routes"], json!({"echo": "http://hello-mcp:9000"}));
    // Before the tunnel: whether this side is ready.
    let rehearsed = talk.aside("up {\"rehearse\":true}").expect(0);
    assert!(rehearsed.json["next"][0]["command"].as_str().unwrap().contains(" up "), "{:#}", rehearsed.json);
    let up = talk.run("up").expect(0);
    assert_eq!((&up.data()["ready"], &up.data()["connections"]["registered"]), (&json!(true), &json!(4)));
    let call = talk.run("connect").expect(0);
    let route = &call.data()["routes"][0];
    assert_eq!(route["url"], format!("https://echo.{}/mcp", stack.domain));
    for key in ["console", "curl"] {
        assert!(!route[key].is_null(), "{key}");
    }
    // Not tried yet is a normal answer; then Claude calls.
    assert_eq!(stack.call(["init"]).run().expect(0).data()["step"], "call");
    talk.aside("diagnose {\"wait_for_call_seconds\":SECONDS}").expect(0);
    talk.seconds = 60;
    let host = format!("echo.{}/mcp", stack.domain);
    let wait = || talk.run("diagnose {\"wait_for_call_seconds\":SECONDS}").expect(0);
    let called = while_followed(&stack, wait, || bring(&stack, &host));
    assert_eq!(called.data()["call"]["reached"], "answered", "{:#}", called.json);
    let renew = talk.run("certs renew").expect(0);
    assert_eq!(renew.data()["renewed"], false);
    assert!(renew.json["next"][0]["command"].as_str().unwrap().contains(" certs renew "), "{:#}", renew.json);

    eprintln!("a clean run: {} bytes of answers", talk.bytes);
    assert!(python.is_none() || talk.bytes <= CLEAN_RUN, "{} bytes of answers", talk.bytes);

    // A resumed run: all is there, live and called.
    let resumed = talk.run("init").expect(0);
    assert_eq!(resumed.data()["step"], "done", "{:#}", resumed.json);

    // A server of one's own, in the override file and with a network to join.
    let own = services(&[("own", "")]);
    fs::write(stack.dir.join("docker-compose.override.yaml"), own).unwrap();
    let added = talk.run("render {\"routes\":{\"NAME\":\"UPSTREAM\"}}").expect(0);
    assert_eq!(added.data()["routes"], json!({"echo": "http://hello-mcp:9000", "own": "http://own:9000"}));
    let joined = talk.run("render {\"routes\":{\"NAME\":\"UPSTREAM\"},\"networks\":[\"NETWORK\"]}").expect(0);
    assert_eq!(joined.data()["networks"], json!([network]));
    // It is asked before it is a route; nothing of that name is on this network.
    talk.run("probe {\"url\":\"UPSTREAM\"}");
    assert_eq!(talk.run("up").expect(0).data()["ready"], true);
    talk.end();
    // Stopped: the start is to do, and nothing before it but the question about the CA.
    stack.call(["down"]).run().expect(0);
    let stopped = stack.call(["init"]).run().expect(0);
    assert_eq!(
        (&stopped.data()["step"], &stopped.data()["steps"][7]["state"]),
        (&json!("register-ca"), &json!("todo"))
    );
    stack.up_ready();
    let (answered, text) = stack.ask("own");
    assert!(answered && text.contains("this is own"), "{text}");

    // The days after.
    let mut talk = Talk::new("manage-docker-mcp-tunnel", &stack, &network);
    assert_eq!(talk.run("status").expect(0).data()["ready"], true);
    talk.run("diagnose").expect(0);
    talk.run("diagnose {\"wait_for_call_seconds\":SECONDS}").expect(0);
    talk.run("check").expect(0);
    talk.run_with("preflight", &closed, "");
    talk.run("probe").expect(0);
    talk.run("probe {\"url\":\"UPSTREAM\"}");
    talk.run("diagnose {\"bundle\":\"FILE\"}").expect(0);
    let file = stack.dir.with_file_name("report.tar.gz");
    assert_bundle(&file);
    fs::remove_file(&file).unwrap();
    talk.run("export {\"to\":\"replica\",\"out\":\"FILE\"}").expect(0);
    let present = talk.run("render {\"dry_run\":true}").expect(0);
    assert_eq!(present.data()["networks"], json!([network]), "what a second list must name again");
    talk.run("render {\"routes\":{\"NAME\":null}}").expect(0);
    talk.run("render {\"routes\":{\"NAME\":\"UPSTREAM\"}}").expect(0);
    talk.run("render {\"routes\":{\"NAME\":\"UPSTREAM\"},\"networks\":[\"NETWORK\"]}").expect(0);
    let without = talk.run("render {\"sample\":false}").expect(0);
    assert_eq!(without.data()["routes"], json!({"own": "http://own:9000"}));

    let before = talk.run("token check").expect(0).data()["fingerprint"].clone();
    stack.remember(token("healthy rotated"));
    talk.run_with("token set", &[], &token("healthy rotated")).expect(0);
    assert_ne!(talk.run("token check").expect(0).data()["fingerprint"], before);
    assert_eq!(talk.run("restart").expect(0).data()["ready"], true);
    assert!(stack.runs_with("healthy rotated"));
    talk.run("connect").expect(0);

    talk.run("certs check").expect(0);
    assert_eq!(talk.run("certs renew").expect(0).data()["renewed"], false);
    talk.run("certs rotate-ca {\"step\":\"STEP\"}").expect(0);
    for step in ["switch", "finish"] {
        stack.call(["certs", "rotate-ca"]).json(json!({"step": step})).run().expect(0);
    }
    // A leaked key: nothing of the old keys is left in use.
    talk.run("down").expect(0);
    let old = ["ca.key", "tls.key", "ca.crt"].map(|file| fs::read(stack.dir.join("data").join(file)).unwrap());
    let aside = format!("mv '{0}/data' '{0}/data.bak-leaked'", stack.dir.display());
    assert!(Command::new("sh").args(["-c", &aside]).status().unwrap().success());
    talk.run("certs issue").expect(0);
    let new = ["ca.key", "tls.key", "ca.crt"].map(|file| fs::read(stack.dir.join("data").join(file)).unwrap());
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    let ignored = fs::read_to_string(stack.dir.join(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*.bak-*"), "git takes no notice of what was moved aside");
    assert_eq!(talk.run("up").expect(0).data()["ready"], true);
    talk.run("down").expect(0);
    assert_eq!(stack.containers(), Vec::<String>::new());
    talk.end();
}

/// Something that tar can read, and no secret in it.
fn assert_bundle(file: &Path) {
    let out = Command::new(crate::support::posix("tar")).arg("-xzOf").arg(file).output().unwrap();
    assert!(out.status.success() && !out.stdout.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(!text.contains(&token("healthy")) && !text.contains("PRIVATE KEY-----"), "a secret is in the bundle");
}

/// A directory that was made by hand from Anthropic's quickstart is understood and left alone.
#[test]
fn a_directory_made_by_hand_is_resumed() {
    let parent = folder();
    let dir = crate::support::deployment(parent.path());
    fs::remove_file(dir.join("docker-compose.yaml")).unwrap();
    fs::rename(dir.join("config/mcp-gateway.yaml"), dir.join("config/mcp-proxy.yaml")).unwrap();
    let compose = "services:\n  mcp-proxy:\n    image: us-docker.pkg.dev/x/mcp-proxy:1\n    volumes: ['./config/mcp-proxy.yaml:/etc/mcp-gateway/config.yaml:ro', './data:/data:ro']\n  cloudflared:\n    image: cloudflare/cloudflared:2026.3.0\n    network_mode: service:mcp-proxy\n    command: tunnel --no-autoupdate run --url http://localhost:8080\n    environment: [TUNNEL_TOKEN]\n";
    fs::write(dir.join("docker-compose.yaml"), compose).unwrap();
    let lines = prompt("create-docker-mcp-tunnel").lines();
    let run = |begin: &str| {
        let line = lines.iter().find(|line| line.text.starts_with(&format!("{CALL} {begin}"))).unwrap();
        let text = line.text.replace("${CLAUDE_PLUGIN_ROOT}", root().to_str().unwrap());
        let text = text.replace("DIR", dir.to_str().unwrap()).replace("DOMAIN", crate::support::DOMAIN);
        let call = helper(Vec::<String>::new()).dir(&dir);
        let call = call.env("MCP_TUNNELS_HELPER", env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
        call.env("PATH", crate::support::posix_path()).under(&["sh", "-c", &text]).run()
    };
    let now = run("init --dir \"DIR\"").expect(0);
    let done: Vec<&str> = steps(&now).into_iter().filter(|(_, state)| *state == "done").map(|(id, _)| id).collect();
    assert_eq!(done, ["create-tunnel", "directory", "token", "upstream", "configure"]);
    run("init --dir \"DIR\" --json").expect(0);
    let refused = run("render --dir \"DIR\" --json '{\"sample\"").expect(1);
    assert!(refused.findings().contains(&"foreign-deployment"), "{:#}", refused.json);
    assert!(refused.data()["diffs"][0]["diff"].as_str().unwrap().contains("mcp-proxy"));
    assert_eq!(fs::read_to_string(dir.join("docker-compose.yaml")).unwrap(), compose);
    let call = run("connect").expect(0);
    assert_eq!(call.data()["routes"][0]["name"], "echo");
}
