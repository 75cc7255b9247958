//! The commands on the deployment directory, one file a command.

mod check;
mod check_certificates;
mod check_proxy;
mod check_refused;
mod confinement;
mod connect;
mod directory;
mod edited;
mod init;
mod logs;
mod namespace;
mod privileges;
mod probe;
mod prompt;
mod render;
mod rendered;
mod sample;
mod servers;
mod takeover;
mod token;
mod token_check;
