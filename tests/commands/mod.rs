//! The commands on the deployment directory, one file a command.

mod check;
mod confinement;
mod connect;
mod directory;
mod init;
mod logs;
mod namespace;
mod privileges;
mod probe;
mod prompt;
mod render;
mod sample;
mod servers;
mod takeover;
mod token;
