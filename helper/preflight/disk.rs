//! Room for images on the engine's disk.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::answer::{Finding, Severity};
use crate::rules::{self, RuleId};

/// What the images and the sample's build take, unpacked, with room to spare.
const DISK_WANTED: u64 = 1 << 30;
/// With less than this nothing can be pulled.
const DISK_NEEDED: u64 = 256 << 20;

/// A folder of the engine's disk and the bytes that a user without privileges can still write there.
pub(super) type Free = (PathBuf, u64);

/// The engine's disk, from `docker info`; `None` if it is not a disk of this host.
pub(super) fn of_engine(info: &Value) -> Option<Free> {
    if info["OperatingSystem"].as_str() == Some("Docker Desktop") {
        return None;
    }
    free_space(Path::new(info["DockerRootDir"].as_str()?))
}

fn free_space(folder: &Path) -> Option<Free> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some((folder.to_path_buf(), found.f_bavail.saturating_mul(found.f_frsize)))
}

/// The finding about a disk with so many bytes left. Images that are there already take no more room.
pub(super) fn low(folder: &Path, free: u64, has_images: bool) -> Option<Finding> {
    let severity = match free {
        ..DISK_NEEDED if !has_images => Severity::Error,
        ..DISK_WANTED => Severity::Warning,
        _ => return None,
    };
    let text = format!("{} MiB are free in {}", free >> 20, folder.display());
    Some(rules::finding(RuleId::DiskLow).with(text).with_severity(severity))
}

/// What `up` checks before it starts anything: it costs no child process, and Compose reports it late or not at all.
pub(crate) fn before_start() -> Option<Finding> {
    // The directory of every Linux package; for another one, `preflight` asks the engine.
    let (folder, free) = free_space(Path::new("/var/lib/docker"))?;
    low(&folder, free, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_a_warning_and_none_an_error_unless_the_images_are_there() {
        let severity = |free, has| low(Path::new("/x"), free, has).map(|finding| finding.severity);
        assert_eq!(severity(DISK_WANTED, false), None);
        assert_eq!(severity(DISK_WANTED - 1, false), Some(Severity::Warning));
        assert_eq!(severity(DISK_NEEDED - 1, false), Some(Severity::Error));
        assert_eq!(severity(0, true), Some(Severity::Warning));
    }
}
