//! What a deployment is: its files as they are found, and what its containers get.

pub(crate) mod current;
pub(crate) mod found;
pub(crate) mod pair;
mod secrets;
