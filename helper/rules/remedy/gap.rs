//! Places in a row's fix that a case fills.

/// A gap in a row's fix that a case may fill; `Caller::fill` has the usual words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The group that may use Docker's socket.
    Group,
    /// How the log of a server is read.
    Logs,
    /// The digest of the privileges that a stack asks for.
    Digest,
}

impl Gap {
    /// As it is written in the table.
    pub(in crate::rules) const fn as_str(self) -> &'static str {
        match self {
            Self::Group => "{group}",
            Self::Logs => "{logs}",
            Self::Digest => "{digest}",
        }
    }
}
