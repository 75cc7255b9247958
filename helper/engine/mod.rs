//! The Docker client and what its engine says: versions, containers, errors. Knows nothing of tunnels.

pub(crate) mod client;
pub(crate) mod container;
pub(crate) mod errors;
mod stream;
pub(crate) mod version;
