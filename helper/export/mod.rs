//! The same deployment for more machines: Helm values and scripts for a cluster, or a bundle for another Docker host.

pub(crate) mod helm;
pub(crate) mod parts;
pub(crate) mod replica;
