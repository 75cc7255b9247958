//! `export`: the deployment for a Kubernetes cluster, or for another Docker host.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Error, Finding, Layer, Next, Report, Severity, Subject, count};
use crate::caller::{Caller, quote};
use crate::config::gateway::Gateway;
use crate::deployment::replica::{Replica, Scope};
use crate::deployment::{Deployment, Domain, TokenState};
use crate::export::helm;
use crate::export::parts::{ExportState, LeftOut, RouteExport};
use crate::export::replica::pack;
use crate::lint::checks;
use crate::lint::facts::Facts;
use crate::os::archive;
use crate::os::directory::Directory;
use crate::os::files::{Action, FileEntry};
use crate::rules::{self, RuleId};
use crate::steps;

/// The request of `export`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExportRequest {
    /// For whom.
    to: Option<To>,
    /// With `helm` a new folder, or one of an earlier export; with `replica` a new file that ends in `.tar.gz` or `.tgz`.
    out: Option<String>,
    /// With `replica`: only this, for a replica that is there already.
    only: Option<Only>,
    /// With `helm`: also write `secrets.yaml`, which holds the token in plain text.
    include_token: bool,
}

/// For whom an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum To {
    /// Anthropic's Helm chart, in a Kubernetes cluster.
    #[default]
    Helm,
    /// Another Docker host, as a replica of this deployment.
    Replica,
}

/// A part of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Only {
    /// The certificates, after a renewal.
    Certificate,
}

/// What `export` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct ExportData {
    /// For whom.
    to: To,
    /// Absolute path of the folder or file.
    out: String,
    /// The tunnel's domain.
    domain: Option<Domain>,
    /// What was written; empty where a finding says why nothing was.
    files: Vec<FileEntry>,
    /// The chart that the values are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    chart: Option<Chart>,
    /// Every route, and whether a cluster can serve it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<RouteExport>,
    /// Files inside the bundle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entries: Vec<String>,
    /// What is left out, and why.
    left_out: Vec<LeftOut>,
}

/// Anthropic's chart.
#[derive(Debug, Serialize, JsonSchema)]
struct Chart {
    /// Where it is published.
    reference: &'static str,
    /// The version that is installed.
    version: &'static str,
}

/// What a request asks for.
enum Asked {
    Helm { folder: Directory, include_token: bool },
    Replica { place: std::path::PathBuf, scope: Scope },
}

impl ExportRequest {
    fn asked(&self, deployment: &Deployment, caller: &Caller) -> Result<(Asked, String), Error> {
        let example = "{\"to\":\"helm\",\"out\":\"FOLDER\"} or {\"to\":\"replica\",\"out\":\"FILE.tar.gz\"}";
        let to = self
            .to
            .ok_or_else(|| Error::request("`to` is missing: `helm` or `replica`", format!("ask with {example}")))?;
        let out = self.out.as_deref().filter(|out| !out.is_empty());
        let out =
            out.ok_or_else(|| Error::request("`out` is missing: where to write", format!("ask with {example}")))?;
        if to == To::Helm && self.only.is_some() {
            return Err(Error::request(
                "`only` goes with `replica`",
                "leave it out; for a renewed certificate run `renew.sh` of the export",
            ));
        }
        if to == To::Replica && self.include_token {
            return Err(Error::request(
                "`include_token` is for `helm` only; a replica's bundle never holds the token",
                "leave it out, and run `token set` on the other host",
            ));
        }
        if self.include_token && caller.is_claude_code() {
            return Err(Error::request(
                "`include_token` writes the token into a file that Claude Code could read",
                "run the command in your own terminal, or leave it out: then the token enters no file",
            ));
        }
        let place = match to {
            To::Helm => archive::place(out, caller),
            To::Replica => archive::require_new("out", out, caller)?,
        };
        require_outside(&place, deployment)?;
        let shown = place.to_string_lossy().into_owned();
        Ok(match to {
            To::Helm => {
                let folder = Directory::new(place);
                helm::require_room(&folder)?;
                (Asked::Helm { folder, include_token: self.include_token }, shown)
            }
            To::Replica => {
                let scope = if self.only.is_some() { Scope::Certificate } else { Scope::Deployment };
                (Asked::Replica { place, scope }, shown)
            }
        })
    }
}

/// An export inside the deployment would become a part of the next one.
fn require_outside(place: &Path, deployment: &Deployment) -> Result<(), Error> {
    let there = place.ancestors().find_map(|above| above.canonicalize().ok());
    let root = deployment.root().canonicalize().unwrap_or_else(|_| deployment.root().to_path_buf());
    if place.starts_with(deployment.root()) || there.is_some_and(|there| there.starts_with(&root)) {
        return Err(Error::request(
            format!("`out` is inside the deployment directory: `{}`", place.display()),
            "name a place outside of it",
        ));
    }
    Ok(())
}

/// The command.
///
/// # Errors
/// `request` for what cannot be asked, `directory` for a deployment that cannot be exported or a folder with something
/// else in it, reading and writing errors.
pub(crate) fn run(
    deployment: &Deployment,
    request: &ExportRequest,
    caller: &mut Caller,
) -> Result<Report<ExportData>, Error> {
    deployment.require_begun()?;
    let (asked, out) = request.asked(deployment, caller)?;
    let facts = Facts::gather(deployment, &caller.clone())?;
    caller.domain = facts.domain.as_ref().map(ToString::to_string);
    caller.services = facts.services.clone();
    let (to, domain) = (request.to.unwrap_or_default(), facts.domain.clone());
    let data = ExportData { to, out, domain, ..ExportData::default() };
    let mut verdict = checks::judge(&facts);
    // The token may come later, and on the other side; each route is judged for itself.
    let of_routes = verdict.findings.extract_if(.., |f| matches!(f.subject, Some(Subject::Route { .. }))).collect();
    verdict.findings.retain(|f| f.layer != Layer::Edge);
    let (true, Some(gateway)) = (!verdict.is_fatal(), facts.gateway.good()) else {
        return nothing(data, verdict.findings, deployment);
    };
    match asked {
        Asked::Helm { folder, include_token } => to_helm(&facts, gateway, &folder, include_token, data, caller),
        Asked::Replica { place, scope } => {
            let mut report = to_replica(&facts, gateway, &place, scope, data, caller)?;
            report.findings.extend(faulty_routes(of_routes));
            Ok(report)
        }
    }
}

/// Faults of routes that a replica takes along: they keep neither host from being exported.
fn faulty_routes(findings: Vec<Finding>) -> impl Iterator<Item = Finding> {
    findings.into_iter().map(|finding| match finding.severity {
        Severity::Error => finding.with_severity(Severity::Warning),
        Severity::Warning | Severity::Note => finding,
    })
}

/// A deployment that does not work here does not work on another host.
fn nothing(data: ExportData, findings: Vec<Finding>, deployment: &Deployment) -> Result<Report<ExportData>, Error> {
    let faults: Vec<Finding> = findings.into_iter().filter(|f| f.severity == Severity::Error).collect();
    let Some(root) = rules::root(&faults) else {
        return Err(Error::Directory {
            message: format!("the proxy's configuration of `{}` cannot be read", deployment.root().display()),
            hint: "run `check`, and fix what it finds first".into(),
        });
    };
    let report = Report::new(format!("nothing was exported: {}", root.title), data);
    Ok(Report { findings: faults, ..report })
}

fn to_helm(
    facts: &Facts,
    gateway: &Gateway,
    folder: &Directory,
    include_token: bool,
    mut data: ExportData,
    caller: &Caller,
) -> Result<Report<ExportData>, Error> {
    let plan = helm::plan(facts, gateway, include_token)?;
    let mut findings = plan.findings();
    data.chart = Some(Chart { reference: helm::CHART, version: helm::VERSION });
    if !plan.has_route() {
        for finding in findings.iter_mut().filter(|f| f.id == RuleId::ExportRouteNotPortable) {
            finding.severity = Severity::Error;
        }
        (data.routes, data.left_out) = (plan.routes, plan.left_out);
        let summary = "nothing was exported: no route of this deployment can go to a cluster as it is";
        return Ok(Report { findings, ..Report::new(summary, data) });
    }
    let (files, more) = helm::write(folder, &plan)?;
    findings.extend(more);
    let changed = files.iter().filter(|file| matches!(file.action, Action::Created | Action::Updated)).count();
    let lost = plan.routes.iter().filter(|route| route.state == ExportState::NotPortable).count();
    let lost = if lost > 0 { format!("; {} cannot go along", count(lost, "route")) } else { String::new() };
    let carried = plan.routes.iter().filter(|route| route.state != ExportState::NotPortable).count();
    let summary = match changed {
        0 => format!("the export in {} is up to date ({}){lost}", data.out, count(carried, "route")),
        n => format!(
            "wrote {} for chart {} to {} ({}){lost}",
            count(n, "file"),
            helm::VERSION,
            data.out,
            count(carried, "route")
        ),
    };
    (data.files, data.routes, data.left_out) = (files, plan.routes, plan.left_out);
    let has_token = matches!(facts.token.state, TokenState::Set(_));
    let mut next = Vec::from_iter((!has_token).then(|| steps::token_step(caller)));
    let apply = quote(folder.path("apply.sh").as_os_str());
    next.push(Next::person(format!(
        "read {}, then install it with {apply} from a shell whose kubectl leads to the cluster",
        folder.path("README.md").display()
    )));
    Ok(Report { findings, next, ..Report::new(summary, data) })
}

fn to_replica(
    facts: &Facts,
    gateway: &Gateway,
    place: &Path,
    scope: Scope,
    mut data: ExportData,
    caller: &Caller,
) -> Result<Report<ExportData>, Error> {
    let packed = match pack::pack(facts, gateway, scope, place, caller)? {
        Ok(packed) => packed,
        Err(findings) => return nothing(data, findings, &facts.deployment),
    };
    let folder = Directory::new(place.parent().unwrap_or(Path::new("/")).to_path_buf());
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    data.files = vec![FileEntry::of(&folder, &name, Action::Created)];
    data.entries = packed.entries;
    data.left_out = packed.left_out;
    let files = count(data.entries.len(), "file");
    let (summary, next) = match scope {
        Scope::Certificate => (
            format!("packed the certificates into {}; it holds no secret", data.out),
            "copy the file to every replica and run there: mcp-tunnels-helper init --from FILE --dir DIRECTORY; the proxy reloads the certificate without a restart",
        ),
        Scope::Deployment => (
            format!("packed {files} into {}, without the CA's key and the token; it holds the server's key", data.out),
            "copy the file over an encrypted connection (scp) to the other host, run there: mcp-tunnels-helper init --from FILE, then token set, then up; delete the file on both hosts",
        ),
    };
    let mut findings = packed.findings;
    let replica = Replica::of(&facts.deployment).filter(|_| scope == Scope::Certificate);
    findings.extend(replica.map(|replica| replica.finding(Severity::Note)));
    Ok(Report { findings, next: vec![Next::person(next)], ..Report::new(summary, data) })
}
