//! Whole-binary tests, one file a promise.

mod support;

mod bad_input;
mod certs;
mod check;
mod connect;
mod contract;
mod docker_faults;
mod engine;
mod init;
mod render;
mod sample;
mod token;
