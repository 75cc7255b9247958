//! Errors: why a command could not answer. What a command found out is a finding, not an error.

use std::io;
use std::path::{Path, PathBuf};

/// Why a command could not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request line could not be understood.
    #[error("{0}")]
    Usage(String),
    /// The JSON request is malformed, or asks for something impossible.
    #[error("{message}")]
    Request {
        /// What is wrong with it.
        message: String,
        /// What would be right.
        hint: String,
    },
    /// The operating system refused something.
    #[error("cannot {act} `{}`: {}", path.display(), reason(source))]
    Io {
        /// A verb: `read`, `create`, `replace`.
        act: &'static str,
        /// The object.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A path of the deployment directory is not the kind of file that was expected.
    #[error("refusing to {act} `{}`: {what}", path.display())]
    Unexpected {
        /// A verb: `read`, `write`.
        act: &'static str,
        /// The object.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// A value cannot be written to `.env` so that Compose reads the same value back.
    #[error("refusing to change `{}`: {why}", path.display())]
    Env {
        /// The file.
        path: PathBuf,
        /// What Compose would refuse, and in which line.
        why: String,
    },
    /// The deployment directory is not known, or is unusable.
    #[error("{message}")]
    Directory {
        /// What is wrong with it.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The directory belongs to another tunnel.
    #[error(
        "`{}` is the deployment of {existing}; it cannot be used for {asked}, because its CA is registered with the tunnel {existing}",
        dir.display()
    )]
    OtherDomain {
        /// The deployment directory.
        dir: PathBuf,
        /// The domain it belongs to.
        existing: String,
        /// The domain in the request.
        asked: String,
    },
    /// Another process works on the same directory.
    #[error(
        "{} is working on `{}` and holds its lock",
        holder.as_deref().unwrap_or("another mcp-tunnels-helper"),
        dir.display()
    )]
    Busy {
        /// The deployment directory.
        dir: PathBuf,
        /// The process, as far as it can be seen.
        holder: Option<String>,
    },
    /// Another program printed something unexpected.
    #[error("{program} {what}")]
    Tool {
        /// The program with its arguments.
        program: String,
        /// What it did.
        what: String,
    },
    /// A certificate or key could not be made.
    #[error("cannot {act}: {why}")]
    Certificate {
        /// A verb and its object.
        act: &'static str,
        /// The reason.
        why: String,
    },
    /// A fault of the helper itself.
    #[error("internal error: {0}")]
    Internal(String),
}

/// The error text of the operating system without Rust's `(os error N)`.
pub(crate) fn reason(source: &io::Error) -> String {
    let text = source.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

impl Error {
    /// An I/O error with its act and object.
    pub(crate) fn io(act: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { act, path: path.to_path_buf(), source }
    }

    /// A request that cannot be followed.
    pub(crate) fn request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Request { message: message.into(), hint: hint.into() }
    }

    /// A directory, or what is in it, that the command cannot be for.
    pub(crate) fn directory(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Directory { message: message.into(), hint: hint.into() }
    }

    /// Stable kebab-case code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Request { .. } => "request",
            Self::Io { .. } => "io",
            Self::Unexpected { .. } => "unexpected-file",
            Self::Env { .. } => "env-invalid",
            Self::Directory { .. } => "directory",
            Self::OtherDomain { .. } => "other-domain",
            Self::Busy { .. } => "busy",
            Self::Tool { .. } => "tool",
            Self::Certificate { .. } => "certificate",
            Self::Internal(_) => "internal",
        }
    }

    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Usage(_) => "run `mcp-tunnels-helper --help`, or `mcp-tunnels-helper schema` for every request".into(),
            Self::Request { hint, .. } | Self::Directory { hint, .. } => hint.clone(),
            Self::Io { path, source, .. } => io_hint(path, source),
            Self::Unexpected { .. } => {
                "move it away, then run the command again; the helper reads and writes only regular files inside the deployment directory".into()
            }
            Self::Env { .. } => "fix that line of the file, then run the command again; nothing was changed".into(),
            Self::OtherDomain { dir, existing, .. } => format!(
                "for another tunnel, use another directory (`--dir`); to keep this one, ask for {existing} or leave `domain` out; if {existing} is mistyped and its CA is not registered yet, delete `{}` and run `init` again",
                dir.display()
            ),
            Self::Busy { .. } => "wait until it has finished, then run this command again".into(),
            Self::Tool { .. } => "run the program by hand and read its output".into(),
            Self::Certificate { .. } => "check the file that the message names; nothing was written".into(),
            Self::Internal(_) => "this is a bug; please report it with the command that you ran".into(),
        }
    }
}

fn io_hint(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("check who owns `{}` and its folder; files made with sudo belong to root", path.display())
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free disk space, then run the command again; no incomplete file was left".into()
        }
        io::ErrorKind::ReadOnlyFilesystem => "choose a directory on a writable file system (`--dir`)".into(),
        io::ErrorKind::NotFound => "check the path".into(),
        _ => "fix what the message names, then run the command again; no incomplete file was left".into(),
    }
}
