//! What a stack may do to this host only when a person wants it: privileges, host namespaces, the engine's socket,
//! devices, and files from outside of the directory. A directory may come from anywhere, and `up` is called by a model.

pub(crate) mod consent;
mod outside;
mod place;
mod privilege;
mod rows;

use std::collections::BTreeSet;

pub(crate) use privilege::Privilege;

use crate::config::yaml::{self, at};
use crate::deployment::{Deployment, env_file};
use crate::hash::sha256_hex;
use crate::model::environment;
use crate::model::found::{Found, View};
use crate::os::files;
use crate::redact;
use crate::rules::{self, Evidence, Finding, Gap, RuleId, Severity, Subject};

/// Facts of which the line is looked for: each costs a pass over the files.
const MOST_PLACED: usize = 100;

/// All dangerous facts of a deployment.
#[derive(Debug, Default)]
pub(crate) struct Privileges {
    /// The facts, each with the file and the line that it comes from, where one is known.
    pub(crate) facts: Vec<(Privilege, Option<(String, usize)>)>,
    /// SHA-256 of the facts and of what runs with them, in hex.
    pub(crate) digest: String,
}

impl Privileges {
    /// Judges the files as Compose resolves them; where it cannot, the files themselves. A secret that
    /// `is_set` in the calling shell is one of its privileges: it goes to a container only because a file names it.
    pub(crate) fn of(found: &Found, deployment: &Deployment, is_set: &dyn Fn(&str) -> bool) -> Self {
        let root = deployment.root();
        let mut facts = BTreeSet::new();
        rows::of_model(found.tree(), root, &mut facts);
        for value in found.parts() {
            if found.view == View::Files {
                rows::of_model(value, root, &mut facts);
            }
            rows::of_source(value, root, &mut facts);
        }
        let mut secrets = environment::taken(found);
        secrets.retain(|name| redact::is_secret(name) && name != env_file::TOKEN);
        let of_shell = |value: &String| Privilege { service: None, key: "environment".into(), value: value.clone() };
        // The same consent holds in a shell that does not have it.
        let named: BTreeSet<Privilege> = facts.iter().cloned().chain(secrets.iter().map(of_shell)).collect();
        let digest = digest(&named, found, deployment);
        facts.extend(secrets.iter().filter(|name| is_set(name)).map(of_shell));
        let sources: Vec<(&str, &str)> = found.files().map(|file| (file.name.as_str(), file.text.as_str())).collect();
        let placed = facts.into_iter().enumerate().map(|(number, fact)| {
            let place = if number < MOST_PLACED { place::of(&sources, &fact) } else { None };
            (fact, place)
        });
        Self { facts: placed.collect(), digest }
    }

    /// The findings: errors until a person allowed exactly these facts, notes from then on.
    pub(crate) fn findings(&self, is_allowed: bool) -> Vec<Finding> {
        let finding = |(fact, place): &(Privilege, Option<(String, usize)>)| {
            let subject = match (&fact.service, place) {
                (Some(service), _) => Subject::service(service),
                (None, Some((file, line))) => Subject::File { name: file.clone(), line: Some(*line) },
                (None, None) => Subject::file("compose files"),
            };
            let mut evidence = Evidence::from(format!("`{}: {}`", fact.key, fact.value));
            if let Some((file, line)) = place {
                evidence.whose = Some(file.clone());
                evidence.line = u64::try_from(*line).ok();
            }
            let finding = rules::finding(RuleId::ComposePrivileges).about(subject).with(evidence);
            let mut finding = finding.fill(Gap::Digest, &self.digest);
            finding.cause = fact.cause().map_or(finding.cause, Into::into);
            if is_allowed { finding.with_severity(Severity::Note).with("a person allowed it") } else { finding }
        };
        let is_said = |fact: &Privilege| self.facts.iter().any(|(other, _)| fact.repeats(other));
        self.facts.iter().filter(|(fact, _)| !is_said(fact)).map(finding).collect()
    }
}

/// The facts, and of each service that has one what runs with it: consent to one program is not consent to another.
fn digest(facts: &BTreeSet<Privilege>, found: &Found, deployment: &Deployment) -> String {
    let mut all = String::new();
    let mut add = |text: &str| {
        all.push_str(&sha256_hex(text.as_bytes()));
    };
    for fact in facts {
        add(fact.service.as_deref().unwrap_or_default());
        add(&fact.key);
        add(&fact.value);
    }
    let services: BTreeSet<&str> = facts.iter().filter_map(|fact| fact.service.as_deref()).collect();
    for service in services {
        for key in ["image", "entrypoint", "command", "user", "build"] {
            // Compose's model spells out as null what the files leave out.
            let value = at(found.tree(), &["services", service, key]).filter(|value| !value.is_null());
            add(&value.and_then(|value| yaml::to_text(value).ok()).unwrap_or_default());
        }
        if let Some(build) = at(found.tree(), &["services", service, "build"]) {
            let root = deployment.root().to_string_lossy();
            let file = rows::dockerfile(build).and_then(|path| {
                let inside = path.strip_prefix(&*root).map_or(path.as_str(), |rest| rest.trim_start_matches('/'));
                files::read(deployment, &files::inside(inside)?).ok().flatten()
            });
            add(&sha256_hex(&file.unwrap_or_default()));
        }
    }
    sha256_hex(all.as_bytes())
}
