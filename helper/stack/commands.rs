//! `up`, `status`, `restart` and `down`.

use std::path::Path;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment;
use super::live::{ContainerState, Picture, RouteState, SETTLED, Watch, is_behind};
use crate::answer::{Error, Evidence, Finding, Next, Report, Severity, Skipped};
use crate::caller::{Caller, Services};
use crate::config::gateway::Gateway;
use crate::config::{self, sample, yaml};
use crate::deployment::{Deployment, Lock, Upstream};
use crate::engine::client::Docker;
use crate::engine::container::Container;
use crate::engine::{errors, version};
use crate::lint::checks;
use crate::lint::facts::Facts;
use crate::logs::cloudflared::CONNECTIONS;
use crate::model::current;
use crate::model::found::Found;
use crate::os::files;
use crate::render::labels;
use crate::rules::{Cure, RuleId};
use crate::{preflight, rules};

/// Pulling and building over a slow line; afterwards something is wrong with it.
const PULL: Duration = Duration::from_secs(45 * 60);
/// Restarting and stopping: ten seconds of grace a container.
const STOP: Duration = Duration::from_secs(5 * 60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(400);

/// The request of `up`, `restart` and `status`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WaitRequest {
    /// How long to wait for the live state, in seconds (240; `status` 0).
    wait_seconds: Option<u32>,
}

impl WaitRequest {
    fn limit(self, default: u32) -> Result<Duration, Error> {
        let seconds = self.wait_seconds.unwrap_or(default);
        if seconds > 3600 {
            return Err(Error::request(
                format!("`wait_seconds` is {seconds}; it must be at most 3600"),
                format!("leave it out for {default}"),
            ));
        }
        Ok(Duration::from_secs(seconds.into()))
    }
}

/// The request of `down`: there is nothing to ask.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DownRequest {}

/// What `up`, `status` and `restart` answer.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct StackData {
    /// Whether everything was seen to be live.
    ready: bool,
    /// Name of the Compose project.
    project: Option<String>,
    /// The stack's containers.
    containers: Vec<ContainerState>,
    /// Distinct registered edge connections; `null` where the log cannot tell (then the health check decides).
    connections: Option<u32>,
    /// How many there should be.
    connections_wanted: u32,
    /// How they are made, `quic` or `http2`.
    protocol: Option<String>,
    /// The routes.
    routes: Vec<RouteState>,
    /// What was done to which service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    done: Vec<String>,
    /// Milliseconds from the start of the containers (for `status`, of the command) to this answer.
    elapsed_ms: u64,
}

/// What `down` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct DownData {
    /// Name of the Compose project.
    project: Option<String>,
    /// Services whose containers are gone now.
    stopped: Vec<String>,
}

/// A deployment whose stack can be worked with.
pub(crate) struct Stack<'a> {
    deployment: &'a Deployment,
    /// The client.
    pub(crate) docker: Docker,
    /// Name of the Compose project.
    pub(crate) project: String,
    /// What the services are called.
    pub(crate) services: Services,
    /// The compose files.
    pub(crate) found: Found,
    /// The proxy's configuration, if it can be read.
    pub(crate) gateway: Option<Gateway>,
    /// Warnings of the engine and of the lint.
    pub(crate) findings: Vec<Finding>,
    skipped: Vec<Skipped>,
}

/// Why there is nothing to work with.
pub(crate) struct Refusal {
    /// What is wrong.
    pub(crate) findings: Vec<Finding>,
    skipped: Vec<Skipped>,
    project: Option<String>,
}

/// How strictly the files are judged before docker is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Nothing is started that is known to be broken.
    Refuse,
    /// Only what Compose itself needs.
    Look,
}

impl<'a> Stack<'a> {
    /// Reads the files and finds the engine.
    ///
    /// # Errors
    /// `directory`, `io` and `tool`.
    pub(crate) fn open(
        deployment: &'a Deployment,
        caller: &mut Caller,
        strictness: Strictness,
    ) -> Result<Result<Self, Refusal>, Error> {
        let snapshot = caller.clone();
        let facts = Facts::gather(deployment, &snapshot)?;
        caller.services = facts.services.clone();
        caller.domain = facts.domain.as_ref().map(ToString::to_string);
        let verdict = checks::judge(&facts);
        let project = facts.project();
        let mut findings = Vec::new();
        let refuse = |findings, skipped| Ok(Err(Refusal { findings, skipped, project: facts.project() }));
        let unreadable = [RuleId::ComposeFileMissing, RuleId::ComposeYamlInvalid]
            .map(|id| verdict.findings.iter().find(|f| f.id == id));
        if strictness == Strictness::Refuse && verdict.is_fatal() {
            return refuse(verdict.findings, verdict.skipped);
        }
        if let Some(finding) = unreadable.into_iter().flatten().next() {
            return refuse(vec![finding.clone()], Vec::new());
        }
        let Some(project) = project else {
            return refuse(
                vec![
                    rules::finding(RuleId::ComposeYamlInvalid)
                        .with("the project's name depends on a variable, or on a folder name without ASCII letters"),
                ],
                Vec::new(),
            );
        };
        let passed = environment::passed(deployment, &facts.found, facts.env(), &snapshot);
        environment::guard(&passed);
        let (docker, engine) = version::find(deployment.root(), passed, caller.var("DOCKER_HOST"), caller.progress)?;
        findings.extend(engine);
        let Some(docker) = docker else { return refuse(findings, Vec::new()) };
        if strictness == Strictness::Refuse {
            findings.extend(verdict.findings);
            findings.extend(preflight::host::before_start());
        }
        let gateway = facts.gateway.good().cloned();
        let stack = Self {
            deployment,
            docker,
            project: project.clone(),
            services: facts.services,
            found: facts.found,
            gateway,
            findings,
            skipped: verdict.skipped.into_iter().filter(|s| !s.id.starts_with("upstream:")).collect(),
        };
        if let Some(conflict) = stack.conflict()? {
            return Ok(Err(Refusal { findings: vec![conflict], skipped: Vec::new(), project: Some(project) }));
        }
        Ok(Ok(stack))
    }

    fn watch(&self) -> Watch<'_> {
        Watch::new(&self.docker, self.deployment, &self.project, &self.services, &self.found, self.gateway.as_ref())
    }

    /// The containers of the project.
    ///
    /// # Errors
    /// `io` and `tool` from docker.
    pub(crate) fn containers(&self) -> Result<Vec<Container>, Error> {
        Ok(self.watch().containers()?.unwrap_or_default())
    }

    /// Containers of this project name that another directory made.
    fn conflict(&self) -> Result<Option<Finding>, Error> {
        let own = real(self.deployment.root());
        let containers = match self.watch().containers()? {
            Ok(containers) => containers,
            Err(finding) => return Ok(Some(finding)),
        };
        let foreign = containers.iter().find(|c| c.folder().is_some_and(|folder| real(Path::new(folder)) != own));
        Ok(foreign.map(|c| {
            rules::finding(RuleId::ProjectConflict).with(format!("project {}", self.project)).with(format!(
                "container {} belongs to {}",
                c.name(),
                c.folder().unwrap_or_default()
            ))
        }))
    }

    /// `docker compose up -d`; what it says when it fails is a finding.
    fn bring_up(&self, lock: &Lock) -> Result<Option<Finding>, Error> {
        let mut args = vec!["up", "--detach"];
        if self.needs_build()? {
            args.push("--build");
        }
        let output = self.docker.compose(&args, PULL, lock)?;
        if output.success {
            return Ok(None);
        }
        if output.timed_out {
            return Ok(Some(
                rules::finding(RuleId::ComposeFailed).with("docker compose up did not end within 45 minutes"),
            ));
        }
        Ok(Some(errors::finding(&output.text(), RuleId::ComposeFailed)))
    }

    /// Whether what the sample's image is built of was edited since its name was rendered.
    fn needs_build(&self) -> Result<bool, Error> {
        let Some(image) = self.found.service(sample::SERVICE, "image").and_then(yaml::scalar) else {
            return Ok(false);
        };
        let mut inputs = Vec::new();
        for inside in sample::BUILD_INPUTS {
            inputs.push(files::read(self.deployment, inside)?.unwrap_or_default());
        }
        let repository = sample::image(&self.project, &[]);
        let ours = repository.split(':').next().is_some_and(|name| image.starts_with(name));
        Ok(ours && image != sample::image(&self.project, &inputs))
    }

    /// Removes the sample's container when the files no longer have the service; others are the person's.
    fn remove_left_over_sample(&self, picture: &Picture) -> Result<Option<String>, Error> {
        let Some((name, id)) = picture.leftovers.iter().find(|(name, _)| name == sample::SERVICE) else {
            return Ok(None);
        };
        let removed = self.docker.ask(&["rm", "--force", id], STOP)?;
        Ok(removed.success.then(|| format!("removed {name}, which is no longer in the files")))
    }

    /// Looks until everything is live, nothing can come of it, or time is up.
    ///
    /// # Errors
    /// `io` and `tool` from docker.
    pub(crate) fn wait(&self, limit: Duration, caller: &Caller) -> Result<(Picture, Duration), Error> {
        let started = Instant::now();
        let mut watch = self.watch();
        let mut said = String::new();
        loop {
            let picture = watch.look()?;
            let elapsed = started.elapsed();
            if caller.progress && limit > Duration::ZERO {
                let progress = picture.progress();
                if progress != said {
                    eprintln!("{:>4}s  {progress}", elapsed.as_secs());
                    said = progress;
                }
            }
            // A glance at a container that was just revived would call it healthy, or broken, by chance.
            let limit = if picture.unsettled { limit.max(SETTLED + PAUSE) } else { limit };
            if picture.ready || picture.hopeless || elapsed >= limit {
                return Ok((picture, elapsed));
            }
            std::thread::sleep(PAUSE.min(limit.saturating_sub(elapsed)));
        }
    }

    /// What `up`, `status` and `restart` answer. `again` is the command to run once something was mended.
    fn report(
        &self,
        (what, again): (&str, &str),
        picture: Picture,
        elapsed: Duration,
        done: Vec<String>,
        caller: &Caller,
    ) -> Report<StackData> {
        let routes = picture.routes.len();
        let connections = picture.connections.map_or_else(
            || "edge connections healthy".to_owned(),
            |n| format!("{n} of {} edge connections", picture.wanted),
        );
        // Of what keeps it from being live, not of what is merely unwise.
        let causes = picture.findings.iter().filter(|f| f.consequence_of.is_none() && f.id != RuleId::NotLive);
        let cause = causes.min_by_key(|f| f.severity);
        let summary = match (picture.ready, cause) {
            (true, Some(f)) if f.severity == Severity::Error => {
                format!("the tunnel is live as it was before, and the change was not made: {}", f.title)
            }
            (true, _) => format!("the tunnel is live: {connections}, {routes} route(s){what}"),
            (false, Some(f)) => format!("the tunnel is not live{what}: {}", f.title),
            (false, None) => format!("the tunnel is not live yet{what}: {}", picture.progress()),
        };
        let next = next_step(&picture, again, caller);
        let down = picture.routes.iter().filter(|route| route.is_down());
        let down = down.filter_map(|route| Upstream::parse(&route.upstream).ok());
        let down: Vec<String> = down.map(|upstream| upstream.host_text().to_owned()).collect();
        let mut findings = self.findings.clone();
        findings.extend(picture.findings);
        for finding in findings.iter_mut().filter(|f| f.id == RuleId::UpstreamDown) {
            finding.fix = finding.fix.replace("SERVICE", &down.join(" "));
        }
        let data = StackData {
            ready: picture.ready,
            project: Some(self.project.clone()),
            containers: picture.containers,
            connections: picture.connections,
            connections_wanted: picture.wanted,
            protocol: picture.protocol,
            routes: picture.routes,
            done,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        };
        let mut report = Report::new(summary, data);
        report.next.push(next);
        report.findings = findings;
        report.skipped = self.skipped.iter().cloned().chain(picture.skipped).collect();
        report
    }
}

/// The one thing to do now.
fn next_step(picture: &Picture, again: &str, caller: &Caller) -> Next {
    let causes = || picture.findings.iter().filter(|f| f.consequence_of.is_none());
    let error = causes().find(|f| f.severity == Severity::Error && f.id != RuleId::NotLive);
    let restart = || Next::helper("restart the stack, cloudflared included", caller.command(&["restart"]));
    match error {
        Some(f) if f.id == RuleId::StackStopped => Next::helper("start it", caller.command(&["up"])),
        Some(f) if f.id.rule().cure == Cure::Restart => restart(),
        Some(_) => {
            Next::person("mend what the first finding says, then run it again").running(caller.command(&[again]))
        }
        None if causes().any(|f| f.id.rule().cure == Cure::Restart) => restart(),
        None if picture.ready => Next::helper("see how to call it from Claude", caller.command(&["connect"])),
        None => Next::helper("look again", caller.command(&["status", "--json", "{\"wait_seconds\":60}"])),
    }
}

/// Who waited and did not see everything live must be told so by the exit code, too.
fn require_live(picture: &mut Picture, elapsed: Duration) {
    if !picture.ready && !picture.findings.iter().any(|f| f.severity == Severity::Error) {
        let missing = format!("after {} s: {}", elapsed.as_secs(), picture.progress());
        picture.findings.push(rules::finding(RuleId::NotLive).with(missing));
    }
}

fn real(path: &Path) -> std::path::PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

fn refused(refusal: Refusal, what: &str, again: &str, caller: &Caller) -> Report<StackData> {
    let worst = refusal.findings.iter().filter(|f| f.severity == Severity::Error).min_by_key(|f| f.layer);
    let why = worst.map_or("see the findings", |f| f.title.as_str());
    let data = StackData { project: refusal.project, connections_wanted: CONNECTIONS, ..StackData::default() };
    let mut report = Report::new(format!("{what}: {why}"), data);
    let token = refusal.findings.iter().any(|f| f.id.as_str().starts_with("token-") && f.severity == Severity::Error);
    if token {
        report.next.push(
            Next::person("in a terminal of your own, never in a chat: put the token in")
                .running(caller.command(&["token", "set"])),
        );
    }
    report.next.push(Next::person("mend what the findings say, then run it again").running(caller.command(&[again])));
    report.findings = refusal.findings;
    report.skipped = refusal.skipped;
    report
}

/// The command `up`.
///
/// # Errors
/// `directory` when there is no deployment directory; `io` and `tool` from docker.
pub(crate) fn up(
    deployment: &Deployment,
    request: WaitRequest,
    caller: &mut Caller,
) -> Result<Report<StackData>, Error> {
    let limit = request.limit(240)?;
    deployment.require_begun()?;
    let lock = deployment.lock()?;
    let stack = match Stack::open(deployment, caller, Strictness::Refuse)? {
        Ok(stack) => stack,
        Err(refusal) => return Ok(refused(refusal, "nothing was started", "up", caller)),
    };
    labels::refresh_labels(deployment)?;
    let failed = stack.bring_up(&lock)?;
    // Waiting writes nothing.
    drop(lock);
    finish(&stack, failed, limit, ("", "up"), Vec::new(), caller)
}

/// Waits for the live state and puts together what `up` and `restart` answer.
fn finish(
    stack: &Stack<'_>,
    failed: Option<Finding>,
    limit: Duration,
    words: (&str, &str),
    mut done: Vec<String>,
    caller: &Caller,
) -> Result<Report<StackData>, Error> {
    // A proxy that crashes makes Compose fail; what is wrong with it stands in its log, not in Compose's words.
    let consequence = failed.as_ref().is_some_and(|f| f.id == RuleId::NetnsOwnerNotRunning);
    let patience = if failed.is_some() && !consequence { Duration::ZERO } else { limit };
    let (mut picture, elapsed) = stack.wait(patience, caller)?;
    done.extend(stack.remove_left_over_sample(&picture)?);
    if let Some(failure) = failed
        // That it came up after all makes up for a proxy that was slow, not for an image that could not be had.
        && (!picture.ready || !consequence)
        && !picture.findings.iter().any(|f| f.id == failure.id)
    {
        if consequence {
            let cause = picture.findings.iter().find(|f| f.severity == Severity::Error && f.consequence_of.is_none());
            let cause = cause.map(|f| f.id);
            picture.findings.push(match cause {
                Some(id) => failure.caused_by(id),
                None => failure,
            });
        } else {
            for finding in &mut picture.findings {
                if matches!(finding.id, RuleId::StackStopped | RuleId::ServiceStopped | RuleId::UpstreamDown) {
                    finding.consequence_of = Some(failure.id);
                }
            }
            picture.findings.insert(0, failure);
        }
    }
    require_live(&mut picture, elapsed);
    explain_silence(stack, &mut picture, caller);
    Ok(stack.report(words, picture, elapsed, done, caller))
}

/// Who waited for a connection that did not come has a few seconds more for the reason.
const PROBES: Duration = Duration::from_secs(3);

/// A stack without a connection to the edge is told whether this host can reach it: "no connection" alone helps nobody.
fn explain_silence(stack: &Stack<'_>, picture: &mut Picture, caller: &Caller) {
    const SILENCE: [RuleId; 4] =
        [RuleId::EdgeNotRegistered, RuleId::EdgeQuicBlocked, RuleId::EdgeTcpBlocked, RuleId::NotLive];
    let is_silent = picture.findings.iter().any(|f| matches!(f.id, RuleId::EdgeNotRegistered | RuleId::EdgeDnsFailed))
        || picture.findings.iter().any(|f| f.id == RuleId::NotLive) && picture.connections == Some(0);
    // The edge that refuses a token was reached.
    if picture.ready || !is_silent || picture.findings.iter().any(|f| f.id.as_str().starts_with("token-")) {
        return;
    }
    let (found, reached) = preflight::of_the_edge(stack.deployment, caller, PROBES);
    let cause = found.iter().find(|f| f.severity == Severity::Error).map(|f| f.id);
    for finding in &mut picture.findings {
        if let Some(way) = reached
            && finding.id == RuleId::EdgeNotRegistered
        {
            let mut all = vec![Evidence::from(format!("this host itself reaches the edge over {way}"))];
            all.append(&mut finding.evidence);
            *finding = all
                .into_iter()
                .fold(std::mem::replace(finding, rules::finding(RuleId::EdgeNotRegistered)), |f, text| f.with(text));
        }
        if let Some(cause) = cause.filter(|cause| SILENCE.contains(&finding.id) && finding.id != *cause) {
            finding.consequence_of = Some(cause);
        }
    }
    for finding in found {
        match picture.findings.iter_mut().find(|known| known.id == finding.id) {
            Some(known) => {
                known.evidence.extend(finding.evidence.into_iter().take(3usize.saturating_sub(known.evidence.len())))
            }
            None => picture.findings.push(finding),
        }
    }
}

/// The command `status`.
///
/// # Errors
/// As [`up`].
pub(crate) fn status(
    deployment: &Deployment,
    request: WaitRequest,
    caller: &mut Caller,
) -> Result<Report<StackData>, Error> {
    let limit = request.limit(0)?;
    deployment.require_begun()?;
    let stack = match Stack::open(deployment, caller, Strictness::Look)? {
        Ok(stack) => stack,
        Err(refusal) => return Ok(refused(refusal, "the stack could not be looked at", "status", caller)),
    };
    let (mut picture, elapsed) = stack.wait(limit, caller)?;
    // Fewer connections than wanted still carry every call.
    if !picture.findings.iter().any(|f| f.id == RuleId::EdgePartial) {
        require_live(&mut picture, elapsed);
    }
    Ok(stack.report(("", "status"), picture, elapsed, Vec::new(), caller))
}

/// The command `restart`: applies an edited configuration and a new token, and brings cloudflared back to the proxy.
///
/// Two kinds of orphan, two cures: one whose namespace belonged to a container that is gone is made anew by `up`, one
/// whose proxy was started after it needs a restart. So: `up`, restart what `up` left running, look, restart
/// cloudflared if it is still behind.
///
/// # Errors
/// As [`up`].
pub(crate) fn restart(
    deployment: &Deployment,
    request: WaitRequest,
    caller: &mut Caller,
) -> Result<Report<StackData>, Error> {
    let limit = request.limit(240)?;
    deployment.require_begun()?;
    let lock = deployment.lock()?;
    let stack = match Stack::open(deployment, caller, Strictness::Refuse)? {
        Ok(stack) => stack,
        Err(refusal) => return Ok(refused(refusal, "nothing was restarted, what runs goes on", "restart", caller)),
    };
    labels::refresh_labels(deployment)?;
    let before = stack.containers()?;
    let mut failed = stack.bring_up(&lock)?;
    let mut done = Vec::new();
    let services = &stack.services;
    let ours = [services.proxy.as_str(), sample::SERVICE];
    let consequence = failed.as_ref().is_some_and(|f| f.id == RuleId::NetnsOwnerNotRunning);
    if failed.is_none() || consequence {
        let after = stack.containers()?;
        let life = |list: &[Container], name: &str| {
            list.iter().find(|c| c.service() == name).map(|c| (c.id.clone(), c.life().to_owned()))
        };
        for container in &after {
            let name = container.service();
            let (was, is) = (life(&before, name), life(&after, name));
            if was.as_ref().map(|l| &l.0) != is.as_ref().map(|l| &l.0) {
                done.push(format!("made {name} anew"));
            } else if was != is {
                done.push(format!("started {name}"));
            }
        }
        let left: Vec<&str> = ours
            .into_iter()
            .filter(|name| life(&after, name).is_some() && life(&before, name) == life(&after, name))
            // A sample that was taken out of the files is still there; Compose knows no such service.
            .filter(|name| *name != sample::SERVICE || stack.found.service_names().contains(sample::SERVICE))
            .collect();
        if !left.is_empty() {
            let mut args = vec!["restart"];
            args.extend(&left);
            let output = stack.docker.compose(&args, STOP, &lock)?;
            done.extend(left.iter().map(|name| format!("restarted {name}")));
            if !output.success {
                failed = Some(errors::finding(&output.text(), RuleId::ComposeFailed));
            }
        }
        // Compose restarts cloudflared together with the proxy, unless the file keeps it from that or is not ours.
        let after = stack.containers()?;
        let find = |name: &str| after.iter().find(|c| c.service() == name);
        if let (Some(proxy), Some(cloudflared)) = (find(&services.proxy), find(&services.cloudflared)) {
            let stuck = matches!(cloudflared.status(), "created" | "exited");
            if proxy.is_running() && (is_behind(proxy, cloudflared) || stuck) {
                let verb: &[&str] = if stuck { &["up", "--detach"] } else { &["restart"] };
                let mut args = verb.to_vec();
                if !stuck {
                    args.push(&services.cloudflared);
                }
                let output = stack.docker.compose(&args, STOP, &lock)?;
                done.push(format!("restarted {}", services.cloudflared));
                failed = (!output.success).then(|| errors::finding(&output.text(), RuleId::ComposeFailed));
            } else if failed.as_ref().is_some_and(|f| f.id == RuleId::NetnsOwnerNotRunning) && cloudflared.is_running()
            {
                failed = None;
            } else if left.contains(&services.proxy.as_str()) {
                done.push(format!("restarted {} with it", services.cloudflared));
            }
        }
    }
    drop(lock);
    finish(&stack, failed, limit, (" after the restart", "restart"), done, caller)
}

/// The command `down`.
///
/// # Errors
/// As [`up`].
pub(crate) fn down(deployment: &Deployment, caller: &mut Caller) -> Result<Report<DownData>, Error> {
    deployment.require_begun()?;
    let lock = deployment.lock()?;
    let stack = match Stack::open(deployment, caller, Strictness::Look)? {
        Ok(stack) => stack,
        Err(refusal) => {
            let refused = refused(refusal, "nothing was stopped", "down", caller);
            let mut report =
                Report::new(refused.summary, DownData { project: refused.data.project, stopped: Vec::new() });
            // Compose needs no readable file to stop containers by their project's name.
            let unreadable = refused.findings.iter().any(|f| f.id.as_str().starts_with("compose-"));
            report.next = refused.next;
            if let Some(domain) = current::known_domain(deployment).ok().flatten().filter(|_| unreadable) {
                report.next.push(
                    Next::person(
                        "or, as long as the compose file cannot be read, stop the containers by the project's name",
                    )
                    .running(format!("cd / && docker compose -p {} down", config::compose::project_name(&domain))),
                );
            }
            report.findings = refused.findings;
            report.skipped = refused.skipped;
            return Ok(report);
        }
    };
    let mut stopped: Vec<String> = stack.containers()?.iter().map(|c| c.service().to_owned()).collect();
    stopped.sort();
    stopped.dedup();
    let output = stack.docker.compose(&["down", "--remove-orphans"], STOP, &lock)?;
    let mut findings = stack.findings;
    let summary = if output.success {
        match stopped.len() {
            0 => "nothing was running".to_owned(),
            n => format!("the stack is stopped: {n} container(s) removed; certificates, token and configuration stay"),
        }
    } else {
        stopped.clear();
        findings.push(errors::finding(&output.text(), RuleId::ComposeFailed));
        "docker compose could not stop the stack".to_owned()
    };
    let mut report = Report::new(summary, DownData { project: Some(stack.project), stopped });
    report.findings = findings;
    if output.success {
        report.next.push(Next::helper("start it again when it is needed", caller.command(&["up"])));
    }
    Ok(report)
}
