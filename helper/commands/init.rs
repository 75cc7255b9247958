//! `init`: everything that can be done on this side, any number of times; and the state of a deployment.

mod from;
mod report;
mod request;
mod standing;

pub(crate) use self::report::InitData;
use self::report::{Made, report};
pub(crate) use self::request::InitRequest;
use self::standing::Standing;
use super::kept::token_name;
use crate::answer::{Error, Finding, Report};
use crate::caller::Caller;
use crate::certs::Purpose;
use crate::certs::judged::Horizon;
use crate::certs::provision::{self, Lives};
use crate::deployment::scaffold;
use crate::deployment::{DIR_MODE, Deployment, Domain, Maker, path};
use crate::lint;
use crate::model::current::{Current, NoDomain};
use crate::model::found::Found;
use crate::os::files::{self, FileEntry};
use crate::render;
use crate::render::plan::Mode;
use crate::steps;
use crate::steps::pair::Other;

/// The command.
///
/// # Errors
/// `other-domain` when the directory belongs to another tunnel, `request` for settings that cannot be, reading and
/// writing errors.
pub(crate) fn run(deployment: &Deployment, request: &InitRequest, caller: &Caller) -> Result<Report<InitData>, Error> {
    let settings = request.settings();
    if let Some(bundle) = &request.from {
        return from::run(deployment, request, bundle, caller);
    }
    let look = deployment.require_room(request.into_other_project)?;
    let current = Current::read(deployment);
    let known = match current.checked_domain().map_err(NoDomain::finding) {
        Ok(known) if current.found.env_fault.is_none() => known,
        domain => {
            // Nothing can be written: `.env` cannot be read, or the domain is mistyped.
            let fault = current.found.env_fault.clone().or(domain.err());
            return Ok(without_domain(deployment, look.maker(), &current, fault, request.verbose, caller));
        }
    };
    let domain = match (&request.domain, known) {
        (Some(asked), known) => {
            deployment.require_tunnel(known, asked)?;
            asked.clone()
        }
        (None, Some(known)) => known,
        (None, None) if settings.is_empty() => {
            return Ok(without_domain(deployment, look.maker(), &current, None, request.verbose, caller));
        }
        (None, None) => {
            return Err(Error::request(
                "the first time `init` needs the tunnel's `domain`",
                "add {\"domain\":\"abcd1234.tunnel.anthropic.com\"}, with the domain that the Console shows under Connection",
            ));
        }
    };
    let only_report = request.domain.is_none() && settings.is_empty();
    let mut made = Made { verbose: request.verbose, ..Made::default() };
    if only_report {
        made.current = Some(current);
    } else {
        make(deployment, &domain, &settings, request.verbose, caller, &mut made)?;
    }
    report(deployment, &domain, made, caller, only_report)
}

fn make(
    deployment: &Deployment,
    domain: &Domain,
    settings: &crate::config::settings::Settings,
    verbose: bool,
    caller: &Caller,
    made: &mut Made,
) -> Result<(), Error> {
    deployment.require_own(caller)?;
    let action = files::make_dir(deployment, "", DIR_MODE)?;
    let _lock = deployment.lock()?;
    // Another run may have set the domain while this one waited for the lock.
    let (current, writes) = (Current::read(deployment), deployment.writes());
    deployment.require_tunnel(current.known_domain()?, domain)?;
    made.files.push(FileEntry::of(deployment, "", action));
    made.files.extend(scaffold::ensure_env_and_gitignore(deployment, Some(domain))?);

    let routes = current.labels(domain);
    let purpose = Purpose { domain, routes: &routes, now: caller.now };
    match Other::of(deployment, &current, purpose, Horizon::default()) {
        Some(other) => made.findings.extend(other.judged.findings),
        None => {
            let issued = provision::issue(deployment, purpose, Lives::default())?;
            made.files.extend(issued.files);
            made.findings.extend(lint::pair::layout(issued.judged, &current).findings);
        }
    }

    // Settings, or a stack that is there already and may have lost a file.
    let has_stack = files::read(deployment, path::GATEWAY).ok().flatten().is_some();
    // With `.env` as it is now.
    let found = if deployment.writes() == writes { current.found.clone() } else { Found::read(deployment) };
    let faults = found.faults();
    if !faults.is_empty() {
        // A compose file that cannot be read may need other files than ours.
        made.findings.extend(faults);
    } else if !settings.is_empty() || has_stack {
        let mode = Mode { verbose, ..Mode::default() };
        let rendered = render::render(deployment, found, domain, settings, mode, caller.now)?;
        made.files.extend(rendered.files);
        made.findings.extend(rendered.findings);
        made.diffs.extend(rendered.diffs);
    }
    if let Some(env) = made.files.iter_mut().find(|file| file.path == deployment.path(path::ENV).to_string_lossy()) {
        // The hash of the configuration may have been written since.
        let action = env.action;
        *env = FileEntry::of(deployment, path::ENV, action);
    }
    made.current = (deployment.writes() == writes).then_some(current);
    Ok(())
}

/// What is known without the tunnel's domain.
fn without_domain(
    deployment: &Deployment,
    made_by: Option<Maker>,
    current: &Current,
    fault: Option<Finding>,
    verbose: bool,
    caller: &Caller,
) -> Report<InitData> {
    let root = deployment.root().display();
    let standing = Standing::live(current, deployment, caller);
    let summary = match (&fault, made_by) {
        (None, None) => format!("{root} has no deployment yet; {}", standing.in_words()),
        (None, Some(_)) => format!("{root} does not name its tunnel; {}", standing.in_words()),
        (Some(fault), _) => format!("nothing was written in {root}: {}", fault.title),
    };
    let data = InitData {
        dir: deployment.root().to_string_lossy().into_owned(),
        domain: current.checked_domain().ok().flatten(),
        files: Vec::new(),
        ca: None,
        server: None,
        token: token_name(&current.found, deployment, caller),
        routes: current.routes(),
        made_by,
        replica_of: None,
        step: standing.progress.step(),
        steps: standing.progress.steps(verbose),
        diffs: Vec::new(),
    };
    let next = match &fault {
        Some(_) => vec![steps::again(current, caller)],
        None => steps::next(&standing.progress, current, deployment, caller),
    };
    let of_env = fault.into_iter().chain(current.found.env().and_then(scaffold::env_fault));
    let findings = of_env.chain(current.found.faults()).chain(current.gateway_fault()).collect();
    Report { findings, skipped: standing.skipped, next, ..Report::new(summary, data) }
}
