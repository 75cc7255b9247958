//! Files that the proxy reads and does not have: each cause with its own cure.

use super::facts::Facts;
use crate::answer::{Finding, Subject};
use crate::deployment::path;
use crate::model::absence::{Candidate, Question};
use crate::model::current::MOUNTS;
use crate::os::files;
use crate::rules::{self, Absence, Absent, Remedy, RuleId};

/// The finding about a configuration that the proxy does not find. `said` is what the files say of it where no cause is
/// known, or where the helper writes the file.
pub(super) fn config(facts: &Facts, finding: Finding, said: &str) -> Finding {
    let Some((path, why)) = &facts.absent else { return finding.with(said) };
    if facts.found.is_ours() && matches!(why, Absence::Source { other: None, .. }) {
        return finding.with(said);
    }
    let line = facts.found.line_of(path);
    let absent = Absent {
        service: &facts.services.proxy,
        file: compose(facts),
        setting: facts.found.flag(&facts.services.proxy, "config").map(|_| "`-config`"),
        line: line.as_ref().map(|(file, line)| (file.as_str(), *line)),
        path,
        what: "the proxy's configuration",
        also: None,
        is_reloaded: false,
        variable: None,
        then: "up",
        why,
    };
    finding.with_remedy(Remedy::Absent(absent)).with(absent)
}

fn compose(facts: &Facts) -> &str {
    facts.found.file_of(&facts.services.proxy, MOUNTS)
}

/// One file of the pair: the setting, the path in the container, and why it is not there.
type Gone<'a> = (&'static str, &'static str, &'a str, Absence);

/// The finding about a certificate or a key that the proxy's container does not have. Those of the layout are issued.
pub(super) fn pair(facts: &Facts) -> Option<Finding> {
    let tls = facts.gateway.good()?.tls.as_ref()?;
    let cert =
        gone(facts, ("tls.cert_file", tls.cert_file.as_deref(), "the certificate"), path::TLS_CRT, "CERTIFICATE");
    let key = gone(facts, ("tls.key_file", tls.key_file.as_deref(), "the key"), path::TLS_KEY, "PRIVATE KEY");
    let all: Vec<Gone<'_>> = cert.into_iter().chain(key).collect();
    let text = files::read_text(&facts.deployment, &facts.gateway_path).ok().flatten().unwrap_or_default();
    let cases: Vec<(String, Option<usize>)> = all
        .iter()
        .map(|(setting, ..)| {
            let key = setting.rsplit('.').next().unwrap_or_default();
            (format!("`{setting}`"), text.lines().position(|line| line.contains(key)).map(|at| at + 1))
        })
        .collect();
    let absent = |at: usize| {
        let (_, what, path, why) = all.get(at)?;
        let (setting, line) = cases.get(at)?;
        Some(Absent {
            service: &facts.services.proxy,
            file: compose(facts),
            setting: Some(setting),
            line: line.map(|line| (facts.gateway_path.as_str(), line)),
            path,
            what,
            also: cases.get(at + 1).map(|(setting, _)| setting.as_str()),
            is_reloaded: true,
            variable: None,
            then: "up",
            why,
        })
    };
    let first = absent(0)?;
    let finding = rules::finding(RuleId::ProxyCertMissing).about(Subject::file(&facts.gateway_path));
    let finding = finding.with_remedy(Remedy::Absent(first)).with(first);
    Some(match absent(1) {
        Some(second) => finding.with(second),
        None => finding,
    })
}

fn gone<'a>(
    facts: &Facts,
    (setting, named, what): (&'static str, Option<&'a str>, &'static str),
    layout: &str,
    kind: &str,
) -> Option<Gone<'a>> {
    let path = named.filter(|path| path.starts_with('/'))?;
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_it = |file: &Candidate<'_>| {
        let is_same = name(file.path) == name(path) || file.place == Some(layout);
        is_same
            && file
                .text
                .lines()
                .any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{kind}-----")))
    };
    let question = Question {
        deployment: &facts.deployment,
        found: &facts.found,
        service: &facts.services.proxy,
        path,
        is_it: &is_it,
    };
    let why = question.answer()?;
    let is_issued = |place: &str| [path::TLS_CRT, path::TLS_KEY].contains(&place);
    match &why {
        Absence::Source { place, .. } if is_issued(place) => None,
        _ => Some((setting, what, path, why)),
    }
}
