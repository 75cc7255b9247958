//! `certs rotate-ca`: from one CA to the next without a lost call, in three steps that can be resumed and taken back.
//!
//! The state is the files: `ca-next.*` is a CA that waits to be registered, `ca-old.*` one that waits to be dropped.
//! A tunnel holds two active CAs, and the proxy takes a new certificate up by itself: that is what makes it seamless.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::disk::{CertificateInfo, OnDisk};
use super::{Ca, CertificateFile, renewal};
use crate::answer::{Error, Finding, Next, Report};
use crate::caller::Caller;
use crate::deployment::{Deployment, Domain, OPEN_MODE, SECRET_MODE, path};
use crate::model::current;
use crate::os::files::{self, Action, FileEntry};
use crate::rules;
use crate::rules::RuleId;
use crate::steps;

/// The server certificate that the old CA signed: the way back when its key is not on this host.
const OLD_TLS: &str = "data/tls-old.crt";

/// Every file that a change of the CA may touch.
const ALL: [&str; 8] = [
    path::CA_CRT,
    path::CA_KEY,
    path::TLS_CRT,
    path::CA_NEXT_CRT,
    path::CA_NEXT_KEY,
    path::CA_OLD_CRT,
    path::CA_OLD_KEY,
    OLD_TLS,
];

fn contents(deployment: &Deployment) -> Result<Vec<Option<Vec<u8>>>, Error> {
    ALL.iter().map(|inside| files::read(deployment, inside)).collect()
}

/// The request of `certs rotate-ca`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RotateRequest {
    /// What to do; nothing given says where it stands.
    step: Option<StepRequest>,
    /// Life of the new CA, in days (3650).
    ca_days: Option<u32>,
    /// Life of the new server certificate, in days (90).
    server_days: Option<u32>,
}

/// A step of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepRequest {
    /// Make the new CA beside the old.
    Begin,
    /// Once the new CA is registered: let the server certificate be signed by it.
    Switch,
    /// Once calls go through: drop the old CA.
    Finish,
    /// Take the last step back.
    Back,
}

/// How far the change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// No change is under way.
    Idle,
    /// The new CA waits to be registered.
    Begun,
    /// A switch was interrupted; `switch` or `back` completes it.
    Switching,
    /// The new CA is in use, the old one is still there.
    Switched,
}

/// What `certs rotate-ca` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RotateData {
    /// How far the change is now.
    stage: Stage,
    /// The CA whose certificate the proxy shows.
    ca: Option<CertificateInfo>,
    /// The CA that waits to be registered, with its PEM.
    next_ca: Option<CertificateInfo>,
    /// The CA that waits to be dropped.
    old_ca: Option<CertificateInfo>,
    /// Files that were touched.
    files: Vec<FileEntry>,
}

fn there(deployment: &Deployment, inside: &str) -> Result<bool, Error> {
    match files::metadata(deployment, inside)? {
        Some(meta) if meta.is_file() => Ok(true),
        Some(_) => Err(Error::Unexpected {
            act: "use",
            path: deployment.path(inside),
            what: "it is not a regular file".into(),
        }),
        None => Ok(false),
    }
}

fn stage(deployment: &Deployment) -> Result<Stage, Error> {
    let next = there(deployment, path::CA_NEXT_CRT)? || there(deployment, path::CA_NEXT_KEY)?;
    let old = there(deployment, path::CA_OLD_CRT)? || there(deployment, path::CA_OLD_KEY)?;
    Ok(match (next, old) {
        (false, false) => Stage::Idle,
        (true, false) => Stage::Begun,
        (true, true) => Stage::Switching,
        (false, true) => Stage::Switched,
    })
}

/// The note that a change is under way.
///
/// # Errors
/// When the files cannot be looked at.
pub(crate) fn open_finding(deployment: &Deployment) -> Result<Option<Finding>, Error> {
    Ok(match stage(deployment)? {
        Stage::Idle => None,
        Stage::Begun => Some(
            rules::finding(RuleId::CertsRotationOpen).with("the new CA in data/ca-next.crt waits to be registered"),
        ),
        Stage::Switching => {
            Some(rules::finding(RuleId::CertsRotationOpen).with("the switch to the new CA was interrupted"))
        }
        Stage::Switched => {
            Some(rules::finding(RuleId::CertsRotationOpen).with("the old CA in data/ca-old.crt waits to be dropped"))
        }
    })
}

/// A rename inside the directory; nothing happens when the source is gone already.
fn rename(deployment: &Deployment, from: &str, to: &str) -> Result<(), Error> {
    if !there(deployment, from)? {
        return Ok(());
    }
    let source = deployment.path(from);
    std::fs::rename(&source, deployment.path(to)).map_err(|e| Error::io("rename", &source, e))
}

fn remove(deployment: &Deployment, inside: &str) -> Result<(), Error> {
    if !there(deployment, inside)? {
        return Ok(());
    }
    let file = deployment.path(inside);
    std::fs::remove_file(&file).map_err(|e| Error::io("remove", &file, e))
}

fn info(deployment: &Deployment, inside: &str, caller: &Caller, pem: bool) -> Option<CertificateInfo> {
    let bytes = files::read(deployment, inside).ok()??;
    let file = CertificateFile::parse(&bytes).ok()?;
    let mut info = CertificateInfo::of(&file.first, caller.now);
    info.pem = pem.then(|| super::disk::pem_of(&file.first));
    Some(info)
}

fn refuse(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::request(message, hint)
}

/// The command.
///
/// # Errors
/// `request` for a step that does not fit the stage, `certificate` when something cannot be signed, reading and
/// writing errors.
pub(crate) fn run(
    deployment: &Deployment,
    request: RotateRequest,
    caller: &Caller,
) -> Result<Report<RotateData>, Error> {
    deployment.require()?;
    let _lock = deployment.lock()?;
    let domain = current::require_domain(deployment)?;
    let days = super::issuing::IssueRequest { server_days: request.server_days, ca_days: request.ca_days }.days()?;
    let now_at = stage(deployment)?;
    let before = contents(deployment)?;
    let done = match request.step {
        None => "",
        Some(StepRequest::Begin) => begin(deployment, now_at, days.1, caller)?,
        Some(StepRequest::Switch) => match switch(deployment, now_at, &domain, days.0, caller)? {
            Ok(done) => done,
            Err(findings) => {
                let mut report = report(deployment, &before, "the switch was not made", caller)?;
                report.findings = findings;
                return Ok(report);
            }
        },
        Some(StepRequest::Finish) => finish(deployment, now_at)?,
        Some(StepRequest::Back) => back(deployment, now_at, &domain, days.0, caller)?,
    };
    files::sync_dir(deployment, path::DATA);
    report(deployment, &before, done, caller)
}

fn begin(deployment: &Deployment, stage: Stage, days: u32, caller: &Caller) -> Result<&'static str, Error> {
    match stage {
        Stage::Idle | Stage::Begun => {}
        Stage::Switching | Stage::Switched => {
            return Err(refuse(
                "a change of the CA is under way already",
                "complete it with {\"step\":\"finish\"}, or take it back with {\"step\":\"back\"}",
            ));
        }
    }
    if !there(deployment, path::CA_CRT)? {
        return Err(refuse("there is no CA to change from", "`certs issue` makes the first one"));
    }
    match (there(deployment, path::CA_NEXT_KEY)?, there(deployment, path::CA_NEXT_CRT)?) {
        (true, true) => return Ok("the new CA was made before"),
        // Interrupted between the two: the certificate again, from that key.
        (true, false) => {
            let bytes = files::read(deployment, path::CA_NEXT_KEY)?.unwrap_or_default();
            let key = super::Key::parse(&bytes)
                .map_err(|e| Error::Certificate { act: "make a CA", why: format!("{}: {e}", path::CA_NEXT_KEY) })?;
            let new = Ca::recreate(&key, None, caller.now, days)?;
            files::create(deployment, path::CA_NEXT_CRT, new.certificate.as_bytes(), OPEN_MODE)?;
        }
        (false, true) => {
            return Err(refuse(
                format!("`{}` is there and its key is not", path::CA_NEXT_CRT),
                "bring data/ca-next.key back, or remove data/ca-next.crt and begin again",
            ));
        }
        (false, false) => {
            let new = Ca::create(caller.now, days)?;
            let key = new.key.as_ref().map_or("", |key| key.expose());
            files::create(deployment, path::CA_NEXT_KEY, key.as_bytes(), SECRET_MODE)?;
            files::create(deployment, path::CA_NEXT_CRT, new.certificate.as_bytes(), OPEN_MODE)?;
        }
    }
    Ok("the new CA is made; nothing uses it yet")
}

/// The four files with the new CA in place of the old.
fn ahead(deployment: &Deployment) -> OnDisk {
    OnDisk::read(deployment).with_ca(deployment, path::CA_NEXT_CRT, path::CA_NEXT_KEY)
}

fn switch(
    deployment: &Deployment,
    stage: Stage,
    domain: &Domain,
    days: u32,
    caller: &Caller,
) -> Result<Result<&'static str, Vec<Finding>>, Error> {
    match stage {
        Stage::Idle => {
            return Err(refuse("there is no new CA to switch to", "{\"step\":\"begin\"} makes one"));
        }
        Stage::Switched => return Ok(Ok("the switch was made before")),
        Stage::Begun | Stage::Switching => {}
    }
    if there(deployment, path::CA_NEXT_KEY)? {
        let mut ahead = ahead(deployment);
        let (certificate, _) = renewal::sign(&ahead, domain, days, caller.now)?;
        ahead.tls_crt = super::disk::Content::Bytes(certificate);
        let judged = ahead.judge(domain, &current::route_labels(deployment, domain), caller.now);
        if judged.has_errors() {
            return Ok(Err(judged.findings));
        }
        if stage == Stage::Begun {
            let old = files::read(deployment, path::TLS_CRT)?.unwrap_or_default();
            files::replace(deployment, OLD_TLS, &old, None, OPEN_MODE)?;
            // From here on it is a switch: whatever interrupts it, `switch` or `back` goes on from the files.
            let ca = files::read(deployment, path::CA_CRT)?.unwrap_or_default();
            files::create(deployment, path::CA_OLD_CRT, &ca, OPEN_MODE)?;
        }
        files::replace(deployment, path::TLS_CRT, ahead.tls_crt.bytes().unwrap_or_default(), None, OPEN_MODE)?;
        if !there(deployment, path::CA_OLD_KEY)? {
            rename(deployment, path::CA_KEY, path::CA_OLD_KEY)?;
        }
        rename(deployment, path::CA_NEXT_KEY, path::CA_KEY)?;
    } else if stage == Stage::Begun {
        return Err(refuse(
            "the new CA's key is not on this host, and the server certificate must be signed with it",
            "bring data/ca-next.key back and run it again",
        ));
    }
    // Replaces the old certificate, of which `ca-old.crt` is the copy; its absence says that the switch is complete.
    rename(deployment, path::CA_NEXT_CRT, path::CA_CRT)?;
    Ok(Ok("the server certificate is signed by the new CA now"))
}

fn finish(deployment: &Deployment, stage: Stage) -> Result<&'static str, Error> {
    match stage {
        Stage::Idle => return Ok("there is nothing to finish"),
        Stage::Begun => {
            return Err(refuse("the new CA is not in use yet", "{\"step\":\"switch\"} first, once it is registered"));
        }
        Stage::Switching => {
            return Err(refuse("the switch was interrupted", "complete it with {\"step\":\"switch\"} first"));
        }
        Stage::Switched => {}
    }
    remove(deployment, path::CA_OLD_KEY)?;
    remove(deployment, OLD_TLS)?;
    // Last, because its presence is the stage.
    remove(deployment, path::CA_OLD_CRT)?;
    Ok("the old CA is gone from this host")
}

fn back(
    deployment: &Deployment,
    stage: Stage,
    domain: &Domain,
    days: u32,
    caller: &Caller,
) -> Result<&'static str, Error> {
    match stage {
        Stage::Idle => Err(refuse("there is no step to take back", "{\"step\":\"begin\"} begins a change of the CA")),
        Stage::Begun => {
            remove(deployment, path::CA_NEXT_KEY)?;
            remove(deployment, path::CA_NEXT_CRT)?;
            remove(deployment, OLD_TLS)?;
            Ok("the new CA is gone again; if it was registered, revoke it in the Console")
        }
        Stage::Switching | Stage::Switched => {
            // Before anything is touched: an interrupted `finish` has dropped what the way back needs.
            let unmoved =
                stage == Stage::Switching && there(deployment, path::CA_NEXT_KEY)? && there(deployment, path::CA_KEY)?;
            if !(there(deployment, path::CA_OLD_KEY)? || there(deployment, OLD_TLS)? || unmoved) {
                return Err(refuse(
                    "there is no way back: neither the old CA's key nor the certificate that it had signed is here",
                    "complete the change with {\"step\":\"finish\"}",
                ));
            }
            // The new CA beside the old one again, as it was before the switch.
            if !there(deployment, path::CA_NEXT_CRT)? {
                let new = files::read(deployment, path::CA_CRT)?.unwrap_or_default();
                files::create(deployment, path::CA_NEXT_CRT, &new, OPEN_MODE)?;
            }
            if !there(deployment, path::CA_NEXT_KEY)? {
                rename(deployment, path::CA_KEY, path::CA_NEXT_KEY)?;
            }
            // Now `ca.key`, if it is there, is the old one, which an interrupted switch had not moved yet.
            let key = if there(deployment, path::CA_OLD_KEY)? { path::CA_OLD_KEY } else { path::CA_KEY };
            let behind = OnDisk::read(deployment).with_ca(deployment, path::CA_OLD_CRT, key);
            // Without a key that can sign here, the certificate that it had signed is the way back.
            let signed = match renewal::sign(&behind, domain, days, caller.now) {
                Ok((certificate, _)) => Some(certificate),
                Err(_) => files::read(deployment, OLD_TLS)?,
            };
            let Some(certificate) = signed else {
                return Err(Error::Certificate {
                    act: "go back to the old CA",
                    why: "neither its key nor the certificate that it had signed is here".into(),
                });
            };
            files::replace(deployment, path::TLS_CRT, &certificate, None, OPEN_MODE)?;
            rename(deployment, path::CA_OLD_KEY, path::CA_KEY)?;
            rename(deployment, path::CA_OLD_CRT, path::CA_CRT)?;
            remove(deployment, OLD_TLS)?;
            Ok("the server certificate is signed by the old CA again; the new one waits in data/ca-next.crt")
        }
    }
}

fn report(
    deployment: &Deployment,
    before: &[Option<Vec<u8>>],
    done: &str,
    caller: &Caller,
) -> Result<Report<RotateData>, Error> {
    let stage = stage(deployment)?;
    let command = |step: &str| caller.command(&["certs", "rotate-ca", "--json", &format!("{{\"step\":\"{step}\"}}")]);
    let ca = info(deployment, path::CA_CRT, caller, false);
    let next_ca = info(deployment, path::CA_NEXT_CRT, caller, true);
    let old_ca = info(deployment, path::CA_OLD_CRT, caller, false);
    let (stands, next) = match stage {
        Stage::Idle => (
            "no change of the CA is under way",
            vec![Next::helper("to begin one: make a new CA beside the one in use", command("begin"))],
        ),
        Stage::Begun => (
            "the new CA waits to be registered; calls go on with the old one",
            vec![
                Next::person(
                    "a tunnel holds two active CAs: if it has two already, revoke the one that is not in use first",
                ),
                steps::register_step(deployment, path::CA_NEXT_CRT),
                Next::helper("when the Console shows both CAs as active: switch", command("switch")),
                Next::helper("or take it back", command("back")),
            ],
        ),
        Stage::Switching => (
            "the switch was interrupted; calls go on",
            vec![Next::helper("complete it", command("switch")), Next::helper("or take it back", command("back"))],
        ),
        Stage::Switched => (
            "the new CA is in use, the old one is still there",
            vec![
                Next::person(format!(
                    "make a call from Claude; when it goes through, revoke the old CA in the Console{}",
                    old_ca.as_ref().map_or_else(String::new, |ca| format!(" (fingerprint {})", ca.fingerprint_sha256))
                )),
                Next::helper("then drop the old CA from this host; there is no way back after that", command("finish")),
                Next::helper("or go back to the old CA, while it is registered", command("back")),
            ],
        ),
    };
    let summary = if done.is_empty() { stands.to_owned() } else { format!("{done}; {stands}") };
    let entries = ALL
        .iter()
        .zip(contents(deployment)?)
        .zip(before)
        .filter_map(|((inside, after), before)| {
            let after = after?;
            let action = match before {
                None => Action::Created,
                Some(before) if *before == after => Action::Unchanged,
                Some(_) => Action::Updated,
            };
            Some(FileEntry::of(deployment, inside, action))
        })
        .collect();
    let mut report = Report::new(summary, RotateData { stage, ca, next_ca, old_ca, files: entries });
    report.next = next;
    Ok(report)
}
