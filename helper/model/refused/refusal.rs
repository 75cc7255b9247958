//! One fault of the files, and where it is.

use crate::model::found::Found;
use crate::rules::{Refused, Severity};

/// What Compose refuses, and where it is written.
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
    pub(super) fn at(found: &Found, path: &[&str], word: &str, why: Refused) -> Self {
        let (file, line) = found.place_of(path, word);
        Self { file, line, severity: Severity::Error, why }
    }

    /// A service that waits for its profile is refused once that is active.
    pub(super) fn when_started(mut self, is_started: bool) -> Self {
        if !is_started {
            self.severity = Severity::Warning;
        }
        self
    }
}
