//! Advice is tried in a stack that runs: the command of each finding, and the way that `next` leads.

use serde_json::json;

use crate::contract::advice::{command, run};
use crate::support::edit;
use crate::support::engine::{Stack, docker_says, engine, ready};

/// The finding that shows a state which a command of the helper ends, and how a stack that is ready comes into it.
pub(crate) type State = (&'static str, fn(&Stack));

pub(crate) const STATES: [State; 10] = [
    ("stack-stopped", |stack| {
        stack.down().expect(0);
    }),
    ("stack-stopped", |stack| {
        stack.compose_ok(&["stop"]);
    }),
    ("service-stopped", |stack| {
        stack.compose_ok(&["stop", "cloudflared"]);
    }),
    ("service-stopped", |stack| {
        docker_says(["stop", &stack.id("mcp-gateway").unwrap()]);
    }),
    ("upstream-down", |stack| {
        stack.compose_ok(&["stop", "own"]);
    }),
    ("proxy-netns-orphaned", |stack| stack.kill("mcp-gateway")),
    ("config-not-applied", |stack| {
        let route = format!("routes:\n  more{}: http://own:9000\n", stack.read("config/mcp-gateway.yaml").len());
        edit(&stack.dir.join("config/mcp-gateway.yaml"), "routes:\n", &route);
    }),
    ("token-not-applied", |stack| {
        let secret = if stack.runs_with("healthy") { "second" } else { "healthy" };
        stack.set_token(secret);
    }),
    ("namespace-not-applied", |stack| {
        stack.call(["render"]).json(json!({"namespace": "separate"})).run().expect(0);
    }),
    ("namespace-not-applied", |stack| {
        stack.call(["render"]).json(json!({"namespace": "shared"})).run().expect(0);
    }),
];

#[test]
fn engine_the_command_that_a_finding_names_cures_it() {
    let Some(engine) = engine("the command of a finding") else { return };
    let stack = Stack::small(engine, "advice", "healthy");
    stack.up_ready();
    for (id, breaks) in STATES {
        breaks(&stack);
        let command = command(&stack.status(), id);
        run(&command, &stack.dir, "").expect(0);
        assert!(!stack.status().findings().contains(&id), "{id}: {command}");
    }
    assert!(stack.down().code < 2);
}

/// A person or a model who does only what `next` says arrives at a stack that is ready, whichever command was asked.
#[test]
fn engine_following_next_ends_in_a_stack_that_is_ready() {
    let Some(engine) = engine("the way that `next` leads") else { return };
    let stack = Stack::small(engine, "follow", "healthy");
    stack.up_ready();
    for (id, breaks) in STATES {
        // What is asked last is asked in the state that the command before it left.
        for words in ["status", "diagnose"] {
            if id == "namespace-not-applied" && words == "diagnose" {
                continue;
            }
            breaks(&stack);
            let mut answer = stack.call([words]).run();
            assert!(answer.findings().contains(&id), "{words}: {id}: {:#}", answer.json);
            let mut walked: Vec<String> = Vec::new();
            while answer.findings().contains(&id) {
                assert!(walked.len() < 3, "{words}: {id} is still there after {walked:#?}: {:#}", answer.json);
                let steps = answer.json["next"].as_array().unwrap().clone();
                let command = steps.iter().find_map(|step| step["command"].as_str());
                let command = command.unwrap_or_else(|| panic!("{words}: {id}: no command: {:#}", answer.json));
                walked.push(command.to_owned());
                run(command, &stack.dir, "");
                answer = stack.call([words]).run();
            }
            ready(stack.status_within(60));
        }
    }
    assert!(stack.down().code < 2);
}
