//! `certs issue`: makes what is missing of the four files, and replaces nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::disk::{CertificateInfo, Content, Judged, OnDisk, in_days};
use super::{Ca, CertificateFile, IssueError, Key};
use crate::answer::{Error, Finding, Report, Severity};
use crate::caller::Caller;
use crate::deployment::modes;
use crate::deployment::{Deployment, Domain, OPEN_DIR_MODE, OPEN_MODE, SECRET_MODE, path};
use crate::model::current;
use crate::os::files::{self, Action, Batch, FileEntry};
use crate::rules;
use crate::rules::RuleId;
use crate::steps;

/// The request of `certs issue`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IssueRequest {
    /// Life of the server certificate, in days (90).
    pub(crate) server_days: Option<u32>,
    /// Life of the CA, in days (3650).
    pub(crate) ca_days: Option<u32>,
}

impl IssueRequest {
    /// The lives asked for, server and CA, in days.
    ///
    /// # Errors
    /// `request` for zero, or more than a certificate's dates can say.
    pub(crate) fn days(self) -> Result<(u32, u32), Error> {
        let check = |name: &str, asked: Option<u32>, default: u32, most: u32| {
            let days = asked.unwrap_or(default);
            if (1..=most).contains(&days) {
                return Ok(days);
            }
            Err(Error::request(
                format!("`{name}` is {days}; it must be between 1 and {most}"),
                format!("leave it out for {default} days"),
            ))
        };
        Ok((check("server_days", self.server_days, 90, 3650)?, check("ca_days", self.ca_days, 3650, 36500)?))
    }
}

/// What issuing did.
#[derive(Debug)]
pub(crate) struct Issued {
    /// The four files.
    pub(crate) files: Vec<FileEntry>,
    /// The verdict over what is there now.
    pub(crate) judged: Judged,
}

impl From<IssueError> for Error {
    fn from(error: IssueError) -> Self {
        Self::Certificate { act: "issue certificates", why: error.to_string() }
    }
}

/// Makes what is missing: a CA if there is none, a server certificate if there is none. Replaces nothing.
///
/// Half-finished states, one by one: `ca.key` alone gives `ca.crt` again, with the same subject and key identifier;
/// `tls.key` alone gets a certificate; `ca.crt` alone is kept, and without the key nothing new is issued; `tls.crt`
/// without its key, a certificate without its CA, and pairs that do not match are findings, and nothing is written.
///
/// # Errors
/// `io` and `unexpected-file` for files that cannot be read or written.
pub(crate) fn issue(
    deployment: &Deployment,
    domain: &Domain,
    routes: &[String],
    days: (u32, u32),
    now: OffsetDateTime,
) -> Result<Issued, Error> {
    let (server_days, ca_days) = days;
    for inside in [path::CA_CRT, path::CA_KEY, path::TLS_CRT, path::TLS_KEY] {
        // A link or a directory in their place is an error before anything is decided.
        files::read(deployment, inside)?;
    }
    let before = OnDisk::read(deployment);
    let mut after = OnDisk {
        ca_crt: copy(&before.ca_crt),
        ca_key: copy(&before.ca_key),
        tls_crt: copy(&before.tls_crt),
        tls_key: copy(&before.tls_key),
    };
    let refused = |finding: Finding| {
        let mut judged = before.judge(domain, routes, now);
        if !judged.findings.iter().any(|f| f.id == finding.id) {
            judged.findings.push(finding);
        }
        Ok(Issued { files: entries(deployment, &before, &before), judged })
    };

    // What is there must be readable before anything is made to go with it.
    let present = before.judge(domain, routes, now);
    let hopeless = [
        RuleId::CaUnusable,
        RuleId::CaKeyUnusable,
        RuleId::CaKeyMismatch,
        RuleId::CaUnfit,
        RuleId::CaExpired,
        RuleId::ProxyCertEmpty,
    ];
    let nothing_missing = before.ca_crt.bytes().is_some() && before.tls_crt.bytes().is_some();
    if nothing_missing || present.findings.iter().any(|f| hopeless.contains(&f.id)) {
        return Ok(Issued { files: entries(deployment, &before, &before), judged: present });
    }
    if before.tls_crt.bytes().is_some() && before.tls_key.bytes().is_none() {
        return refused(rules::finding(RuleId::ProxyCertMissing).with("data/tls.crt is there, data/tls.key is not"));
    }
    let witness = before.tls_crt.bytes().and_then(|bytes| CertificateFile::parse(bytes).ok());
    let ca_key = before.ca_key.bytes().and_then(|bytes| Key::parse(bytes).ok());

    let ca = match (before.ca_crt.bytes(), &ca_key) {
        (None, Some(key)) => {
            let new = Ca::recreate(key, witness.as_ref(), now, ca_days)?;
            after.ca_crt = Content::Bytes(new.certificate.into_bytes());
            Some(new.ca)
        }
        (None, None) if witness.is_some() => {
            return refused(
                rules::finding(RuleId::CaMissing)
                    .with("data/tls.crt is there, and neither data/ca.crt nor data/ca.key"),
            );
        }
        (None, None) => {
            let new = Ca::create(now, ca_days)?;
            after.ca_crt = Content::Bytes(new.certificate.into_bytes());
            after.ca_key = Content::Bytes(new.key.map(|key| key.expose().as_bytes().to_vec()).unwrap_or_default());
            Some(new.ca)
        }
        (Some(bytes), Some(key)) => {
            let certificate = CertificateFile::parse(bytes).map_err(|fault| Error::Certificate {
                act: "issue certificates",
                why: format!("data/ca.crt: {fault}"),
            })?;
            Some(Ca::load(&certificate, key)?)
        }
        (Some(_), None) => None,
    };
    let mut shortened = false;
    if before.tls_crt.bytes().is_none() {
        let Some(ca) = ca else {
            return refused(rules::finding(RuleId::CaKeyNeeded).with("data/ca.crt is there, data/ca.key is not"));
        };
        let key = match before.tls_key.bytes().map(Key::parse) {
            None => None,
            Some(Ok(key)) => Some(key),
            // Named by the audit.
            Some(Err(_)) => return Ok(Issued { files: entries(deployment, &before, &before), judged: present }),
        };
        let server = ca.issue(domain, key.as_ref(), now, server_days)?;
        shortened = server.shortened;
        after.tls_crt = Content::Bytes(server.certificate.into_bytes());
        if let Some(key) = server.key {
            after.tls_key = Content::Bytes(key.expose().as_bytes().to_vec());
        }
    }
    let mut judged = after.judge(domain, routes, now);
    if let (true, Some(ca)) = (shortened, &judged.ca) {
        judged.findings.push(rules::finding(RuleId::CaEndsFirst).with(format!("data/ca.crt ends on {}", ca.not_after)));
    }
    if !judged.findings.iter().any(|f| f.severity == Severity::Error) {
        write(deployment, &before, &after)?;
        return Ok(Issued { files: entries(deployment, &before, &after), judged });
    }
    Ok(Issued { files: entries(deployment, &before, &before), judged })
}

fn copy(content: &Content) -> Content {
    match content {
        Content::Absent => Content::Absent,
        Content::Unreadable(why) => Content::Unreadable(why.clone()),
        Content::Bytes(bytes) => Content::Bytes(bytes.clone()),
    }
}

/// Keys before certificates: what is left behind by a full disk can always be completed.
fn pairs<'a>(before: &'a OnDisk, after: &'a OnDisk) -> [(&'static str, u32, &'a Content, &'a Content); 4] {
    [
        (path::CA_KEY, SECRET_MODE, &before.ca_key, &after.ca_key),
        (path::TLS_KEY, OPEN_MODE, &before.tls_key, &after.tls_key),
        (path::CA_CRT, OPEN_MODE, &before.ca_crt, &after.ca_crt),
        (path::TLS_CRT, OPEN_MODE, &before.tls_crt, &after.tls_crt),
    ]
}

fn write(deployment: &Deployment, before: &OnDisk, after: &OnDisk) -> Result<(), Error> {
    files::make_dir(deployment, path::DATA, OPEN_DIR_MODE)?;
    let mut batch = Batch::new(deployment);
    for (inside, mode, old, new) in pairs(before, after) {
        if let (Content::Absent, Some(bytes)) = (old, new.bytes()) {
            batch.create(inside, bytes, mode)?;
        }
    }
    batch.commit()?;
    files::sync_dir(deployment, path::DATA);
    Ok(())
}

fn entries(deployment: &Deployment, before: &OnDisk, after: &OnDisk) -> Vec<FileEntry> {
    pairs(before, after)
        .into_iter()
        .filter(|(_, _, _, new)| !matches!(new, Content::Absent))
        .map(|(inside, _, old, _)| {
            let action = if matches!(old, Content::Absent) { Action::Created } else { Action::Unchanged };
            FileEntry::of(deployment, inside, action)
        })
        .collect()
}

/// What `certs issue` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IssueData {
    /// The four files.
    files: Vec<FileEntry>,
    /// The CA certificate.
    ca: Option<CertificateInfo>,
    /// The server certificate.
    server: Option<CertificateInfo>,
}

/// The command `certs issue`.
///
/// # Errors
/// `directory` when there is no deployment directory that knows its domain; reading and writing errors.
pub(crate) fn run(deployment: &Deployment, request: IssueRequest, caller: &Caller) -> Result<Report<IssueData>, Error> {
    let days = request.days()?;
    deployment.require()?;
    let _lock = deployment.lock()?;
    let domain = current::require_domain(deployment)?;
    let routes = current::route_labels(deployment, &domain);
    let issued = issue(deployment, &domain, &routes, days, caller.now)?;
    let created = issued.files.iter().filter(|file| file.action == Action::Created).count();
    let summary = match (&issued.judged.ca, &issued.judged.server) {
        (Some(_), Some(server)) if issued.judged.is_good() => format!(
            "CA and server certificate meet all {} requirements; {} left, until {}{}",
            issued.judged.met,
            in_days(server.days_left),
            &server.not_after[..10.min(server.not_after.len())],
            if created == 0 { "; nothing was missing" } else { "" },
        ),
        _ => "certificates were not issued: see the findings; nothing was written".to_owned(),
    };
    let mut ca = issued.judged.ca;
    if let Some(ca) = &mut ca {
        ca.pem = super::disk::shown_pem(deployment, path::CA_CRT);
    }
    let good = issued.judged.server.is_some() && created > 0;
    let mut report = Report::new(summary, IssueData { files: issued.files, ca, server: issued.judged.server });
    report.findings = issued.judged.findings;
    report.findings.extend(modes::open_directory(deployment));
    report.skipped = issued.judged.skipped;
    if good {
        report.next.push(steps::register_step(deployment, path::CA_CRT));
    }
    Ok(report)
}
