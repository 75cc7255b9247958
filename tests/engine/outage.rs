//! What the stack makes of a restart of the engine. Times are printed, as those of [`super::heal`].

use std::time::{Duration, Instant};

use serde_json::json;

use super::heal::{LIMIT, PROGRAMS, callable_in, proxy_of, stack};
use crate::support::engine::{Stack, engine, ready};
use crate::support::own_engine::OwnEngine;

#[test]
fn engine_a_restart_of_the_engine_is_healed() {
    let Some(images) = engine("a restart of the engine") else { return };
    let Some(mut own) = OwnEngine::start(images, "a restart of the engine") else { return };
    let stacks = ["separate", "shared"].map(|namespace| {
        let stack = stack(images, &format!("engine{namespace}"), namespace);
        ready(own.on(stack.call(["up"]).json(json!({"wait_seconds": 60}))).run());
        (namespace, stack)
    });
    let docker = |own: &OwnEngine, args: &[&str]| own.docker(args.iter().copied());
    let id = |own: &OwnEngine, stack: &Stack, service: &str| {
        let project = format!("label=com.docker.compose.project={}", stack.project);
        let service = format!("label=com.docker.compose.service={service}");
        let out = docker(own, &["ps", "--all", "--quiet", "--no-trunc", "--filter", &project, "--filter", &service]);
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let before = stacks.each_ref().map(|(_, stack)| PROGRAMS.map(|service| id(&own, stack, service)));
    own.stop();
    let since = Instant::now();
    own.run();
    println!("the engine answers again after     {:.1} s", since.elapsed().as_secs_f64());
    for (namespace, stack) in &stacks {
        let agent = id(&own, stack, "cloudflared");
        // The engine starts its containers in no order, and cloudflared once: before the proxy it has no network to join.
        let has_lost = || {
            let exited = docker(&own, &["ps", "--quiet", "--no-trunc", "--filter", "status=exited"]);
            *namespace == "shared" && String::from_utf8_lossy(&exited.stdout).contains(&agent)
        };
        while !callable_in(&|args| docker(&own, args), &agent, stack, proxy_of(namespace)) {
            if has_lost() {
                let status = own.on(stack.call(["status"])).run();
                if status.findings().contains(&"netns-owner-not-running") {
                    println!("restart of the engine, {namespace:<11} cloudflared was started before the proxy");
                    ready(own.on(stack.call(["up"]).json(json!({"wait_seconds": 60}))).run());
                    continue;
                }
            }
            assert!(since.elapsed() < 2 * LIMIT, "{namespace}: {:#}", own.on(stack.call(["status"])).run().json);
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("restart of the engine, {namespace:<11} {:.1} s", since.elapsed().as_secs_f64());
        ready(own.on(stack.call(["status"]).json(json!({"wait_seconds": 30}))).run());
    }
    let now = stacks.each_ref().map(|(_, stack)| PROGRAMS.map(|service| id(&own, stack, service)));
    assert_eq!(now, before, "the same containers");
    for (_, stack) in &stacks {
        own.on(stack.call(["down"])).run().expect(0);
    }
}
