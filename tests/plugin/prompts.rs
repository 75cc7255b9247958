//! What the prompts say: known words, lines that do what they should, and no fact that is the helper's.

use std::collections::BTreeSet;
use std::fs;

use super::{CALL, Contract, PLACEHOLDERS, filled, prompts, root, rules};
use crate::support::{folder, helper};

/// What Claude Code reads from a command's front matter. It ignores others without a word.
const KEYS: [&str; 5] = ["name", "description", "argument-hint", "disable-model-invocation", "allowed-tools"];

#[test]
fn the_front_matter_is_what_claude_code_knows() {
    for prompt in prompts() {
        for key in prompt.front.keys() {
            assert!(KEYS.contains(&key.as_str().unwrap()), "{}: `{key:?}`", prompt.name);
        }
        let text = |key: &str| prompt.front[key].as_str().unwrap_or_else(|| panic!("{}: {key}", prompt.name));
        // Without it only `/mcp-tunnels:NAME` is found.
        assert_eq!(text("name"), prompt.name);
        assert!((20..=160).contains(&text("description").len()));
        // Without quotes it would be a list.
        assert_eq!(text("argument-hint"), "[deployment-dir]");
        assert_eq!(prompt.front["disable-model-invocation"].as_bool(), Some(true));
    }
}

#[test]
fn the_grants_cover_the_helper_and_nothing_wider() {
    for prompt in prompts() {
        let grants: Vec<&str> =
            prompt.front["allowed-tools"].as_sequence().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
        // Listed, AskUserQuestion answers itself with nothing.
        assert_eq!(grants, [format!("Bash({CALL} *)"), format!("Bash(sh {CALL} *)")]);
        for line in prompt.lines() {
            assert!(line.text.starts_with(&format!("{CALL} ")), "{}", line.text);
        }
        // Calls stand in blocks only, where they can be found.
        let named = prompt.text.matches("bin/mcp-tunnels-helper").count();
        assert_eq!(named, grants.len() + prompt.lines().len(), "{}", prompt.name);
        // These run before the model sees the text, and end everything when they fail.
        assert!(!prompt.body.contains("!`"), "{}", prompt.name);
        // Not a variable in a call of Bash: it is replaced as text, in this form only.
        assert_eq!(prompt.text.matches("${").count(), prompt.text.matches("${CLAUDE_PLUGIN_ROOT}").count());
        assert_eq!(prompt.text.matches('$').count() - prompt.text.matches("${").count(), 1, "$ARGUMENTS alone");
    }
}

#[test]
fn every_line_is_a_plain_call_that_the_helper_takes() {
    let contract = Contract::load();
    for prompt in prompts() {
        for line in prompt.lines() {
            let rest = line.text.strip_prefix(CALL).unwrap();
            // Everything else asks the person, or means something to a shell.
            let words = shlex::split(&filled(rest)).unwrap();
            let command: Vec<&str> = line.command.split(' ').collect();
            let mut expected: Vec<String> = command.iter().map(|w| (*w).to_owned()).collect();
            expected.extend(["--dir".into(), "DIR".into()]);
            if let Some(json) = &line.json {
                expected.extend(["--json".into(), filled(json)]);
            }
            assert_eq!(words, expected, "{}", line.text);
            let shape = match &line.json {
                Some(json) => format!(" {} --dir \"DIR\" --json '{json}'", line.command),
                None => format!(" {} --dir \"DIR\"", line.command),
            };
            assert_eq!(rest, shape);
            contract.require_request(&line.command, &filled(line.json.as_deref().unwrap_or("{}")));
        }
    }
}

#[test]
fn every_word_in_backquotes_is_known() {
    let contract = Contract::load();
    let mut known = contract.words();
    known.extend(rules().iter().map(|rule| rule["id"].as_str().unwrap().to_owned()));
    let nothing = folder();
    let init = helper(["init"]).dir(nothing.path()).run().expect(0);
    known.extend(init.data()["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap().to_owned()));
    known.extend(PLACEHOLDERS.iter().map(|(name, _)| (*name).to_owned()));
    let other = [
        "$ARGUMENTS",
        "~/mcp-tunnel",
        "sh ",
        "timeout: 600000",
        ".env",
        "data/",
        "ca.crt",
        "ca.key",
        "tls.key",
        "127.0.0.1",
        "/mcp",
        "up",
        "host.docker.internal",
        "scheme://host:port",
        "docker-compose.override.yaml",
        ".tar.gz",
        "DIR/docker-compose.override.yaml",
        "DIR/data",
        "scp USER@HOST:DIR/data/ca.crt .",
        "mv DIR/data DIR/data.bak-leaked",
        "/create-docker-mcp-tunnel",
        "/manage-docker-mcp-tunnel DIR",
    ];
    for prompt in prompts() {
        let called: BTreeSet<String> = prompt.lines().into_iter().map(|line| line.command).collect();
        for word in prompt.quoted() {
            if word.starts_with('"') {
                let fits = |command: &String| {
                    let request = format!("{{{}}}", filled(&word));
                    let value: serde_json::Value = serde_json::from_str(&request).unwrap();
                    let schema = &contract.commands[command]["request"];
                    let known = value.as_object().unwrap().keys().all(|key| schema["properties"].get(key).is_some());
                    known && jsonschema::is_valid(schema, &value)
                };
                assert!(called.iter().any(fits), "{}: no command takes {word}", prompt.name);
            } else if word.starts_with("data.") {
                assert!(contract.has_field(&called, &word), "{}: no answer has `{word}`", prompt.name);
            } else {
                let fine = known.contains(&word) || other.contains(&word.as_str());
                assert!(fine, "{}: `{word}` is neither of the helper nor explained", prompt.name);
            }
        }
    }
}

#[test]
fn they_are_short_and_hold_no_fact_of_the_helper() {
    for prompt in prompts() {
        assert!(prompt.text.len() < 7000, "{}: {} bytes", prompt.name, prompt.text.len());
        let body = prompt.body.to_lowercase();
        for fact in [
            "openssl",
            "sha256:",
            "eyj",
            "begin cert",
            "services:",
            "image:",
            "listen_addr",
            "7844",
            "tunnel_token",
            "compose.yaml:",
        ] {
            assert!(!body.contains(fact), "{}: {fact}", prompt.name);
        }
        for rule in rules() {
            for key in ["title", "symptom", "cause", "fix"] {
                let text = rule[key].as_str().unwrap().to_lowercase();
                assert!(text.is_empty() || !body.contains(&text), "{}: {key} of {}", prompt.name, rule["id"]);
            }
        }
        // The one way in which a secret could get here.
        assert!(prompt.body.contains("The token never enters the chat."), "{}", prompt.name);
    }
}

/// The lines of README, as far as they are calls of the helper, its commands, and its requests in prose.
#[test]
fn readme_calls_what_there_is() {
    let contract = Contract::load();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut calls = 0;
    let inline = readme.split('`').skip(1).step_by(2).filter(|piece| piece.starts_with("mcp-tunnels-helper "));
    for line in readme.lines().chain(inline) {
        let begins = ["$ mcp-tunnels-helper ", "mcp-tunnels-helper ", "cargo run --release -- "];
        let piped = line.strip_prefix("docker compose logs | mcp-tunnels-helper ");
        let Some(rest) = begins.iter().find_map(|begin| line.strip_prefix(begin)).or(piped) else { continue };
        // Not a synopsis, and not a sentence that begins with a call: that call is one of `inline`.
        if rest.starts_with('<') || rest.contains('`') {
            continue;
        }
        let words = shlex::split(rest).unwrap_or_else(|| panic!("{line}"));
        let command: Vec<&str> = words.iter().map(String::as_str).take_while(|w| !w.starts_with('-')).collect();
        let command = command.join(" ");
        let both = contract.commands.get(&command).unwrap_or_else(|| panic!("README: `{command}`"));
        assert!(both.is_object());
        for flag in words.iter().filter(|w| w.starts_with("--")) {
            assert!(["--dir", "--json", "--logs"].contains(&flag.as_str()), "{line}");
        }
        if let Some(at) = words.iter().position(|w| w == "--json") {
            contract.require_request(&command, &words[at + 1]);
        }
        calls += 1;
    }
    assert!(calls >= 9, "{calls}");
    // Every command has its row.
    let table: String = readme.lines().filter(|line| line.starts_with("| `")).collect();
    for command in contract.commands.keys() {
        assert!(table.contains(&format!("`{command}`")), "README's table of commands lacks `{command}`");
    }
    // Requests in prose.
    let words = contract.words();
    for piece in readme.split('`').skip(1).step_by(2).filter(|piece| piece.starts_with("{\"")) {
        let value: serde_json::Value = serde_json::from_str(piece).unwrap_or_else(|e| panic!("{e}: {piece}"));
        for key in value.as_object().unwrap().keys() {
            assert!(words.contains(key), "README: `{piece}`");
        }
    }
}
