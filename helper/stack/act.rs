//! What `up` and `restart` do to containers, and what they say that they did.

use std::collections::BTreeSet;
use std::time::Duration;

use time::OffsetDateTime;

use super::Stack;
use super::declared::Declared;
use super::ended::Ended;
use super::judge::{Orphan, StackState, orphan};
use super::pull;
use super::snapshot::Container;
use crate::answer::{Error, Finding};
use crate::config::compose::TUNNEL_NETWORK;
use crate::config::{sample, yaml};
use crate::engine::client::Output;
use crate::engine::errors;
use crate::model::current::Current;
use crate::model::stack::Reach;
use crate::os::files;
use crate::os::lock::Lock;
use crate::rules::{self, RuleId};

/// Pulling and building over a slow line; afterwards something is wrong with it.
const PULL: Duration = Duration::from_secs(45 * 60);
/// Restarting and stopping: ten seconds of grace a container.
pub(crate) const STOP: Duration = Duration::from_secs(5 * 60);
/// Whether an image is on the engine takes milliseconds to tell.
const IMAGE: Duration = Duration::from_secs(30);

/// A series of acts on one stack: what was done, and the first that failed.
pub(crate) struct Acts<'a> {
    stack: &'a Stack<'a>,
    lock: Lock,
    pub(crate) done: Vec<String>,
    /// Why the first act that failed did.
    pub(crate) failed: Option<Finding>,
    /// How containers had ended before the first act.
    ended: Vec<Ended>,
    /// The containers before the first act, if they were just looked at.
    before: Option<Vec<Container>>,
}

/// The result of a series of acts.
#[derive(Default)]
pub(crate) struct Acted {
    pub(crate) done: Vec<String>,
    /// Why the first act that failed did.
    pub(crate) failed: Option<Finding>,
    /// How the containers that were started again had ended.
    pub(crate) ended: Vec<Ended>,
}

impl<'a> Acts<'a> {
    /// Nothing done yet.
    pub(crate) fn new(stack: &'a Stack<'a>, lock: Lock) -> Self {
        // Once something is done it is over.
        let before = stack.first_look();
        Self { stack, lock, done: Vec::new(), failed: None, ended: Vec::new(), before }
    }

    /// Waiting writes nothing: gives the lock back.
    pub(crate) fn finish(mut self) -> Result<Acted, Error> {
        if !self.ended.is_empty() {
            let now = self.containers()?;
            self.ended.retain(|ended| ended.is_past(&now));
        }
        Ok(Acted { done: self.done, failed: self.failed, ended: self.ended })
    }

    /// A later failure may follow from the first, and does not replace it.
    fn note(&mut self, output: &Output, act: &str) {
        let failure = if output.success {
            return;
        } else if output.timed_out {
            rules::finding(RuleId::ComposeFailed).with(format!("`docker {act}` did not finish in time"))
        } else {
            let printed = output.text();
            pull::owned(errors::finding(&printed, RuleId::ComposeFailed), &printed, &self.stack.declared)
        };
        self.failed.get_or_insert(failure);
    }

    fn compose(&mut self, args: &[&str], limit: Duration) -> Result<(), Error> {
        let output = self.stack.docker.compose(args, limit, &self.lock)?;
        self.note(&output, &format!("compose {}", args[0]));
        Ok(())
    }

    fn containers(&self) -> Result<Vec<Container>, Error> {
        self.stack.containers()
    }

    /// The containers before the first act.
    fn containers_before(&mut self) -> Result<Vec<Container>, Error> {
        match self.before.take() {
            Some(seen) => Ok(seen),
            None => self.containers(),
        }
    }

    /// The proxy and cloudflared.
    fn programs(&self, all: &[Container]) -> (Option<Container>, Option<Container>) {
        let services = &self.stack.declared.services;
        let find = |name: &str| all.iter().find(|c| c.service == name).cloned();
        (find(&services.proxy), find(&services.cloudflared))
    }

    /// Restarts what is in a crash loop: its cause may have been fixed since, and the restart policy takes up to a
    /// minute to find out. Compose refuses to work on a container in that state.
    pub(crate) fn revive(&mut self) -> Result<(), Error> {
        let containers = self.containers_before()?;
        self.ended = self.stack.ended(&containers)?;
        if containers.iter().all(|c| c.restarts == 0 && c.status != "restarting") {
            return Ok(());
        }
        let now = OffsetDateTime::now_utc() + self.stack.clock_offset;
        for container in containers.iter().filter(|c| c.is_looping(now) && self.stack.declared.has(&c.service)) {
            let output = self.stack.docker.ask(&["restart", &container.id], STOP)?;
            if output.success {
                self.done.push(format!("restarted {}, which was in a restart loop", container.service));
            }
        }
        Ok(())
    }

    /// `docker compose up -d`.
    pub(crate) fn bring_up(&mut self) -> Result<(), Error> {
        let mut args = vec!["up", "--detach"];
        if self.needs_build()? {
            args.push("--build");
        }
        self.compose(&args, PULL)
    }

    /// The same for every service but cloudflared.
    pub(crate) fn bring_up_without_agent(&mut self) -> Result<(), Error> {
        let agent = &self.stack.declared.services.cloudflared;
        let names = self.stack.declared.found.service_names();
        let mut args = vec!["up", "--detach"];
        if self.needs_build()? {
            args.push("--build");
        }
        args.extend(names.iter().filter(|name| *name != agent).map(String::as_str));
        self.compose(&args, PULL)
    }

    /// Whether the sample's image is missing, or what it is built of was edited since its name was rendered. Compose
    /// would first look for a missing one in a registry, which does not exist.
    fn needs_build(&self) -> Result<bool, Error> {
        let declared = &self.stack.declared;
        let Some(image) = declared.found.service(sample::SERVICE, "image").and_then(yaml::scalar) else {
            return Ok(false);
        };
        let repository = sample::image(&declared.project, &[]);
        if !repository.split(':').next().is_some_and(|name| image.starts_with(name)) {
            return Ok(false);
        }
        let mut inputs = Vec::new();
        for inside in sample::BUILD_INPUTS {
            inputs.push(files::read(self.stack.deployment, inside)?.unwrap_or_default());
        }
        if image != sample::image(&declared.project, &inputs) {
            return Ok(true);
        }
        let seen = self.stack.docker.ask(&["image", "inspect", "--format", "{{.Id}}", &image], IMAGE)?;
        Ok(!seen.success && errors::is_no_such_image(&seen.text()))
    }

    /// Brings cloudflared back to the proxy, if it lost its network. Compose does not, or only together with the proxy.
    pub(crate) fn bring_cloudflared_back(&mut self) -> Result<(), Error> {
        let seen = self.stack.containers()?;
        let (proxy, cloudflared) = self.programs(&seen);
        let (Some(proxy), Some(cloudflared)) = (proxy, cloudflared) else { return Ok(()) };
        let Some(orphan) = orphan(&proxy, &cloudflared).filter(|_| proxy.is_running()) else {
            // Nothing more is done: this is what the waiting begins with.
            self.stack.look_again_with(seen);
            return Ok(());
        };
        let service = cloudflared.service.as_str();
        match orphan {
            Orphan::NeverStarted => self.compose(&["up", "--detach", "--no-deps", service], STOP)?,
            Orphan::OfAnotherContainer => {
                self.compose(&["up", "--detach", "--no-deps", "--force-recreate", service], STOP)?;
            }
            Orphan::LeftBehind => self.compose(&["restart", service], STOP)?,
        }
        self.done.push(format!("brought {service} back to {}", proxy.service));
        // That it could not be started before was a consequence of the proxy's own end.
        let (_, after) = self.programs(&self.containers()?);
        let is_back = after.is_some_and(|c| c.is_running() && super::judge::orphan(&proxy, &c).is_none());
        if is_back && self.failed.as_ref().is_some_and(|f| f.id == RuleId::NetnsOwnerNotRunning) {
            self.failed = None;
        }
        Ok(())
    }

    /// Says what Compose created, started or restarted, and returns the services whose containers it left alone.
    fn compare(&mut self, before: &[Container], after: &[Container]) -> Vec<String> {
        let mut left = Vec::new();
        for container in after.iter().filter(|c| self.stack.declared.has(&c.service)) {
            let service = &container.service;
            match before.iter().find(|c| c.service == *service) {
                Some(old) if old.id != container.id => self.done.push(format!("recreated {service}")),
                None => self.done.push(format!("created {service}")),
                Some(old) if old.started != container.started => self.done.push(format!("started {service}")),
                Some(_) => left.push(service.clone()),
            }
        }
        left
    }

    /// Restarts every service of the project, or `only` some: those that `up` did not start again, cloudflared last.
    pub(crate) fn restart(&mut self, only: Option<&BTreeSet<String>>) -> Result<(), Error> {
        let before = self.containers_before()?;
        self.ended = self.stack.ended(&before)?;
        if only.is_none() {
            self.bring_up()?;
            // Compose continues with the others when the proxy crashes; anything else that it cannot do is reported first.
            if self.failed.as_ref().is_some_and(|f| f.id != RuleId::NetnsOwnerNotRunning) {
                return Ok(());
            }
        }
        let after = self.containers()?;
        let services = &self.stack.declared.services;
        let (proxy, cloudflared) = (services.proxy.clone(), services.cloudflared.clone());
        let asked = |name: &String| only.is_none_or(|only| only.contains(name));
        let runs = |name: &String| after.iter().any(|c| c.service == *name && !c.has_exited() && c.status != "created");
        let left: Vec<String> = self.compare(&before, &after).into_iter().filter(|n| asked(n) && runs(n)).collect();
        let (last, first): (Vec<String>, Vec<String>) = left.into_iter().partition(|name| *name == cloudflared);
        if !first.is_empty() {
            self.restart_services(&first)?;
        }
        // Compose restarts cloudflared together with the proxy, unless the file keeps it from that or is not ours.
        let old = after.iter().find(|c| c.service == cloudflared);
        let is_new = self.programs(&self.containers()?).1.zip(old).is_some_and(|(new, old)| new.started != old.started);
        if first.contains(&proxy) && is_new {
            self.done.push(format!("restarted {cloudflared}"));
        } else if !last.is_empty() && (only.is_some() || old.is_some_and(|c| c.network_of.is_none())) {
            self.restart_services(&last)?;
        }
        self.bring_cloudflared_back()
    }

    fn restart_services(&mut self, services: &[String]) -> Result<(), Error> {
        let found = &self.stack.declared.found;
        // Compose knows a service of an inactive profile only when it is asked for that profile.
        let profiles = services.iter().any(|name| found.service(name, "profiles").is_some());
        let mut args: Vec<&str> = if profiles { vec!["--profile", "*", "restart"] } else { vec!["restart"] };
        args.extend(services.iter().map(String::as_str));
        let failed = self.failed.is_some();
        self.compose(&args, STOP)?;
        if failed || self.failed.is_none() {
            self.done.extend(services.iter().map(|name| format!("restarted {name}")));
        }
        Ok(())
    }
}

impl Stack<'_> {
    /// Removes the network of a separate cloudflared that runs with the proxy again; one in use stays. Returns what was
    /// done.
    pub(crate) fn remove_left_over_network(&self) -> Result<Option<String>, Error> {
        let Declared { project, current: Current { found, services, .. } } = &self.declared;
        if found.reaches(&services.cloudflared, &services.proxy) != Reach::Shared {
            return Ok(None);
        }
        let of_project = format!("label=com.docker.compose.project={project}");
        let ours = format!("label=com.docker.compose.network={TUNNEL_NETWORK}");
        let list = ["network", "ls", "--quiet", "--filter", &of_project, "--filter", &ours];
        let listed = self.docker.ask(&list, IMAGE)?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let Some(id) = text.split_whitespace().next().filter(|_| listed.success) else { return Ok(None) };
        let removed = self.docker.ask(&["network", "rm", id], STOP)?;
        Ok(removed.success.then(|| "removed the network of a separate cloudflared".to_owned()))
    }

    /// Removes the sample's container when the files no longer have the service; others are the person's. Returns what was
    /// done.
    pub(crate) fn remove_left_over_sample(&self, state: &StackState) -> Result<Option<String>, Error> {
        let Some((name, id)) = state.leftovers.iter().find(|(name, _)| name == sample::SERVICE) else {
            return Ok(None);
        };
        let removed = self.docker.ask(&["rm", "--force", id], STOP)?;
        Ok(removed.success.then(|| format!("removed {name}, which is no longer in the files")))
    }
}
