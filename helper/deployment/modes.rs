//! Who on this host, and in the containers, may read or write the files of a deployment.

use std::collections::BTreeMap;

use super::{Deployment, kind, path};
use crate::answer::{Finding, Subject};
use crate::list::first;
use crate::os::files::{self, Meta};
use crate::rules::{self, Remedy, RuleId};

/// Kind, mode and owner of a file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) is_file: bool,
    pub(crate) is_dir: bool,
    /// Permission bits, and those above them.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether its file system is mounted read-only.
    pub(crate) is_read_only: bool,
}

impl Place {
    fn of(deployment: &Deployment, inside: &str, meta: Meta) -> Self {
        let read_only = |found: rustix::fs::StatVfs| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        Self {
            is_file: meta.is_file(),
            is_dir: meta.is_dir(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            is_read_only: rustix::fs::statvfs(deployment.path(inside)).is_ok_and(read_only),
        }
    }

    /// Whether a user and a group may do what `bit` says (4 read, 1 enter).
    pub(crate) fn allows(&self, (uid, gid): (u32, u32), bit: u32) -> bool {
        self.allows_one_of(uid, &[gid], bit)
    }

    /// The same for a user in several groups.
    fn allows_one_of(&self, uid: u32, groups: &[u32], bit: u32) -> bool {
        let shift = if self.uid == uid {
            6
        } else if groups.contains(&self.gid) {
            3
        } else {
            0
        };
        uid == 0 || self.mode >> shift & bit != 0
    }
}

/// What the helper writes and whose mode matters, the directory itself included.
const LAYOUT: [&str; 9] = [
    "",
    path::ENV,
    path::DATA,
    path::CA_KEY,
    path::CA_NEXT_KEY,
    path::CA_OLD_KEY,
    path::TLS_CRT,
    path::TLS_KEY,
    path::GATEWAY,
];

/// Files and folders of a directory, each looked at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// By path inside the directory: what is there, or why it cannot be looked at.
    places: BTreeMap<String, Result<Place, String>>,
    /// Whether nothing in the directory is another program's.
    is_ours_alone: bool,
    /// The user who runs the helper.
    me: u32,
}

impl Places {
    pub(crate) fn of_layout(deployment: &Deployment) -> Self {
        Self::look(deployment, Vec::new())
    }

    /// Looks at the layout and at further paths inside the directory, the folders on the way to them included.
    pub(crate) fn look(deployment: &Deployment, further: Vec<String>) -> Self {
        let mut places = BTreeMap::new();
        let mut look = |inside: &str| {
            let meta = if inside.is_empty() {
                Ok(files::directory_itself(deployment))
            } else {
                files::metadata(deployment, inside)
            };
            let place = meta.map(|meta| meta.map(|meta| Place::of(deployment, inside, meta)));
            if let Some(place) = place.map_err(|error| error.to_string()).transpose() {
                places.insert(inside.to_owned(), place);
            }
        };
        LAYOUT.iter().for_each(|inside| look(inside));
        for inside in &further {
            folders(inside).for_each(&mut look);
            look(inside);
        }
        let is_ours_alone = kind::look(deployment).is_ok_and(|look| look.is_ours_alone());
        Self { places, is_ours_alone, me: rustix::process::geteuid().as_raw() }
    }

    /// Places that are nowhere, for the user `me`.
    #[cfg(test)]
    pub(crate) fn made(places: &[(&str, Place)], me: u32) -> Self {
        let places = places.iter().map(|(inside, place)| ((*inside).to_owned(), Ok(*place))).collect();
        Self { places, is_ours_alone: true, me }
    }

    /// What is at a path; `None` where nothing is, or where it cannot be looked at.
    pub(crate) fn at(&self, inside: &str) -> Option<&Place> {
        self.places.get(inside)?.as_ref().ok()
    }

    /// The finding about a mode with a fix that this user can carry out. `change` is chmod's first argument. chmod(2): only
    /// the owner and root may change a mode.
    fn feasible(&self, inside: &str, finding: Finding, change: &str) -> Finding {
        match self.at(inside) {
            Some(place) if place.is_read_only => finding.with_remedy(Remedy::READ_ONLY),
            Some(place) if self.me != 0 && place.uid != self.me => {
                finding.with_remedy(Remedy::OtherOwner { change, owner: place.uid })
            }
            _ => finding,
        }
    }

    fn exposure(&self, inside: &str, readable: RuleId, writable: RuleId) -> Option<Finding> {
        let mode = self.at(inside)?.mode;
        let rule = match mode {
            mode if mode & 0o022 != 0 => writable,
            mode if mode & 0o044 != 0 => readable,
            _ => return None,
        };
        let finding = rules::finding(rule).about(Subject::file(inside)).with(format!("`{inside}` has mode {mode:04o}"));
        Some(self.feasible(inside, finding, "600"))
    }

    /// The finding about the mode of `.env`.
    ///
    /// # Errors
    /// Why it cannot be looked at.
    pub(crate) fn env_mode(&self) -> Result<Option<Finding>, &str> {
        if let Some(Err(why)) = self.places.get(path::ENV) {
            return Err(why);
        }
        Ok(self.exposure(path::ENV, RuleId::EnvReadable, RuleId::EnvWritable))
    }

    /// The finding about a directory that others on this host can enter. A mode is only advised for one that the helper
    /// made.
    pub(crate) fn open_directory(&self) -> Option<Finding> {
        let mode = self.at("")?.mode;
        if mode & 0o077 == 0 {
            return None;
        }
        let finding = rules::finding(RuleId::DirectoryOpen).with(format!("mode {mode:04o}"));
        Some(match self.is_ours_alone {
            true => self.feasible("", finding, "700"),
            false => finding.with_remedy(Remedy::SHARED_DIRECTORY),
        })
    }

    /// Findings about who on this host may read or write the keys.
    pub(crate) fn key_modes(&self) -> Vec<Finding> {
        // The other two are there while the CA is being changed.
        let keys = [path::CA_KEY, path::CA_NEXT_KEY, path::CA_OLD_KEY].into_iter();
        let exposed = keys.filter_map(|key| self.exposure(key, RuleId::KeyReadable, RuleId::KeyWritable));
        // The proxy, another user, reads this one.
        let of_proxy = self.at(path::TLS_KEY).filter(|key| key.mode & 0o022 != 0).map(|key| {
            let finding = rules::finding(RuleId::KeyWritable).about(Subject::file(path::TLS_KEY));
            let finding = finding.with_remedy(Remedy::KEY_OF_PROXY);
            let finding = finding.with(format!("`data/tls.key` has mode {:04o}", key.mode));
            self.feasible(path::TLS_KEY, finding, "go-w")
        });
        exposed.chain(of_proxy).collect()
    }

    /// The finding `rule` about a file that the proxy's user may not read, or a folder that it may not enter.
    pub(crate) fn unreadable(&self, rule: RuleId, inside: &str, evidence: String) -> Finding {
        let finding = rules::finding(rule).about(Subject::file(inside)).with(evidence);
        self.feasible(inside, finding, "a+rX")
    }

    /// What keeps a user in these groups from reading a file, with its mode: a folder on the way, from `mount` on, or the
    /// file itself. A container does not see the folders around what is mounted.
    pub(crate) fn closed<'a>(
        &self,
        (uid, groups): (u32, &[u32]),
        mount: &str,
        inside: &'a str,
    ) -> Option<(&'a str, u32)> {
        let way = folders(inside).filter(|folder| folder.len() >= mount.len()).map(|folder| (folder, 1));
        let is_closed = |place: &Place, bit| !place.allows_one_of(uid, groups, bit);
        way.chain([(inside, 4)]).find_map(|(path, bit)| {
            let place = self.at(path).filter(|place| is_closed(place, bit))?;
            Some((path, place.mode))
        })
    }
}

/// The folders on the way to a path, from the outermost.
fn folders(inside: &str) -> impl Iterator<Item = &str> {
    inside.match_indices('/').map(|(at, _)| &inside[..at])
}

/// The finding about files in `data` that are not certificates or keys, by their names.
pub(crate) fn foreign_data(names: &[String]) -> Option<Finding> {
    if names.is_empty() {
        return None;
    }
    let shown: Vec<String> = names.iter().map(|name| format!("`data/{name}`")).collect();
    Some(rules::finding(RuleId::DataShared).about(Subject::file(path::DATA)).with(first(&shown, 5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_can_be_changed_by_the_owner_and_root_on_a_writable_file_system() {
        for (is_read_only, uid, me, hindrance) in [
            (false, 1000, 1000, None),
            (false, 1000, 0, None),
            (false, 0, 1000, Some(Remedy::OtherOwner { change: "600", owner: 0 })),
            (false, 65532, 1000, Some(Remedy::OtherOwner { change: "600", owner: 65532 })),
            (true, 1000, 1000, Some(Remedy::READ_ONLY)),
            (true, 0, 0, Some(Remedy::READ_ONLY)),
        ] {
            let place = Place { is_file: true, is_dir: false, mode: 0o644, uid, gid: 0, is_read_only };
            let found = Places::made(&[(path::ENV, place)], me).env_mode().unwrap().unwrap();
            let plain = rules::finding(RuleId::EnvReadable).about(Subject::file(path::ENV));
            let expected = hindrance.map_or(plain.clone(), |remedy| plain.with_remedy(remedy));
            assert_eq!(found.fix, expected.fix, "{is_read_only} {uid} {me}");
        }
    }
}
