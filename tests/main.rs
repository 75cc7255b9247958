//! Whole-binary tests, one folder a promise.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod certs;
mod commands;
mod contract;
mod diagnose;
mod docs;
mod engine;
mod export;
mod field;
mod launcher;
mod plugin;
mod preflight;
mod release;
mod safety;
