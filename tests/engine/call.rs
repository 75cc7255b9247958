//! `diagnose` that waits for a call from Claude: how far a call comes, on a real engine, brought in by the stand-in for
//! cloudflared.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::engine::{Stack, docker, docker_says, engine, services, until};
use crate::support::{Answer, deployment, folder, helper};

#[test]
fn what_a_wait_cannot_be_asked() {
    let parent = folder();
    let dir = deployment(parent.path());
    for request in [
        json!({"wait_for_call_seconds": 0}),
        json!({"wait_for_call_seconds": 3601}),
        json!({"wait_for_call_seconds": 5, "logs": "-"}),
    ] {
        let answer = helper(["diagnose"]).dir(&dir).json(request.clone()).run().expect(2);
        assert_eq!(answer.json["error"]["code"], "request", "{request}: {}", answer.json);
    }
}

/// Containers of the probe in cloudflared's network namespace.
fn waiting(stack: &Stack) -> Vec<String> {
    let agent = stack.id("cloudflared").unwrap();
    let list = docker_says(["ps", "--quiet", "--no-trunc", "--filter", "label=org.mcp-tunnels.probe.deadline"]);
    let in_namespace = |id: &&str| {
        let mode = docker(["inspect", "--format", "{{.HostConfig.NetworkMode}}", id]);
        String::from_utf8_lossy(&mode.stdout).contains(&agent)
    };
    list.split_whitespace().filter(in_namespace).map(str::to_owned).collect()
}

/// Diagnoses and waits; `call` is made meanwhile.
fn wait_while(stack: &Stack, seconds: u32, call: impl FnOnce()) -> Answer {
    let request = json!({"wait_for_call_seconds": seconds});
    while_followed(stack, || stack.call(["diagnose"]).json(request).changes_nothing().run(), call)
}

/// `call` is made once `wait` has begun: one container follows cloudflared's numbers.
pub(crate) fn while_followed<T: Send>(stack: &Stack, wait: impl FnOnce() -> T + Send, call: impl FnOnce()) -> T {
    let before = waiting(stack);
    thread::scope(|scope| {
        let diagnosed = scope.spawn(wait);
        until("cloudflared's numbers are followed", || {
            let first: Vec<String> = waiting(stack).into_iter().filter(|id| !before.contains(id)).collect();
            thread::sleep(Duration::from_millis(700));
            diagnosed.is_finished() || waiting(stack).iter().any(|id| first.contains(id))
        });
        call();
        diagnosed.join().unwrap()
    })
}

/// A call that comes through the tunnel: to a host and a path, or only counted.
pub(crate) fn bring(stack: &Stack, what: &str) {
    let path = format!("/standin/call/{what}");
    let (answered, text) = stack.probe("cloudflared", &["http", "127.0.0.1:20241", "POST", &path, "x"]);
    assert!(answered, "{text}");
}

fn call_to(stack: &Stack, route: &str) -> Answer {
    let host = format!("{route}.{}/mcp", stack.domain);
    wait_while(stack, 60, || bring(stack, &host))
}

fn possible(answer: &Answer) -> Vec<&str> {
    let list = answer.data()["call"]["possible"].as_array();
    list.into_iter().flatten().map(|one| one["id"].as_str().unwrap()).collect()
}

/// How far the call came, the first finding that is about it, and what may be the reason.
fn expect(answer: &Answer, reached: &str, id: Option<&str>, suspects: &[&str]) {
    assert_eq!(answer.data()["call"]["reached"], reached, "{:#}", answer.json);
    let summary = answer.json["summary"].as_str().unwrap();
    if let Some(id) = id {
        answer.finding(id);
        assert_eq!(answer.code, 1, "{summary}");
    }
    assert_eq!(possible(answer), suspects, "{:#}", answer.json);
    assert_eq!(answer.data()["call"]["seen"].is_null(), reached == "not-to-cloudflared", "{:#}", answer.json);
}

#[test]
fn engine_a_call_is_followed_as_far_as_it_comes() {
    let Some(engine) = engine("a call from Claude") else { return };
    let routes = json!({"own": "http://own:9000", "deny": "http://deny:9000", "mute": "http://mute:9000",
        "gone": "http://own:9999"});
    let stack = Stack::new(engine, "call", json!({"routes": routes}), "healthy");
    let more = |name: &str, status: &str| {
        let text = services(&[(name, "")]).replace("services:\n", "");
        text.replace(&format!("\"this is {name}\""), &format!("\"this is {name}\", \"{status}\""))
    };
    let own = services(&[("own", "")]);
    stack.write(
        "docker-compose.override.yaml",
        &format!("{own}{}{}", more("deny", "421 Misdirected Request"), more("mute", "000")),
    );
    stack.up(60);

    let begun = Instant::now();
    let none = wait_while(&stack, 4, || {});
    expect(&none, "not-to-cloudflared", Some("call-not-received"), &["console", "ca", "workspace", "subdomain"]);
    assert_eq!(none.data()["call"]["requests"], 0);
    assert!(begun.elapsed() >= Duration::from_secs(4));

    // It ends as soon as it knows.
    let wait = stack.call(["diagnose"]).json(json!({"wait_for_call_seconds": 600})).changes_nothing().bounded();
    let answered = while_followed(&stack, || wait.run(), || bring(&stack, &format!("own.{}/mcp", stack.domain)));
    expect(&answered, "answered", None, &[]);
    assert_eq!(answered.data()["call"]["requests"], 1);
    assert!(answered.findings().iter().all(|id| !id.starts_with("call-")), "{:?}", answered.findings());

    expect(&call_to(&stack, "deny"), "to-server", Some("upstream-host-rejected"), &[]);
    expect(&call_to(&stack, "gone"), "to-proxy", Some("upstream-refused"), &[]);
    expect(&call_to(&stack, "nowhere"), "to-proxy", Some("no-route"), &[]);
    // Nothing proves why it goes no further; so nothing is called the reason.
    let counted = |code: &str| wait_while(&stack, 60, || bring(&stack, code));
    expect(&counted("200"), "to-proxy", Some("call-not-answered"), &["tls", "route", "address"]);
    expect(&counted("502"), "to-cloudflared", Some("call-not-answered"), &["tls", "route", "address"]);
    expect(&call_to(&stack, "mute"), "to-proxy", Some("call-not-answered"), &["address"]);
    stack.assert_no_token();

    // Where no call can come, nothing is waited for.
    stack.compose_ok(&["stop", "cloudflared"]);
    let stopped = stack.call(["diagnose"]).json(json!({"wait_for_call_seconds": 600})).bounded().run().expect(1);
    assert_eq!(stopped.data()["call"]["reached"], Value::Null);
    assert!(stopped.json["skipped"].as_array().unwrap().iter().any(|s| s["id"] == "call"), "{:#}", stopped.json);
}

#[test]
fn engine_a_call_that_cloudflared_cannot_hand_on() {
    let Some(engine) = engine("a call from Claude, to no proxy") else { return };
    let stack = Stack::small(engine, "callx", "healthy");
    let own = services(&[("own", "")]);
    let command = "[\"tunnel\", \"--no-autoupdate\", \"--metrics\", \"127.0.0.1:20241\", \"run\", \"--url\", \
                   \"http://localhost:8081\"]";
    stack.write("docker-compose.override.yaml", &format!("{own}  cloudflared:\n    command: {command}\n"));
    stack.compose_ok(&["up", "--detach"]);
    until("four connections", || stack.status().data()["connections"]["registered"] == 4);
    expect(&call_to(&stack, "own"), "to-cloudflared", Some("proxy-unreachable"), &[]);
}
