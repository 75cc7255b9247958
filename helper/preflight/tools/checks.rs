//! Which programs are missing, too old, silent or somebody else's: pure judgement over what they said.

use std::path::Path;

use super::Engine;
use crate::answer::Severity;
use crate::engine::version;
use crate::preflight::{Check, Facts, Verdict};
use crate::rules::{self, RuleId};

/// The checks of the tools.
pub(in crate::preflight) const CHECKS: &[Check] = &[
    Check { id: "docker", test: docker_is_there },
    Check { id: "podman", test: engine_is_docker },
    Check { id: "engine", test: engine_answers },
    Check { id: "compose", test: compose_is_fit },
    Check { id: RuleId::EngineRemote.as_str(), test: engine_is_here },
    Check { id: "git", test: git_is_there },
    Check { id: "openssl", test: openssl_is_there },
];

/// Below this limit silence says nothing: a slow machine takes as long for a healthy engine.
const SILENCE_COUNTS: std::time::Duration = std::time::Duration::from_secs(2);

fn docker_is_there(facts: &Facts, verdict: &mut Verdict) {
    if facts.tools.docker.is_none() {
        verdict.found(rules::finding(RuleId::DockerMissing));
    }
}

fn engine_is_docker(facts: &Facts, verdict: &mut Verdict) {
    let tools = &facts.tools;
    if tools.docker.is_none() || !tools.is_podman() {
        return;
    }
    let mut finding = rules::finding(RuleId::PodmanEngine);
    match tools.engine() {
        // docker's own client on podman's socket: Compose may work, and nobody tried this stack there.
        Engine::Answers(version) if !tools.is_podman_program() => {
            finding = finding.with(format!("the engine is Podman {version}")).with_severity(Severity::Warning);
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
        Engine::Answers(version) => verdict.findings.extend(version::judge_server(&version)),
        Engine::Silent => {
            let words = format!("docker did not answer within {} ms", facts.limit.as_millis());
            verdict.skip("engine", words.clone());
            if facts.limit >= SILENCE_COUNTS {
                verdict.found(version::silence(&words, facts.docker_host().as_deref(), tools.endpoint.as_deref()));
            }
        }
        // Said already.
        Engine::Failed(_) if tools.is_podman() => {}
        Engine::Failed(said) => {
            verdict.found(version::failure(&said, facts.docker_host().as_deref(), tools.endpoint.as_deref()));
        }
    }
}

fn compose_is_fit(facts: &Facts, verdict: &mut Verdict) {
    let tools = &facts.tools;
    match tools.compose.as_ref().filter(|said| !said.timed_out) {
        _ if tools.docker.is_none() => {}
        Some(said) => verdict.findings.extend(version::judge_compose(said)),
        None => {
            let words = format!("`docker compose version` did not answer within {} ms", facts.limit.as_millis());
            verdict.skip("compose", words.clone());
            // Where the engine is silent or fails, that is the fault.
            if facts.limit >= SILENCE_COUNTS && matches!(tools.engine(), Engine::Answers(_)) {
                verdict.found(rules::finding(RuleId::DockerFailed).with(words));
            }
        }
    }
}

fn engine_is_here(facts: &Facts, verdict: &mut Verdict) {
    let host = facts.docker_host();
    if facts.tools.docker.is_some() && facts.tools.is_remote(host.as_deref()) {
        let endpoint = host.or_else(|| facts.tools.endpoint.clone()).unwrap_or_default();
        verdict.found(rules::finding(RuleId::EngineRemote).with(format!("docker asks {endpoint}")));
    }
}

fn git_is_there(facts: &Facts, verdict: &mut Verdict) {
    match &facts.tools.git {
        None => verdict.skip("git", "`git --version` did not answer in time"),
        Some(None) => verdict.found(rules::finding(RuleId::GitMissing)),
        Some(Some(_)) => {}
    }
}

fn openssl_is_there(facts: &Facts, verdict: &mut Verdict) {
    match &facts.tools.openssl {
        None => verdict.skip("openssl", "`openssl version` did not answer in time"),
        Some(None) => verdict.found(rules::finding(RuleId::OpensslMissing)),
        Some(Some(_)) => {}
    }
}
