//! What is wrong with a pair that `certs` does not keep: the files by their own paths, and no advice that changes others.

use super::facts::Facts;
use crate::answer::{Finding, Severity, Subject};
use crate::certs::Judged;
use crate::certs::audit::Of;
use crate::deployment::path;
use crate::rules::{self, Cure, Remedy, RuleId};

/// What is wrong with the pair that the proxy reads, as `judged` says, with what ends it for this pair.
pub(super) fn findings(facts: &Facts, judged: &Judged) -> Vec<Finding> {
    let (cert, key) = (facts.pair.0.inside().unwrap_or(path::TLS_CRT), facts.pair.1.inside().unwrap_or(path::TLS_KEY));
    let about_server = |f: &Finding| {
        f.id == RuleId::TlsExpiresSoon || judged.rows.iter().any(|row| row.of.of != Of::Ca && row.of.rule == f.id)
    };
    let all = judged.findings.iter().cloned();
    if facts.keeps_pair {
        return match judged.lacks_only_ca() {
            true => all.map(|f| unverified(f, path::CA_CRT)).collect(),
            false => all.collect(),
        };
    }
    let folder = cert.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    if judged.server_is_ca() {
        let others = all.filter(|f| !about_server(f)).map(|f| unverified(f, &format!("{folder}ca.crt")));
        return std::iter::once(ca_is_named(facts, cert)).chain(others).collect();
    }
    let own = |text: &str| text.replace(path::TLS_CRT, cert).replace(path::TLS_KEY, key);
    let of_pair = |mut finding: Finding| {
        if !about_server(&finding) {
            return unverified(finding, &format!("{folder}ca.crt"));
        }
        finding.title = own(&finding.title);
        finding.fix = own(&finding.fix);
        finding.cause = own(&finding.cause);
        finding.evidence.iter_mut().for_each(|evidence| evidence.text = own(&evidence.text));
        let finding = finding.about(Subject::file(cert));
        match finding.id.rule().cure {
            Cure::ByHand => finding,
            _ => finding.with_remedy(Remedy::OtherPair { cert, key }),
        }
    };
    all.map(of_pair).collect()
}

/// That the CA is not on this host keeps no call from working, and nothing is to be made in its place.
fn unverified(mut finding: Finding, place: &str) -> Finding {
    if finding.id != RuleId::CaMissing {
        return finding;
    }
    finding.title = finding.title.replace(path::CA_CRT, place);
    finding.with_severity(Severity::Warning).with_remedy(Remedy::CaElsewhere { place })
}

/// `tls.cert_file` names the certificate of a CA.
fn ca_is_named(facts: &Facts, cert: &str) -> Finding {
    let line = facts.gateway_text.lines().position(|line| line.contains("cert_file")).map(|at| at + 1);
    let file = Subject::File { name: facts.gateway_path.clone(), line };
    let named = facts.gateway.good().and_then(|gateway| gateway.tls.as_ref()?.cert_file.as_deref());
    let beside = named.and_then(|named| named.rsplit_once('/')).map(|(folder, _)| format!("`{folder}/tls.crt`"));
    let is_there = cert.rsplit_once('/').is_some_and(|(folder, _)| folder == path::DATA)
        && facts.places.at(path::TLS_CRT).is_some_and(|place| place.is_file);
    let write = beside.filter(|_| is_there).unwrap_or_else(|| "the path of the server's certificate".into());
    let said = format!("`tls.cert_file` is `{}`: `{cert}` is the certificate of a CA", named.unwrap_or_default());
    let finding = rules::finding(RuleId::ProxyCertMismatch).about(file).with(said);
    finding.with_remedy(Remedy::CaNamed { write: &write, file: &facts.gateway_path })
}
