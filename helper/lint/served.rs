//! Whether the servers behind the routes can be called by what their files say besides where they listen.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::listens::Case;
use super::place::in_line;
use super::routes::{self, ToService};
use crate::answer::{Finding, Severity, Subject};
use crate::check::{Outcome, capped};
use crate::model::runs::{Certainty, Cure, Listening, Place, Served, Sessions};
use crate::rules::{self, Evidence, OfService, Refused, Remedy, RuleId};

/// The services behind the routes, each once, with what is known of them.
fn each<'a>(facts: &'a Facts, judge: &dyn Fn(&Case<'_>, &'a Served) -> Option<Finding>) -> Outcome {
    let mut seen = BTreeSet::new();
    let services = routes::to_services(facts).filter(|to| seen.insert(to.service.clone()));
    capped(services.filter_map(|ToService { route, upstream, service }| {
        let served = facts.served.get(&service)?;
        judge(&Case { facts, route: route.shown(), port: upstream.port(), service: &service }, served)
    }))
}

fn evidence(place: &Place, text: String) -> Evidence {
    Evidence::in_file(place.file.clone(), text)
}

/// The SDK for Python protects a server that is made for loopback, whatever its socket is bound to.
pub(super) fn answers_to_the_tunnel(facts: &Facts) -> Outcome {
    let is_bound_to_loopback = |case: &Case<'_>| {
        let listening = facts.servers.get(&(case.service.to_owned(), case.port));
        listening.is_some_and(|Listening { loopback, stdio, .. }| loopback.is_some() || stdio.is_some())
    };
    each(facts, &|case, served| {
        // That is to be changed first, and changes this as well.
        let place = served.guard.as_ref().filter(|_| !is_bound_to_loopback(case))?;
        let is_sure = place.certainty >= Certainty::Likely;
        let unless = if is_sure { "" } else { "; which version is installed is not known" };
        let said = format!(
            "`{}`: the MCP server {}, so `mcp` from 1.23 on answers calls for 127.0.0.1 and localhost only{unless}",
            case.service, place.words
        );
        let finding = rules::finding(RuleId::UpstreamHostRejected).about(Subject::service(case.service));
        let severity = if is_sure { Severity::Warning } else { Severity::Note };
        Some(case.with_remedy(finding.with_severity(severity).with(evidence(place, said)), place))
    })
}

/// Host and port stand where the installed version of the SDK takes them.
pub(super) fn passes_its_address_where_it_is_taken(facts: &Facts) -> Outcome {
    each(facts, &|case, served| {
        // Version 2 takes what version 1 refuses: which one is installed comes first.
        let is_settled = !facts.unbounded.iter().any(|unbounded| unbounded.service == case.service);
        let (is_first, place) = served.misplaced.as_ref().filter(|_| is_settled)?;
        let (rule, version, of) = match is_first {
            true => (RuleId::McpV1Run, 1, "run()"),
            false => (RuleId::McpV2Ctor, 2, "the constructor"),
        };
        let said = format!(
            "`{}`: {} is passed to {of}, which does not take it in version {version} of `mcp`",
            case.service, place.words
        );
        let finding = rules::finding(rule).about(Subject::service(case.service));
        Some(case.with_remedy(finding.with(evidence(place, said)), place))
    })
}

/// A server that keeps sessions in its memory runs once.
pub(super) fn keeps_its_sessions_together(facts: &Facts) -> Outcome {
    each(facts, &|case, served| {
        let Sessions { count, are_containers, place, is_known } = served.sessions.as_ref()?;
        let what = if *are_containers { "containers" } else { "processes" };
        let unless = if *is_known { "" } else { "; whether it keeps sessions is not known" };
        let said = format!("`{}` runs in {count} {what} by {}{unless}", case.service, place.words);
        let finding = rules::finding(RuleId::UpstreamSessionsSplit).about(Subject::service(case.service));
        let severity = if *is_known { Severity::Warning } else { Severity::Note };
        let finding = finding.with_severity(severity).with(evidence(place, said));
        let (mut at, then) = case.place_and_then(place);
        let write = match &place.cure {
            Cure::Words(words) | Cure::Code(words) => words.clone(),
            Cure::Variable(name) => {
                at = case.place_of_variable(name).unwrap_or(at);
                format!("{name}=1")
            }
            Cure::Unknown | Cure::Bridge(_) => return Some(finding),
        };
        if *are_containers {
            let key = if facts.found.service(case.service, "scale").is_some() { "" } else { "`deploy:` of " };
            at = format!("{key}`{}` in `{}`", case.service, facts.found.file_of(case.service, &["scale", "deploy"]));
        }
        Some(finding.with_remedy(Remedy::OfService(OfService::Sessions { write: &write, at: &at, then: &then })))
    })
}

/// The scripts that the services start are in their containers, and can be run.
pub(super) fn scripts_can_be_run(facts: &Facts) -> Outcome {
    let found = &facts.found;
    // Where a build cannot copy its files, that is to be changed first.
    let is_built_from = |why: &Refused, name: &str| {
        matches!(why, Refused::Copy { service, .. } | Refused::Dockerfile { service, .. } | Refused::Context { service, .. }
            if service == name)
    };
    let is_judged = |service: &str| !facts.refused.iter().any(|refusal| is_built_from(&refusal.why, service));
    let judged = facts.unusable.iter().filter(|(service, _)| is_judged(service));
    capped(judged.map(|(service, (why, line))| {
        let command = &["command", "entrypoint"];
        let at = match line {
            Some(place) => in_line(place),
            None => format!("`command:` of `{service}` in `{}`", found.file_of(service, command)),
        };
        let said = Evidence::in_file(line.clone().or_else(|| found.line_of_key(service, command)), why.said(service));
        let finding = rules::finding(why.rule()).about(Subject::service(service)).with(said);
        finding.with_remedy(Remedy::OfService(OfService::Unusable { why, service, at: &at }))
    }))
}
