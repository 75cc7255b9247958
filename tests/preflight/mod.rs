//! `preflight`: the host, the network, the time limit.

mod host;
mod limits;
mod network;
