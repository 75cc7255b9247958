//! Whether the servers behind the routes listen where the proxy dials them: what their command lines say is so, what a
//! script or a variable says is likely.

use super::directory::capped;
use super::facts::Facts;
use super::routes;
use crate::answer::{Finding, Subject};
use crate::check::Outcome;
use crate::config::yaml::{self, Value};
use crate::model::runs::{Listening, Place};
use crate::rules::{self, Evidence, Remedy, RuleId};

/// A route to a service whose server is looked at.
struct Case<'a> {
    facts: &'a Facts,
    route: &'a str,
    port: u16,
    service: &'a str,
}

pub(super) fn where_they_are_dialled(facts: &Facts) -> Outcome {
    let mut findings: Vec<Finding> = Vec::new();
    for (route, port, service) in routes::to_services(facts) {
        if service == facts.services.proxy || !is_alone(facts, &service) {
            continue;
        }
        let Some(listening) = facts.servers.get(&service) else { continue };
        let case = Case { facts, route: route.shown(), port, service: &service };
        let proven = if listening.is_fact { case.proven(listening) } else { Vec::new() };
        for finding in proven.into_iter().chain(case.likely(listening)) {
            if !findings.iter().any(|other| other.id == finding.id && other.subject == finding.subject) {
                findings.push(finding);
            }
        }
    }
    capped(findings.into_iter())
}

/// Whether a service has a network namespace of its own: in a shared one, another program may listen for it.
fn is_alone(facts: &Facts, service: &str) -> bool {
    let found = &facts.found;
    let others = found.service_names();
    found.text(service, "network_mode").is_none()
        && !others.iter().any(|other| found.lives_in(other).is_some_and(|owner| owner == service))
}

impl Case<'_> {
    /// A finding about the service, of what `place` makes of its server, with the words that its command takes.
    fn proof(&self, rule: RuleId, (what, place): (&str, &Place), words: &str) -> Finding {
        let file = self.facts.found.file_of(self.service, &["command", "entrypoint"]);
        let remedy = Remedy::Command { words, service: self.service, file };
        let said = format!("`{}` listens on {what} by {}", self.service, place.words);
        rules::finding(rule).about(Subject::service(self.service)).with_remedy(remedy).with(said)
    }

    /// What the command line of a program says that is known.
    fn proven(&self, listening: &Listening) -> Vec<Finding> {
        let (service, port) = (self.service, self.port);
        let mut findings = Vec::new();
        let is_sure = |place: &&Place| !place.is_open;
        if let Some(place) = listening.stdio.as_ref().filter(is_sure) {
            let add = format!("--transport http --host 0.0.0.0 --port {port}");
            findings.push(self.proof(RuleId::UpstreamStdio, ("standard input", place), &add));
        }
        if let Some(place) = listening.loopback.as_ref().filter(is_sure) {
            let words = place.opens.as_deref().unwrap_or_default().replace("PORT", &port.to_string());
            findings.push(self.proof(RuleId::UpstreamBindLoopback, ("loopback", place), &words));
        }
        let other = listening.port.as_ref().filter(|(own, place)| *own != port && !place.is_open);
        if let Some((own, place)) = other {
            let said =
                format!("`{service}` listens on port {own} by {}; route `{}` names {port}", place.words, self.route);
            let remedy = Remedy::OwnPort { own: *own, service, file: &self.facts.gateway_path, port };
            let finding = rules::finding(RuleId::UpstreamWrongPort).about(Subject::route(self.route));
            findings.push(finding.with_remedy(remedy).with(said));
        }
        findings
    }

    /// What variables, options of any program and scripts say, unless something else speaks against it.
    fn likely(&self, listening: &Listening) -> Option<Finding> {
        let settings = self.settings();
        let is_said = |words: &[&str]| settings.iter().any(|text| words.iter().any(|word| text.contains(word)));
        let port = self.port.to_string();
        let is_likely = |place: &&Place| !listening.is_fact || place.is_open;
        let stdio = listening.stdio.as_ref().filter(is_likely).filter(|_| !is_said(&[&port]));
        let loopback = listening.loopback.as_ref().filter(is_likely).filter(|_| !is_said(&["0.0.0.0", "::"]));
        let other = listening.port.as_ref().filter(|(own, _)| *own != self.port && !is_said(&[&port]));
        let other = other.map(|(_, place)| place).filter(is_likely);
        let all = [("standard input", stdio), ("loopback", loopback), ("another port", other)];
        let said: Vec<(&str, &Place)> = all.into_iter().filter_map(|(what, place)| Some((what, place?))).collect();
        let finding = || rules::finding(RuleId::UpstreamUnverified).about(Subject::service(self.service));
        let quoted = |finding: Finding, (what, place): &(&str, &Place)| finding.with(self.evidence(what, place));
        (!said.is_empty()).then(|| said.iter().fold(finding(), quoted))
    }

    fn evidence(&self, what: &str, place: &Place) -> Evidence {
        let text = format!("{what} by {}; route `{}` leads to port {}", place.words, self.route, self.port);
        let whose = place.file.as_ref().map(|(file, _)| file.clone());
        let line = place.file.as_ref().and_then(|(_, line)| *line).map(|line| line as u64);
        Evidence { whose, line, text, ..Evidence::default() }
    }

    /// All that a service is set up with, as text.
    fn settings(&self) -> Vec<String> {
        let found = &self.facts.found;
        let mut all = found.command(self.service);
        all.extend(found.environment(self.service).into_values().flatten());
        all.extend(found.mappings(self.service).flat_map(|(host, container)| [host, container]));
        all.extend(found.service(self.service, "expose").map(yaml::texts).unwrap_or_default());
        let check = found.service(self.service, "healthcheck").and_then(|check| yaml::at(check, &["test"]));
        all.extend(
            check
                .map(|test| match test {
                    Value::String(line) => vec![line.clone()],
                    list => yaml::texts(list),
                })
                .unwrap_or_default(),
        );
        all
    }
}
