//! Where the files say something of a service.

use super::{Found, View};
use crate::config::yaml::{self, Value, at};
use crate::deployment::env_file::Variables;
use crate::model::merge;
use crate::model::sources::{ComposeFile, Pulled};
use crate::os::files::inside;
use crate::rules::At;

/// The value of a variable.
pub(in crate::model) type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl Found {
    /// File and line of the first of these keys of a service, as it is written in a block of its own.
    pub(crate) fn line_of_key(&self, service: &str, keys: &[&str]) -> Option<At> {
        let key = keys.iter().find(|key| self.service(service, key).is_some())?;
        let name = self.file_of(service, &[key]);
        let file = self.files().find(|file| file.name == name)?;
        Some((name.to_owned(), Some(yaml::line_of(&file.text, &["services", service, key])?)))
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

    /// The file and the line that set a variable of a service.
    pub(crate) fn line_of_variable(&self, service: &str, variable: &str) -> Option<(String, usize)> {
        let (name, line) = self.place_of_variable(service, variable)?;
        let text = || Some(&self.files().find(|file| file.name == name)?.text);
        let in_list = |text: &String| {
            let begin = yaml::line_of(text, &["services", service, "environment"])?;
            let sets = |line: &str| line.trim_start_matches([' ', '-', '"', '\'']).starts_with(variable);
            text.lines().skip(begin).position(sets).map(|at| begin + at + 1)
        };
        let line = line.or_else(|| {
            let text = text()?;
            yaml::line_of(text, &["services", service, "environment", variable]).or_else(|| in_list(text))
        })?;
        Some((name, line))
    }

    /// The file that sets a variable of a service, and its line where that is a file of variables.
    pub(crate) fn place_of_variable(&self, service: &str, variable: &str) -> Option<At> {
        let has_own = |file: &ComposeFile| {
            let own = file.tree().and_then(|tree| at(tree, &["services", service, "environment"]));
            own.is_some_and(|own| yaml::assignments(own).iter().any(|(name, _)| name == variable))
        };
        if let Some(file) = self.last(&has_own) {
            return Some((file.name.clone(), None));
        }
        let listed = self.in_order().filter_map(|file| at(file.tree()?, &["services", service, "env_file"]));
        let paths = listed.flat_map(merge::listed).filter_map(|(path, _)| inside(&path));
        let of_file = |path: String| {
            let text = String::from_utf8_lossy(self.env_files.get(&path)?.as_ref()?.as_bytes()).into_owned();
            let line = line_that_sets(&text, variable)?;
            Some((path, Some(line)))
        };
        paths.filter_map(of_file).last()
    }
}

/// The last line of a file of variables that sets one, from 1.
pub(crate) fn line_that_sets(text: &str, variable: &str) -> Option<usize> {
    let sets = |line: &str| {
        let line = line.trim_start();
        line.strip_prefix("export ").unwrap_or(line).split(['=', ':']).next().map(str::trim) == Some(variable)
    };
    text.lines().enumerate().filter(|(_, line)| sets(line)).last().map(|(at, _)| at + 1)
}

/// Whether a text has a word that is not part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

/// Whether a value or anything in it has a word.
fn mentions(value: &Value, word: &str) -> bool {
    match value {
        Value::Sequence(list) => list.iter().any(|item| mentions(item, word)),
        Value::Mapping(map) => map.iter().any(|(key, value)| mentions(key, word) || mentions(value, word)),
        Value::Tagged(tagged) => mentions(&tagged.value, word),
        value => yaml::scalar(value).is_some_and(|text| has_word(&text, word)),
    }
}

/// The files as Compose takes them, and where they have a word.
impl Found {
    /// The files whose services are those of the stack.
    pub(in crate::model) fn parts_of_stack(&self) -> impl Iterator<Item = &ComposeFile> {
        let pulled = self.pulled.iter().filter(|pulled| pulled.reference.is_part).map(|pulled| &pulled.file);
        pulled.chain(self.named())
    }

    /// Hands each file on, with what pulled it in, and with the values that its variables have.
    pub(in crate::model) fn with_variables(&self, take: &mut dyn FnMut(&ComposeFile, Option<&Pulled>, &Lookup<'_>)) {
        let env = self.env.as_ref().map(|env| env.values()).unwrap_or_default();
        self.named().for_each(|file| take(file, None, &|name| self.common(&env, name)));
        for pulled in &self.pulled {
            let files = pulled.reference.env_files.iter().filter_map(|path| self.env_file(path));
            let more: Vec<_> = files.map(|file| file.values()).collect();
            let of_files = |name: &str| more.iter().find_map(|values| values.get(name).map(ToString::to_string));
            take(&pulled.file, Some(pulled), &|name| self.common(&env, name).or_else(|| of_files(name)));
        }
    }

    /// The value of a variable in every file: `env` are those of `.env`.
    pub(super) fn common(&self, env: &Variables<'_>, name: &str) -> Option<String> {
        env.get(name).map(ToString::to_string).or_else(|| self.shell.get(name).cloned())
    }

    /// File and line of a word below a key: of the last file that has it there, otherwise of the last that has the key.
    pub(in crate::model) fn place_of(&self, path: &[&str], word: &str) -> At {
        let path = path.strip_suffix(&[""]).unwrap_or(path);
        let last = |test: &dyn Fn(&Value) -> bool| {
            self.last(&|file| file.tree().and_then(|tree| at(tree, path)).is_some_and(test))
        };
        let file = last(&|value| mentions(value, word)).or_else(|| last(&|_| true));
        let file = file.or_else(|| {
            let name = self.file_of(path.get(1)?, &[]);
            self.files().find(|file| file.name == name)
        });
        match file.or(self.main.as_ref()) {
            Some(file) => (file.name.clone(), self.place_in(file, path, word)),
            None => (crate::deployment::path::COMPOSE.to_owned(), None),
        }
    }

    /// Line of a word below a key of a file; where the word is written elsewhere (an anchor), the line of the key.
    pub(in crate::model) fn place_in(&self, file: &ComposeFile, path: &[&str], word: &str) -> Option<usize> {
        let lines: Vec<&str> = file.text.lines().collect();
        let mut block = 0..lines.len();
        let mut is_found = false;
        for key in path.iter().filter(|key| !yaml::is_place(key)) {
            let Some(inner) = yaml::below(&lines, block.clone(), key) else { break };
            (block, is_found) = (inner, true);
        }
        let is_code = |line: &str| !line.trim_start().starts_with('#');
        let has = |at: &usize| !word.is_empty() && is_code(lines[*at]) && has_word(lines[*at], word);
        let elsewhere = || (0..lines.len()).find(has).filter(|_| !is_found);
        block.clone().find(has).or_else(elsewhere).or(is_found.then_some(block.start)).map(|at| at + 1)
    }
}
