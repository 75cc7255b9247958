//! The conversation to set a tunnel up, held without a model and without an engine: every step has its section, every
//! loop its ending, and what a section says is in the answers that it is said about.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::conversation::closed;
use super::{CALL, Line, Prompt, filled, prompt, prompts, root};
use crate::contract::steps::STEPS;
use crate::support::edge::fake_docker;
use crate::support::pty::Terminal;
use crate::support::{Answer, DOMAIN, edit, folder, helper, plain, posix_path, script, skip, token};

const CREATE: &str = "create-docker-mcp-tunnel";

/// Title and text of each section.
fn sections(prompt: &Prompt) -> Vec<(String, String)> {
    let parts = prompt.body.split("\n## ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).map(|(title, text)| (title.to_owned(), text.to_owned())).collect()
}

fn section(prompt: &Prompt, title: &str) -> String {
    let found = sections(prompt).into_iter().find(|(known, _)| known == title);
    found.unwrap_or_else(|| panic!("{} has no section {title}", prompt.name)).1
}

/// The options that a question offers: the texts in single asterisks, question by question.
fn questions(text: &str) -> Vec<Vec<String>> {
    // Sections join their options by commas and by a word of explanation in brackets.
    let plain = text.replace("**", "");
    let mut questions: Vec<Vec<String>> = Vec::new();
    let mut end = 0;
    let mut at = 0;
    while let Some(open) = plain[at..].find('*').map(|found| found + at) {
        let Some(close) = plain[open + 1..].find('*').map(|found| found + open + 1) else { break };
        let between = &plain[end..open];
        let is_same =
            !questions.is_empty() && end > 0 && !between.contains(['.', ':', '?']) && !between.contains("\n\n");
        let is_list = between.trim_start().starts_with("\n- ") || between.contains("\n- ");
        if !is_same || is_list {
            questions.push(Vec::new());
        }
        questions.last_mut().unwrap().push(plain[open + 1..close].to_owned());
        end = close + 1;
        at = end;
    }
    questions
}

#[test]
fn every_step_has_a_section_in_the_order_of_the_helper() {
    let prompt = prompt(CREATE);
    let titles: Vec<String> = sections(&prompt).into_iter().map(|(title, _)| title).collect();
    let expected: Vec<&str> = ["Rules", "Current step"].into_iter().chain(STEPS).chain(["done"]).collect();
    assert_eq!(titles, expected);
}

/// AskUserQuestion takes two to four options. The list of places in `upstream` is one question whose options stand at
/// the beginning of its items.
#[test]
fn every_question_has_two_to_four_options() {
    for prompt in prompts() {
        for (title, text) in sections(&prompt) {
            let places = text.lines().filter(|line| line.starts_with("- *")).count();
            assert!(places == 0 || (2..=4).contains(&places), "{}: {title}", prompt.name);
            let text: String = text
                .lines()
                .map(|line| match line.strip_prefix("- *").and_then(|rest| rest.split_once("*:")) {
                    Some((_, rest)) => format!("{rest}\n"),
                    None => format!("{line}\n"),
                })
                .collect();
            for options in questions(&text) {
                assert!((2..=4).contains(&options.len()), "{}: {title}: {options:?}", prompt.name);
            }
        }
    }
}

/// Where a person leads, the conversation can stop in good order, or says what comes instead.
#[test]
fn every_loop_has_an_ending() {
    let prompt = prompt(CREATE);
    for step in ["preflight", "create-tunnel", "token", "start", "call"] {
        assert!(section(&prompt, step).contains("**stop**"), "{step}");
    }
    assert!(section(&prompt, "register-ca").contains("*Later* (go on: calls fail until then)"));
}

/// A host on which docker answers and nothing runs, and the lines of the prompt on it.
struct Talk {
    parent: tempfile::TempDir,
    lines: Vec<Line>,
    taken: BTreeSet<String>,
}

impl Talk {
    fn new(name: &str) -> Self {
        let parent = folder();
        fs::create_dir(parent.path().join("bin")).unwrap();
        script(&parent.path().join("bin"), "docker", &fake_docker("\"compose down\"*) ;;"));
        Self { parent, lines: prompt(name).lines(), taken: BTreeSet::new() }
    }

    fn dir(&self) -> std::path::PathBuf {
        self.parent.path().join("a tunnel")
    }

    fn run_in(&mut self, begin: &str, wrapper: &[&str]) -> Answer {
        let fits = |line: &&Line| {
            let json = line.json.as_deref().map_or(String::new(), |json| format!(" {json}"));
            format!("{}{json}", line.command) == begin
        };
        let line = self.lines.iter().find(fits).unwrap_or_else(|| panic!("no line `{begin}`")).clone();
        self.taken.insert(line.text.clone());
        let text = line.text.replace("${CLAUDE_PLUGIN_ROOT}", root().to_str().unwrap());
        let text = filled(&text.replace("\"DIR\"", &format!("\"{}\"", self.dir().display())));
        let path = std::env::join_paths(
            std::iter::once(self.parent.path().join("bin")).chain(std::env::split_paths(&posix_path())),
        );
        let call = helper(Vec::<String>::new()).env("PATH", path.unwrap());
        let call = call.env("MCP_TUNNELS_HELPER", env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
        let call = call.env("XDG_STATE_HOME", self.parent.path().join("state"));
        call.under(&[wrapper, &["sh", "-c", &text]].concat()).run()
    }

    fn run(&mut self, begin: &str) -> Answer {
        self.run_in(begin, &[])
    }

    fn step(&mut self) -> String {
        self.run("init").data()["step"].as_str().unwrap().to_owned()
    }

    fn token_set(&self, text: &str) -> Answer {
        helper(["token", "set"]).dir(self.dir()).stdin(text).run()
    }
}

/// From nothing to the start: what each section needs is in the answers, and a person may stop and return at any step.
#[test]
fn each_section_finds_what_it_speaks_of() {
    let mut talk = Talk::new(CREATE);
    assert_eq!(talk.step(), "preflight");
    assert!(!talk.dir().exists());
    // Another way to the same place: the domain first.
    let made = talk.run("init {\"domain\":\"DOMAIN\"}").expect(0);
    assert_eq!(made.data()["step"], "token");
    let shown = made.json["next"][0]["command"].as_str().unwrap();
    assert!(shown.contains(" token set ") && made.json["next"][0]["who"] == "person", "{shown}");

    // Refused twice: nothing is written, the message is safe, and it is still this step.
    for paste in ["eyJhIjoi", "a password"] {
        let refused = talk.token_set(paste);
        let said = refused.json["summary"].as_str().unwrap();
        assert!(said.contains("nothing was written") && !said.contains(paste), "{said}");
        assert_eq!(talk.run("token check").expect(1).data()["state"], "placeholder");
        assert_eq!(talk.step(), "token");
    }
    talk.token_set(&token("healthy")).expect(0);
    assert_eq!(talk.run("token check").expect(0).data()["state"], "set");

    // Not Active yet, today or tomorrow: the same step, with what is to be compared and pasted.
    assert_eq!(talk.step(), "register-ca");
    let certificates = talk.run("certs check").expect(0);
    let ca = &certificates.data()["ca"];
    assert!(ca["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE"));
    let clicks = talk.run("init").json["next"][0]["what"].as_str().unwrap().to_owned();
    assert!(clicks.contains("data/ca.crt") && clicks.contains("fingerprint"), "{clicks}");
    // A fingerprint that differs is of another file.
    let der = ca["fingerprint_sha256"].as_str().unwrap();
    assert_eq!(talk.run("init").data()["ca"]["fingerprint_sha256"], der);

    // Active: the next one that is not done.
    let steps = talk.run("init");
    let open = steps.data()["steps"].as_array().unwrap().iter();
    let open: Vec<&str> = open.filter(|s| s["state"] != "done").map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(open, ["preflight", "register-ca", "upstream", "configure", "start", "call"]);
    let written = talk.run("render {\"routes\":{\"NAME\":\"UPSTREAM\"}}").expect(0);
    assert_eq!(written.data()["routes"], json!({"wiki": "http://wiki:8000"}));
    talk.run("render {\"sample\":true}").expect(0);

    // A file that the person edited is shown, and kept until they say so.
    edit(&talk.dir().join("docker-compose.yaml"), "max-size: 10m", "max-size: 20m");
    let kept = talk.run("render {\"routes\":{\"NAME\":\"UPSTREAM\"},\"networks\":[\"NETWORK\"]}").expect(1);
    assert!(kept.data()["diffs"][0]["diff"].as_str().unwrap().contains("20m"));
    let connect = talk.run("connect").expect(0);
    assert_eq!(connect.data()["running"], false);
    for key in ["url", "console", "curl"] {
        assert!(!connect.data()["routes"][0][key].is_null(), "{key}");
    }
    let renew = talk.run("certs renew").expect(0);
    assert_eq!(renew.data()["renewed"], false);
    assert!(renew.json["next"][0]["command"].is_string(), "the schedule is in `next`");
}

#[test]
fn a_directory_of_another_tunnel_is_an_ending_and_not_overwritten() {
    let mut talk = Talk::new(CREATE);
    helper(["init"]).dir(talk.dir()).json(json!({"domain": "ffff0000.tunnel.anthropic.com"})).run().expect(0);
    let refused = talk.run("init {\"domain\":\"DOMAIN\"}").expect(2);
    assert_eq!(refused.json["error"]["code"], "other-domain");
    assert!(refused.message().contains(DOMAIN) && refused.message().contains("ffff0000"), "{}", refused.message());
    assert_eq!(talk.step(), "token");
}

/// A blocked network: what the text for the network team is made of.
#[test]
fn what_a_network_team_needs_is_in_the_rows() {
    let Some(closed) = closed() else { return skip("network team", "no network namespace can be made") };
    let mut talk = Talk::new(CREATE);
    let answer = talk.run_in("preflight", &closed);
    let rows = answer.data()["network"].as_array().unwrap().clone();
    let failed: Vec<&Value> = rows.iter().filter(|row| row["outcome"] != "ok").collect();
    assert!(!failed.is_empty(), "{:#}", answer.json);
    for row in failed {
        assert!(row["target"].is_string() && row["transport"].is_string() && row["port"].is_number(), "{row}");
    }
    assert!(section(&prompt(CREATE), "preflight").contains("Network team"));
}

/// What the prompt names by its place is there.
#[test]
fn the_prompt_to_manage_diagnoses_before_it_restarts() {
    let prompt = prompt("manage-docker-mcp-tunnel");
    let at = |title: &str| sections(&prompt).iter().position(|(known, _)| known == title).unwrap();
    assert!(at("Diagnose") < at("Restart"));
    let first = section(&prompt, "First");
    assert!(first.find("something is wrong").unwrap() < first.find(CALL).unwrap(), "what the person said comes first");
    let lines: Vec<String> = prompt.lines().into_iter().map(|line| line.command).collect();
    let place = |word: &str| lines.iter().position(|line| line == word).unwrap();
    assert!(place("diagnose") < place("restart"), "a restart empties the evidence");
}

/// A stack with privileges is not started before the person ran the command of `next` in a terminal of their own.
#[test]
fn privileges_end_in_a_terminal_of_the_persons_own() {
    let mut talk = Talk::new(CREATE);
    talk.run("init {\"domain\":\"DOMAIN\"}").expect(0);
    talk.token_set(&token("healthy")).expect(0);
    talk.run("render {\"sample\":true}").expect(0);
    let over = talk.dir().join("docker-compose.override.yaml");
    fs::write(&over, "services:\n  hello-mcp:\n    pid: host\n").unwrap();

    let refused = talk.run("up").expect(1);
    let found = refused.finding("compose-privileges");
    assert_eq!((&found["severity"], &found["subject"]["name"]), (&json!("error"), &json!("hello-mcp")));
    assert!(found["evidence"][0].as_str().unwrap().contains("pid: host"), "what was found can be shown: {found}");
    let step = &refused.json["next"][0];
    let words = shlex::split(step["command"].as_str().unwrap()).unwrap();
    assert_eq!((step["who"].as_str(), words[1].as_str()), (Some("person"), "allow"), "{step}");
    assert!(section(&prompt(CREATE), "start").contains("compose-privileges"));
    // It is no command of Claude's: no line has it, and its shell is refused.
    assert!(talk.lines.iter().all(|line| line.command != "allow"));
    helper(["allow"]).dir(talk.dir()).env("CLAUDECODE", "1").run().expect(2);
    assert_eq!(talk.run("up").expect(1).findings()[0], "compose-privileges");

    let terminal = Terminal::open();
    let mut command = plain(talk.parent.path());
    command.env("XDG_STATE_HOME", talk.parent.path().join("state")).args(&words[1..]);
    let mut child = terminal.spawn(command);
    terminal.until("the question", |t| t.screen().contains("Type yes"));
    terminal.type_in("yes\n");
    assert!(child.wait().unwrap().success(), "{}", terminal.screen());
    // The step is where it was, and the start goes past that point.
    assert_eq!(talk.step(), "register-ca");
    let up = talk.run("up");
    assert!(up.findings().iter().all(|id| *id != "compose-privileges" || up.finding(id)["severity"] == "note"));

    // What was not allowed in this form is asked again; what is removed is not.
    fs::write(&over, "services:\n  hello-mcp:\n    pid: host\n    privileged: true\n").unwrap();
    assert_eq!(talk.run("up").expect(1).findings()[0], "compose-privileges");
    fs::remove_file(&over).unwrap();
    assert!(!talk.run("up").findings().contains(&"compose-privileges"));
}
