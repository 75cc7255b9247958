//! The live state of the stack as a value: looked at as often as one likes, judged the same way each time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::journal::{self, Journal};
use super::reach::reach;
use crate::answer::{Error, Finding, Layer, Severity, Skipped, Subject};
use crate::caller::Services;
use crate::config::compose::{CONFIG_LABEL, TOKEN_LABEL};
use crate::config::gateway::Gateway;
use crate::deployment::{Deployment, Upstream, path};
use crate::engine::client::Docker;
use crate::engine::container::{self, Container};
use crate::logs::cloudflared::CONNECTIONS;
use crate::logs::matcher::{Matcher, Writer};
use crate::logs::patterns;
use crate::model::current::{Target, target};
use crate::model::found::Found;
use crate::os::files;
use crate::redact::names;
use crate::render::labels;
use crate::rules;
use crate::rules::RuleId;

/// A container that died before must live this long before it counts as running.
pub(crate) const SETTLED: Duration = Duration::from_secs(5);
/// A cloudflared without a complaint may take this long until its first connection.
const FIRST_CONTACT: Duration = Duration::from_secs(15);
/// Restarts without a known reason after which nobody waits any longer.
const HOPELESS: u32 = 3;

/// A container in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ContainerState {
    /// Name of its service.
    service: String,
    /// `running`, `restarting`, `exited`, `created`, …, or `missing`.
    state: String,
    /// `healthy`, `unhealthy`, `starting`; absent without a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<String>,
    /// Seconds since its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    up_seconds: Option<u64>,
    /// How often it was restarted because it ended.
    restarts: u32,
}

/// A route in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct RouteState {
    /// Its name.
    pub(crate) name: String,
    /// Where it leads.
    pub(crate) upstream: String,
    /// Whether the proxy said that it took it up; `null` where its log cannot tell.
    configured: Option<bool>,
    /// Whether what is behind it runs; `null` where it cannot be seen from here.
    upstream_up: Option<bool>,
}

impl RouteState {
    /// Whether what is behind it was seen not to run.
    pub(crate) fn is_down(&self) -> bool {
        self.upstream_up == Some(false)
    }
}

/// The state at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    pub(crate) ready: bool,
    pub(crate) containers: Vec<ContainerState>,
    /// Registered edge connections; `None` where the log cannot tell.
    pub(crate) connections: Option<u32>,
    pub(crate) wanted: u32,
    pub(crate) protocol: Option<String>,
    pub(crate) routes: Vec<RouteState>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) skipped: Vec<Skipped>,
    /// Waiting longer is in vain.
    pub(crate) hopeless: bool,
    /// A container that died before runs again, too short to tell whether it stays.
    pub(crate) unsettled: bool,
    /// Containers whose service the files no longer have: name, id.
    pub(crate) leftovers: Vec<(String, String)>,
}

impl Picture {
    /// A word of progress for a terminal.
    pub(crate) fn progress(&self) -> String {
        let running = self.containers.iter().filter(|c| c.state == "running").count();
        let routes = self.routes.iter().filter(|r| r.configured != Some(false)).count();
        let connections = self.connections.map_or_else(|| "?".to_owned(), |n| n.to_string());
        format!(
            "containers {running}/{}, edge connections {connections}/{}, routes {routes}/{}",
            self.containers.len(),
            self.wanted,
            self.routes.len()
        )
    }
}

/// What is looked at.
pub(crate) struct Watch<'a> {
    docker: &'a Docker,
    deployment: &'a Deployment,
    project: &'a str,
    services: &'a Services,
    found: &'a Found,
    gateway: Option<&'a Gateway>,
    journals: BTreeMap<String, Journal>,
    /// Containers, by their life, at whose ports somebody answered: they are not asked again.
    reached: RefCell<BTreeSet<(String, u16)>>,
}

impl<'a> Watch<'a> {
    /// Prepares to look at the stack of a deployment.
    pub(crate) fn new(
        docker: &'a Docker,
        deployment: &'a Deployment,
        project: &'a str,
        services: &'a Services,
        found: &'a Found,
        gateway: Option<&'a Gateway>,
    ) -> Self {
        Self {
            docker,
            deployment,
            project,
            services,
            found,
            gateway,
            journals: BTreeMap::new(),
            reached: RefCell::default(),
        }
    }

    /// All containers of the project.
    ///
    /// # Errors
    /// `io` and `tool` from docker.
    pub(crate) fn containers(&self) -> Result<Result<Vec<Container>, Finding>, Error> {
        container::of_project(self.docker, self.project)
    }

    /// Looks and judges.
    ///
    /// # Errors
    /// `io` and `tool` from docker, reading errors of the directory.
    pub(crate) fn look(&mut self) -> Result<Picture, Error> {
        let now = OffsetDateTime::now_utc();
        let mut picture = Picture { wanted: CONNECTIONS, ..Picture::default() };
        let containers = match self.containers()? {
            Ok(containers) => containers,
            Err(finding) => {
                picture.findings.push(finding);
                picture.hopeless = true;
                return Ok(picture);
            }
        };
        let defined = self.found.service_names();
        let known = |c: &&Container| defined.contains(c.service()) || self.found.includes_others();
        picture.leftovers =
            containers.iter().filter(|c| !known(c)).map(|c| (c.service().to_owned(), c.id.clone())).collect();
        let containers: Vec<&Container> = containers.iter().filter(known).collect();
        let by_name = |name: &str| containers.iter().copied().find(|c| c.service() == name);
        let proxy = by_name(&self.services.proxy);
        let cloudflared = by_name(&self.services.cloudflared);
        picture.containers = self.describe(&containers, now);

        if containers.iter().all(|c| matches!(c.status(), "exited" | "dead")) {
            picture.findings.push(rules::finding(RuleId::StackStopped).with(match containers.len() {
                0 => format!("project {} has no containers", self.project),
                n => format!("all {n} containers of project {} have exited", self.project),
            }));
            return Ok(picture);
        }
        let proxy_up =
            self.judge_container(&self.services.proxy.clone(), proxy, Some(Writer::Proxy), now, &mut picture)?;
        let shared = judge_namespace(proxy, cloudflared, &mut picture);
        let agent = self.services.cloudflared.clone();
        let agent_up = match cloudflared {
            // Said already: it waits for the proxy.
            Some(c) if waits_for_proxy(c) => false,
            other => self.judge_container(&agent, other, Some(Writer::Agent), now, &mut picture)?,
        };
        let said = picture.findings.len();
        let connected = match cloudflared {
            Some(c) if agent_up && shared => self.judge_connections(c, now, &mut picture)?,
            _ => false,
        };
        // Without the proxy the namespace is dead, and so are the connections in it.
        let cause = picture.findings.iter().find(|f| f.severity == Severity::Error && f.consequence_of.is_none());
        if let (false, Some(cause)) = (proxy_up, cause.map(|f| f.id)) {
            for finding in &mut picture.findings[said..] {
                if finding.id != cause {
                    finding.consequence_of = Some(cause);
                }
            }
        }
        let routed = self.judge_routes(proxy.filter(|_| proxy_up), &containers, now, &mut picture)?;
        self.judge_labels(proxy, cloudflared, &mut picture)?;
        picture.ready = proxy_up && agent_up && shared && connected && routed;
        Ok(picture)
    }

    fn describe(&self, containers: &[&Container], now: OffsetDateTime) -> Vec<ContainerState> {
        let mut states: Vec<ContainerState> = containers
            .iter()
            .map(|c| ContainerState {
                service: c.service().to_owned(),
                state: c.status().to_owned(),
                health: c.health().map(str::to_owned),
                up_seconds: c.is_running().then(|| c.age(now).as_secs()),
                restarts: c.restart_count,
            })
            .collect();
        for name in [&self.services.proxy, &self.services.cloudflared] {
            if !states.iter().any(|state| state.service == *name) {
                let state = "missing".to_owned();
                states.push(ContainerState {
                    service: name.clone(),
                    state,
                    health: None,
                    up_seconds: None,
                    restarts: 0,
                });
            }
        }
        states.sort_by(|a, b| a.service.cmp(&b.service));
        states
    }

    /// Whether a container of ours runs and stays up; what keeps it from that is a finding.
    fn judge_container(
        &mut self,
        name: &str,
        container: Option<&Container>,
        writer: Option<Writer>,
        now: OffsetDateTime,
        picture: &mut Picture,
    ) -> Result<bool, Error> {
        let Some(container) = container else {
            picture.findings.push(rules::finding(RuleId::ServiceStopped).with(format!("`{name}` has no container")));
            return Ok(false);
        };
        if let Some(writer) = writer {
            let journal = self.journals.entry(container.id.clone()).or_insert_with(|| Journal::new(writer));
            journal.read(self.docker, container, writer, Matcher::shared()?)?;
        }
        let looping = container.status() == "restarting" || container.restart_count > 0;
        if container.is_running() && (!looping || container.age(now) >= SETTLED) {
            return Ok(true);
        }
        match container.status() {
            "running" => self.judge_short_life(name, container, writer, picture)?,
            "created" => {
                picture
                    .findings
                    .push(rules::finding(RuleId::ServiceStopped).with(format!("`{name}` was made and never started")));
            }
            "restarting" => {
                let cause = self.reason(name, container, writer)?;
                Self::judge_loop(name, container, cause, picture);
            }
            _ => self.judge_end(name, container, writer, picture)?,
        }
        Ok(false)
    }

    /// A container that ended before and runs again since a moment ago. Only what it printed since counts: the fault
    /// of the life before may have been mended.
    fn judge_short_life(
        &self,
        name: &str,
        container: &Container,
        writer: Option<Writer>,
        picture: &mut Picture,
    ) -> Result<(), Error> {
        let proof = self.journals.get(&container.id).and_then(Journal::proof);
        match (writer, proof) {
            (Some(_), Some((rule, line))) => {
                let cause = rules::finding(rule).with(format!("{name}: {line}"));
                Self::judge_loop(name, container, Ok(cause), picture);
            }
            _ => picture.unsettled = true,
        }
        Ok(())
    }

    fn judge_loop(name: &str, container: &Container, cause: Result<Finding, Vec<String>>, picture: &mut Picture) {
        let count = format!("`{name}` was restarted {} times, {}", container.restart_count, container.ending());
        let mut finding = rules::finding(RuleId::CrashLoop).with(count);
        match cause {
            Ok(cause) => {
                finding = finding.caused_by(cause.id);
                picture.findings.push(cause);
                picture.hopeless = true;
            }
            Err(last) => {
                finding = last.into_iter().fold(finding, |finding, line| finding.with(line));
                picture.hopeless |= container.restart_count >= HOPELESS;
            }
        }
        picture.findings.push(finding);
    }

    fn judge_end(
        &self,
        name: &str,
        container: &Container,
        writer: Option<Writer>,
        picture: &mut Picture,
    ) -> Result<(), Error> {
        let ended = format!("`{name}` is {}, {}", container.status(), container.ending());
        let mut finding = rules::finding(RuleId::ServiceStopped).with(ended);
        match self.reason(name, container, writer)? {
            Ok(cause) => {
                finding = finding.caused_by(cause.id);
                picture.findings.push(cause);
                picture.hopeless = true;
            }
            Err(last) => finding = last.into_iter().fold(finding, |finding, line| finding.with(line)),
        }
        picture.findings.push(finding);
        Ok(())
    }

    /// Why a container of ours ended, from its last lines; or those lines themselves.
    fn reason(
        &self,
        name: &str,
        container: &Container,
        writer: Option<Writer>,
    ) -> Result<Result<Finding, Vec<String>>, Error> {
        let lines = journal::last_lines(self.docker, container)?;
        let patterns = match writer {
            Some(Writer::Proxy) => patterns::PROXY,
            Some(Writer::Agent) => patterns::CLOUDFLARED,
            Some(Writer::Server | Writer::Container) => patterns::SERVER,
            Some(Writer::Engine) | None => &[],
        };
        // Multi-line messages are one text; the last life's lines come last.
        let proof = lines.iter().rev().find_map(|line| Some((patterns::proof(line, patterns)?, line)));
        if let Some((rule, line)) = proof {
            return Ok(Ok(rules::finding(rule).with(format!("{name}: {line}"))));
        }
        let last = lines.into_iter().rfind(|line| !line.trim().is_empty());
        Ok(Err(last.into_iter().map(|line| format!("{name}: {line}")).collect()))
    }

    fn judge_connections(
        &self,
        cloudflared: &Container,
        now: OffsetDateTime,
        picture: &mut Picture,
    ) -> Result<bool, Error> {
        let Some(journal) = self.journals.get(&cloudflared.id) else { return Ok(false) };
        picture.wanted = journal.wanted(cloudflared);
        picture.protocol = journal.protocol().map(str::to_owned);
        let level = ["--loglevel", "--log-level"].into_iter().find_map(|flag| cloudflared.flag(flag));
        let level = level.or_else(|| cloudflared.variable("TUNNEL_LOGLEVEL")).unwrap_or("info");
        let prints = matches!(level.to_ascii_lowercase().as_str(), "info" | "debug");
        if !prints || !journal.is_whole(cloudflared, now) {
            let why =
                if prints { "its log does not reach back to its start" } else { "its log level does not print them" };
            return Ok(match cloudflared.health() {
                Some("healthy") => true,
                Some("unhealthy") => {
                    picture.findings.push(
                        rules::finding(RuleId::EdgeNotRegistered).with(format!("its health check says so; {why}")),
                    );
                    false
                }
                Some(_) => false,
                None => {
                    picture.skipped.push(Skipped::new("connections", format!("{why}, and it has no health check")));
                    false
                }
            });
        }
        let registered = journal.registered();
        picture.connections = Some(registered);
        if let Some((rule, line)) = journal.proof() {
            picture.findings.push(rules::finding(rule).with(line));
            picture.hopeless = true;
            return Ok(false);
        }
        if registered >= picture.wanted {
            return Ok(true);
        }
        if registered > 0 {
            let text = format!("{registered} of {} are registered", picture.wanted);
            let finding = rules::finding(RuleId::EdgePartial).with(text);
            picture.findings.push(journal.complaint().into_iter().fold(finding, Finding::with));
            return Ok(false);
        }
        let of_edge =
            |f: &Finding| f.layer == Layer::Edge && f.severity != Severity::Note && f.id != RuleId::EdgeNotRegistered;
        let causes: Vec<Finding> = journal.judge().into_iter().filter(of_edge).collect();
        if causes.is_empty() && journal.complaint().is_none() && cloudflared.age(now) < FIRST_CONTACT {
            // It has just begun to dial.
            return Ok(false);
        }
        let mut finding = rules::finding(RuleId::EdgeNotRegistered);
        finding.consequence_of = causes.iter().find(|f| f.consequence_of.is_none()).map(|f| f.id);
        picture.findings.extend(causes);
        picture.findings.push(journal.complaint().into_iter().fold(finding, Finding::with));
        Ok(false)
    }

    fn judge_routes(
        &self,
        proxy: Option<&Container>,
        containers: &[&Container],
        now: OffsetDateTime,
        picture: &mut Picture,
    ) -> Result<bool, Error> {
        let Some(gateway) = self.gateway else { return Ok(false) };
        let prints = gateway.log_level.as_deref().is_none_or(|level| matches!(level, "info" | "debug"));
        let journal = proxy.and_then(|c| self.journals.get(&c.id).map(|j| (c, j)));
        let applied = proxy.is_some_and(|c| self.runs_current_configuration(c));
        let mut all = true;
        for (name, text) in &gateway.routes {
            let configured = match journal {
                Some((_, journal)) if journal.has_route(name, gateway.routes.len()) => Some(true),
                Some((c, journal)) if prints && applied && journal.is_whole(c, now) => Some(false),
                _ => None,
            };
            if configured == Some(false) {
                all = false;
                picture.findings.push(rules::finding(RuleId::RouteNotConfigured).with(format!(
                    "route `{name}` is in the configuration, and the proxy has not named it since its start"
                )));
            }
            let upstream = Upstream::parse(text).ok();
            let up = match upstream.as_ref().map(|u| target(u, self.found, &self.services.proxy)) {
                Some(Target::Service(service)) => {
                    let up = self.judge_upstream(name, &service, containers, now, picture)?
                        && self.is_answered(name, upstream.as_ref(), &service, proxy, containers, picture);
                    all &= up;
                    Some(up)
                }
                Some(Target::Joined(host)) => {
                    let up = self.judge_joined(name, &host, picture)?;
                    all &= up != Some(false);
                    up
                }
                Some(Target::Nobody) => {
                    all = false;
                    picture.hopeless = true;
                    picture.findings.push(
                        rules::finding(RuleId::UpstreamUndefined)
                            .about(Subject::route(name))
                            .with(format!("route `{name}` leads to {text}")),
                    );
                    Some(false)
                }
                Some(Target::Outside(why) | Target::Unknown(why)) => {
                    picture.skipped.push(Skipped::new(format!("upstream:{name}"), format!("{text}: {why}")));
                    None
                }
                None => None,
            };
            picture.routes.push(RouteState {
                name: names::shown_route(name).to_owned(),
                upstream: Upstream::shown(text),
                configured,
                upstream_up: up,
            });
        }
        Ok(all)
    }

    fn judge_upstream(
        &self,
        route: &str,
        service: &str,
        containers: &[&Container],
        now: OffsetDateTime,
        picture: &mut Picture,
    ) -> Result<bool, Error> {
        let Some(container) = containers.iter().copied().find(|c| c.service() == service) else {
            picture.findings.push(
                rules::finding(RuleId::UpstreamDown)
                    .with(format!("route `{route}`: service `{service}` has no container")),
            );
            return Ok(false);
        };
        let looping = container.restart_count > 0 && container.age(now) < SETTLED;
        match (container.status(), container.health()) {
            ("running", None | Some("healthy")) if !looping => Ok(true),
            (status, health) => {
                let state = match health {
                    Some(health) if container.is_running() => format!("{status}, {health}"),
                    _ => format!("{status}, {}", container.ending()),
                };
                let mut finding = rules::finding(RuleId::UpstreamDown).with(format!(
                    "route `{route}`: service `{service}` is {state}, restarted {} times",
                    container.restart_count
                ));
                if health != Some("starting") || container.restart_count > 0 {
                    let last = journal::last_lines(self.docker, container)?;
                    if let Some(line) = last.into_iter().rfind(|line| !line.trim().is_empty()) {
                        finding = finding.with(format!("{service}: {line}"));
                    }
                }
                let over = matches!(status, "exited" | "dead") && !container.is_restarted();
                picture.hopeless |= over || container.restart_count >= HOPELESS && health != Some("starting");
                picture.findings.push(finding);
                Ok(false)
            }
        }
    }

    /// Whether somebody listens where a route leads, as far as it can be told from here.
    fn is_answered(
        &self,
        route: &str,
        upstream: Option<&Upstream>,
        service: &str,
        proxy: Option<&Container>,
        containers: &[&Container],
        picture: &mut Picture,
    ) -> bool {
        let server = containers.iter().copied().find(|c| c.service() == service);
        let (Some(gateway), Some(upstream), Some(proxy), Some(server)) = (self.gateway, upstream, proxy, server) else {
            return true;
        };
        let asked = (server.life().to_owned(), upstream.port());
        if self.reached.borrow().contains(&asked) {
            return true;
        }
        match reach(gateway, route, upstream, proxy, server) {
            Some(finding) => {
                picture.findings.push(finding);
                false
            }
            None => self.reached.borrow_mut().insert(asked),
        }
    }

    /// A container on a network that the proxy joins: `None` when Docker cannot tell.
    fn judge_joined(&self, route: &str, host: &str, picture: &mut Picture) -> Result<Option<bool>, Error> {
        let networks = self.found.external_networks(&self.services.proxy);
        for network in &networks {
            let there = match container::of_network(self.docker, network)? {
                Ok(there) => there,
                Err(finding) => {
                    picture.skipped.push(Skipped::new(format!("upstream:{route}"), finding.title));
                    return Ok(None);
                }
            };
            if let Some(found) = there.iter().find(|c| c.answers_to(host)) {
                let up = found.is_running() && matches!(found.health(), None | Some("healthy"));
                if !up {
                    let text = format!("route `{route}`: container `{}` is {}", found.name(), found.status());
                    picture
                        .findings
                        .push(rules::finding(RuleId::UpstreamDown).about(Subject::service(found.name())).with(text));
                }
                return Ok(Some(up));
            }
        }
        picture.findings.push(
            rules::finding(RuleId::UpstreamUndefined)
                .about(Subject::route(route))
                .with(format!("route `{route}`: nobody on {} answers to `{host}`", networks.join(", "))),
        );
        Ok(Some(false))
    }

    fn runs_current_configuration(&self, proxy: &Container) -> bool {
        let (hash, _) = labels::label_values(self.deployment).unwrap_or_default();
        if proxy.our_label(CONFIG_LABEL).is_none_or(|label| Some(label) == hash.as_deref()) {
            return true;
        }
        // Restarted by hand after the edit: the label is old, what runs is not.
        let edited =
            files::metadata(self.deployment, path::GATEWAY).ok().flatten().and_then(|meta| meta.modified().ok());
        edited.is_some_and(|edited| proxy.started().is_some_and(|started| OffsetDateTime::from(edited) < started))
    }

    fn judge_labels(
        &self,
        proxy: Option<&Container>,
        cloudflared: Option<&Container>,
        picture: &mut Picture,
    ) -> Result<(), Error> {
        let fingerprint = labels::token_fingerprint(self.deployment)?;
        if proxy.is_some_and(|c| !self.runs_current_configuration(c)) {
            picture.findings.push(
                rules::finding(RuleId::ConfigNotApplied)
                    .with("the configuration was changed after the proxy had read it"),
            );
        }
        let made_with = cloudflared.and_then(|c| c.our_label(TOKEN_LABEL));
        if let (Some(made_with), Some(now)) = (made_with, &fingerprint)
            && made_with != now
        {
            let text = format!("fingerprint of the running token {made_with}, of the one in .env {now}");
            picture.findings.push(rules::finding(RuleId::TokenNotApplied).with(text));
        }
        Ok(())
    }
}

/// Whether cloudflared could not be started because the proxy was not running then; no restart policy tries it again.
fn waits_for_proxy(cloudflared: &Container) -> bool {
    match cloudflared.status() {
        "created" => true,
        "exited" => patterns::proof(&cloudflared.ending(), patterns::ENGINE) == Some(RuleId::NetnsOwnerNotRunning),
        _ => false,
    }
}

/// Whether cloudflared lives in the proxy's present network namespace.
fn judge_namespace(proxy: Option<&Container>, cloudflared: Option<&Container>, picture: &mut Picture) -> bool {
    let (Some(proxy), Some(cloudflared)) = (proxy, cloudflared) else { return false };
    let Some(owner) = cloudflared.shares_network_of() else { return false };
    // Findings about the proxy's own end explain what it does to cloudflared.
    let cause = picture.findings.iter().find(|f| f.severity == Severity::Error).map(|f| f.id);
    let explained = |finding: Finding| match cause {
        Some(id) => finding.caused_by(id),
        None => finding,
    };
    if waits_for_proxy(cloudflared) {
        picture.findings.push(explained(rules::finding(RuleId::NetnsOwnerNotRunning).with(format!(
            "`{}` is {}",
            cloudflared.service(),
            match cloudflared.status() {
                "created" => "made and was never started".to_owned(),
                status => format!("{status}, {}", cloudflared.ending()),
            }
        ))));
        // A proxy that was revived a moment ago may be about to die again, of what explains this.
        picture.hopeless |= proxy.is_running() && !picture.unsettled;
        return false;
    }
    if owner != proxy.id {
        let gone = owner.get(..12).unwrap_or(owner);
        picture.findings.push(explained(
            rules::finding(RuleId::ProxyNetnsOrphaned)
                .with(format!("it lives in the namespace of container {gone}, which is not the proxy's any more")),
        ));
        picture.hopeless = true;
        return false;
    }
    let later = proxy.is_running() && cloudflared.is_running() && proxy.started() > cloudflared.started();
    if later {
        picture.findings.push(explained(rules::finding(RuleId::ProxyNetnsOrphaned).with(format!(
            "the proxy was started at {}, cloudflared at {}",
            proxy.life(),
            cloudflared.life()
        ))));
        picture.hopeless = true;
    }
    !later
}

/// Whether cloudflared has to be restarted to come back to the proxy: same container, later start.
pub(crate) fn is_behind(proxy: &Container, cloudflared: &Container) -> bool {
    cloudflared.shares_network_of() == Some(proxy.id.as_str()) && proxy.started() > cloudflared.started()
}
