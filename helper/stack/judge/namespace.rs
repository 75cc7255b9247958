//! cloudflared lives in the proxy's network namespace, and loses its network when the proxy starts without it.

use super::super::snapshot::Container;
use super::state::{StackState, View};
use crate::answer::Finding;
use crate::logs::patterns;
use crate::rules::{self, RuleId};

/// How cloudflared lost its network, and with it what brings it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Orphan {
    /// It could not be started because the proxy was not running then; no restart policy tries again. Started by `up`.
    NeverStarted,
    /// Its namespace belonged to a container that is gone. Created anew by `up`.
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

/// How cloudflared is cut off from the proxy, if it is.
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

/// Whether cloudflared lives in the proxy's present network namespace.
pub(super) fn judge(view: &View<'_>, state: &mut StackState) -> bool {
    let (Some(proxy), Some(cloudflared)) = (view.proxy, view.cloudflared) else { return false };
    if cloudflared.network_of.is_none() {
        return false;
    }
    let Some(orphan) = orphan(proxy, cloudflared) else { return true };
    let finding = describe(orphan, proxy, cloudflared);
    // What ended the proxy explains what that did to cloudflared.
    let cause = state.findings.iter().find(|f| f.severity == crate::answer::Severity::Error).map(|f| f.id);
    state.findings.push(match cause {
        Some(id) => finding.caused_by(id),
        None => finding,
    });
    state.gave_up |= match orphan {
        // A proxy that was revived a moment ago may be about to end again, of what explains this.
        Orphan::NeverStarted => proxy.is_running() && !state.recently_restarted,
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
