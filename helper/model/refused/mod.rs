//! What Compose refuses in the files, and what it cannot start from them, as far as that is seen without Compose.

mod names;
mod near;
mod places;
mod schema;
mod variables;

use super::found::{Found, View};
use super::token::TokenOrigin;
use crate::deployment::Deployment;
use crate::rules::{Refused, Severity};

pub(crate) use near::nearest;

/// One of them, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) file: String,
    /// From 1, where it is known.
    pub(crate) line: Option<usize>,
    pub(crate) severity: Severity,
    pub(crate) why: Refused,
}

impl Refusal {
    /// An error at a word below a key of the files.
    fn at(found: &Found, path: &[&str], word: &str, why: Refused) -> Self {
        let (file, line) = found.place_of(path, word);
        Self { file, line, severity: Severity::Error, why }
    }

    /// A service that waits for its profile is refused once that is active.
    fn when_started(mut self, is_started: bool) -> Self {
        if !is_started {
            self.severity = Severity::Warning;
        }
        self
    }
}

/// All of them. What Compose says itself, where it takes the files, is not judged again; a variable that the token comes
/// from has findings of its own.
pub(crate) fn of(found: &Found, deployment: &Deployment, token: &TokenOrigin) -> Vec<Refusal> {
    let mut all = variables::unset(found, token);
    if found.view == View::Files {
        all.extend(schema::faults(found));
        if knows_names(found) {
            all.extend(names::faults(found));
        }
    }
    all.extend(places::absent(found, deployment));
    all
}

/// Whether every file that could declare a name was read.
fn knows_names(found: &Found) -> bool {
    found.main.is_some() && !found.includes_others() && found.files().all(|file| file.value.is_ok())
}
