//! The running stack: docker and docker compose with fixed arguments, and the live state of the containers as a value.

pub(crate) mod commands;
mod container;
mod docker;
mod engine;
mod journal;
mod live;
mod signs;
