//! `init`: everything that can be done on this side, as often as one likes; and where a deployment stands.

mod standing;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use self::standing::Standing;
use crate::answer::{Error, Finding, Report, Severity, count};
use crate::caller::Caller;
use crate::certs::provision::{self, Lives};
use crate::certs::{CertificateInfo, Files, Judged, Purpose};
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::kind;
use crate::deployment::modes;
use crate::deployment::scaffold;
use crate::deployment::token::TokenStateName;
use crate::deployment::{DIR_MODE, Deployment, Domain, Maker, TokenState, path};
use crate::model::current::{self, Current};
use crate::model::found::Found;
use crate::os::files::{self, Action, FileEntry};
use crate::render;
use crate::render::plan::{Diff, Mode};
use crate::rules::{self, RuleId};
use crate::steps::{self, Step, StepId, StepState};

crate::config::settings::request_with_settings! {
    /// The request of `init`.
    InitRequest {
        /// The tunnel's domain as the Console shows it; needed the first time.
        domain: Option<Domain>,
        /// Whole diffs.
        verbose: bool,
        /// Also in a directory that holds another project, a plugin or a checkout.
        into_other_project: bool,
    }
}

/// A certificate as far as the next steps need it; `certs check` has all of it.
#[derive(Debug, Serialize, JsonSchema)]
struct CertificateShort {
    /// Lower-case hex of the SHA-256 of the DER, as the Console's API shows it. Only of the CA, which is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint_sha256: Option<String>,
    /// End of its validity, RFC 3339.
    not_after: String,
    /// Whole days until its end; negative when it is over.
    days_left: i64,
}

impl CertificateShort {
    fn of(info: CertificateInfo, registered: bool) -> Self {
        let CertificateInfo { fingerprint_sha256, not_after, days_left, .. } = info;
        Self { fingerprint_sha256: registered.then_some(fingerprint_sha256), not_after, days_left }
    }
}

/// What `init` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InitData {
    /// Absolute path of the deployment directory.
    dir: String,
    /// The tunnel's domain.
    domain: Option<Domain>,
    /// Every file of the deployment that was looked at.
    files: Vec<FileEntry>,
    /// The CA certificate.
    ca: Option<CertificateShort>,
    /// The server certificate.
    server: Option<CertificateShort>,
    /// The state of the token.
    token: TokenStateName,
    /// The routes.
    routes: BTreeMap<String, String>,
    /// Who made the deployment; `null` where there is none yet.
    made_by: Option<Maker>,
    /// The step to do now.
    step: StepId,
    /// Every step to a first call, in order.
    steps: Vec<Step>,
    /// Diffs of files that were edited by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diffs: Vec<Diff>,
}

/// The command.
///
/// # Errors
/// `other-domain` when the directory belongs to another tunnel, `request` for settings that cannot be, reading and
/// writing errors.
pub(crate) fn run(deployment: &Deployment, request: &InitRequest, caller: &Caller) -> Result<Report<InitData>, Error> {
    let settings = request.settings();
    let look = deployment.require_room(request.into_other_project)?;
    let present = Present::read(deployment);
    if let Some(fault) = &present.fault {
        return Ok(without_domain(deployment, look.maker(), &present, Some(fault), caller));
    }
    let known = present.domain.clone();
    let domain = match (&request.domain, known) {
        (Some(asked), Some(known)) if *asked != known => {
            return Err(Error::OtherDomain {
                dir: deployment.root().to_path_buf(),
                existing: known.to_string(),
                asked: asked.to_string(),
            });
        }
        (Some(asked), _) => asked.clone(),
        (None, Some(known)) => known,
        (None, None) if settings.is_empty() => {
            return Ok(without_domain(deployment, look.maker(), &present, None, caller));
        }
        (None, None) => {
            return Err(Error::request(
                "the first time `init` needs the tunnel's `domain`",
                "add {\"domain\":\"abcd1234.tunnel.anthropic.com\"}, with the domain that the Console shows under Connection",
            ));
        }
    };
    let only_report = request.domain.is_none() && settings.is_empty();
    let mut made = Made::default();
    if !only_report {
        make(deployment, &domain, &settings, request.verbose, caller, &mut made)?;
    }
    report(deployment, &domain, made, caller, only_report)
}

/// What was made.
#[derive(Debug, Default)]
struct Made {
    files: Vec<FileEntry>,
    findings: Vec<Finding>,
    diffs: Vec<Diff>,
}

fn make(
    deployment: &Deployment,
    domain: &Domain,
    settings: &crate::config::settings::Settings,
    verbose: bool,
    caller: &Caller,
    made: &mut Made,
) -> Result<(), Error> {
    let action = files::make_dir(deployment, "", DIR_MODE)?;
    let _lock = deployment.lock()?;
    // Whoever was first while this one waited for the lock has decided.
    if let Some(known) = current::known_domain(deployment)?
        && known != *domain
    {
        return Err(Error::OtherDomain {
            dir: deployment.root().to_path_buf(),
            existing: known.to_string(),
            asked: domain.to_string(),
        });
    }
    made.files.push(FileEntry::of(deployment, "", action));
    made.files.extend(scaffold::ensure_env_and_gitignore(deployment, Some(domain))?);

    let routes = current::route_labels(deployment, domain);
    let purpose = Purpose { domain, routes: &routes, now: caller.now };
    let issued = provision::issue(deployment, purpose, Lives::default())?;
    made.files.extend(issued.files);
    made.findings.extend(issued.judged.findings);

    // Settings, or a stack that is there already and may have lost a file.
    let has_stack = files::read(deployment, path::GATEWAY).ok().flatten().is_some();
    let faults = Found::read(deployment).faults();
    if !faults.is_empty() {
        // Nothing sensible can be written beside a compose file that cannot be read.
        made.findings.extend(faults);
    } else if !settings.is_empty() || has_stack {
        let mode = Mode { verbose, ..Mode::default() };
        let rendered = render::render(deployment, domain, settings, mode, caller.now)?;
        made.files.extend(rendered.files);
        made.findings.extend(rendered.findings);
        made.diffs.extend(rendered.diffs);
    }
    if let Some(env) = made.files.iter_mut().find(|file| file.path == deployment.path(path::ENV).to_string_lossy()) {
        // The hash of the configuration may have been written since.
        let action = env.action;
        *env = FileEntry::of(deployment, path::ENV, action);
    }
    files::sync_dir(deployment, "");
    Ok(())
}

/// What the files of a directory say before anything is written.
struct Present {
    env: Option<EnvFile>,
    found: Found,
    domain: Option<Domain>,
    /// Why the proxy's configuration cannot be used.
    gateway_fault: Option<Finding>,
    /// Why nothing can be written: the domain is mistyped, or `.env` cannot be read.
    fault: Option<Finding>,
}

impl Present {
    fn read(deployment: &Deployment) -> Self {
        let current = Current::read(deployment);
        let (domain, fault) = match current.checked_domain() {
            Ok(domain) => (domain, current.found.env_fault.clone()),
            Err(fault) => (None, current.found.env_fault.clone().or_else(|| Some(fault.finding()))),
        };
        Self {
            env: current.found.env().cloned(),
            gateway_fault: current.gateway_fault(),
            found: current.found,
            domain,
            fault,
        }
    }

    fn token(&self) -> TokenState {
        TokenState::of(self.env.as_ref().and_then(|env| env.get(env_file::TOKEN)).as_deref())
    }

    fn token_name(&self) -> TokenStateName {
        match &self.fault {
            Some(fault) if fault.id == RuleId::EnvUnreadable => TokenStateName::Unknown,
            Some(_) | None => self.token().name(),
        }
    }
}

/// What is known without the tunnel's domain.
fn without_domain(
    deployment: &Deployment,
    made_by: Option<Maker>,
    present: &Present,
    fault: Option<&Finding>,
    caller: &Caller,
) -> Report<InitData> {
    let root = deployment.root().display();
    let standing = Standing::live(deployment, caller);
    let summary = match (fault, made_by) {
        (None, None) => format!("{root} has no deployment yet; {}", standing.in_words()),
        (None, Some(_)) => format!("{root} does not name its tunnel; {}", standing.in_words()),
        (Some(fault), _) => format!("nothing was written in {root}: {}", fault.title),
    };
    let data = InitData {
        dir: deployment.root().to_string_lossy().into_owned(),
        domain: present.domain.clone(),
        files: Vec::new(),
        ca: None,
        server: None,
        token: present.token_name(),
        routes: current::routes(deployment),
        made_by,
        step: standing.progress.step(),
        steps: standing.progress.steps(),
        diffs: Vec::new(),
    };
    let mut report = Report::new(summary, data);
    report.findings.extend(fault.cloned());
    report.findings.extend(present.env.as_ref().and_then(scaffold::env_fault));
    report.findings.extend(present.found.faults());
    report.findings.extend(present.gateway_fault.clone());
    report.next = match fault {
        Some(_) => vec![steps::again(deployment, caller)],
        None => steps::next(&standing.progress, deployment, caller),
    };
    report.skipped = standing.skipped;
    report
}

fn report(
    deployment: &Deployment,
    domain: &Domain,
    made: Made,
    caller: &Caller,
    only_report: bool,
) -> Result<Report<InitData>, Error> {
    let env = scaffold::read_env(deployment)?;
    let token = TokenState::of(env.as_ref().and_then(|env| env.get(env_file::TOKEN)).as_deref());
    let routes = current::routes(deployment);
    let labels = current::route_labels(deployment, domain);
    let judged = Judged::new(Files::read(deployment), Purpose { domain, routes: &labels, now: caller.now });
    let found = Found::read(deployment);
    let standing = match only_report {
        true => Standing::live(deployment, caller),
        false => Standing::of_files(deployment, caller),
    };
    let made_by = kind::look(deployment)?.maker();
    let findings = findings(deployment, domain, env.as_ref(), &found, &judged, made.findings);
    let broken = findings.iter().any(|f| f.severity == Severity::Error);
    let created = made.files.iter().filter(|f| matches!(f.action, Action::Created | Action::Updated)).count();
    let what = match (broken, only_report, created) {
        (true, ..) => "the deployment is not complete".to_owned(),
        (false, true, _) => "the deployment is set up".to_owned(),
        (false, false, 0) => "nothing to change".to_owned(),
        (false, false, n) => format!("{} written", count(n, "file")),
    };
    let summary = format!("{domain}: {what}; {}", standing.in_words());
    let mut next = Vec::new();
    if broken {
        // Where something is broken, the later steps would be refused.
        next.push(steps::again(deployment, caller));
        let has_token = standing.progress.state(StepId::Token) == StepState::Done;
        next.extend((!has_token).then(|| steps::token_step(caller)));
    } else {
        next = steps::next(&standing.progress, deployment, caller);
    }
    let data = InitData {
        dir: deployment.root().to_string_lossy().into_owned(),
        domain: Some(domain.clone()),
        files: made.files,
        ca: judged.ca.map(|ca| CertificateShort::of(ca, true)),
        server: judged.server.map(|server| CertificateShort::of(server, false)),
        token: token.name(),
        routes,
        made_by,
        step: standing.progress.step(),
        steps: standing.progress.steps(),
        diffs: made.diffs,
    };
    let mut report = Report::new(summary, data);
    report.findings = findings;
    report.skipped = judged.skipped;
    report.skipped.extend(standing.skipped);
    report.next = next;
    Ok(report)
}

/// Findings about what is there now, and those about what was made that are not among them.
fn findings(
    deployment: &Deployment,
    domain: &Domain,
    env: Option<&EnvFile>,
    found: &Found,
    judged: &Judged,
    made: Vec<Finding>,
) -> Vec<Finding> {
    // Issuing judged the certificates without the routes: its findings count only where the present audit has none.
    let mut findings = if judged.facts.files.is_empty() { Vec::new() } else { judged.findings.clone() };
    findings.extend(made.into_iter().filter(|f| !judged.findings.iter().any(|known| known.id == f.id)));
    findings.extend(env.and_then(scaffold::env_fault));
    findings.extend(modes::open_directory(deployment));
    findings.extend(modes::foreign_data(deployment));
    if !domain.is_usual() {
        findings.push(rules::finding(RuleId::DomainUnusual).with(format!("the domain is {domain}")));
    }
    for fault in found.faults().into_iter().chain(Current::read(deployment).gateway_fault()) {
        if !findings.iter().any(|f| f.id == fault.id) {
            findings.push(fault);
        }
    }
    findings
}
