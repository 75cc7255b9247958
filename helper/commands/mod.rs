//! The commands: each takes a request, answers with a report. Leaves: nothing but the command line imports them.

pub(crate) mod allow;
pub(crate) mod certs;
pub(crate) mod check;
pub(crate) mod connect;
pub(crate) mod down;
pub(crate) mod export;
pub(crate) mod init;
mod kept;
pub(crate) mod logs;
pub(crate) mod probe;
pub(crate) mod render;
pub(crate) mod rules;
pub(crate) mod schema;
pub(crate) mod stack;
pub(crate) mod token;
mod watch;
