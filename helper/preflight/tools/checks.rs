//! Which programs are missing, too old, silent or somebody else's: pure judgement over what they said.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Engine;
use crate::answer::{Finding, Severity};
use crate::logs::signs;
use crate::preflight::{Check, Facts, Verdict, host};
use crate::rules;
use crate::stack::engine;

/// The checks of the tools.
pub(in crate::preflight) const CHECKS: &[Check] = &[
    Check { id: "docker", test: docker_is_there },
    Check { id: "podman", test: engine_is_docker },
    Check { id: "engine", test: engine_answers },
    Check { id: "compose", test: compose_is_fit },
    Check { id: "engine-remote", test: engine_is_here },
    Check { id: "git", test: git_is_there },
    Check { id: "openssl", test: openssl_is_there },
];

/// Below this limit silence says nothing: a slow machine takes as long for a healthy engine.
const SILENCE_COUNTS: std::time::Duration = std::time::Duration::from_secs(2);

fn docker_is_there(facts: &Facts, verdict: &mut Verdict) {
    if facts.tools.docker.is_none() {
        verdict.found(rules::finding("docker-missing"));
    }
}

fn engine_is_docker(facts: &Facts, verdict: &mut Verdict) {
    let tools = &facts.tools;
    if tools.docker.is_none() || !tools.is_podman() {
        return;
    }
    let mut finding = rules::finding("podman-engine");
    match tools.engine() {
        // docker's own client on podman's socket: Compose may work, and nobody tried this stack there.
        Engine::Answers(version) if !tools.is_podman_program() => {
            finding = finding.with(format!("the engine is Podman {version}")).weighing(Severity::Warning);
        }
        Engine::Answers(_) | Engine::Failed(_) | Engine::Silent => {
            finding = finding
                .with(format!("`docker` is {}", tools.docker.as_deref().unwrap_or(Path::new("docker")).display()));
        }
    }
    verdict.found(finding);
}

fn engine_answers(facts: &Facts, verdict: &mut Verdict) {
    let tools = &facts.tools;
    if tools.docker.is_none() {
        return verdict.skip("engine", "without docker nothing can be asked");
    }
    match tools.engine() {
        Engine::Answers(version) => verdict.findings.extend(engine::judge_server(&version)),
        Engine::Silent => {
            let ms = facts.limit.as_millis();
            verdict.skip("engine", format!("docker did not answer within {ms} ms"));
            if facts.limit >= SILENCE_COUNTS {
                let endpoint = facts.docker_host().or_else(|| tools.endpoint.clone());
                let finding = rules::finding(if facts.docker_host().is_some() {
                    "docker-host-nowhere"
                } else {
                    "docker-daemon-down"
                });
                let finding = finding.with(format!("docker did not answer within {ms} ms"));
                verdict.found(endpoint.iter().fold(finding, |finding, at| finding.with(format!("it asks {at}"))));
            }
        }
        // Said already.
        Engine::Failed(_) if tools.is_podman() => {}
        Engine::Failed(said) => verdict.found(failure(facts, &said)),
    }
}

/// Tells apart why the engine cannot be used.
fn failure(facts: &Facts, said: &str) -> Finding {
    let mut finding = signs::engine_finding(said, "docker-failed");
    let endpoint = facts.docker_host().or_else(|| facts.tools.endpoint.clone()).unwrap_or_default();
    let socket = endpoint.strip_prefix("unix://").map(Path::new);
    if finding.id == "docker-daemon-down" && facts.docker_host().is_some() {
        let words = finding.evidence.clone();
        finding = words.iter().fold(rules::finding("docker-host-nowhere"), |finding, line| finding.with(line));
        return finding.with(format!("DOCKER_HOST={endpoint}"));
    }
    match (finding.id, socket) {
        ("docker-daemon-down", Some(socket)) if !socket.exists() => {
            finding.with(format!("there is no socket {}", socket.display()))
        }
        ("docker-permission", Some(socket)) => {
            let Ok(meta) = std::fs::metadata(socket) else { return finding };
            let group = host::group(meta.gid()).unwrap_or_else(|| meta.gid().to_string());
            finding.fix = finding
                .fix
                .replace("-aG docker", &format!("-aG {group}"))
                .replace("newgrp docker", &format!("newgrp {group}"));
            let mode = meta.mode() & 0o7777;
            finding.with(format!("{} belongs to the group {group}, mode {mode:04o}", socket.display()))
        }
        _ => finding,
    }
}

fn compose_is_fit(facts: &Facts, verdict: &mut Verdict) {
    match &facts.tools.compose {
        _ if facts.tools.docker.is_none() => {}
        None => verdict.skip("compose", "`docker compose version` did not answer in time"),
        Some(said) if said.timed_out => verdict.skip("compose", "`docker compose version` did not answer in time"),
        Some(said) => verdict.findings.extend(engine::judge_compose(said)),
    }
}

fn engine_is_here(facts: &Facts, verdict: &mut Verdict) {
    let host = facts.docker_host();
    if facts.tools.docker.is_some() && facts.tools.is_remote(host.as_deref()) {
        let endpoint = host.or_else(|| facts.tools.endpoint.clone()).unwrap_or_default();
        verdict.found(rules::finding("engine-remote").with(format!("docker asks {endpoint}")));
    }
}

fn git_is_there(facts: &Facts, verdict: &mut Verdict) {
    match &facts.tools.git {
        None => verdict.skip("git", "`git --version` did not answer in time"),
        Some(None) => verdict.found(rules::finding("git-missing")),
        Some(Some(_)) => {}
    }
}

fn openssl_is_there(facts: &Facts, verdict: &mut Verdict) {
    match &facts.tools.openssl {
        None => verdict.skip("openssl", "`openssl version` did not answer in time"),
        Some(None) => verdict.found(rules::finding("openssl-missing")),
        Some(Some(_)) => {}
    }
}
