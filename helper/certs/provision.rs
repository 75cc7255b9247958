//! Makes what is missing of the four files, and replaces nothing.

use super::audit::Purpose;
use super::file::{File, Files};
use super::issue::{Ca, IssueError, NewCa, ServerCertificate};
use super::judged::Judged;
use crate::answer::{Error, Finding, Severity};
use crate::deployment::{Deployment, OPEN_DIR_MODE, OPEN_MODE, SECRET_MODE, path};
use crate::os::batch::Batch;
use crate::os::files::{self, Action, FileEntry};
use crate::rules::{self, RuleId};

/// Lives of new certificates, in days.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lives {
    pub(crate) server: u32,
    pub(crate) ca: u32,
}

impl Default for Lives {
    /// Those of the documented quickstart.
    fn default() -> Self {
        Self { server: 90, ca: 3650 }
    }
}

impl Lives {
    /// The validity periods that a request asks for.
    ///
    /// # Errors
    /// `request` for zero, or more than is sensible (10 and 100 years).
    pub(crate) fn asked(server: Option<u32>, ca: Option<u32>) -> Result<Self, Error> {
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
        let default = Self::default();
        Ok(Self {
            server: check("server_days", server, default.server, 3650)?,
            ca: check("ca_days", ca, default.ca, 36500)?,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Issued {
    /// The files that exist now.
    pub(crate) files: Vec<FileEntry>,
    /// The verdict over them, or over what would have been written.
    pub(crate) judged: Judged,
}

impl From<IssueError> for Error {
    fn from(error: IssueError) -> Self {
        Self::Certificate { act: "issue certificates", why: error.to_string() }
    }
}

enum IssuePlan {
    /// Nothing is missing, or it cannot be made: the findings say why, otherwise this one.
    Nothing(Option<Finding>),
    /// These, the others exist.
    Make(Box<Made>),
}

/// New certificates and keys.
#[derive(Default)]
struct Made {
    ca: Option<NewCa>,
    server: Option<ServerCertificate>,
}

/// Makes the CA and the server certificate that are missing.
///
/// `ca.key` alone gives `ca.crt` again, with the same subject and key identifier; `tls.key` alone gets a certificate;
/// `ca.crt` alone is kept, and without its key nothing new is issued; `tls.crt` without its key, a certificate without
/// its CA, and pairs that do not match are findings, and nothing is written.
///
/// # Errors
/// `io` and `unexpected-file` for files that cannot be read or written.
pub(crate) fn issue(deployment: &Deployment, purpose: Purpose<'_>, lives: Lives) -> Result<Issued, Error> {
    for inside in [path::CA_CRT, path::CA_KEY, path::TLS_CRT, path::TLS_KEY] {
        // A link or a directory in their place is an error before anything is decided.
        files::read(deployment, inside)?;
    }
    let mut present = Judged::new(Files::read(deployment), purpose);
    let made = match plan(&mut present, purpose, lives)? {
        IssuePlan::Nothing(why) => {
            let why = why.filter(|why| present.finding(why.id).is_none());
            present.findings.extend(why);
            return Ok(Issued { files: entries(deployment, &[]), judged: present });
        }
        IssuePlan::Make(made) => made,
    };
    let mut judged = Judged::new(made.beside(present.facts.files), purpose);
    if made.server.as_ref().is_some_and(|server| server.shortened) {
        judged.findings.extend(judged.ca.as_ref().map(ends_first));
    }
    // What fails our own audit is never written.
    let written = if judged.has_errors() { Vec::new() } else { made.write(deployment)? };
    Ok(Issued { files: entries(deployment, &written), judged })
}

/// The finding about a server certificate that ends with its CA.
pub(crate) fn ends_first(ca: &super::judged::CertificateInfo) -> Finding {
    rules::finding(RuleId::CaEndsFirst).with(format!("`data/ca.crt` ends on {}", ca.not_after))
}

fn plan(present: &mut Judged, purpose: Purpose<'_>, lives: Lives) -> Result<IssuePlan, Error> {
    let refuse = |rule, text| Ok(IssuePlan::Nothing(Some(rules::finding(rule).with(text))));
    let files = &present.facts.files;
    if !files.ca.is_absent() && !files.server.is_absent() {
        return Ok(IssuePlan::Nothing(None));
    }
    let mut prevented = false;
    for finding in present.findings.iter_mut().filter(|f| f.id.rule().blocks_signing) {
        // Mild while nothing is to be issued.
        finding.severity = Severity::Error;
        prevented = true;
    }
    if prevented || files.server.fault().is_some() {
        return Ok(IssuePlan::Nothing(None));
    }
    if !files.server.is_absent() && files.server_key.is_absent() {
        return refuse(RuleId::ProxyCertMissing, "`data/tls.crt` exists, `data/tls.key` does not");
    }
    let mut made = Made::default();
    let loaded;
    let ca = match (files.ca.good(), files.ca_key.good()) {
        (None, None) if files.server.good().is_some() => {
            return refuse(RuleId::CaMissing, "`data/tls.crt` exists, `data/ca.crt` and `data/ca.key` do not");
        }
        (None, None) => Some(&made.ca.insert(Ca::create(purpose.now, lives.ca)?).ca),
        (None, Some(key)) => {
            let new = Ca::recreate(&key.key, files.server.good(), purpose.now, lives.ca)?;
            Some(&made.ca.insert(new).ca)
        }
        (Some(certificate), Some(key)) => {
            loaded = Ca::load(certificate, &key.key)?;
            Some(&loaded)
        }
        (Some(_), None) => None,
    };
    if files.server.is_absent() {
        let Some(ca) = ca else {
            if let Some(replica) = &files.replica {
                return Ok(IssuePlan::Nothing(Some(replica.finding(Severity::Error))));
            }
            return refuse(RuleId::CaKeyNeeded, "`data/ca.crt` exists, `data/ca.key` does not");
        };
        let key = files.server_key.good();
        if key.is_none() && !files.server_key.is_absent() {
            // A requirement says what is wrong with it.
            return Ok(IssuePlan::Nothing(None));
        }
        made.server = Some(ca.issue(purpose.domain, key.map(|file| &file.key), purpose.now, lives.server)?);
    }
    Ok(IssuePlan::Make(Box::new(made)))
}

impl Made {
    /// Path, mode and content of the new files. Keys before certificates: what a full disk leaves can be completed.
    fn contents(&self) -> Vec<(&'static str, u32, &str)> {
        let (ca, server) = (self.ca.as_ref(), self.server.as_ref());
        let all = [
            (path::CA_KEY, SECRET_MODE, ca.and_then(|ca| ca.key.as_ref()).map(|key| key.expose())),
            (path::TLS_KEY, OPEN_MODE, server.and_then(|server| server.key.as_ref()).map(|key| key.expose())),
            (path::CA_CRT, OPEN_MODE, ca.map(|ca| ca.certificate.as_str())),
            (path::TLS_CRT, OPEN_MODE, server.map(|server| server.certificate.as_str())),
        ];
        all.into_iter().filter_map(|(inside, mode, text)| Some((inside, mode, text?))).collect()
    }

    /// The new files together with the existing ones.
    fn beside(&self, mut files: Files) -> Files {
        for (inside, _, text) in self.contents() {
            match inside {
                path::CA_KEY => files.ca_key = File::parse(text.as_bytes()),
                path::TLS_KEY => files.server_key = File::parse(text.as_bytes()),
                path::CA_CRT => files.ca = File::parse(text.as_bytes()),
                _ => files.server = File::parse(text.as_bytes()),
            }
        }
        files
    }

    /// Writes the new files, and gives their paths.
    fn write(&self, deployment: &Deployment) -> Result<Vec<&'static str>, Error> {
        files::make_dir(deployment, path::DATA, OPEN_DIR_MODE)?;
        let mut batch = Batch::new(deployment);
        for (inside, mode, text) in self.contents() {
            batch.create(inside, text.as_bytes(), mode)?;
        }
        batch.commit()?;
        Ok(self.contents().into_iter().map(|(inside, ..)| inside).collect())
    }
}

/// The four files as they are now, as far as they exist.
fn entries(deployment: &Deployment, written: &[&str]) -> Vec<FileEntry> {
    let all = [path::CA_KEY, path::TLS_KEY, path::CA_CRT, path::TLS_CRT];
    let existing = all.into_iter().filter(|inside| matches!(files::metadata(deployment, inside), Ok(Some(_))));
    existing
        .map(|inside| {
            let action = if written.contains(&inside) { Action::Created } else { Action::Unchanged };
            FileEntry::of(deployment, inside, action)
        })
        .collect()
}
