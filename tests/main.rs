//! Whole-binary tests, one file a promise.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod advice;
mod answers;
mod bad_input;
mod broken_file;
mod bundle;
mod call;
mod canaries;
mod certs;
mod check;
mod connect;
mod contract;
mod crash;
mod diagnose;
mod diagnose_live;
mod docker_faults;
mod docs;
mod engine;
mod full_disk;
mod init;
mod launcher;
mod limits;
mod place;
mod plugin;
mod preflight;
mod preflight_limits;
mod preflight_network;
mod privileges;
mod probe;
mod prompt;
mod release;
mod render;
mod sample;
mod steps;
mod takeover;
mod terminal;
mod token;
