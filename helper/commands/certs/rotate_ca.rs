//! `certs rotate-ca`: from one CA to the next without losing a call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Served;
use crate::answer::{Error, Next, Report};
use crate::caller::Caller;
use crate::certs::CertificateInfo;
use crate::certs::file::{CertificateFile, File};
use crate::certs::provision::Lives;
use crate::certs::rotation::{self, BackTo, Rotation, Stage, StepOutcome};
use crate::deployment::{Deployment, Replica, path};
use crate::model::current::Current;
use crate::os::files::{self, Action, FileEntry};
use crate::steps;

/// The request of `certs rotate-ca`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RotateRequest {
    /// What to do; without it, only how far the change is.
    step: Option<StepRequest>,
    /// With `back`: how far. Without it, the last step is taken back; to repeat that does nothing more.
    to: Option<BackTo>,
    /// Life of the new CA, in days (3650).
    ca_days: Option<u32>,
    /// Life of the new server certificate, in days (90).
    server_days: Option<u32>,
}

/// A step of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum StepRequest {
    /// Make the new CA and keep the old one.
    Begin,
    /// Once the new CA is registered: let it sign the server certificate.
    Switch,
    /// Once calls go through: set the old CA aside.
    Finish,
    /// Take a step back.
    Back,
}

/// What `certs rotate-ca` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RotateData {
    /// How far the change is.
    phase: Stage,
    /// The same as `phase`, under its older name.
    stage: Stage,
    /// The CA in use.
    ca: Option<CertificateInfo>,
    /// The CA to change to.
    next_ca: Option<CertificateInfo>,
    /// The CA that was in use before.
    old_ca: Option<CertificateInfo>,
    /// The server certificate.
    server: Option<CertificateInfo>,
    /// Files that were touched, or may be.
    files: Vec<FileEntry>,
}

/// The command.
///
/// # Errors
/// `request` for a step that does not fit the stage, `certificate` if something cannot be signed, reading and writing
/// errors.
pub(crate) fn run(
    deployment: &Deployment,
    request: RotateRequest,
    caller: &Caller,
) -> Result<Report<RotateData>, Error> {
    let lives = Lives::asked(request.server_days, request.ca_days)?;
    if request.to.is_some() && request.step != Some(StepRequest::Back) {
        return Err(Error::request("`to` is for the step `back` only", "leave `to` out"));
    }
    deployment.require()?;
    deployment.require_own(caller)?;
    let _lock = deployment.lock()?;
    if let (Some(_), Some(replica)) = (request.step, Replica::of(deployment)) {
        return Err(Error::Directory {
            message: format!("this directory is a replica; the CA is changed where its key is: {}", replica.origin()),
            hint: "change the CA there, then apply what `mcp-tunnels-helper export --to replica --out FILE.tar.gz` makes there with `init --from FILE.tar.gz`".into(),
        });
    }
    let target = Served::of(&Current::read(deployment), deployment, caller)?;
    let before = contents(deployment)?;
    let mut rotation = Rotation { deployment, purpose: target.purpose(), lives, set_aside: Vec::new() };
    let outcome = match request.step {
        None => None,
        Some(StepRequest::Begin) => Some(rotation.begin()?),
        Some(StepRequest::Switch) => Some(rotation.switch()?),
        Some(StepRequest::Finish) => Some(rotation.finish()?),
        Some(StepRequest::Back) => Some(rotation.back(request.to)?),
    };
    let (done, findings) = match outcome {
        None => (None, Vec::new()),
        Some(StepOutcome::Done(what)) => (Some(what), Vec::new()),
        Some(StepOutcome::NotDone(findings)) => (Some("the switch was not made"), findings),
    };
    let mut report = report(deployment, &before, done, &rotation.set_aside, caller)?;
    report.findings = findings;
    Ok(report)
}

fn contents(deployment: &Deployment) -> Result<Vec<Option<Vec<u8>>>, Error> {
    rotation::FILES.iter().map(|inside| files::read(deployment, inside)).collect()
}

fn report(
    deployment: &Deployment,
    before: &[Option<Vec<u8>>],
    done: Option<&str>,
    set_aside: &[String],
    caller: &Caller,
) -> Result<Report<RotateData>, Error> {
    let stage = Stage::of(deployment)?;
    let info = |inside: &str, with_pem: bool| {
        let file = File::<CertificateFile>::read(deployment, inside);
        let details = &file.good()?.first;
        let info = CertificateInfo::of(details, caller.now);
        Some(if with_pem { info.with_pem(details) } else { info })
    };
    let data = RotateData {
        phase: stage,
        stage,
        ca: info(path::CA_CRT, false),
        next_ca: info(path::CA_NEXT_CRT, true),
        old_ca: info(path::CA_OLD_CRT, false),
        server: info(path::TLS_CRT, false),
        files: entries(deployment, before, set_aside)?,
    };
    let state = match stage {
        Stage::Idle => "no CA rotation is in progress",
        Stage::Beginning => "the step `begin` was interrupted; run it again",
        Stage::Begun => "the new CA is not registered yet; calls continue with the current one",
        Stage::Switching => "the step `switch` was interrupted; calls continue",
        Stage::Switched => "the new CA is in use; the old one is not revoked yet",
    };
    let summary = done.map_or_else(|| state.to_owned(), |done| format!("{done}; {state}"));
    let next = next(deployment, &data, set_aside, caller);
    Ok(Report { next, ..Report::new(summary, data) })
}

fn entries(deployment: &Deployment, before: &[Option<Vec<u8>>], set_aside: &[String]) -> Result<Vec<FileEntry>, Error> {
    let mut entries = Vec::new();
    for ((inside, after), before) in rotation::FILES.iter().zip(contents(deployment)?).zip(before) {
        let Some(after) = after else { continue };
        let action = match before {
            None => Action::Created,
            Some(before) if *before == after => Action::Unchanged,
            Some(_) => Action::Updated,
        };
        entries.push(FileEntry::of(deployment, inside, action));
    }
    entries.extend(set_aside.iter().map(|inside| FileEntry::of(deployment, inside, Action::Created)));
    Ok(entries)
}

fn next(deployment: &Deployment, data: &RotateData, set_aside: &[String], caller: &Caller) -> Vec<Next> {
    let helper =
        |what: &str, request: &str| Next::helper(what, caller.command(&["certs", "rotate-ca", "--json", request]));
    let (begin, switch) = ("{\"step\":\"begin\"}", "{\"step\":\"switch\"}");
    let (to_idle, to_begun) = ("{\"step\":\"back\",\"to\":\"idle\"}", "{\"step\":\"back\",\"to\":\"begun\"}");
    let mut next = match data.stage {
        Stage::Idle => vec![helper("to rotate the CA: create a new one and keep the current one", begin)],
        Stage::Beginning => vec![helper("complete the step", begin), helper("or undo it", to_idle)],
        Stage::Begun => vec![
            Next::person("if the tunnel has two active CAs, the maximum, first revoke the one that is not in use"),
            steps::register_step(deployment, path::CA_NEXT_CRT),
            helper("when the Console shows both CAs as active, switch", switch),
            helper("or cancel: set the new CA aside", to_idle),
        ],
        Stage::Switching => vec![helper("complete the step", switch), helper("or undo it", to_begun)],
        Stage::Switched => {
            let old = data.old_ca.as_ref();
            let which = old.map_or_else(String::new, |ca| format!(" (fingerprint {})", ca.fingerprint_sha256));
            let call =
                format!("make a call from Claude; when it goes through, revoke the old CA in the Console{which}");
            vec![
                Next::person(call),
                helper("then set the old CA aside", "{\"step\":\"finish\"}"),
                helper("or go back to the old CA, while it is registered", to_begun),
            ]
        }
    };
    if !set_aside.is_empty() {
        let files = set_aside.iter().map(|inside| format!("`{inside}`")).collect::<Vec<_>>().join(" and ");
        next.push(Next::person(format!(
            "delete {files} when that CA is revoked in the Console or was never registered"
        )));
    }
    next
}
