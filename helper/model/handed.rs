//! What `configs:` and `secrets:` hand to a service.

use super::mounts::within;
use super::stack::{ComposeStack, FileIn};
use crate::config::yaml::{self, Value, at};

/// Kinds of entries, with the folder in which one shows that names no other.
pub(super) const KINDS: [(&str, &str); 2] = [("configs", "/"), ("secrets", "/run/secrets/")];

impl ComposeStack {
    /// The entries of a kind that a service is given: each one's name, and the path at which it shows.
    pub(super) fn granted(&self, service: &str, kind: &str) -> Vec<(String, String)> {
        let folder = KINDS.iter().find(|(known, _)| *known == kind).map_or("/", |(_, folder)| folder);
        let entries = self.service(service, kind).and_then(Value::as_sequence);
        let one = |entry: &Value| {
            let source = yaml::scalar(entry).or_else(|| yaml::text(entry, &["source"]))?;
            let target = yaml::text(entry, &["target"]).unwrap_or_else(|| source.clone());
            Some((source, if target.starts_with('/') { target } else { format!("{folder}{target}") }))
        };
        entries.into_iter().flatten().filter_map(one).collect()
    }

    /// The entry of a service that shows at a path.
    pub(super) fn handed(&self, service: &str, path: &str) -> Option<FileIn> {
        KINDS.iter().find_map(|(kind, _)| {
            let granted = self.granted(service, kind).into_iter();
            granted.filter(|(_, target)| target == path).map(|(source, _)| self.declared(kind, &source)).next()
        })
    }

    /// What an entry holds, granted or not.
    pub(super) fn declared(&self, kind: &str, name: &str) -> FileIn {
        held(self.top(&[kind, name]), name, self.roots())
    }
}

/// What an entry of `configs` or `secrets` holds, as it is declared.
pub(super) fn held(entry: Option<&Value>, name: &str, roots: &[String]) -> FileIn {
    let said = |key: &str| entry.and_then(|entry| at(entry, &[key])).and_then(yaml::scalar);
    if let Some(file) = said("file") {
        return FileIn::Host(within(&file, roots));
    }
    let variable = said("environment").map(FileIn::Variable);
    variable.or_else(|| said("content").map(FileIn::Text)).unwrap_or_else(|| FileIn::Volume(name.to_owned()))
}
