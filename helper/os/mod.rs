//! The operating system: a directory and the files in it, child programs, git, archives. Knows nothing of tunnels.

pub(crate) mod archive;
pub(crate) mod batch;
pub(crate) mod directory;
pub(crate) mod files;
pub(crate) mod git;
pub(crate) mod holder;
pub(crate) mod litter;
pub(crate) mod lock;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod prompt;
pub(crate) mod settle;
