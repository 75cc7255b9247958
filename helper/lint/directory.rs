//! Checks of the directory: `.env`, modes, git, mounts.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::{routes, secrets};
use crate::answer::{Finding, Severity, Skipped, Subject};
use crate::check::{Outcome, capped};
use crate::deployment::{modes, path, scaffold};
use crate::model::mounts::{Mount, MountSource, Mounted};
use crate::model::token::TokenOrigin;
use crate::os::git::GitState;
use crate::rules::{self, OfService, Remedy, RuleId};

pub(super) fn is_closed(facts: &Facts) -> Outcome {
    let found = &facts.found;
    let owner = |name: &&String| {
        let place = format!("{}/{name}", path::DATA);
        let is_own = |mount: &Mount| {
            mount.bind().is_some_and(|source| source == place || source.starts_with(&format!("{place}/")))
        };
        let mut services = found.service_names().into_iter().filter(|service| *service != facts.services.proxy);
        services.find(|service| found.mounts(service).iter().any(is_own))
    };
    let (owned, foreign): (Vec<&String>, Vec<&String>) =
        facts.foreign_data.iter().partition(|name| owner(name).is_some());
    let finding = |names: Vec<&String>| modes::foreign_data(&names.into_iter().cloned().collect::<Vec<_>>());
    let first = owned.first().and_then(owner).unwrap_or_default();
    let remedy = Remedy::OfService(OfService::OwnData { service: &first });
    let owned = finding(owned).map(|finding| finding.with_severity(Severity::Note).with_remedy(remedy));
    facts.places.open_directory().into_iter().chain(finding(foreign)).chain(owned).collect::<Vec<Finding>>().into()
}

pub(super) fn env_is_readable(facts: &Facts) -> Outcome {
    let Some(env) = facts.env() else { return facts.found.env_fault.clone().into() };
    let elsewhere = facts.found.is_elsewhere.then(|| rules::finding(RuleId::ComposeFileElsewhere));
    scaffold::env_fault(env).into_iter().chain(elsewhere).collect::<Vec<Finding>>().into()
}

/// A stack that takes its token from somewhere else needs no `.env`.
pub(super) fn env_is_there(facts: &Facts) -> Outcome {
    let is_needed = match &facts.token.origin {
        TokenOrigin::Env(_) | TokenOrigin::Unset(_) | TokenOrigin::Nowhere => true,
        TokenOrigin::Shell(_) => facts.found.is_ours(),
        TokenOrigin::File(_)
        | TokenOrigin::Written
        | TokenOrigin::Command
        | TokenOrigin::SetUp
        | TokenOrigin::NotThere { .. }
        | TokenOrigin::Unseen(_) => false,
    };
    (is_needed && facts.env().is_none() && facts.found.env_fault.is_none())
        .then(|| rules::finding(RuleId::EnvMissing))
        .into()
}

pub(super) fn env_is_closed(facts: &Facts) -> Outcome {
    match facts.places.env_mode() {
        Ok(found) => found.into(),
        Err(why) => Outcome::Skip(why.to_owned()),
    }
}

pub(super) fn secrets_stay_out_of_git(facts: &Facts) -> Outcome {
    let mut found = Vec::new();
    if facts.env().is_some() {
        found.extend(secrets::git_finding(&facts.git, path::ENV));
    }
    if let Some(state) = &facts.git_key {
        found.extend(secrets::git_finding(state, path::CA_KEY));
    }
    match &facts.git {
        GitState::Unknown(why) => Outcome::of(found, vec![Skipped::new(RuleId::GitNotIgnored, why.clone())]),
        GitState::NoRepository | GitState::Ignored | GitState::NotIgnored | GitState::Tracked => found.into(),
    }
}

pub(super) fn keys_are_closed(facts: &Facts) -> Outcome {
    facts.places.key_modes().into()
}

/// Docker silently creates an empty directory where the source of a bind mount is missing.
pub(super) fn mounts_are_there(facts: &Facts) -> Outcome {
    let started = facts.found.service_names().into_iter().filter(|name| facts.found.is_started(name));
    let mounts = started.flat_map(|service| {
        let mounts = facts.found.mounts(&service);
        mounts.into_iter().map(move |mount| (service.clone(), mount)).collect::<Vec<_>>()
    });
    // The proxy's own files have their own findings.
    let known = [facts.gateway_path.as_str(), path::DATA, path::TLS_CRT, path::TLS_KEY];
    let dialled: BTreeSet<String> = routes::to_services(facts).map(|to| to.service).collect();
    let wrong = mounts.filter_map(|(service, mount)| {
        let Mounted::Bind(source) = &mount.source else { return None };
        if known.contains(&source.as_str()) || source.contains('$') || source.starts_with('~') {
            return None;
        }
        let what = match facts.mounted.get(source)? {
            MountSource::Missing => "does not exist",
            MountSource::EmptyFolder if is_file_name(&mount.target) => "is an empty directory",
            MountSource::EmptyFolder => return None,
        };
        let said = format!("service `{service}` mounts `{source}`, which {what}");
        let finding = rules::finding(RuleId::MountMissing).about(Subject::service(&service)).with(said);
        let is_data = mount.is_made && !is_file_name(&mount.target) && !is_file_name(source);
        let is_tunnel = [&facts.services.proxy, &facts.services.cloudflared].contains(&&service);
        let (is_of_tunnel, source) = (is_tunnel || dialled.contains(&service), rules::shown_path(source));
        Some(match (is_data && !is_tunnel, is_of_tunnel) {
            (true, _) => {
                let remedy = Remedy::OfService(OfService::DataFolder { source, service: &service });
                finding.with_severity(Severity::Note).with_remedy(remedy)
            }
            (false, false) => finding.with_severity(Severity::Warning),
            (false, true) => finding,
        })
    });
    capped(wrong)
}

fn is_file_name(target: &str) -> bool {
    let name = target.rsplit('/').next().unwrap_or_default();
    name.trim_start_matches('.').contains('.')
}
