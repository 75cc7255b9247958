//! Asks every question at once, and reads the deployment.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::deployed::Deployed;
use super::facts::HostFacts;
use super::network::{ProbePlan, probes};
use super::parallel::{Tasks, remaining};
use super::tools::Questions;
use super::{host, tools};
use crate::answer::Skipped;
use crate::caller::Caller;
use crate::check::Verdict;
use crate::deployment::Deployment;
use crate::engine::client::Docker;
use crate::os::process;

/// What children that are killed at the limit, and the answer, may still take. The promise is 250 ms in all.
const GRACE: Duration = Duration::from_millis(100);
/// Reading a few small files takes a millisecond; a dead network drive never answers.
const FILES: Duration = Duration::from_millis(1000);

/// Asks everything at once, the network only with a plan. Whether all had answered by the deadline.
pub(super) fn gather(
    facts: &mut HostFacts,
    docker: Option<Docker>,
    deployment: Option<Deployment>,
    plan: Option<&ProbePlan>,
    deadline: Instant,
) -> bool {
    let (deployed, caller) = (&facts.deployed, &facts.caller);
    let questions = Questions {
        project: deployed.project.clone().zip(deployed.root.clone()),
        images: deployed.images.clone(),
        has_host: caller.var("DOCKER_HOST").is_some(),
        wants_networks: !deployed.upstreams.is_empty() || !deployed.names.is_empty(),
    };
    let (tasks, received) = Tasks::new();
    tools::ask::start(&tasks, docker, questions, deadline);
    if let Some(deployment) = deployment {
        let home = caller.var("HOME").map(PathBuf::from);
        host::ask::start(&tasks, deployment, home, deployed.has_env, deadline);
    }
    if let Some(plan) = plan {
        let left = remaining(deadline);
        probes::start(&tasks, plan, &facts.network, left);
        probes::look_up_upstreams(&tasks, &deployed.names, &facts.network, left);
    }
    tasks.finish(&received, deadline + GRACE, facts)
}

/// Reads the deployment, as far as its disk answers in time.
pub(super) fn read(deployment: &Deployment, caller: &Caller, limit: Duration, verdict: &mut Verdict) -> Deployed {
    let limit = limit.min(FILES);
    let (send, receive) = mpsc::channel();
    let (it, caller) = (deployment.clone(), caller.clone());
    let started = process::spawn(move || drop(send.send(Deployed::read(&it, &caller))));
    let why = match (started, receive.recv_timeout(limit)) {
        (Ok(()), Ok(Ok(deployed))) => return deployed,
        (Ok(()), Ok(Err(why))) => why.to_string(),
        (Ok(()), Err(_)) => "its disk did not answer in time".to_owned(),
        (Err(why), _) => why.to_string(),
    };
    verdict.skipped.push(Skipped::new("deployment", why));
    Deployed::none(Some(deployment))
}
