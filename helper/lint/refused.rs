//! What Compose refuses in the files: its own words where no finding says more.

use super::facts::Facts;
use super::reach;
use crate::answer::{Finding, Skipped, Subject};
use crate::check::{Outcome, capped};
use crate::model::compose::Asked;
use crate::model::refused::Refusal;
use crate::rules::{self, Evidence, Refused, Remedy, RuleId};

pub(super) fn compose_takes_them(facts: &Facts) -> Outcome {
    // Each of these has its own finding that says more.
    let is_explained = facts.found.files().any(|file| file.value.is_err())
        || facts.env().is_some_and(|env| !env.faults().is_empty())
        || !facts.found.invalid_names().is_empty()
        || facts.found.is_elsewhere
        || !matches!(reach::namespace_is_one(facts), Outcome::Pass);
    let own = match capped(findings(facts)) {
        Outcome::Pass => match &facts.asked {
            Asked::Refused(finding) if !is_explained => finding.as_ref().clone().into(),
            Asked::Refused(_) | Asked::Resolved | Asked::Unasked(_) => Outcome::Pass,
        },
        own => own,
    };
    // What was merged here is what Compose would merge, unless it needs files that were not read.
    match &facts.asked {
        Asked::Unasked(why) if facts.found.includes_others() => {
            own.with_skipped(vec![Skipped::new(RuleId::ComposeConfigInvalid, why.clone())])
        }
        _ => own,
    }
}

fn findings(facts: &Facts) -> impl Iterator<Item = Finding> {
    // That of cloudflared has its own finding.
    let has_own =
        |why: &Refused| matches!(why, Refused::TwoNetworks { service } if facts.roles.agent.as_ref() == Some(service));
    let refused = facts.refused.iter().filter(move |refusal| !has_own(&refusal.why));
    refused.map(|Refusal { file, line, severity, why }| {
        let subject = match why.subject() {
            Some(service) => Subject::service(service),
            None => Subject::File { name: file.clone(), line: *line },
        };
        let said = Evidence::in_file(Some((file.clone(), *line)), why.said());
        let remedy = Remedy::Refused { why, file, line: *line };
        rules::finding(why.rule()).with_severity(*severity).about(subject).with_remedy(remedy).with(said)
    })
}
