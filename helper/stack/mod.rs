//! The running stack: what the files declare, what is seen of it, and what that adds up to.

pub(crate) mod act;
mod ask;
pub(crate) mod declared;
pub(crate) mod ended;
pub(crate) mod judge;
pub(crate) mod observe;
pub(crate) mod outcome;
mod pull;
mod reach;
mod recent;
pub(crate) mod silence;
pub(crate) mod snapshot;
pub(crate) mod wait;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::answer::{Error, Finding, Skipped};
use crate::caller::Caller;
use crate::certs::{audit, handshake};
use crate::check::Verdict;
use crate::deployment::Deployment;
use crate::deployment::outside;
use crate::engine::client::Docker;
use crate::engine::container::{self, Container, Listed};
use crate::engine::version;
use crate::lint::checks;
use crate::lint::facts::Facts;
use crate::model::current::{self, Current};
use crate::model::environment;
use crate::model::sources::ComposeFile;
use crate::os::process;
use crate::preflight;
use crate::probe::container::sweep;
use crate::rules::{self, Layer, RuleId, Severity};
use declared::Declared;

pub(crate) struct Stack<'a> {
    pub(crate) deployment: &'a Deployment,
    /// The client.
    pub(crate) docker: Docker,
    /// What the files say.
    pub(crate) declared: Declared,
    /// Warnings of the engine and of the checks.
    pub(crate) findings: Vec<Finding>,
    /// Checks of the files that could not run.
    pub(crate) skipped: Vec<Skipped>,
    /// The engine's clock minus this host's.
    pub(crate) clock_offset: time::Duration,
    first_look: Mutex<Option<Vec<Container>>>,
    /// Where recent answers of servers are kept, if anywhere.
    answers: Option<PathBuf>,
}

/// Why there is nothing to work with.
#[derive(Default)]
pub(crate) struct Refusal {
    pub(crate) findings: Vec<Finding>,
    /// Checks that could not run.
    pub(crate) skipped: Vec<Skipped>,
    /// Name of the Compose project, if it is known.
    pub(crate) project: Option<String>,
}

impl<'a> Stack<'a> {
    /// Reads the files and finds the engine, to look at what runs.
    ///
    /// # Errors
    /// `directory`, `io` and `tool`.
    pub(crate) fn open(deployment: &'a Deployment, caller: &mut Caller) -> Result<Result<Self, Refusal>, Error> {
        deployment.require_begun()?;
        let current = Current::read(deployment);
        if let Ok(Some(domain)) = current.known_domain() {
            caller.domain = Some(domain.to_string());
        }
        Self::of(deployment, current, caller)
    }

    /// The same to start something: nothing is started that the checks know to be broken.
    pub(crate) fn open_checked(
        deployment: &'a Deployment,
        caller: &mut Caller,
    ) -> Result<Result<Self, Refusal>, Error> {
        Ok(Self::open_for(deployment, caller, false)?.map(|(stack, _)| stack))
    }

    /// The same for a rehearsal, which needs no token; whether there is one is reported separately.
    pub(crate) fn open_rehearsal(
        deployment: &'a Deployment,
        caller: &mut Caller,
    ) -> Result<Result<(Self, bool), Refusal>, Error> {
        Self::open_for(deployment, caller, true)
    }

    fn open_for(
        deployment: &'a Deployment,
        caller: &mut Caller,
        is_rehearsal: bool,
    ) -> Result<Result<(Self, bool), Refusal>, Error> {
        let snapshot = caller.clone();
        let facts = Facts::gather(deployment, &snapshot)?;
        caller.domain = facts.domain.as_ref().map(ToString::to_string);
        let mut verdict = checks::judge(&facts);
        let keeps_from_edge = |f: &Finding| f.layer == Layer::Edge && f.severity == Severity::Error;
        let has_token = !verdict.findings.iter().any(keeps_from_edge);
        if is_rehearsal {
            verdict.findings.retain(|f| !keeps_from_edge(f));
            shake_hands(&facts, &mut verdict);
        }
        if verdict.is_fatal() {
            caller.services = facts.services.clone();
            let (findings, skipped) = (verdict.findings, verdict.skipped);
            return Ok(Err(Refusal { findings, skipped, project: facts.project() }));
        }
        Ok(Self::of(deployment, facts.current, caller)?.map(|mut stack| {
            stack.findings.extend(verdict.findings);
            stack.findings.extend(preflight::disk::before_start());
            stack.skipped = verdict.skipped;
            (stack, has_token)
        }))
    }

    /// Finds the engine for files that were read.
    pub(crate) fn of(
        deployment: &'a Deployment,
        current: Current,
        caller: &mut Caller,
    ) -> Result<Result<Self, Refusal>, Error> {
        caller.services = current.services.clone();
        let project = current.found.project(deployment);
        if let Some(finding) = unreadable(&current, project.as_deref()) {
            return Ok(Err(Refusal { findings: vec![finding], project, ..Refusal::default() }));
        }
        let passed = environment::passed(deployment, &current.found, caller);
        environment::guard(&passed);
        let this_shell = environment::finding(&passed);
        let Some(docker) = Docker::find(deployment.root(), passed, caller.progress) else {
            let findings = vec![rules::finding(RuleId::DockerMissing)];
            return Ok(Err(Refusal { findings, project, ..Refusal::default() }));
        };
        let project = project.unwrap_or_default();
        let asked = ask_all(&docker, caller.var("DOCKER_HOST"), &project)?;
        let mut findings = asked.findings;
        let refused = |findings, project| Ok(Err(Refusal { findings, project: Some(project), ..Refusal::default() }));
        if !version::is_usable(&findings) {
            return refused(findings, project);
        }
        let containers = match asked.listed {
            Ok(containers) => containers,
            Err(finding) => return refused(vec![finding], project),
        };
        if let Some(conflict) = conflict(&project, deployment.root(), &containers) {
            return refused(vec![conflict], project);
        }
        findings.extend(this_shell);
        let declared = Declared { project, current };
        let (clock_offset, first_look) = (asked.clock_offset, Mutex::new(Some(containers)));
        let answers = outside::place(deployment, caller, "answers").ok().flatten();
        let skipped = Vec::new();
        Ok(Ok(Self { deployment, docker, declared, findings, skipped, clock_offset, first_look, answers }))
    }

    /// The containers of the project; none where docker cannot list them.
    pub(crate) fn containers(&self) -> Result<Vec<Container>, Error> {
        Ok(container::of_project(&self.docker, &self.declared.project)?.unwrap_or_default())
    }

    /// The containers as they were just seen, when the stack was opened or after the last act: once.
    pub(crate) fn first_look(&self) -> Option<Vec<Container>> {
        self.first_look.lock().ok()?.take()
    }

    /// Hands on what was just seen to the next look.
    fn look_again_with(&self, containers: Vec<Container>) {
        if let Ok(mut look) = self.first_look.lock() {
            *look = Some(containers);
        }
    }
}

/// What the engine said when it was first asked.
struct Asked {
    /// What is wrong with it, or worth a warning.
    findings: Vec<Finding>,
    /// Its clock minus this host's.
    clock_offset: time::Duration,
    listed: Listed,
}

/// Everything that needs nothing but the engine, at once: each question takes tens of milliseconds. What a killed helper
/// left is removed on the way.
fn ask_all(docker: &Docker, docker_host: Option<&OsStr>, project: &str) -> Result<Asked, Error> {
    let (findings, (swept, (clock_offset, listed))) = process::both(
        || version::check(docker, docker_host),
        || {
            process::both(
                || sweep(docker).map(drop),
                || process::both(|| version::clock_offset(docker), || container::of_project(docker, project)),
            )
        },
    );
    swept?;
    Ok(Asked { findings: findings?, clock_offset, listed: listed? })
}

/// Id, or its beginning, under which a handshake is skipped.
pub(crate) const HANDSHAKE: &str = "handshake";

/// The handshake of Claude's side with the files that the proxy reads, one a route: the inner protocol of the proxy's port
/// is not documented, so its port cannot be asked for it.
fn shake_hands(facts: &Facts, verdict: &mut Verdict) {
    let Some(judged) = &facts.certificates else {
        verdict.skipped.push(Skipped::new(HANDSHAKE, "the proxy's certificate cannot be read from here"));
        return;
    };
    let handshakes = handshake::rehearse(&judged.facts);
    verdict.findings.extend(handshakes.finding(&judged.findings));
    for (host, outcome) in &handshakes.0 {
        if let audit::Tested::Skip(why) = outcome {
            verdict.skipped.push(Skipped::new(format!("{HANDSHAKE}:{host}"), why.clone()));
        }
    }
}

/// Why Compose could not read the files, as far as that needs no Compose.
fn unreadable(current: &Current, project: Option<&str>) -> Option<Finding> {
    let Some(main) = &current.found.main else {
        return Some(current::compose_file_missing(current.gateway.good()));
    };
    if let Some(finding) = [Some(main), current.found.over.as_ref()].into_iter().flatten().find_map(ComposeFile::fault)
    {
        return Some(finding);
    }
    let text = "the project's name depends on a variable, or on a folder name without ASCII letters";
    project.is_none().then(|| rules::finding(RuleId::ComposeYamlInvalid).with(text))
}

/// Containers of a project that another directory made.
pub(crate) fn conflict(project: &str, root: &Path, containers: &[Container]) -> Option<Finding> {
    let own = real(root);
    let foreign = |c: &Container| Some(PathBuf::from(c.folder.as_ref()?)).filter(|folder| real(folder) != own);
    let (name, folder) = containers.iter().find_map(|c| Some((&c.name, foreign(c)?)))?;
    Some(container::project_conflict(project, name, &folder))
}

pub(crate) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
