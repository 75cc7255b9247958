//! One dangerous fact.

use crate::model::paths::is_remote;

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

impl Privilege {
    /// Why it is dangerous, where it is for another reason than most: those give a container this machine.
    pub(super) fn cause(&self) -> Option<&'static str> {
        let of_volume =
            |key: &str| self.key.starts_with("volumes.") && self.key.ends_with(key) && self.service.is_none();
        let is_context = matches!(self.key.as_str(), "build.context" | "build.additional_contexts");
        match self.key.as_str() {
            _ if of_volume(".external") || of_volume(".name") => Some(
                "Docker has one volume of a name: if another project made this one, the containers here read or change its data",
            ),
            _ if is_context && is_remote(&self.value) => {
                Some("what is built and run is fetched from elsewhere at that moment, and is not in this directory")
            }
            "environment" if self.service.is_none() => Some("a container gets a secret of this shell"),
            _ => None,
        }
    }

    /// Whether another fact says the same of a volume: one that is external has its name from elsewhere.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        let volume = self.key.strip_suffix(".name").filter(|key| key.starts_with("volumes."));
        volume.is_some_and(|volume| other.service.is_none() && other.key == format!("{volume}.external"))
    }
}
