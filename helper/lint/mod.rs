//! `check`'s judgement of a deployment on disk: facts, then a table of checks.

mod absent;
pub(crate) mod checks;
mod directory;
pub(crate) mod facts;
mod listens;
pub(crate) mod pair;
mod place;
mod proxy;
mod reach;
mod refused;
pub(crate) mod routes;
pub(crate) mod secrets;
mod served;
mod stack;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
