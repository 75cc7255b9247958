//! A call from Claude that a person makes while the helper waits: how far it comes.

mod data;
mod judge;
mod observe;
#[cfg(test)]
mod tests;

pub(super) use data::{CallData, Waited, limit};
pub(super) use observe::wait;
