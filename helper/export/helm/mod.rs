//! For Anthropic's Helm chart with manual credentials: values, the sample, scripts that make the Secrets, a guide.
//!
//! What no page of Anthropic's names is not written. The chart, its version and its values: the pages *Deploy with Helm*
//! and *Reference* of MCP tunnels, 2026-08-13 to 2026-09-26.

mod fill;
mod guide;
mod routes;
mod sample;
mod scripts;
mod secrets;
mod settings;
mod values;

use std::fs;
use std::path::Path;

use crate::answer::{Error, Finding, Subject};
use crate::config::gateway::Gateway;
use crate::config::stamp::{Authorship, origin};
use crate::deployment::{DIR_MODE, OPEN_MODE, SECRET_MODE};
use crate::export::parts::{ExportState, LeftOut, RouteExport, domain, left_behind, pair};
use crate::lint::facts::Facts;
use crate::os::batch::Batch;
use crate::os::directory::Directory;
use crate::os::files::{self, Action, FileEntry};
use crate::os::litter;
use crate::rules::{self, RuleId};

pub(crate) use values::{CHART, VERSION};

/// The file by which a folder is known to be an export.
const VALUES: &str = "values.yaml";
/// The file with the token, if it was asked for.
const SECRETS: &str = "secrets.yaml";
/// Names in a folder that are looked at.
const MOST: usize = 2000;
/// Scripts are run by name.
const SCRIPT_MODE: u32 = 0o755;

/// One file on its way to the folder.
struct Planned {
    name: &'static str,
    text: String,
    mode: u32,
}

/// What an export would write, and what it says of the routes and settings.
pub(crate) struct HelmPlan {
    files: Vec<Planned>,
    pub(crate) routes: Vec<RouteExport>,
    /// Settings and services that the chart's pages do not name.
    pub(crate) left_out: Vec<LeftOut>,
}

impl HelmPlan {
    /// Whether a route goes along: without one the proxy does not start.
    pub(crate) fn has_route(&self) -> bool {
        self.routes.iter().any(|route| route.state != ExportState::NotPortable)
    }

    /// The findings about routes and settings.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let about = |route: &RouteExport| {
            let rule = match route.state {
                ExportState::Carried => return None,
                ExportState::NeedsService => RuleId::ExportRouteNeedsService,
                ExportState::NotPortable => RuleId::ExportRouteNotPortable,
            };
            let said = route.instead.clone().unwrap_or_default();
            Some(rules::finding(rule).about(Subject::route(&route.name)).with(said))
        };
        let left_behind = left_behind(RuleId::ExportSettingLeftOut, &self.left_out);
        self.routes.iter().filter_map(about).chain(left_behind).collect()
    }
}

/// Decides on every file, from facts alone.
///
/// # Errors
/// `request` when a token is to be included and is missing; `directory` for a configuration that cannot be written.
pub(crate) fn plan(facts: &Facts, gateway: &Gateway, include_token: bool) -> Result<HelmPlan, Error> {
    let domain = domain(facts)?;
    let sample = sample::Sample::of(facts);
    let routes = routes::judge(facts, gateway, domain, sample.is_some());
    let mut left_out = settings::left_out(facts, gateway);
    let scripts = scripts::Scripts {
        domain,
        dir: facts.deployment.root(),
        pair: pair(facts)?,
        token: secrets::TokenSource::of(&facts.token),
        services: routes.iter().filter_map(|route| route.service.as_deref()).collect(),
        has_sample: sample.is_some(),
        has_secrets: include_token,
    };
    let text = |name, text, mode| Planned { name, text, mode };
    // The file by which a killed export is known again comes first.
    let mut files = vec![text(VALUES, values::text(gateway, domain, &routes), OPEN_MODE)];
    if include_token {
        files.push(text(SECRETS, secrets::manifest(facts, &scripts.pair)?, SECRET_MODE));
    }
    if let Some(sample) = &sample {
        files.push(text("sample.yaml", sample.manifest()?, OPEN_MODE));
        left_out.extend(sample.edited());
    }
    files.push(text("apply.sh", scripts.apply(), SCRIPT_MODE));
    files.push(text("renew.sh", scripts.renew(), SCRIPT_MODE));
    files.push(text("README.md", guide::text(&scripts, &routes, &left_out), OPEN_MODE));
    Ok(HelmPlan { files, routes, left_out })
}

/// A folder for an export: a new one, an empty one, or one that holds an earlier export.
///
/// # Errors
/// `directory` for a folder with anything else in it; `io` when it cannot be looked at.
pub(crate) fn require_room(folder: &Directory) -> Result<(), Error> {
    let root = folder.root();
    match fs::metadata(root) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(taken(root, "is not a folder")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && fs::symlink_metadata(root).is_err() => return Ok(()),
        Err(e) => return Err(Error::io("look at", root, e)),
    }
    let names = files::names(folder, "", MOST)?;
    // What a killed export left is not a person's, and is removed by the next.
    let mut names = names.into_iter().filter(|name| !litter::is_temporary(name));
    let is_export = || {
        let text = files::read_text(folder, VALUES).ok().flatten();
        text.is_some_and(|text| origin(&text) != Authorship::Foreign)
    };
    if names.next().is_some() && !is_export() { Err(taken(root, "is not empty and holds no export")) } else { Ok(()) }
}

fn taken(root: &Path, what: &str) -> Error {
    Error::directory(
        format!("`{}` {what}; nothing was written", root.display()),
        "name a folder in `out` that does not exist yet",
    )
}

/// Writes the files: new ones, and those of an earlier export that were not edited since.
pub(crate) fn write(folder: &Directory, plan: &HelmPlan) -> Result<(Vec<FileEntry>, Vec<Finding>), Error> {
    if fs::symlink_metadata(folder.root()).is_err() {
        files::make_dir(folder, "", DIR_MODE)?;
    }
    litter::sweep(folder, "", |name| plan.files.iter().any(|file| file.name == name) || name == SECRETS);
    let (mut batch, mut done, mut findings) = (Batch::new(folder), Vec::new(), Vec::new());
    for Planned { name, text, mode } in &plan.files {
        let action = match files::read_text(folder, name) {
            Ok(None) => {
                batch.create(name, text.as_bytes(), *mode)?;
                Action::Created
            }
            Ok(Some(old)) if old == *text => Action::Unchanged,
            Ok(Some(old)) if origin(&old) == Authorship::Ours => {
                batch.replace(name, text.as_bytes(), Some(*mode), *mode)?;
                Action::Updated
            }
            Ok(Some(_)) | Err(Error::Unexpected { .. }) => {
                findings.push(rules::finding(RuleId::EditNotReplaced).about(Subject::file(*name)));
                Action::Kept
            }
            Err(error) => return Err(error),
        };
        done.push((name, action));
    }
    batch.commit()?;
    // Also one that an earlier export left.
    if let Ok(Some(_)) = files::metadata(folder, SECRETS) {
        let place = folder.path(SECRETS);
        findings.push(rules::finding(RuleId::ExportHoldsToken).with(format!("`{}`, mode 0600", place.display())));
    }
    Ok((done.into_iter().map(|(name, action)| FileEntry::of(folder, name, action)).collect(), findings))
}
