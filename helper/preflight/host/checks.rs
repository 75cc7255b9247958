//! What of the machine would break this stack, or give a secret away: pure judgement over what was gathered.

use std::net::Ipv4Addr;
use std::path::Path;

use ipnet::Ipv4Net;

use super::DirectoryFacts;
use crate::answer::{Finding, Severity, Subject};
use crate::check::{Check, Outcome};
use crate::deployment::{TokenState, path};
use crate::engine::container;
use crate::lint::secrets;
use crate::os::git::GitState;
use crate::preflight::facts::HostFacts;
use crate::preflight::{disk, shell};
use crate::rules;
use crate::rules::RuleId;

/// A certificate made on this host, and a TLS handshake, must not look made in the future; NTP keeps to milliseconds.
const CLOCK_TOLERANCE: i64 = 60;
/// Off by more than this, certificates are not in date.
const CLOCK_BROKEN: i64 = 24 * 3600;

/// The checks of the machine.
pub(in crate::preflight) const CHECKS: &[Check<HostFacts>] = &[
    Check { id: "directory", test: directory_is_fit },
    Check { id: RuleId::GitNotIgnored.as_str(), test: git_leaves_it_out },
    Check { id: "engine-facts", test: engine_is_known },
    Check { id: RuleId::SelinuxLabels.as_str(), test: mounts_have_labels },
    Check { id: RuleId::UserNamespace.as_str(), test: users_are_whose_they_seem },
    Check { id: RuleId::ShellVariables.as_str(), test: shell_is_plain },
    Check { id: RuleId::ProxyNotUsed.as_str(), test: no_proxy_is_counted_on },
    Check { id: RuleId::NetworkOverlap.as_str(), test: ranges_are_apart },
    Check { id: RuleId::PlatformMismatch.as_str(), test: images_are_for_this_cpu },
    Check { id: RuleId::DiskLow.as_str(), test: images_have_room },
    Check { id: RuleId::ClockWrong.as_str(), test: clock_is_right },
    Check { id: RuleId::ProjectConflict.as_str(), test: project_is_ours },
];

fn directory_is_fit(facts: &HostFacts) -> Outcome {
    let Some(root) = &facts.deployed.root else { return Outcome::Pass };
    let Some(place) = &facts.host.place else {
        return Outcome::Skip("the file system did not answer in time".into());
    };
    judge_place(root, place).into()
}

fn judge_place(root: &Path, place: &DirectoryFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let at = place.real.display();
    if let Some(why) = &place.refusal {
        findings.push(rules::finding(RuleId::DirectoryNotWritable).with(format!("{at}: {why}")));
    }
    if place.keeps_modes == Some(false) {
        findings.push(
            rules::finding(RuleId::DirectoryWithoutModes).with(format!("{at}: a mode that is set does not stay")),
        );
    }
    if let Some(service) = place.synced_by {
        let root = root.display();
        findings.push(rules::finding(RuleId::DirectorySynced).with(format!("{root} looks like a folder of {service}")));
    }
    findings
}

fn git_leaves_it_out(facts: &HostFacts) -> Outcome {
    if !facts.deployed.has_env {
        return Outcome::Pass;
    }
    match &facts.host.git {
        None => Outcome::Skip("git did not answer in time".into()),
        Some(GitState::NotIgnored) => {
            rules::finding(RuleId::GitNotIgnored).about(Subject::file(path::ENV)).with("`.env`").into()
        }
        Some(GitState::Tracked) => {
            rules::finding(RuleId::GitTracked).about(Subject::file(path::ENV)).with("`.env`").into()
        }
        Some(GitState::Unknown(why)) => Outcome::Skip(why.clone()),
        Some(GitState::Ignored | GitState::NoRepository) => Outcome::Pass,
    }
}

/// One row for all the checks below that hang on what the engine says about itself.
fn engine_is_known(facts: &HostFacts) -> Outcome {
    if facts.tools.engine_info().is_none() {
        return Outcome::Skip(
            "without an answer to `docker info`, SELinux, user namespaces, CPU, disk, clock, Docker networks and other stacks of this name were not checked"
                .into(),
        );
    }
    Outcome::Pass
}

fn mounts_have_labels(facts: &HostFacts) -> Outcome {
    // The engine labels containers only when it was started with SELinux support; without, nothing is denied.
    let bare = &facts.deployed.unlabelled;
    let is_denied = facts.tools.has_option("selinux") && facts.host.selinux != Some(false) && !bare.is_empty();
    is_denied.then(|| rules::finding(RuleId::SelinuxLabels).with_all(bare)).into()
}

fn users_are_whose_they_seem(facts: &HostFacts) -> Outcome {
    let options = [("rootless", "the engine is rootless"), ("userns", "the engine remaps user namespaces")];
    let found = options.into_iter().filter(|(word, _)| facts.tools.has_option(word));
    found.map(|(_, text)| rules::finding(RuleId::UserNamespace).with(text)).collect::<Vec<_>>().into()
}

fn shell_is_plain(facts: &HostFacts) -> Outcome {
    let mut findings = Vec::new();
    let mut names = shell::set(&facts.caller, &shell::COMPOSE);
    // With a token to compare it with, the finding about it says more.
    if let Some(TokenState::Set(token)) = &facts.deployed.token {
        names.retain(|name| *name != "TUNNEL_TOKEN");
        findings.extend(secrets::shadow(token, &facts.caller));
    }
    if !names.is_empty() {
        findings.push(rules::finding(RuleId::ShellVariables).with(format!("set: {}", names.join(", "))));
    }
    findings.into()
}

fn no_proxy_is_counted_on(facts: &HostFacts) -> Outcome {
    let finding = shell::http_proxy(&facts.caller).map(|proxy| {
        let names = shell::set(&facts.caller, &shell::PROXY);
        rules::finding(RuleId::ProxyNotUsed).with(format!("{}: {proxy}", names.join(", ")))
    });
    finding.into()
}

fn ranges_are_apart(facts: &HostFacts) -> Outcome {
    let upstreams = &facts.deployed.upstreams;
    // Without an engine, `engine-facts` reports it.
    if upstreams.is_empty() || facts.tools.engine_info().is_none() {
        return Outcome::Pass;
    }
    let Some(networks) = &facts.tools.networks else {
        return Outcome::Skip("the engine's networks are not known".into());
    };
    let own = facts.deployed.project.as_deref().unwrap_or_default();
    let mut finding = rules::finding(RuleId::NetworkOverlap);
    for (words, upstream) in upstreams {
        // A container of the stack itself, or on a network that the proxy joins, is meant to be there.
        let foreign = networks.iter().find(|(name, project, range)| {
            overlaps(range, upstream) && project != own && !facts.deployed.joined.contains(name)
        });
        if let Some((name, _, range)) = foreign {
            finding = finding.with(format!("{words}, and the Docker network `{name}` has {range}"));
        }
    }
    (!finding.evidence.is_empty()).then_some(finding).into()
}

fn overlaps(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    let inside = |net: &Ipv4Net, address: Ipv4Addr| net.contains(&address);
    inside(one, other.network()) || inside(other, one.network())
}

fn images_are_for_this_cpu(facts: &HostFacts) -> Outcome {
    let Some(info) = facts.tools.engine_info() else { return Outcome::Pass };
    let engine = match info["Architecture"].as_str().unwrap_or_default() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if engine.is_empty() {
        return Outcome::Pass;
    }
    let present = facts.tools.images.as_deref().unwrap_or_default();
    let wrong: Vec<String> = present
        .iter()
        .filter(|(_, architecture)| architecture != engine)
        .map(|(reference, architecture)| format!("{reference} is for {architecture}, the engine is {engine}"))
        .collect();
    if !wrong.is_empty() {
        rules::finding(RuleId::PlatformMismatch).with_all(wrong).into()
    } else if !matches!(engine, "amd64" | "arm64") && present.len() < facts.deployed.images.len() {
        // cloudflared is published for these two; no other platform of the proxy is known.
        let finding = rules::finding(RuleId::PlatformMismatch).with_severity(Severity::Warning);
        finding.with(format!("the engine is {engine}; the images are known for amd64 and arm64")).into()
    } else {
        Outcome::Pass
    }
}

fn images_have_room(facts: &HostFacts) -> Outcome {
    if facts.tools.engine_info().is_none() {
        return Outcome::Pass;
    }
    match &facts.tools.disk {
        None => Outcome::Skip("the engine's disk is not on this host, or cannot be seen by this user".into()),
        Some((folder, free)) => disk::low(folder, *free, facts.has_images()).into(),
    }
}

fn clock_is_right(facts: &HostFacts) -> Outcome {
    let offsets = [facts.tools.clock_offset.map(|offset| ("the engine", offset)), facts.network.clock_offset()];
    let off: Vec<(&str, i64)> =
        offsets.into_iter().flatten().filter(|(_, offset)| offset.abs() > CLOCK_TOLERANCE).collect();
    if off.is_empty() {
        return Outcome::Pass;
    }
    let words = |(whose, offset): &(&str, i64)| {
        let way = if *offset > 0 { "behind" } else { "ahead of" };
        format!("this host's clock is {} s {way} that of {whose}", offset.abs())
    };
    let finding = rules::finding(RuleId::ClockWrong).with_all(off.iter().map(words));
    let is_broken = off.iter().any(|(_, offset)| offset.abs() > CLOCK_BROKEN);
    if is_broken { finding.with_severity(Severity::Error).into() } else { finding.into() }
}

fn project_is_ours(facts: &HostFacts) -> Outcome {
    let Some(project) = &facts.deployed.project else { return Outcome::Pass };
    let Some(containers) = &facts.tools.containers else {
        return match facts.tools.engine_info() {
            Some(_) => Outcome::Skip("docker did not list the project's containers".into()),
            None => Outcome::Pass,
        };
    };
    containers.first().map(|(name, folder)| container::project_conflict(project, name, folder)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_modes_is_found() {
        let ids = |keeps_modes| {
            let place = DirectoryFacts { real: "/mnt/c/tunnel".into(), refusal: None, keeps_modes, synced_by: None };
            judge_place(&place.real, &place).iter().map(|finding| finding.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(Some(false)), [RuleId::DirectoryWithoutModes]);
        assert_eq!(ids(Some(true)), []);
        assert_eq!(ids(None), [], "nothing could be written there, so nothing is known");
    }

    #[test]
    fn ranges_overlap_in_both_directions() {
        let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
        assert!(overlaps(&net("172.18.0.0/16"), &net("172.18.3.4/32")));
        assert!(overlaps(&net("172.18.0.0/16"), &net("172.16.0.0/12")));
        assert!(!overlaps(&net("172.18.0.0/16"), &net("10.0.0.0/8")));
    }
}
