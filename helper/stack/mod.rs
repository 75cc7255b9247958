//! The running stack: docker and docker compose with fixed arguments, and the live state of the containers as a value.

pub(crate) mod commands;
pub(crate) mod container;
pub(crate) mod docker;
pub(crate) mod engine;
pub(crate) mod journal;
pub(crate) mod live;
mod reach;
