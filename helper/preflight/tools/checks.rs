//! Which programs are missing, too old, silent or replaced by another: pure judgement over what they printed.

use std::path::Path;

use super::Engine;
use crate::answer::{Finding, Severity, Skipped};
use crate::check::{Check, Outcome};
use crate::engine::version;
use crate::preflight::facts::HostFacts;
use crate::rules::{self, RuleId};

pub(in crate::preflight) const CHECKS: &[Check<HostFacts>] = &[
    Check { id: "docker", test: docker_is_there },
    Check { id: "podman", test: engine_is_docker },
    Check { id: "engine", test: engine_answers },
    Check { id: "compose", test: compose_is_fit },
    Check { id: RuleId::EngineRemote.as_str(), test: engine_is_here },
    Check { id: "git", test: git_is_there },
    Check { id: "openssl", test: openssl_is_there },
];

/// Below this limit silence proves nothing: a healthy engine takes as long on a slow machine.
const SILENCE_COUNTS: std::time::Duration = std::time::Duration::from_secs(2);

fn docker_is_there(facts: &HostFacts) -> Outcome {
    facts.tools.docker.is_none().then(|| rules::finding(RuleId::DockerMissing)).into()
}

fn engine_is_docker(facts: &HostFacts) -> Outcome {
    let tools = &facts.tools;
    if tools.docker.is_none() || !tools.is_podman() {
        return Outcome::Pass;
    }
    let mut finding = rules::finding(RuleId::PodmanEngine);
    match tools.engine() {
        // docker's own client on podman's socket: Compose may work; this stack is not tested there.
        Engine::Answers(version) if !tools.is_podman_program() => {
            finding = finding.with(format!("the engine is Podman {version}")).with_severity(Severity::Warning);
        }
        Engine::Answers(_) | Engine::Failed(_) | Engine::Silent => {
            finding = finding
                .with(format!("`docker` is {}", tools.docker.as_deref().unwrap_or(Path::new("docker")).display()));
        }
    }
    finding.into()
}

fn engine_answers(facts: &HostFacts) -> Outcome {
    let tools = &facts.tools;
    if tools.docker.is_none() {
        return Outcome::Skip("without docker nothing can be asked".into());
    }
    match tools.engine() {
        Engine::Answers(version) => version::judge_server(&version).into(),
        Engine::Silent => {
            let words = format!("docker did not answer within {} ms", facts.limit.as_millis());
            let silence = (facts.limit >= SILENCE_COUNTS)
                .then(|| version::silence(&words, facts.docker_host().as_deref(), tools.endpoint.as_deref()));
            silent("engine", words, silence)
        }
        // The check for Podman reports it.
        Engine::Failed(_) if tools.is_podman() => Outcome::Pass,
        Engine::Failed(said) => {
            version::failure(&said, facts.docker_host().as_deref(), tools.endpoint.as_deref()).into()
        }
    }
}

fn compose_is_fit(facts: &HostFacts) -> Outcome {
    let tools = &facts.tools;
    match tools.compose.as_ref().filter(|said| !said.timed_out) {
        _ if tools.docker.is_none() => Outcome::Pass,
        Some(said) => version::judge_compose(said).into(),
        None => {
            let words = format!("`docker compose version` did not answer within {} ms", facts.limit.as_millis());
            // Where the engine is silent or fails, that is the fault.
            let is_fault = facts.limit >= SILENCE_COUNTS && matches!(tools.engine(), Engine::Answers(_));
            let finding = is_fault.then(|| rules::finding(RuleId::DockerFailed).with(&words));
            silent("compose", words, finding)
        }
    }
}

fn engine_is_here(facts: &HostFacts) -> Outcome {
    let host = facts.docker_host();
    if facts.tools.docker.is_none() || !facts.tools.is_remote(host.as_deref()) {
        return Outcome::Pass;
    }
    let endpoint = host.or_else(|| facts.tools.endpoint.clone()).unwrap_or_default();
    rules::finding(RuleId::EngineRemote).with(format!("docker asks {endpoint}")).into()
}

fn git_is_there(facts: &HostFacts) -> Outcome {
    is_there(facts.tools.git.as_ref(), "git --version", RuleId::GitMissing)
}

fn openssl_is_there(facts: &HostFacts) -> Outcome {
    is_there(facts.tools.openssl.as_ref(), "openssl version", RuleId::OpensslMissing)
}

fn is_there(found: Option<&super::Program>, command: &str, missing: RuleId) -> Outcome {
    match found {
        None => Outcome::Skip(format!("`{command}` did not answer in time")),
        Some(found) => found.is_none().then(|| rules::finding(missing)).into(),
    }
}

/// A program that did not answer: nothing can be said, and its silence may be another fault.
fn silent(id: &str, words: String, finding: Option<Finding>) -> Outcome {
    Outcome::of(finding.into_iter().collect(), vec![Skipped::new(id, words)])
}
