//! Why a container has no file where a program in it reads one, as far as the compose files prove it.

use super::found::Found;
use super::handed::{KINDS, held};
use super::mounts::Mounted;
use super::stack::FileIn;
use crate::config::yaml::{self, at};
use crate::deployment::{Deployment, path};
use crate::os::files::{self, inside};
use crate::rules::Absence;

/// Files of one folder that are looked at.
const MOST: usize = 32;

/// A file that a container could have.
pub(crate) struct Candidate<'a> {
    /// Its path: in the container, or inside the directory.
    pub(crate) path: &'a str,
    /// Its path inside the directory, if it is there.
    pub(crate) place: Option<&'a str>,
    pub(crate) text: &'a str,
}

/// What is asked about a path in a container.
pub(crate) struct Question<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) found: &'a Found,
    pub(crate) service: &'a str,
    pub(crate) path: &'a str,
    /// Whether a file is what the program wants.
    pub(crate) is_it: &'a dyn Fn(&Candidate<'_>) -> bool,
}

impl Question<'_> {
    /// Why there is no file; `None` where there is one, or where that cannot be told.
    pub(crate) fn answer(&self) -> Option<Absence> {
        let place = match self.found.file_in(self.service, self.path) {
            FileIn::Host(place) => {
                let place = inside(&place)?;
                match files::metadata(self.deployment, &place).ok()? {
                    Some(meta) if !meta.is_dir() => return None,
                    meta => Some((place, meta.is_some())),
                }
            }
            FileIn::Image if self.is_proven() => None,
            FileIn::Image | FileIn::Text(_) | FileIn::Variable(_) | FileIn::Volume(_) => return None,
        };
        if (self.is_it)(&Candidate { path: "", place: None, text: self.path }) {
            return Some(Absence::InPlaceOfPath);
        }
        if let Some(absence) = place.is_none().then(|| self.not_granted()).flatten() {
            return Some(absence);
        }
        if let Some(at) = self.shown_elsewhere() {
            return Some(Absence::Elsewhere { at });
        }
        Some(match place {
            Some((place, is_dir)) => {
                let folder = place.rsplit_once('/').map_or("", |(folder, _)| folder);
                let mounts = self.found.mounts(self.service);
                let is_mount = !mounts.iter().any(|mount| mount.bind() == Some(folder));
                Absence::Source { other: self.lying_in(folder), is_dir, is_mount, place }
            }
            None => Absence::Nothing { other: self.lying_in("") },
        })
    }

    /// Whether what the files do not show is not there.
    fn is_proven(&self) -> bool {
        self.found.is_known() && !self.found.includes_others() && self.found.is_stock(self.service)
    }

    /// An entry that would show at the path, or holds what is wanted. Compose leaves out of its model what no service is
    /// given, so the files are asked.
    fn not_granted(&self) -> Option<Absence> {
        KINDS.iter().find_map(|(kind, folder)| {
            let granted = self.found.granted(self.service, kind);
            let entries = self.found.parts().iter().filter_map(|part| at(part, &[kind])?.as_mapping()).flatten();
            let entries = entries.filter_map(|(name, entry)| Some((yaml::scalar(name)?, entry)));
            let mut open = entries.filter(|(name, _)| !granted.iter().any(|(source, _)| source == name));
            let is_at_path = |name: &str| self.path.strip_prefix(folder) == Some(name);
            let (name, _) = open.find(|(name, entry)| {
                is_at_path(name) || self.holds_it(self.path, &held(Some(entry), name, self.found.roots()))
            })?;
            Some(Absence::NotGranted { kind, is_at_path: is_at_path(&name), name })
        })
    }

    /// Another path in the container at which a file shows that is what is wanted.
    fn shown_elsewhere(&self) -> Option<String> {
        let granted = KINDS.iter().flat_map(|(kind, _)| {
            let entries = self.found.granted(self.service, kind).into_iter();
            entries.map(|(source, target)| (target, self.found.declared(kind, &source)))
        });
        let mounts = self.found.mounts(self.service).into_iter().flat_map(|mount| {
            let Mounted::Bind(source) = mount.source else { return Vec::new() };
            let below = inside(&source).map(|place| self.files_in(&place)).unwrap_or_default();
            let below = below.into_iter().map(|(name, place)| {
                let slash = if name.is_empty() { "" } else { "/" };
                (format!("{}{slash}{name}", mount.target), FileIn::Host(place))
            });
            below.collect()
        });
        granted.chain(mounts).find(|(target, file)| target != self.path && self.holds_it(target, file)).map(|(t, _)| t)
    }

    /// The file itself, or those of a folder: name behind the path, and path inside the directory.
    fn files_in(&self, place: &str) -> Vec<(String, String)> {
        if !files::metadata(self.deployment, place).ok().flatten().is_some_and(|meta| meta.is_dir()) {
            return vec![(String::new(), place.to_owned())];
        }
        let mut names = files::names(self.deployment, place, MOST).unwrap_or_default();
        names.sort();
        let slash = if place.is_empty() { "" } else { "/" };
        names.into_iter().map(|name| (name.clone(), format!("{place}{slash}{name}"))).collect()
    }

    /// A file of a folder, or of those that people have, that is what is wanted.
    fn lying_in(&self, folder: &str) -> Option<String> {
        let folders = [folder, path::DATA, "config", "secrets", ""].into_iter();
        let mut places = folders.flat_map(|folder| self.files_in(folder)).map(|(_, place)| place);
        places.find(|place| self.holds_it(place, &FileIn::Host(place.clone())))
    }

    fn holds_it(&self, path: &str, file: &FileIn) -> bool {
        let text = match file {
            FileIn::Host(place) => {
                inside(place).and_then(|place| files::read_text(self.deployment, &place).ok().flatten())
            }
            FileIn::Text(text) => Some(text.clone()),
            FileIn::Variable(name) => self.found.env().and_then(|env| env.get(name)),
            FileIn::Volume(_) | FileIn::Image => None,
        };
        let place = if let FileIn::Host(place) = file { Some(place.as_str()) } else { None };
        text.is_some_and(|text| (self.is_it)(&Candidate { path, place, text: &text }))
    }
}
