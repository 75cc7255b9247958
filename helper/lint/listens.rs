//! Whether the servers behind the routes listen where the proxy dials them: what their command lines say is so, what a
//! script or a variable says is likely.

use super::facts::Facts;
use super::place::{in_line, set_at};
use super::routes::{self, ToService};
use crate::answer::{Finding, Severity, Skipped, Subject};
use crate::check::{Outcome, capped};
use crate::config::yaml;
use crate::model::found::Found;
use crate::model::mounts::Mount;
use crate::model::runs::{self, Certainty, Cure, Listening, Place};
use crate::rules::{self, Evidence, Remedy, RuleId};

/// A route to a service whose server is looked at.
pub(super) struct Case<'a> {
    pub(super) facts: &'a Facts,
    pub(super) route: &'a str,
    pub(super) port: u16,
    pub(super) service: &'a str,
}

pub(super) fn where_they_are_dialled(facts: &Facts) -> Outcome {
    let (mut findings, mut unread) = (Vec::<Finding>::new(), Vec::new());
    for ToService { route, upstream, service } in routes::to_services(facts) {
        let port = upstream.port();
        if service == facts.services.proxy || !is_alone(facts, &service) {
            continue;
        }
        let Some(listening) = facts.servers.get(&(service.clone(), port)) else { continue };
        if *listening == Listening::default() {
            let skipped = |why| Skipped::new(format!("listens:{}", route.shown()), why);
            unread.extend(runs::unread(&facts.found, &service).map(skipped));
        }
        let case = Case { facts, route: route.shown(), port, service: &service };
        for finding in case.known(listening).into_iter().chain(case.guessed(listening)) {
            if !findings.iter().any(|other| other.id == finding.id && other.subject == finding.subject) {
                findings.push(finding);
            }
        }
    }
    capped(findings.into_iter()).with_skipped(unread)
}

/// Whether a service has a network namespace of its own: in a shared one, another program may listen for it.
fn is_alone(facts: &Facts, service: &str) -> bool {
    let found = &facts.found;
    let others = found.service_names();
    found.text(service, "network_mode").is_none()
        && !others.iter().any(|other| found.lives_in(other).is_some_and(|owner| owner == service))
}

/// Whether a container reads a file of the directory itself, and not the copy that its image was built with.
fn is_mounted(found: &Found, service: &str, path: &str) -> bool {
    let covers = |source: &str| path.strip_prefix(source).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    found.mounts(service).iter().filter_map(Mount::bind).any(covers)
}

impl Case<'_> {
    /// What is known of a program that is known: an error where nothing else could change it.
    fn known(&self, listening: &Listening) -> Vec<Finding> {
        let (service, port) = (self.service, self.port);
        let finding = |rule: RuleId, subject: Subject, what: &str, place: &Place| {
            let finding = rules::finding(rule).about(subject).with(self.evidence(what, place));
            let is_sure = place.certainty == Certainty::Sure;
            self.counts(rule, place).then(|| if is_sure { finding } else { finding.with_severity(Severity::Warning) })
        };
        let cured = |rule, what, place: &Option<Place>| {
            let place = place.as_ref()?;
            Some(self.with_remedy(finding(rule, Subject::service(service), what, place)?, place))
        };
        // The port that the host publishes for it is another finding.
        let is_published = |own: u16| {
            let mut mappings = self.facts.found.mappings(service);
            mappings.any(|(host, container)| host == port.to_string() && container == own.to_string())
        };
        let other = listening.port.as_ref().filter(|(own, _)| *own != port && !is_published(*own));
        let moved = other.and_then(|(own, place)| {
            let remedy = Remedy::OwnPort { own: *own, service, file: &self.facts.gateway_path, port };
            let what = format!("port {own}");
            Some(finding(RuleId::UpstreamWrongPort, Subject::route(self.route), &what, place)?.with_remedy(remedy))
        });
        let stdio = cured(RuleId::UpstreamStdio, "standard input", &listening.stdio);
        let loopback = cured(RuleId::UpstreamBindLoopback, "loopback", &listening.loopback);
        [stdio, loopback, moved].into_iter().flatten().collect()
    }

    /// Whether what a place says stands, with all that the service is set up with.
    fn counts(&self, rule: RuleId, place: &Place) -> bool {
        match place.certainty {
            Certainty::Sure => true,
            Certainty::Likely => !self.is_contradicted(rule),
            Certainty::Guess => false,
        }
    }

    /// Whether a setting says that the server is reached after all.
    fn is_contradicted(&self, rule: RuleId) -> bool {
        let port = self.port.to_string();
        let words: &[&str] = if rule == RuleId::UpstreamBindLoopback { &["0.0.0.0", "::"] } else { &[&port] };
        self.settings().iter().any(|text| words.iter().any(|word| text.contains(word)))
    }

    /// Where a place is, for a person, and what applies a change of it: Compose neither builds nor restarts because a file
    /// changed.
    pub(super) fn place_and_then(&self, place: &Place) -> (String, String) {
        let (found, service) = (&self.facts.found, self.service);
        let file = found.file_of(service, &["command", "entrypoint"]);
        let command = || format!("`command:` of `{service}` in `{file}`");
        let then = match &place.file {
            None => String::new(),
            Some((path, _)) if found.service(service, "build").is_some() && !is_mounted(found, service, path) => {
                format!("`docker compose build {service}` in {{dir}}, and ")
            }
            Some(_) => format!("`docker compose restart {service}` in {{dir}}, and "),
        };
        (place.file.as_ref().map_or_else(command, in_line), then)
    }

    /// Where a variable is written.
    pub(super) fn place_of_variable(&self, name: &str) -> Option<String> {
        Some(set_at(self.service, &self.facts.found.place_of_variable(self.service, name)?))
    }

    /// The finding with what is written, and where.
    pub(super) fn with_remedy(&self, finding: Finding, place: &Place) -> Finding {
        let service = self.service;
        let port = self.port.to_string();
        let file = self.facts.found.file_of(service, &["command", "entrypoint"]);
        let (at, then) = self.place_and_then(place);
        let serve = |write: &str, at: &str, then: &str| finding.clone().with_remedy(Remedy::Serve { write, at, then });
        match &place.cure {
            Cure::Unknown => finding,
            Cure::Words(words) | Cure::Code(words) => serve(&words.replace("PORT", &port), &at, &then),
            Cure::Variable(name) => {
                let value = if name.ends_with("PORT") { port.as_str() } else { "0.0.0.0" };
                serve(&format!("{name}={value}"), &self.place_of_variable(name).unwrap_or(at), "")
            }
            Cure::Bridge(bridge) => {
                let write = bridge.replace("PORT", &port);
                finding.with_remedy(Remedy::Bridge { write: &write, service, at: &format!("`{file}`") })
            }
        }
    }

    /// What variables and options say that the program need not have.
    fn guessed(&self, listening: &Listening) -> Option<Finding> {
        let is_guess = |place: &&Place| place.certainty == Certainty::Guess;
        let loopback = listening.loopback.as_ref().filter(is_guess);
        let loopback = loopback.filter(|_| !self.is_contradicted(RuleId::UpstreamBindLoopback));
        let other = listening.port.as_ref().filter(|(own, _)| *own != self.port).map(|(_, place)| place);
        let other = other.filter(is_guess).filter(|_| !self.is_contradicted(RuleId::UpstreamWrongPort));
        let said = [("loopback", loopback), ("another port", other)].into_iter();
        let said: Vec<(&str, &Place)> = said.filter_map(|(what, place)| Some((what, place?))).collect();
        let finding = || rules::finding(RuleId::UpstreamUnverified).about(Subject::service(self.service));
        let quoted = |finding: Finding, (what, place): &(&str, &Place)| finding.with(self.evidence(what, place));
        (!said.is_empty()).then(|| said.iter().fold(finding(), quoted))
    }

    fn evidence(&self, what: &str, place: &Place) -> Evidence {
        let (service, route, port) = (self.service, self.route, self.port);
        let text = format!("`{service}` listens on {what} by {}; route `{route}` leads to port {port}", place.words);
        let found = &self.facts.found;
        let of_variable = match &place.cure {
            Cure::Variable(name) => found.place_of_variable(service, name),
            _ => None,
        };
        let of_service = || found.line_of_key(service, &["command", "entrypoint", "image"]);
        Evidence::in_file(of_variable.or_else(|| place.file.clone()).or_else(of_service), text)
    }

    /// All that a service is set up with, as text.
    fn settings(&self) -> Vec<String> {
        let found = &self.facts.found;
        let mut all = found.command(self.service);
        all.extend(found.environment(self.service).into_values().flatten());
        all.extend(found.mappings(self.service).flat_map(|(host, container)| [host, container]));
        all.extend(found.list(self.service, "expose"));
        let test = found.service(self.service, "healthcheck").and_then(|check| yaml::at(check, &["test"]));
        all.extend(
            test.into_iter().flat_map(|test| yaml::scalar(test).map_or_else(|| yaml::texts(test), |line| vec![line])),
        );
        all
    }
}
