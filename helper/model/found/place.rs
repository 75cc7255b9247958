//! Where the files say something of a service.

use super::{Found, View};
use crate::config::yaml::{self, Value, at};
use crate::model::merge;
use crate::model::sources::ComposeFile;
use crate::os::files::inside;

impl Found {
    /// File and line of the first of these keys of a service, as it is written in a block of its own.
    pub(crate) fn line_of_key(&self, service: &str, keys: &[&str]) -> Option<(String, usize)> {
        let key = keys.iter().find(|key| self.service(service, key).is_some())?;
        let name = self.file_of(service, &[key]);
        let file = self.files().find(|file| file.name == name)?;
        Some((name.to_owned(), yaml::line_of(&file.text, &["services", service, key])?))
    }

    /// Whether the files from which a service has variables were read.
    pub(crate) fn knows_variables(&self, service: &str) -> bool {
        let is_read = |(path, is_needed): (String, bool)| {
            let file = inside(&path).and_then(|path| self.env_files.get(&path));
            file.is_some_and(|file| file.is_some() || !is_needed)
        };
        let named = self.service(service, "env_file").map(merge::listed).unwrap_or_default();
        // Compose itself reads the files into `environment`.
        self.view == View::Compose || named.into_iter().all(is_read)
    }

    /// The file that sets a variable of a service, and its line where that is a file of variables.
    pub(crate) fn place_of_variable(&self, service: &str, variable: &str) -> Option<(String, Option<usize>)> {
        let has_own = |file: &&ComposeFile| {
            let own = file.value.as_ref().ok().and_then(|value| at(value, &["services", service, "environment"]));
            own.is_some_and(|own| match own {
                Value::Mapping(map) => map.keys().any(|key| key.as_str() == Some(variable)),
                list => yaml::texts(list).iter().any(|entry| entry.split('=').next() == Some(variable)),
            })
        };
        let files: Vec<&ComposeFile> = self.pulled.iter().map(|pulled| &pulled.file).chain(self.named()).collect();
        if let Some(file) = files.iter().rev().find(|file| has_own(file)) {
            return Some((file.name.clone(), None));
        }
        let listed = files.iter().filter_map(|file| at(file.value.as_ref().ok()?, &["services", service, "env_file"]));
        let paths = listed.flat_map(merge::listed).filter_map(|(path, _)| inside(&path));
        let of_file = |path: String| {
            let text = String::from_utf8_lossy(self.env_files.get(&path)?.as_ref()?.as_bytes()).into_owned();
            let sets = |line: &str| {
                let line = line.trim_start();
                line.strip_prefix("export ").unwrap_or(line).split(['=', ':']).next().map(str::trim) == Some(variable)
            };
            let line = text.lines().enumerate().filter(|(_, line)| sets(line)).last()?.0;
            Some((path, Some(line + 1)))
        };
        paths.filter_map(of_file).last()
    }
}
