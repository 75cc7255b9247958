//! Asking the servers behind the routes, from the proxy's network namespace, and cloudflared for its numbers, from its own.

use super::Stack;
use super::recent::Recent;
use crate::answer::Error;
use crate::engine::container::Container;
use crate::os::process;
use crate::probe::container::Place;
use crate::probe::observe::{self as probe, Observed, Probed, metrics_addresses, neighbours};
use crate::probe::target::plan;
use crate::probe::wire::{Metrics, ProbeTarget};

/// Time for asking the server behind one route, in milliseconds.
const PROBE_LIMIT: u64 = 5_000;

/// What is behind the routes of a stack.
#[derive(Clone, Copy)]
pub(super) struct Servers<'a> {
    pub(super) stack: &'a Stack<'a>,
    /// Whether a recent answer will do.
    pub(super) reuse: bool,
}

/// What the servers answered, and cloudflared's numbers; none where they could not be asked.
pub(super) type Answers = (Option<Probed>, Option<Metrics>);

impl Stack<'_> {
    /// Asks servers from the network namespace of a running proxy, and an agent that runs in it for its numbers. Once more
    /// where nothing could be asked, or something did not answer and the proxy was restarted meanwhile: that says nothing
    /// about the servers.
    pub(crate) fn ask_from(
        &self,
        proxy: &Container,
        containers: &[Container],
        targets: &[ProbeTarget],
        metrics: &[String],
    ) -> Result<Result<Observed, String>, Error> {
        let look = |containers: &[Container]| {
            probe::observe(&self.docker, Place::Namespace(&proxy.id), targets, metrics, &neighbours(proxy, containers))
        };
        let first = look(containers)?;
        if first.as_ref().is_ok_and(|seen| seen.routes.iter().all(|(seen, _)| seen.server.is_some())) {
            return Ok(first);
        }
        let now = self.containers()?;
        let is_same = |c: &Container| c.id == proxy.id && c.life == proxy.life && c.is_running();
        if first.is_ok() && now.iter().any(is_same) { Ok(first) } else { look(&now) }
    }
}

impl Servers<'_> {
    /// Asks the servers whether Claude could call them, and cloudflared for its numbers: both at once where the two live in
    /// two network namespaces.
    pub(super) fn ask(self, containers: &[Container]) -> Result<Answers, Error> {
        let services = &self.stack.declared.services;
        let running = |name: &str| containers.iter().find(|c| c.service == name && c.is_running());
        let (proxy, agent) = (running(&services.proxy), running(&services.cloudflared));
        let lives_with = |proxy: &Container| agent.filter(|c| c.network_of.as_ref() == Some(&proxy.id));
        let apart = agent.filter(|c| c.network_of.is_none());
        let (probed, metrics) = process::both(
            || proxy.map_or(Ok(None), |proxy| self.ask_from(proxy, lives_with(proxy), containers)),
            || apart.map_or(Ok(None), |agent| probe::metrics_of(&self.stack.docker, agent)),
        );
        let probed = probed?;
        let with_proxy = probed.as_ref().and_then(|probed| probed.observed.as_ref().ok()?.metrics.clone());
        Ok((probed, metrics?.or(with_proxy)))
    }

    /// The servers as the proxy sees them, and the numbers of an agent that runs with it.
    fn ask_from(
        self,
        proxy: &Container,
        agent: Option<&Container>,
        containers: &[Container],
    ) -> Result<Option<Probed>, Error> {
        let Stack { deployment, declared, .. } = self.stack;
        let Some(gateway) = declared.gateway.good() else { return Ok(None) };
        let Ok(Some(domain)) = declared.known_domain() else { return Ok(None) };
        let planned = plan(deployment, gateway, domain.as_str(), &declared.found.paths(), PROBE_LIMIT);
        let targets: Vec<_> = planned.iter().filter_map(|route| route.target.clone().ok()).collect();
        let place = self.stack.answers.as_deref();
        let recent = if self.reuse { Recent::read(place) } else { Recent::default() };
        let reused: Vec<_> = targets.iter().map(|target| recent.answer(target, proxy, containers)).collect();
        let asked: Vec<_> =
            targets.iter().zip(&reused).filter(|(_, seen)| seen.is_none()).map(|(t, _)| t.clone()).collect();
        let metrics = agent.map(metrics_addresses).unwrap_or_default();
        let observed = match asked.is_empty() && metrics.is_empty() {
            true => Ok(Observed::default()),
            false => self.stack.ask_from(proxy, containers, &asked, &metrics)?,
        };
        let observed = observed.map(|observed| {
            let answers: Vec<_> = asked.iter().zip(observed.routes.iter().map(|(seen, _)| seen)).collect();
            recent.keep(place, &answers, proxy, containers);
            observed.with(reused)
        });
        Ok(Some(Probed { planned, observed }))
    }
}
