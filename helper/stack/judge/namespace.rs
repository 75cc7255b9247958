//! How cloudflared gets to the proxy: in its network namespace, which it loses when the proxy starts without it, or over a
//! network, which it does not.

use time::OffsetDateTime;

use super::super::snapshot::{Container, SETTLED};
use super::state::{StackState, View, about};
use crate::answer::{Finding, Severity};
use crate::engine::container::Endpoint;
use crate::logs::patterns;
use crate::model::address::host_and_port;
use crate::model::stack::Reach;
use crate::rules::{self, RuleId};

/// How cloudflared lost its network, and with it what brings it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Orphan {
    /// It could not be started because the proxy was not running then; no restart policy tries again. Started by `up`.
    NeverStarted,
    /// Its namespace belonged to a container that is gone. `up` creates it again.
    OfAnotherContainer,
    /// The proxy was started after it. Only a restart helps.
    LeftBehind,
}

/// Whether cloudflared could not be started because the proxy was not running then.
pub(super) fn waits_for_proxy(cloudflared: &Container) -> bool {
    match cloudflared.status.as_str() {
        "created" => true,
        "exited" => patterns::proof(&cloudflared.ending(), patterns::ENGINE) == Some(RuleId::NetnsOwnerNotRunning),
        _ => false,
    }
}

/// How cloudflared lost the proxy's network, if it did.
pub(crate) fn orphan(proxy: &Container, cloudflared: &Container) -> Option<Orphan> {
    let owner = cloudflared.network_of.as_deref()?;
    if waits_for_proxy(cloudflared) {
        return Some(Orphan::NeverStarted);
    }
    if owner != proxy.id {
        return Some(Orphan::OfAnotherContainer);
    }
    let both = proxy.is_running() && cloudflared.is_running();
    (both && proxy.started > cloudflared.started).then_some(Orphan::LeftBehind)
}

/// Host that cloudflared sends calls to.
fn dials(cloudflared: &Container) -> Option<String> {
    cloudflared.url.as_deref().map(|url| host_and_port(url).0)
}

/// How a container of cloudflared gets to the proxy's, by what the engine shows. `known_as` is a name of the proxy that
/// the files vouch for: of links the engine shows no alias.
fn seen_reach(proxy: &Container, cloudflared: &Container, known_as: Option<&str>) -> Reach {
    if cloudflared.network_of.is_some() {
        return Reach::Shared;
    }
    if cloudflared.endpoints.iter().any(|endpoint| endpoint.network == "host") {
        return Reach::HostPort;
    }
    let Some(host) = dials(cloudflared) else { return Reach::Not };
    let is_common = |e: &&Endpoint| cloudflared.endpoints.iter().any(|own| own.network == e.network);
    let answers = |e: &Endpoint| {
        e.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(&host))
            || e.address.is_some_and(|address| address.to_string() == host)
    };
    let mut common = proxy.endpoints.iter().filter(is_common).peekable();
    let is_known = known_as == Some(host.as_str()) || proxy.name.eq_ignore_ascii_case(&host);
    let is_named = common.peek().is_some() && is_known;
    if is_named || common.any(answers) { Reach::Network } else { Reach::Not }
}

/// Whether cloudflared gets to the proxy: in its present network namespace, or over a network.
pub(super) fn judge(view: &View<'_>, state: &mut StackState) -> bool {
    let (Some(proxy), Some(cloudflared)) = (view.proxy, view.cloudflared) else { return false };
    let services = &view.declared.services;
    let declared = view.declared.found.reaches(&services.cloudflared, &services.proxy);
    let known_as = view.declared.found.dials(&services.cloudflared).map(|(host, _)| host);
    let seen = seen_reach(proxy, cloudflared, known_as.as_deref().filter(|_| declared == Reach::Network));
    let lives = judge_orphan(proxy, cloudflared, view.snapshot.now, state);
    if seen != Reach::Not && (seen == declared || declared == Reach::Not) {
        return lives;
    }
    let service = &cloudflared.service;
    let dials = dials(cloudflared).unwrap_or_else(|| "nothing".to_owned());
    let place = match seen {
        Reach::Shared => format!("`{service}` is in the network namespace of `{}`", proxy.service),
        Reach::Network => format!("`{service}` is on a network with `{}`", proxy.service),
        Reach::HostPort => format!("`{service}` is on the host's network"),
        Reach::Not => format!("`{service}` dials {dials}, which is not `{}` on any network of both", proxy.service),
    };
    let rule = if declared == Reach::Not { RuleId::NetworkModeMissing } else { RuleId::NamespaceNotApplied };
    let works = seen != Reach::Not;
    let finding = about(rule, service).with(place);
    state.findings.push(if works { finding } else { finding.with_severity(Severity::Error) });
    // The containers stay as they are made.
    state.gave_up |= !works;
    lives && works
}

/// Whether a cloudflared that runs with the proxy does so in its present life.
fn judge_orphan(proxy: &Container, cloudflared: &Container, now: OffsetDateTime, state: &mut StackState) -> bool {
    let Some(orphan) = orphan(proxy, cloudflared) else { return true };
    let finding = describe(orphan, proxy, cloudflared);
    // What ended the proxy explains what that did to cloudflared.
    let cause = state.findings.iter().find(|f| f.severity == Severity::Error).map(|f| f.id);
    state.findings.push(match cause {
        Some(id) => finding.caused_by(id),
        None => finding,
    });
    state.gave_up |= match orphan {
        // A proxy that was revived a moment ago may be about to end again, of what explains this; where it was just
        // started, Compose may start cloudflared next.
        Orphan::NeverStarted => {
            let is_coming = cloudflared.status == "created" && proxy.age(now) < SETTLED;
            proxy.is_running() && !state.recently_restarted && !is_coming
        }
        Orphan::OfAnotherContainer | Orphan::LeftBehind => true,
    };
    false
}

fn describe(orphan: Orphan, proxy: &Container, cloudflared: &Container) -> Finding {
    let service = &cloudflared.service;
    match orphan {
        Orphan::NeverStarted => {
            let text = match cloudflared.status.as_str() {
                "created" => format!("`{service}` was created and never started"),
                status => format!("`{service}` is {status}, {}", cloudflared.ending()),
            };
            rules::finding(RuleId::NetnsOwnerNotRunning).with(text)
        }
        Orphan::OfAnotherContainer => {
            let owner = cloudflared.network_of.as_deref().unwrap_or_default();
            let owner = owner.get(..12).unwrap_or(owner);
            let text = format!("`{service}` is in the network namespace of container {owner}, which is not the proxy");
            rules::finding(RuleId::ProxyNetnsOrphaned).with(text)
        }
        Orphan::LeftBehind => {
            let later = proxy.started.zip(cloudflared.started).map_or(0, |(a, b)| (a - b).whole_seconds());
            let text = format!("`{}` was started {} after `{service}`", proxy.service, rules::ago(later));
            rules::finding(RuleId::ProxyNetnsOrphaned).with(text)
        }
    }
}
