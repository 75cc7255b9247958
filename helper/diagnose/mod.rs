//! `diagnose`: what is wrong, with evidence and fix, in the order in which to fix it.

pub(crate) mod bundle;
mod call;
mod data;
pub(crate) mod judge;
pub(crate) mod live;
pub(crate) mod saved;
mod shown;
mod stale;
#[cfg(test)]
mod tests;

pub(crate) use data::{DiagnoseData, DiagnoseRequest, moment};
