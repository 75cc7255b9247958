//! What a deployment is: its files as they are found, and what its containers get.

pub(crate) mod absence;
pub(crate) mod address;
pub(crate) mod compose;
pub(crate) mod current;
pub(crate) mod environment;
pub(crate) mod found;
mod handed;
mod ingress;
mod merge;
pub(crate) mod mounts;
pub(crate) mod packages;
pub(crate) mod pair;
pub(crate) mod paths;
pub(crate) mod refused;
pub(crate) mod roles;
pub(crate) mod runs;
mod secrets;
pub(crate) mod sources;
pub(crate) mod stack;
pub(crate) mod token;
