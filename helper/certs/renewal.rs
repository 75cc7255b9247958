//! Renews the server certificate: same CA, same key. Whether it is due, what prevents it, and the new certificate.

use super::audit::Purpose;
use super::file::{CaFiles, File, Files, KeyFile};
use super::handshake::rehearse;
use super::issue::{Ca, ServerCertificate};
use super::judge::is_damaged;
use super::judged::Judged;
use super::pem::PemFault;
use crate::answer::{Error, Finding, Severity, count};
use crate::deployment::path;
use crate::rules::{self, Cure, RuleId};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Renew regardless of the days left.
    pub(crate) force: bool,
    /// Renew when no more days than these are left.
    pub(crate) before_days: u32,
    /// Life of the new certificate, in days.
    pub(crate) server_days: u32,
}

#[derive(Debug)]
pub(crate) enum Decision {
    NotDue,
    /// It would not live longer: the CA ends on the same day.
    EndsWithCa(Finding),
    /// Another CA signed the present one, and only the Console shows which of them is registered.
    OtherCa(Finding),
    /// It is due and cannot be done.
    Blocked {
        /// Why it is due.
        reason: String,
        by: Finding,
    },
    Renew {
        /// Why it is due.
        reason: String,
    },
}

/// Decides from the verdict over the present files.
pub(crate) fn decide(judged: &Judged, wish: Wish) -> Decision {
    // One of another CA must not be replaced unasked: it works or not by what is registered.
    if let Some(finding) = judged.finding(RuleId::TlsUnknownCa)
        && !wish.force
        && !is_damaged(&judged.facts)
    {
        return Decision::OtherCa(finding.clone());
    }
    let Some(reason) = due(judged, wish) else { return Decision::NotDue };
    if judged.ends_with_ca()
        && judged.is_good()
        && !wish.force
        && let Some(ca) = &judged.ca
    {
        let finding = rules::finding(RuleId::CaEndsFirst).with(format!("both end on {}", ca.not_after));
        // Nothing else will tell: a renewal on a schedule is noticed only when it fails.
        return Decision::EndsWithCa(finding.with_severity(Severity::Error));
    }
    match obstacle(judged) {
        Some(by) => Decision::Blocked { reason, by },
        None => Decision::Renew { reason },
    }
}

/// Why a renewal is due; `None` if it is not.
fn due(judged: &Judged, wish: Wish) -> Option<String> {
    let Some(server) = &judged.server else { return Some("there is no readable server certificate".into()) };
    if is_damaged(&judged.facts) {
        return Some("the signature of the server certificate is damaged".into());
    }
    if let Some(broken) =
        judged.findings.iter().find(|f| f.id.rule().cure == Cure::Renew && f.severity == Severity::Error)
    {
        return Some(broken.title.clone());
    }
    if wish.force {
        return Some("it was asked for".into());
    }
    let left = server.days_left;
    (left <= i64::from(wish.before_days))
        .then(|| format!("{} left, and {} is the limit", count(left, "day"), wish.before_days))
}

/// What prevents signing.
fn obstacle(judged: &Judged) -> Option<Finding> {
    let files = &judged.facts.files;
    if files.ca.good().is_none() {
        return [RuleId::CaMissing, RuleId::CaUnusable].into_iter().find_map(|rule| judged.finding(rule).cloned());
    }
    if let (File::Absent, Some(replica)) = (&files.ca_key, &files.replica) {
        return Some(replica.finding(Severity::Error));
    }
    let keys = key_obstacle(&files.ca_key, "data/ca.key", RuleId::CaKeyNeeded, |_| RuleId::CaKeyUnusable)
        .or_else(|| key_obstacle(&files.server_key, "data/tls.key", RuleId::ProxyCertMissing, server_key_rule));
    keys.or_else(|| {
        let found = judged.findings.iter().find(|f| f.id.rule().blocks_signing)?;
        Some(found.clone().with_severity(Severity::Error))
    })
}

/// What is wrong with a key for signing with it, or for certifying it.
fn key_obstacle(
    file: &File<KeyFile>,
    name: &str,
    missing: RuleId,
    unusable: impl Fn(&File<KeyFile>) -> RuleId,
) -> Option<Finding> {
    let why = match file {
        File::Absent => return Some(rules::finding(missing).with(format!("there is no `{name}`"))),
        File::Unreadable(why) => why.clone(),
        File::Faulty(fault) => format!("`{name}`: {fault}"),
        File::Good(KeyFile { loads: Ok(()), .. }) => return None,
        File::Good(KeyFile { key, loads: Err(fault), .. }) => format!("`{name}` ({}): {fault}", key.kind()),
    };
    Some(rules::finding(unusable(file)).with(why))
}

/// The finding about a server key that cannot be used.
fn server_key_rule(file: &File<KeyFile>) -> RuleId {
    match file {
        File::Faulty(PemFault::CertificateInsteadOfKey) => RuleId::ProxyCertSwapped,
        File::Faulty(PemFault::EncryptedKey) => RuleId::ProxyKeyEncrypted,
        File::Absent | File::Unreadable(_) | File::Faulty(_) => RuleId::ProxyCertEmpty,
        File::Good(_) => RuleId::ServerUnfit,
    }
}

/// A certificate of the CA in `files` for the server key that exists. Nothing is written.
///
/// # Errors
/// `certificate` if a file cannot be used; it is named by its path in `ca`.
pub(crate) fn sign(files: &Files, ca: CaFiles, purpose: Purpose<'_>, days: u32) -> Result<ServerCertificate, Error> {
    let refused = |why| Error::Certificate { act: "issue a server certificate", why };
    let unusable = |path: &str, why| refused(format!("`{path}`: {why}"));
    let certificate = files.ca.usable().map_err(|why| unusable(ca.certificate, why))?;
    let ca_key = files.ca_key.usable().map_err(|why| unusable(ca.key, why))?;
    let key = files.server_key.usable().map_err(|why| unusable(path::TLS_KEY, why))?;
    let loaded = Ca::load(certificate, &ca_key.key)
        .map_err(|error| refused(format!("`{}` and `{}`: {error}", ca.certificate, ca.key)))?;
    Ok(loaded.issue(purpose.domain, Some(&key.key), purpose.now, days)?)
}

/// A new certificate with the verdict over it.
#[derive(Debug)]
pub(crate) struct Renewed {
    pub(crate) made: ServerCertificate,
    /// The verdict; with errors, the certificate must not be used.
    pub(crate) judged: Judged,
}

/// Issues a certificate and judges it together with the existing files. Nothing is written.
pub(crate) fn renew(files: Files, ca: CaFiles, purpose: Purpose<'_>, days: u32) -> Result<Renewed, Error> {
    let made = sign(&files, ca, purpose, days)?;
    let server = File::parse(made.certificate.as_bytes());
    let mut judged = Judged::new(Files { server, ..files }, purpose);
    judged.findings.extend(rehearse(&judged.facts).finding(&judged.findings));
    Ok(Renewed { made, judged })
}
