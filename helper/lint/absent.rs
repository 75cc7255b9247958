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
        then: "up",
        why,
    };
    finding.with_remedy(Remedy::Absent(absent)).with(absent)
}

fn compose(facts: &Facts) -> &str {
    facts.found.file_of(&facts.services.proxy, MOUNTS)
}

/// One file of the pair: the setting, the path in the container, and why it is not there.
type Gone<'a> = (&'static str, &'static str, &'a str, &'a Absence);

/// The finding about a certificate or a key that the proxy's container does not have. Those of the layout are issued.
pub(super) fn pair(facts: &Facts) -> Option<Finding> {
    let [cert, key] = facts.gateway.good()?.pair();
    let [no_cert, no_key] = &facts.absent_pair;
    let cert = gone(("tls.cert_file", cert, "the certificate"), no_cert.as_ref());
    let key = gone(("tls.key_file", key, "the key"), no_key.as_ref());
    let all: Vec<Gone<'_>> = cert.into_iter().chain(key).collect();
    let text = &facts.gateway_text;
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
    (setting, named, what): (&'static str, Option<&'a str>, &'static str),
    why: Option<&'a Absence>,
) -> Option<Gone<'a>> {
    let is_issued = |place: &str| [path::TLS_CRT, path::TLS_KEY].contains(&place);
    match why? {
        Absence::Source { place, .. } if is_issued(place) => None,
        why => Some((setting, what, named?, why)),
    }
}
