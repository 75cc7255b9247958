//! The running stack: docker and docker compose with fixed arguments, and the live state of the containers as a value.

pub(crate) mod commands;
mod environment;
pub(crate) mod journal;
pub(crate) mod live;
mod reach;
