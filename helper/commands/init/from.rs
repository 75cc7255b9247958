//! `init --from`: a replica made or updated from a bundle of another host.

use super::report::{InitData, Made, report};
use super::request::InitRequest;
use crate::answer::{Error, Finding, Next, Report, count};
use crate::caller::Caller;
use crate::deployment::replica::Scope;
use crate::deployment::{DIR_MODE, Deployment, path};
use crate::export::replica::project::{Elsewhere, elsewhere};
use crate::export::replica::unpack::Bundle;
use crate::export::replica::write;
use crate::model::current::Current;
use crate::os::archive;
use crate::os::files::{self, Action, FileEntry};
use crate::rules::{self, RuleId};

/// The command.
///
/// # Errors
/// `request` for a bundle that is not taken, `other-domain` and `directory` for a directory that it does not fit,
/// reading and writing errors.
pub(super) fn run(
    deployment: &Deployment,
    request: &InitRequest,
    bundle: &str,
    caller: &Caller,
) -> Result<Report<InitData>, Error> {
    if !request.settings().is_empty() {
        return Err(Error::request(
            "`from` cannot be combined with settings: they come with the bundle",
            "change settings on the first host and export again, or with `render` afterwards",
        ));
    }
    let bundle = Bundle::open(&archive::place(bundle, caller))?;
    if let Some(asked) = request.domain.as_ref().filter(|asked| **asked != bundle.domain) {
        return Err(Error::request(
            format!("the bundle is for {}, not for {asked}", bundle.domain),
            "leave `domain` out, or name the bundle of the other tunnel",
        ));
    }
    deployment.require_room(request.into_other_project)?;
    require_fit(deployment, &bundle)?;
    let judged = bundle.judge(deployment, caller.now);
    if let Some(findings) = bundle.faults(&judged) {
        return refused(deployment, &bundle, findings, caller);
    }
    let skipped = match elsewhere(&bundle, deployment)? {
        Elsewhere::No => None,
        Elsewhere::Unknown(skipped) => Some(skipped),
        Elsewhere::Runs(finding) => return refused(deployment, &bundle, vec![*finding], caller),
    };
    let existed = files::make_dir(deployment, "", DIR_MODE)?;
    let _lock = deployment.lock()?;
    // Another run may have written while this one waited for the lock.
    require_fit(deployment, &bundle)?;
    let written = write::write(&bundle, &judged, deployment)?;
    let mut all = vec![FileEntry::of(deployment, "", existed)];
    all.extend(written.files);
    let changed = all.iter().filter(|file| matches!(file.action, Action::Created | Action::Updated)).count();
    let kept = written.findings.iter().filter(|finding| finding.id == RuleId::EditNotReplaced).count();
    let made = Made { files: all, findings: written.findings, ..Made::default() };
    let mut report = report(deployment, &bundle.domain, made, caller, false)?;
    report.summary = summary(&bundle, changed, kept);
    report.skipped.extend(skipped);
    report.next.push(Next::person("delete the bundle on both hosts once the replica works: it holds the server's key"));
    Ok(report)
}

/// What was done; a replica in which files were kept does not say what the bundle says.
fn summary(bundle: &Bundle, changed: usize, kept: usize) -> String {
    let domain = &bundle.domain;
    let done = match (bundle.manifest.scope, changed, kept) {
        (_, 0, 0) => return format!("the replica of {domain} is up to date"),
        (_, 0, _) => format!("this replica of {domain} was not changed"),
        (Scope::Certificate, ..) => {
            format!("the certificate of this replica of {domain} is updated; the proxy reloads it without a restart")
        }
        (Scope::Deployment, n, _) => format!("this replica of {domain} is written ({})", count(n, "file")),
    };
    match kept {
        0 => done,
        1 => format!("{done}; it is not up to date: 1 file that differs from the bundle was kept"),
        n => format!("{done}; it is not up to date: {n} files that differ from the bundle were kept"),
    }
}

/// The directory must be empty, a replica of this tunnel, or a person's own beginning of one.
fn require_fit(deployment: &Deployment, bundle: &Bundle) -> Result<(), Error> {
    deployment.require_tunnel(Current::read(deployment).known_domain()?, &bundle.domain)?;
    if files::metadata(deployment, path::CA_KEY)?.is_none() {
        return write::require_replica(bundle, deployment);
    }
    Err(Error::Directory {
        message: format!(
            "`{}` has a CA key, so it is an independent deployment and cannot become a replica; nothing was written",
            deployment.root().display()
        ),
        hint: "name a new directory with `--dir`".into(),
    })
}

/// Nothing was written.
fn refused(
    deployment: &Deployment,
    bundle: &Bundle,
    findings: Vec<Finding>,
    caller: &Caller,
) -> Result<Report<InitData>, Error> {
    let why = rules::root(&findings).map_or_else(|| "see the findings".to_owned(), |finding| finding.title.clone());
    let mut report = report(deployment, &bundle.domain, Made::default(), caller, true)?;
    report.summary = format!("nothing was written: {why}");
    report.findings = findings;
    report.next.clear();
    Ok(report)
}
