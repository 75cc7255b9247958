//! One dangerous fact.

/// One dangerous fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Privilege {
    /// The service that gets it; none for what a whole file asks for.
    pub(crate) service: Option<String>,
    /// Path of keys below the service, or below the file.
    pub(crate) key: String,
    /// The value that makes it dangerous.
    pub(crate) value: String,
}
