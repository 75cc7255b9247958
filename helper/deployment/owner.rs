//! Whether only the user who runs the helper can change the directory and the folders above it: where others can replace
//! a folder, no key is safe. The rules are those of ssh's StrictModes.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Deployment, path};
use crate::answer::Error;
use crate::caller::Caller;

/// Users whose folders are trusted, by number.
struct Trusted {
    users: Vec<u32>,
    /// The group that only the running user is in.
    own_group: Option<u32>,
}

impl Deployment {
    /// For commands that write a key or the token.
    ///
    /// # Errors
    /// `directory` where another user could read what is written there, or put something else in its place.
    pub(crate) fn require_own(&self, caller: &Caller) -> Result<(), Error> {
        let Some(why) = fault(self.root(), &Trusted::of(caller)) else { return Ok(()) };
        Err(Error::directory(
            format!("{why}, so keys and the token are not safe in `{}`; nothing was written", self.root().display()),
            "take the write permission away from others (`chmod go-w`) and make the folder your own, or use another directory (`--dir`)",
        ))
    }
}

impl Trusted {
    fn of(caller: &Caller) -> Self {
        let user = rustix::process::geteuid().as_raw();
        let mut users = vec![user, 0];
        if user == 0 {
            users.extend(caller.var("SUDO_UID").and_then(|text| text.to_str()?.parse::<u32>().ok()));
        }
        users.extend(unmapped());
        let group = rustix::process::getegid().as_raw();
        Self { users, own_group: is_private(group, user).then_some(group) }
    }

    /// Why a folder is not safe; a sticky one above is, because only owners can exchange what is in it.
    fn fault(&self, path: &Path, meta: &Metadata, is_root: bool) -> Option<String> {
        let shown = path.display();
        if !self.users.contains(&meta.uid()) {
            return Some(format!("`{shown}` belongs to another user (uid {})", meta.uid()));
        }
        let is_closed_by_sticky = !is_root && meta.mode() & 0o1000 != 0;
        if meta.is_symlink() || is_closed_by_sticky {
            return None;
        }
        let by_group = meta.mode() & 0o020 != 0 && self.own_group != Some(meta.gid());
        (by_group || meta.mode() & 0o002 != 0)
            .then(|| format!("other users can write to `{shown}` (mode {:04o})", meta.mode() & 0o7777))
    }
}

/// Why a directory is not safe: it, each folder above it, and each link on the way.
fn fault(root: &Path, trusted: &Trusted) -> Option<String> {
    let real = root.ancestors().find_map(|above| above.canonicalize().ok())?;
    let as_written = root.ancestors();
    // A directory that lets others through does not close the folder of the keys.
    let is_entered = root.metadata().is_ok_and(|meta| meta.mode() & 0o011 != 0);
    let data = root.join(path::DATA);
    let mut all = as_written.chain(real.ancestors()).chain(is_entered.then_some(data.as_path()));
    all.find_map(|at| {
        let meta = at.symlink_metadata().ok()?;
        trusted.fault(at, &meta, at == root || at == data || at == real && root.exists())
    })
}

/// The number under which all users appear that a user namespace does not map, where this is one: the host's root among
/// them.
fn unmapped() -> Option<u32> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let is_whole = map.split_whitespace().eq(["0", "0", "4294967295"]);
    let number = std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?;
    (!is_whole).then(|| number.trim().parse().ok())?
}

/// Whether a group has no other members: many systems give each user one, and a umask that lets it write.
fn is_private(group: u32, user: u32) -> bool {
    let (Ok(groups), Ok(users)) = (std::fs::read_to_string("/etc/group"), std::fs::read_to_string("/etc/passwd"))
    else {
        return false;
    };
    let number = |field: Option<&str>| field.and_then(|text| text.parse::<u32>().ok());
    let mut name = None;
    for line in users.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let is_self = number(fields.get(2).copied()) == Some(user);
        if is_self {
            name = fields.first().copied();
        } else if number(fields.get(3).copied()) == Some(group) {
            return false;
        }
    }
    let is_it = |fields: &Vec<&str>| number(fields.get(2).copied()) == Some(group);
    groups.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(is_it).is_some_and(|fields| {
        let mut members = fields.get(3).copied().unwrap_or_default().split(',').filter(|member| !member.is_empty());
        members.all(|member| Some(member) == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir_all, set_permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn each_folder_on_the_way_counts() {
        let folder = tempfile::tempdir().unwrap();
        let above = folder.path().join("above");
        let root = above.join("root");
        create_dir_all(&root).unwrap();
        let me = rustix::process::geteuid().as_raw();
        let trusted = Trusted { users: vec![me, 0], own_group: None };
        let mode = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
        for (of_above, of_root, is_safe) in [
            (0o755, 0o700, true),
            (0o755, 0o755, true),
            (0o1777, 0o700, true),
            (0o777, 0o700, false),
            (0o775, 0o700, false),
            (0o755, 0o775, false),
            (0o755, 0o777, false),
            (0o755, 0o1777, false),
        ] {
            mode(&above, of_above);
            mode(&root, of_root);
            assert_eq!(fault(&root, &trusted).is_none(), is_safe, "{of_above:o} {of_root:o}");
            let missing = root.join("not-there/yet");
            assert_eq!(fault(&missing, &trusted).is_none(), is_safe || of_root == 0o1777, "{of_above:o} {of_root:o}");
        }
        mode(&root, 0o755);
        mode(&above, 0o755);
        create_dir_all(root.join("data")).unwrap();
        for (of_root, of_data, is_safe) in [(0o755, 0o755, true), (0o755, 0o777, false), (0o700, 0o777, true)] {
            mode(&root, of_root);
            mode(&root.join("data"), of_data);
            assert_eq!(fault(&root, &trusted).is_none(), is_safe, "{of_root:o} {of_data:o}");
        }
        mode(&root.join("data"), 0o755);
        mode(&root, 0o700);
        let shared = folder.path().join("shared");
        create_dir_all(&shared).unwrap();
        symlink(&root, shared.join("link")).unwrap();
        assert_eq!(fault(&shared.join("link"), &trusted), None);
        mode(&shared, 0o777);
        assert!(fault(&shared.join("link"), &trusted).is_some());
        let stranger = Trusted { users: vec![me.wrapping_add(1)], own_group: None };
        assert!(fault(&root, &stranger).is_some());
        let group = std::fs::metadata(&root).unwrap().gid();
        mode(&root, 0o770);
        assert_eq!(fault(&root, &Trusted { users: vec![me, 0], own_group: Some(group) }), None);
    }
}
