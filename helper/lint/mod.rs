//! `check`'s judgement of a deployment on disk: facts, then a table of checks.

pub(crate) mod checks;
pub(crate) mod facts;
pub(crate) mod secrets;
