//! What is wrong with a pair that is not in `data`, and whether a container's user can read one: the files by their own
//! paths, and no advice that changes others.

use super::facts::Facts;
use crate::answer::{Finding, Severity, Subject};
use crate::certs::Judged;
use crate::certs::audit::Of;
use crate::deployment::modes::Places;
use crate::deployment::path;
use crate::model::current::{self, Current};
use crate::model::found::Found;
use crate::model::pair::PairFile;
use crate::os::files;
use crate::rules::{self, Cure, Remedy, RuleId};

/// The pair that a proxy reads.
pub(crate) struct View<'a> {
    pub(crate) current: &'a Current,
    pub(crate) pair: &'a (PairFile, PairFile),
    /// Whether it is the one of the layout.
    pub(crate) keeps_pair: bool,
    /// Whether the layout has a certificate.
    pub(crate) has_layout: bool,
}

/// What is wrong with the pair of the facts of `check`.
pub(super) fn of_facts(facts: &Facts, judged: &Judged) -> Vec<Finding> {
    let has_layout = facts.places.at(path::TLS_CRT).is_some_and(|place| place.is_file);
    let view = View { current: &facts.current, pair: &facts.pair, keeps_pair: facts.keeps_pair, has_layout };
    findings(&view, judged).into_iter().map(|finding| facts.rotation.continued(finding)).collect()
}

/// What keeps a service's user from reading a file that is mounted: the path that is closed, and what is said of it.
pub(super) fn closed<'a>(places: &Places, found: &Found, service: &str, inside: &'a str) -> Option<(&'a str, String)> {
    let (uid, groups) = current::user_of(found, service);
    let mounts = found.mounts(service);
    let sources = mounts.iter().filter_map(|mount| mount.bind()).filter_map(files::inside);
    let is_around = |source: &String| {
        inside == source || inside.strip_prefix(source.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    let mount = sources.filter(is_around).max_by_key(String::len).unwrap_or_default();
    let (path, mode) = places.closed((uid, &groups), &mount, inside)?;
    let is_proxy = found.services().proxy == service;
    let who = if is_proxy { "the proxy".to_owned() } else { format!("`{service}`") };
    Some((path, format!("`{path}` has mode {mode:04o}, {who} runs as user {uid}")))
}

/// The finding about a certificate or a key that the proxy's user may not read.
pub(crate) fn unreadable(places: &Places, current: &Current, (cert, key): &(PairFile, PairFile)) -> Option<Finding> {
    let mut pair = [key, cert].into_iter().filter_map(PairFile::inside);
    let (path, text) = pair.find_map(|path| closed(places, &current.found, &current.services.proxy, path))?;
    Some(places.unreadable(RuleId::ProxyKeyDenied, path, text))
}

/// What is wrong with the pair that the proxy reads, as `judged` says, with what ends it for this pair.
pub(crate) fn findings(view: &View<'_>, judged: &Judged) -> Vec<Finding> {
    let (cert, key) = (view.pair.0.inside().unwrap_or(path::TLS_CRT), view.pair.1.inside().unwrap_or(path::TLS_KEY));
    let about_server = |f: &Finding| {
        f.id == RuleId::TlsExpiresSoon || judged.rows.iter().any(|row| row.of.of != Of::Ca && row.of.rule == f.id)
    };
    let all = judged.findings.iter().cloned();
    if view.keeps_pair {
        return match judged.lacks_only_ca() {
            true => all.map(|f| unverified(f, path::CA_CRT)).collect(),
            false => all.collect(),
        };
    }
    let folder = cert.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    if judged.server_is_ca() {
        let others = all.filter(|f| !about_server(f)).map(|f| unverified(f, &format!("{folder}ca.crt")));
        return std::iter::once(ca_is_named(view, cert)).chain(others).collect();
    }
    // One after the other would rename twice where the two are swapped.
    let own = |text: &str| {
        let parts = text.split(path::TLS_CRT).map(|part| part.replace(path::TLS_KEY, key));
        parts.collect::<Vec<_>>().join(cert)
    };
    let of_pair = |mut finding: Finding| {
        if !about_server(&finding) {
            return unverified(finding, &format!("{folder}ca.crt"));
        }
        finding.title = own(&finding.title);
        finding.fix = own(&finding.fix);
        finding.cause = own(&finding.cause);
        finding.evidence.iter_mut().for_each(|evidence| evidence.text = own(&evidence.text));
        let finding = match finding.id {
            RuleId::ProxyCertSwapped => {
                finding.with(format!("the proxy reads its certificate from `{cert}`, its key from `{key}`"))
            }
            _ => finding,
        };
        let finding = finding.about(Subject::file(cert));
        match finding.id.rule().cure {
            Cure::ByHand => finding,
            Cure::Renew if judged.can_renew() => finding,
            _ => finding.with_remedy(Remedy::OtherPair { cert, key }),
        }
    };
    all.map(of_pair).collect()
}

/// The verdict over the pair of the layout, which a person may have put there without the CA.
pub(crate) fn layout(mut judged: Judged, current: &Current) -> Judged {
    let is_by_hand = current.found.main.is_some() && !current.found.is_ours();
    if is_by_hand && judged.lacks_only_ca() {
        judged.findings = judged.findings.into_iter().map(|f| unverified(f, path::CA_CRT)).collect();
    }
    judged
}

/// Calls work without the CA on this host; no new one must be made.
fn unverified(mut finding: Finding, place: &str) -> Finding {
    if finding.id != RuleId::CaMissing {
        return finding;
    }
    finding.title = finding.title.replace(path::CA_CRT, place);
    finding.with_severity(Severity::Note).with_remedy(Remedy::CaElsewhere { place })
}

/// `tls.cert_file` names the certificate of a CA.
fn ca_is_named(view: &View<'_>, cert: &str) -> Finding {
    let current = view.current;
    let line = current.gateway_text.lines().position(|line| line.contains("cert_file")).map(|at| at + 1);
    let file = Subject::File { name: current.gateway_path.clone(), line };
    let named = current.gateway.good().and_then(|gateway| gateway.pair()[0]);
    let beside = named.and_then(|named| named.rsplit_once('/')).map(|(folder, _)| format!("`{folder}/tls.crt`"));
    let is_there = view.has_layout && cert.rsplit_once('/').is_some_and(|(folder, _)| folder == path::DATA);
    let write = beside.filter(|_| is_there).unwrap_or_else(|| "the path of the server's certificate".into());
    let said = format!("`tls.cert_file` is `{}`: `{cert}` is the certificate of a CA", named.unwrap_or_default());
    let finding = rules::finding(RuleId::ProxyCertMismatch).about(file).with(said);
    finding.with_remedy(Remedy::CaNamed { write: &write, file: &current.gateway_path })
}
