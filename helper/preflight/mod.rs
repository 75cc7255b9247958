//! `preflight`: what of this host would keep the tunnel from working, found before the start. Every question is asked at
//! once, and nothing takes longer than the limit.

mod deployed;
pub(crate) mod disk;
mod facts;
mod gather;
mod host;
mod network;
mod parallel;
mod report;
mod shell;
mod tools;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) use report::{PreflightData, PreflightRequest};

use self::deployed::Deployed;
use self::facts::HostFacts;
use self::network::judge::{self, Context};
use self::network::probes;
use self::parallel::{Tasks, remaining};
use crate::answer::{Error, Finding, Report, Severity, Skipped};
use crate::caller::Caller;
use crate::check::Verdict;
use crate::deployment::Deployment;
use crate::engine::client::{Docker, Passed};
use crate::os::process;
use crate::rules::RuleId;

/// Long enough for a resolver's second try and a slow line; short enough to wait for.
const LIMIT: u64 = 5000;

/// The command. `deployment` is where one is or would be.
///
/// # Errors
/// `request` for a limit that makes no sense.
pub(crate) fn run(
    deployment: Result<Deployment, Error>,
    request: PreflightRequest,
    caller: &mut Caller,
) -> Result<Report<PreflightData>, Error> {
    let started = Instant::now();
    let ms = request.timeout_ms.unwrap_or(LIMIT);
    if !(1..=60_000).contains(&ms) {
        return Err(Error::request(
            format!("`timeout_ms` is {ms}; it must be between 1 and 60000"),
            format!("leave it out for {LIMIT}"),
        ));
    }
    let limit = Duration::from_millis(ms);
    let deadline = started + limit;
    process::adopt_orphans();
    let mut verdict = Verdict::default();
    // A directory that cannot be read leaves everything else to check.
    let deployment = deployment.map_err(|why| verdict.skipped.push(Skipped::new("directory", why.to_string()))).ok();
    let deployed = match &deployment {
        Some(deployment) => gather::read(deployment, caller, limit, &mut verdict),
        None => Deployed::none(None),
    };
    caller.services = deployed.services.clone();
    let (plan, network) = network::plan(caller, &deployed.dns)?;

    let folder = deployed.root.clone().filter(|_| deployed.is_deployment).unwrap_or_else(|| PathBuf::from("/"));
    let docker = Docker::find(&folder, Passed::new(), false);
    let mut facts = HostFacts::new(caller, limit, deployed, network);
    facts.tools.docker = docker.as_ref().map(|docker| docker.program().to_path_buf());
    let all = gather::gather(&mut facts, docker, deployment, (!request.offline).then_some(&plan), deadline);
    // A program that was killed at the deadline may have left children.
    if !all || remaining(deadline).is_zero() {
        process::sweep();
    }
    facts.network.settle();

    verdict.ask(tools::checks::CHECKS, &facts);
    verdict.ask(host::checks::CHECKS, &facts);
    if request.offline {
        verdict.skipped.push(Skipped::new("network", "`offline` leaves the network out"));
    } else {
        let context = Context {
            protocol: facts.deployed.protocol,
            shell_proxy: shell::http_proxy(&facts.caller),
            daemon_proxy: facts.tools.daemon_proxy(),
            has_images: facts.has_images(),
        };
        judge::judge(&facts.network, &context, &mut verdict);
    }
    Ok(report::report(&facts, verdict, request, started))
}

/// What this host can reach of the tunnel's edge.
#[derive(Default)]
pub(crate) struct Edge {
    pub(crate) findings: Vec<Finding>,
    /// How the edge answers this host, if it does.
    pub(crate) reached_over: Option<&'static str>,
    /// Says that a test's destinations were probed in place of the real ones.
    pub(crate) skipped: Option<Skipped>,
}

/// The network part alone, for a stack that has no connection to the edge. The probes go out from this host and not from
/// the container.
pub(crate) fn of_the_edge(deployment: &Deployment, caller: &Caller, limit: Duration) -> Edge {
    let mut verdict = Verdict::default();
    let deployed = gather::read(deployment, caller, limit, &mut verdict);
    let Ok((plan, network)) = network::plan(caller, &deployed.dns) else { return Edge::default() };
    if !network.is_planned() {
        return Edge::default();
    }
    let mut facts = HostFacts::new(caller, limit, deployed, network);
    let (tasks, received) = Tasks::new();
    probes::start(&tasks, &plan, &facts.network, limit);
    tasks.finish(&received, Instant::now() + limit, &mut facts);
    let HostFacts { mut network, deployed, .. } = facts;
    network.settle();
    let context = Context { protocol: deployed.protocol, has_images: true, ..Context::default() };
    judge::judge(&network, &context, &mut verdict);
    let of_the_edge = |finding: &Finding| !matches!(finding.id, RuleId::ApiUnreachable | RuleId::RegistryBlocked);
    let elsewhere =
        Skipped::new("edge-network", "this host's way to the edge: the probes went to a test's destinations");
    Edge {
        findings: verdict.findings.into_iter().filter(|f| f.severity != Severity::Note && of_the_edge(f)).collect(),
        reached_over: network.in_words(),
        skipped: network.is_test.then_some(elsewhere),
    }
}
