//! `preflight`: the host, the network, the time limit.

mod dropped;
mod engine;
mod host;
mod limits;
mod network;
