//! Advice is tried in a stack that runs: the command of each finding, and the way that `next` leads.

use std::net::TcpListener;

use serde_json::json;

use crate::contract::advice::{commands, run, typed};
use crate::support::engine::{CLOUDFLARED, Engine, PROXY, Removed, Stack, docker_says, engine, ready, services, until};
use crate::support::namespace::in_network_of;
use crate::support::own_engine::OwnEngine;
use crate::support::registry::Registry;
use crate::support::{Answer, edit, token};

/// The finding that shows a state which a command of the helper ends, and how a stack that is ready comes into it.
pub(crate) type State = (&'static str, fn(&Stack));

pub(crate) const STATES: [State; 11] = [
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
    ("config-not-applied", add_route),
    ("route-not-configured", add_route),
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

/// Findings whose state takes a stack of its own: in the other tests of this file.
pub(crate) const OF_THEIR_OWN: [&str; 5] =
    ["compose-var-unset", "image-absent", "image-not-found", "edge-quic-unsupported", "edge-mtu"];

fn add_route(stack: &Stack) {
    let route = format!("routes:\n  more{}: http://own:9000\n", stack.read("config/mcp-gateway.yaml").len());
    edit(&stack.dir.join("config/mcp-gateway.yaml"), "routes:\n", &route);
}

/// Does what the fix of a finding says, command for command, until it is gone; gives back what was run.
fn cure(stack: &Stack, answer: &Answer, id: &str) -> Vec<String> {
    let mut ran = Vec::new();
    for command in commands(answer, id) {
        let done = run(&command, &stack.dir, "");
        assert!(done.code < 2, "{id}: {command}: {:#}", done.json);
        ran.push(command);
        if !stack.status().findings().contains(&id) {
            return ran;
        }
    }
    panic!("{id} is still there after {ran:#?}: {:#}", stack.status().json)
}

/// A person or a model who does only what `next` says arrives at a stack that is ready, from any command; and so does who
/// does what the finding says, which is one command.
#[test]
fn engine_the_command_of_a_finding_and_next_end_in_a_stack_that_is_ready() {
    let Some(engine) = engine("the command of a finding, and the way that `next` leads") else { return };
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
            let named: Vec<String> = commands(&answer, id).into_iter().take(1).collect();
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
            if words == "status" && walked != named {
                breaks(&stack);
                let ran = cure(&stack, &stack.status(), id);
                assert_eq!(ran.len(), 1, "{id}: one command does it: {ran:?}");
                ready(stack.status_within(60));
            }
        }
    }
    assert!(stack.down().code < 2);
}

/// Both ways of a fix with two: the commands, and what is the person's.
#[test]
fn engine_where_quic_cannot_work_the_fix_leads_to_http2() {
    let Some(engine) = engine("no QUIC") else { return };
    let narrow = |mtu: u32| {
        let mtu = format!("networks: {{ default: {{ driver_opts: {{ com.docker.network.driver.mtu: '{mtu}' }} }} }}\n");
        services(&[("own", "")]) + &mtu
    };
    let comes_up = |label: &str, secret: &str, over: &str, id: &'static str| {
        let stack = Stack::small(engine, label, secret);
        stack.write("docker-compose.override.yaml", over);
        stack.up(1);
        let mut broken = stack.status();
        until("the fault is seen", || {
            broken = stack.status();
            broken.findings().contains(&id)
        });
        // Whether to leave QUIC is the person's to decide.
        assert_eq!(broken.json["next"][0]["who"], "person", "{:#}", broken.json);
        let ran = cure(&stack, &broken, id);
        assert_eq!(ran.len(), 2, "{id}: the setting, and a restart: {ran:?}");
        let cured = ready(stack.status_within(60));
        assert_eq!(cured.data()["protocol"], "http2", "{:#}", cured.json);
        assert!(!cured.findings().contains(&id), "{:#}", cured.json);
        stack.assert_no_token();
        (stack, commands(&broken, id))
    };
    std::thread::scope(|scope| {
        scope.spawn(|| comes_up("adquic", "noquic", &services(&[("own", "")]), "edge-quic-unsupported"));
        scope.spawn(|| {
            let (stack, printed) = comes_up("admtu", "healthy", &narrow(1200), "edge-mtu");
            // The other way, which is the person's: a network that exists keeps its MTU.
            stack.call(["render"]).json(json!({"protocol": null})).run().expect(0);
            stack.write("docker-compose.override.yaml", &narrow(1280));
            let [_, _, down, up] = &printed[..] else { panic!("{printed:?}") };
            assert!(run(down, &stack.dir, "").code < 2);
            let up = ready(run(up, &stack.dir, ""));
            assert!(!up.findings().contains(&"edge-mtu"), "{:#}", up.json);
            assert_eq!(up.data()["protocol"], "quic", "{:#}", up.json);
        });
    });
}

/// Compose says it to a person who starts the stack without the helper.
#[test]
fn engine_what_compose_says_of_an_unset_token_is_cured() {
    let Some(engine) = engine("TUNNEL_TOKEN is not set") else { return };
    let stack = Stack::small(engine, "advar", "healthy");
    stack.edit(".env", &format!("TUNNEL_TOKEN={}\n", token("healthy")), "");
    let asked = |stack: &Stack| {
        let out = stack.compose(&["up", "--detach"]);
        let said = String::from_utf8(out.stderr).unwrap();
        (out.status.success(), stack.call(["diagnose"]).json(json!({"logs": "-"})).stdin(said).run())
    };
    let (_, broken) = asked(&stack);
    let [command] = &commands(&broken, "compose-var-unset")[..] else { panic!("{:#}", broken.json) };
    assert_eq!(broken.json["next"][0]["who"], "person", "a token is never asked for in a chat: {:#}", broken.json);
    let set = run(command, &stack.dir, &token("healthy")).expect(0);
    let next = set.json["next"].as_array().unwrap().iter().find_map(|step| step["command"].as_str()).unwrap();
    let up = run(next, &stack.dir, "");
    // Compose has made a container without a secret in it.
    assert_eq!(up.findings()[0], "token-file-unreadable", "{:#}", up.json);
    for command in commands(&up, "token-file-unreadable") {
        assert!(run(&command, &stack.dir, "").code < 2, "{command}");
    }
    let (started, cured) = asked(&stack);
    assert!(started && !cured.findings().contains(&"compose-var-unset"), "{:#}", cured.json);
    ready(stack.status_within(60));
    stack.assert_no_token();
}

/// A stack whose cloudflared comes from a registry.
fn pulled(engine: Engine, label: &str, cloudflared: &str) -> Stack {
    let images = json!({"proxy": PROXY, "cloudflared": cloudflared});
    let stack = Stack::new(engine, label, json!({"routes": {"own": "http://own:9000"}, "images": images}), "healthy");
    stack.write("docker-compose.override.yaml", &services(&[("own", "")]));
    stack
}

#[test]
fn engine_an_image_that_is_absent_is_pulled_by_the_command_of_its_finding() {
    let Some(engine) = engine("an image that is absent") else { return };
    let registry = Registry::with(engine, CLOUDFLARED, || TcpListener::bind("127.0.0.1:0").unwrap());
    let image = registry.image(":1");
    let _image = Removed("image", image.clone());
    let stack = pulled(engine, "adabsent", &image);
    for by in ["fix", "next"] {
        let broken = stack.call(["diagnose"]).run();
        let of_fix = commands(&broken, "image-absent").remove(0);
        let command = if by == "fix" { &of_fix } else { broken.json["next"][0]["command"].as_str().unwrap() };
        ready(run(command, &stack.dir, ""));
        let cured = stack.call(["diagnose"]).run();
        assert!(!cured.findings().contains(&"image-absent"), "{by}: {:#}", cured.json);
        assert!(stack.down().code < 2);
        docker_says(["image", "rm", &image]);
    }
}

/// On an engine without a way to any other registry: no test asks a real one.
#[test]
fn engine_an_image_that_does_not_exist_is_replaced() {
    let Some(engine) = engine("an image that does not exist") else { return };
    let Some(own) = OwnEngine::start(engine, "an image that does not exist") else { return };
    let namespace = own.namespace();
    let listen = move || in_network_of(namespace, || TcpListener::bind("127.0.0.1:0").unwrap());
    let registry = Registry::with(engine, CLOUDFLARED, listen);
    let mistyped = registry.image(&format!("@sha256:{}", "0".repeat(64)));
    let stack = pulled(engine, "adnotfound", &mistyped);
    let up = || own.on(stack.call(["up"]).json(json!({"wait_seconds": 60}))).run();
    let subject = |answer: &Answer| answer.finding("image-not-found")["subject"]["name"].clone();

    // Of the helper's own settings: the command goes back to the built-in image, and leaves the others alone.
    let broken = up().expect(1);
    assert_eq!(
        (broken.findings()[0], subject(&broken)),
        ("image-not-found", json!("cloudflared")),
        "{:#}",
        broken.json
    );
    assert_eq!(broken.json["next"][0]["who"], "person", "or it is another one: {:#}", broken.json);
    let ran = commands(&broken, "image-not-found");
    assert_eq!(ran.len(), 2, "{ran:?}");
    own.on(typed(&ran[0], &stack.dir)).run().expect(0);
    let compose = stack.read("docker-compose.yaml");
    assert!(!compose.contains(&mistyped) && compose.contains(PROXY), "{compose}");
    let cured = own.on(typed(&ran[1], &stack.dir)).run().expect(1);
    assert_eq!(cured.findings()[0], "registry-unreachable", "here no real registry answers: {:#}", cured.json);
    assert!(!cured.findings().contains(&"image-not-found"), "{:#}", cured.json);

    // Of a person's own file: to correct it is the person's.
    let setting = json!({"images": {"cloudflared": registry.image(":1")}});
    own.on(stack.call(["render"]).json(setting)).run().expect(0);
    let over = services(&[("own", "")]);
    stack.write("docker-compose.override.yaml", &over.replace(PROXY, &registry.image(":2")));
    let broken = up().expect(1);
    assert_eq!((broken.findings()[0], subject(&broken)), ("image-not-found", json!("own")), "{:#}", broken.json);
    let [command] = &commands(&broken, "image-not-found")[..] else { panic!("{:#}", broken.json) };
    assert_eq!(broken.json["next"][0]["who"], "person", "{:#}", broken.json);
    stack.write("docker-compose.override.yaml", &over.replace(PROXY, &registry.image(":1")));
    ready(own.on(typed(command, &stack.dir)).run());
    assert!(own.on(stack.call(["down"])).run().code < 2);
}
