//! Files that the proxy reads and does not have: each cause with its own cure.

use super::facts::Facts;
use crate::answer::{Finding, Subject};
use crate::deployment::path;
use crate::model::current::MOUNTS;
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
        why,
    };
    finding.with_remedy(Remedy::Absent(absent)).with(absent)
}

fn compose(facts: &Facts) -> &str {
    facts.found.file_of(&facts.services.proxy, MOUNTS)
}

/// The finding about a certificate or a key that the proxy's container does not have. Those of the layout are issued.
pub(super) fn pair(facts: &Facts) -> Option<Finding> {
    let named =
        [("cert_file", "the certificate"), ("key_file", "the key")].into_iter().zip(facts.gateway.good()?.pair());
    let gone = named.zip(&facts.absent_pair).filter_map(|(((key, what), path), why)| match why.as_ref()? {
        Absence::Source { place, .. } if [path::TLS_CRT, path::TLS_KEY].contains(&place.as_str()) => None,
        why => {
            let line = facts.gateway_text.lines().position(|line| line.contains(key));
            Some((format!("`tls.{key}`"), line.map(|at| (facts.gateway_path.as_str(), at + 1)), what, path?, why))
        }
    });
    let gone: Vec<_> = gone.collect();
    let absent = |at: usize| {
        let (setting, line, what, path, why) = gone.get(at)?;
        Some(Absent {
            service: &facts.services.proxy,
            file: compose(facts),
            setting: Some(setting),
            line: *line,
            path,
            what,
            also: gone.get(at + 1).map(|(setting, ..)| setting.as_str()),
            is_reloaded: true,
            variable: None,
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
