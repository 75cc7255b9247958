//! `preflight`: what of this host would keep the tunnel from working, found before the start. Every question is asked at
//! once, and nothing takes longer than the limit.

mod deployed;
pub(crate) mod host;
pub(crate) mod network;
mod race;
mod tools;

use crate::rules::RuleId;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::deployed::Deployed;
use self::host::{Host, HostData};
use self::network::judge::Circumstances;
use self::network::row::Row;
use self::network::{Network, judge};
use self::race::Race;
use self::tools::{Questions, Tool, Tools};
use crate::answer::{Error, Finding, Next, Report, Severity, Skipped};
use crate::caller::Caller;
use crate::check::Verdict;
use crate::config::settings::Protocol;
use crate::deployment::{Deployment, TokenState};
use crate::engine::client::{Docker, Passed};
use crate::os::process;

/// Long enough for a resolver's second try and a slow line; short enough to wait for.
const LIMIT: u64 = 5000;
/// For a second try, where docker did not answer within the limit that was asked for.
const PATIENT: u64 = 10_000;
/// What children that are killed at the limit, and the answer, may still take. The promise is 250 ms in all.
const GRACE: Duration = Duration::from_millis(100);
/// Reading a few small files takes a millisecond; a dead network drive takes for ever.
const FILES: Duration = Duration::from_millis(1000);

/// The request of `preflight`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PreflightRequest {
    /// Leaves the network out.
    offline: bool,
    /// After so many milliseconds whatever has not answered is passed over (5000).
    timeout_ms: Option<u64>,
    /// All addresses of every name.
    verbose: bool,
}

/// What `preflight` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PreflightData {
    /// Programs, with versions and the oldest that will do.
    tools: Vec<Tool>,
    /// The machine and the deployment directory.
    host: HostData,
    /// One row a probe; the probes go out from this host, not from a container.
    network: Vec<Row>,
    /// How long it took, in milliseconds.
    elapsed_ms: u64,
    /// A test chose where the probes go.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test_destinations: bool,
}

/// Everything that was gathered.
#[derive(Debug)]
struct Facts {
    caller: Caller,
    limit: Duration,
    deployed: Deployed,
    tools: Tools,
    host: Host,
    network: Network,
}

impl Facts {
    /// Where the shell sends docker.
    fn docker_host(&self) -> Option<String> {
        self.caller.var("DOCKER_HOST").map(|host| host.to_string_lossy().into_owned())
    }

    fn has_images(&self) -> bool {
        self.tools.images.as_ref().is_some_and(|images| images.len() >= self.deployed.images.len())
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances {
            protocol: self.deployed.protocol,
            shell_proxy: host::http_proxy(&self.caller),
            daemon_proxy: self.tools.daemon_proxy(),
            has_images: self.has_images(),
        }
    }
}

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
    // Nothing of it is needed: without it everything else is looked at.
    let deployment = deployment.map_err(|why| verdict.skipped.push(Skipped::new("directory", why.to_string()))).ok();
    let deployed = match &deployment {
        Some(deployment) => read(deployment, limit.min(FILES), &mut verdict),
        None => Deployed::none(None),
    };
    caller.services = deployed.services.clone();
    let (plan, network) = network::plan(caller, &deployed.dns)?;

    let folder = deployed.root.clone().filter(|_| deployed.is_deployment).unwrap_or_else(|| PathBuf::from("/"));
    let docker = Docker::find(&folder, Passed::new(), false);
    let mut facts = Facts {
        caller: caller.clone(),
        limit,
        tools: Tools::of(docker.as_ref()),
        host: Host::default(),
        network,
        deployed,
    };
    let all = gather(&mut facts, docker, deployment, (!request.offline).then_some(&plan), deadline);
    // A program that was killed at the deadline may have left children.
    if !all || race::remaining(deadline).is_zero() {
        process::sweep();
    }
    facts.network.settle();

    verdict.ask(tools::CHECKS, &facts);
    verdict.ask(host::CHECKS, &facts);
    if request.offline {
        verdict.skipped.push(Skipped::new("network", "`offline` leaves the network out"));
    } else {
        judge::judge(&facts.network, &facts.circumstances(), &mut verdict);
    }
    Ok(report(&facts, verdict, request, started))
}

/// Asks everything at once, the network only with a plan. Whether all had answered by the deadline.
fn gather(
    facts: &mut Facts,
    docker: Option<Docker>,
    deployment: Option<Deployment>,
    plan: Option<&network::Plan>,
    deadline: Instant,
) -> bool {
    let (deployed, caller) = (&facts.deployed, &facts.caller);
    let questions = Questions {
        project: deployed.project.clone().zip(deployed.root.clone()),
        images: deployed.images.clone(),
        has_host: caller.var("DOCKER_HOST").is_some(),
        wants_networks: !deployed.upstreams.is_empty() || !deployed.names.is_empty(),
    };
    let race = Race::new();
    tools::start(race.desk(), docker, questions, deadline);
    if let Some(deployment) = deployment {
        let home = caller.var("HOME").map(PathBuf::from);
        host::start(race.desk(), deployment, home, deployed.has_env, deadline);
    }
    if let Some(plan) = plan {
        let left = race::remaining(deadline);
        network::start(race.desk(), |facts: &mut Facts| &mut facts.network, plan, &facts.network, left);
        let note = |facts: &mut Facts, words, address| facts.deployed.upstreams.push((words, Ipv4Net::from(address)));
        network::look_up_upstreams(race.desk(), &deployed.names, &facts.network, note, left);
    }
    race.finish(deadline + GRACE, facts)
}

/// Reads the deployment, as far as its disk answers.
fn read(deployment: &Deployment, limit: Duration, verdict: &mut Verdict) -> Deployed {
    let (send, receive) = mpsc::channel();
    let it = deployment.clone();
    let started = process::spawn(move || drop(send.send(Deployed::read(&it))));
    let why = match (started, receive.recv_timeout(limit)) {
        (Ok(()), Ok(Ok(deployed))) => return deployed,
        (Ok(()), Ok(Err(why))) => why.to_string(),
        (Ok(()), Err(_)) => "its disk did not answer in time".to_owned(),
        (Err(why), _) => why.to_string(),
    };
    verdict.skipped.push(Skipped::new("deployment", why));
    Deployed::none(Some(deployment))
}

fn report(facts: &Facts, verdict: Verdict, request: PreflightRequest, started: Instant) -> Report<PreflightData> {
    let count =
        |severity| verdict.findings.iter().filter(|f| f.severity == severity && f.consequence_of.is_none()).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let worst = verdict.findings.iter().filter(|f| f.consequence_of.is_none()).min_by_key(|f| (f.severity, f.layer));
    let title = worst.map_or("", |finding| finding.title.as_str());
    let mut known: Vec<String> = facts.tools.in_words().into_iter().collect();
    if request.offline {
        known.push("the network was not checked".into());
    } else if let Some(words) = facts.network.in_words() {
        known.push(format!("the tunnel's edge answers over {words}"));
    }
    let known = known.join("; ");
    let more = |n: usize| if n > 1 { format!(" (and {} more)", n - 1) } else { String::new() };
    let unanswered = facts.tools.unanswered();
    let unknown = unanswered.map(|who| {
        let ms = facts.limit.as_millis();
        format!("could not tell whether this host can run the tunnel: {who} did not answer within {ms} ms")
    });
    let summary = match (errors, warnings, unknown) {
        (0, 0, Some(words)) => format!("{words}; {known}"),
        (0, n, Some(words)) => format!("{words}; a warning: {title}{}; {known}", more(n)),
        (0, 0, None) => format!("this host can run the tunnel: {known}"),
        (0, n, None) => format!("this host can run the tunnel, with a warning: {title}{}; {known}", more(n)),
        (n, ..) => format!("this host cannot run the tunnel yet: {title}{}", more(n)),
    };
    let data = PreflightData {
        tools: facts.tools.rows(facts.docker_host().as_deref()),
        host: facts.host.data(facts),
        network: if request.offline { Vec::new() } else { facts.network.rows(request.verbose) },
        elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        test_destinations: facts.network.is_test,
    };
    let mut report = Report::new(summary.trim_end_matches([' ', ':', ';']).to_owned(), data);
    report.next = match unanswered {
        Some(who) if errors == 0 => vec![longer(facts, request, who)],
        _ => next(facts, &verdict, errors > 0),
    };
    report.findings = verdict.findings;
    report.skipped = verdict.skipped;
    report
}

/// The same command with the time that a slow machine needs.
fn longer(facts: &Facts, request: PreflightRequest, who: &str) -> Next {
    let offline = if request.offline { "\"offline\":true," } else { "" };
    let again = format!("{{{offline}\"timeout_ms\":{PATIENT}}}");
    let what = format!("give {who} more time to answer; if it still does not answer, start Docker");
    Next::helper(what, facts.caller.command(&["preflight", "--json", &again]))
}

/// What to do now.
fn next(facts: &Facts, verdict: &Verdict, has_errors: bool) -> Vec<Next> {
    let caller = &facts.caller;
    if has_errors {
        let again =
            Next::person("fix the findings in order, then run this again").running(caller.command(&["preflight"]));
        return vec![again];
    }
    let mut steps = Vec::new();
    let udp_blocked = verdict.findings.iter().any(|f| f.id == RuleId::EdgeQuicBlocked);
    let told = facts.deployed.protocol == Some(Protocol::Http2);
    let go_on = if matches!(facts.deployed.token, Some(TokenState::Set(_))) {
        Next::helper("start the stack and wait until it is live", caller.command(&["up"]))
    } else {
        Next::helper("list the remaining steps", caller.command(&["init"]))
    };
    match (facts.deployed.is_deployment, udp_blocked && !told) {
        (true, true) => {
            let render = caller.command(&["render", "--json", "{\"protocol\":\"http2\"}"]);
            let what = "configure cloudflared to use HTTP/2, so that it does not try UDP for two minutes first";
            steps.extend([Next::helper(what, render), go_on]);
        }
        (true, false) => steps.push(go_on),
        (false, blocked) => {
            let protocol = if blocked { ",\"protocol\":\"http2\"" } else { "" };
            let request = format!("{{\"domain\":\"abcd1234.tunnel.anthropic.com\",\"sample\":true{protocol}}}");
            let step = Next::person("create the deployment; replace the domain by the one that the Console shows");
            steps.push(step.running(caller.command(&["init", "--json", &request])));
        }
    }
    steps
}

/// What this host can reach of the tunnel's edge.
#[derive(Default)]
pub(crate) struct Edge {
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
    /// How the edge answers this host, where it does.
    pub(crate) reached_over: Option<&'static str>,
    /// Says that a test's destinations were probed in place of the real ones.
    pub(crate) skipped: Option<Skipped>,
}

/// The network part alone, for a stack that has no connection to the edge: what this host can reach, in findings.
///
/// The probes go out from this host and not from the container.
pub(crate) fn of_the_edge(deployment: &Deployment, caller: &Caller, limit: Duration) -> Edge {
    let mut verdict = Verdict::default();
    let deployed = read(deployment, FILES, &mut verdict);
    let Ok((plan, mut network)) = network::plan(caller, &deployed.dns) else { return Edge::default() };
    if !network.is_planned() {
        return Edge::default();
    }
    let race = Race::new();
    network::start(race.desk(), |network: &mut Network| network, &plan, &network, limit);
    race.finish(Instant::now() + limit, &mut network);
    network.settle();
    let around = Circumstances { protocol: deployed.protocol, has_images: true, ..Circumstances::default() };
    judge::judge(&network, &around, &mut verdict);
    let of_the_edge = |finding: &Finding| !matches!(finding.id, RuleId::ApiUnreachable | RuleId::RegistryBlocked);
    let elsewhere =
        Skipped::new("edge-network", "this host's way to the edge: the probes went to a test's destinations");
    Edge {
        findings: verdict.findings.into_iter().filter(|f| f.severity != Severity::Note && of_the_edge(f)).collect(),
        reached_over: network.in_words(),
        skipped: network.is_test.then_some(elsewhere),
    }
}
