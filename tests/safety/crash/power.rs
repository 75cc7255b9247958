//! A power cut, on a model of the disk: the changes of a traced run are replayed, and what was not synced may be gone.
//!
//! Content and mode of a file are on the disk once it was synced; until then the old, half of the new, or all of it.
//! Changes of a folder (its names, its mode) reach the disk in their order, however many of them, and all of them once the
//! folder was synced; no folder waits for another.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::scenario::{Before, CHANGES, Scenario};
use crate::safety::campaign::{Random, memory};
use crate::support::{Laid, folder, mode};

/// A state in which a cut may leave the directory.
pub(super) struct Cut {
    scenario: &'static Scenario,
    what: String,
    before: Before,
    found: Laid,
}

impl Cut {
    /// Makes it, and requires that a plain run leaves all in order.
    pub(super) fn judge(&self) {
        let home = memory();
        self.found.lay_out(home.path());
        self.scenario.judge(&home.path().join("d"), &self.before, &self.what);
    }
}

/// How much of what was not synced a cut leaves.
#[derive(Clone, Copy, Debug)]
enum Luck {
    /// Nothing.
    None,
    /// All names, and no content.
    Names,
    /// This and that.
    Some,
}

/// Every state in which a cut may leave the directory, as far as a few throws find them. Whenever the answer is out, all
/// must be on the disk.
pub(super) fn cuts(scenario: &'static Scenario, random: &mut Random) -> Vec<Cut> {
    let (home, scratch) = (memory(), folder());
    let dir = scenario.prepared(home.path());
    let mut disk = Disk::load(home.path());
    let before = Before::of(&dir);
    let log = scratch.path().join("trace");
    let trace = format!("trace=umask,{}", CHANGES.join(","));
    let strace = ["-y", "-xx", "-s", "16777216", "-o", log.to_str().unwrap(), "-e", &trace];
    let printed = scenario.traced(home.path(), &dir, &strace);
    assert!(!printed.is_empty(), "{}", scenario.name);
    let (mut cuts, mut seen) = (Vec::new(), BTreeSet::new());
    for line in std::fs::read_to_string(&log).unwrap().lines() {
        let call = Call::parse(line);
        let Some(call) = call else { continue };
        let is_answer = call.name == "write" && call.args[0].starts_with("1<");
        if is_answer {
            let end = Disk::load(home.path()).found(Luck::None, random);
            for luck in [Luck::None, Luck::Names] {
                let found = disk.found(luck, random);
                let lost: Vec<_> =
                    end.iter().filter(|file| !found.contains(file)).map(|file| (&file.0, file.2)).collect();
                assert!(lost.is_empty() && found.len() == end.len(), "{}: not on the disk: {lost:?}", scenario.name);
            }
        } else {
            disk.replay(&call, home.path());
        }
        for luck in [Luck::None, Luck::Names, Luck::Some] {
            let found = disk.found(luck, random);
            if seen.insert(found.clone()) {
                let what = format!("{}, power cut after {} {}, {luck:?}", scenario.name, call.name, seen.len());
                cuts.push(Cut { scenario, what, before: before.clone(), found: Laid(found) });
            }
        }
    }
    cuts
}

/// A system call that succeeded.
struct Call<'a> {
    name: &'a str,
    args: Vec<&'a str>,
}

impl<'a> Call<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        assert!(!line.contains("unfinished ...>"), "two threads change files at once: {line:.200}");
        let (_, call) = line.split_once(' ')?;
        let (name, rest) = call.trim_start().split_once('(')?;
        let (args, result) = rest.rsplit_once(" = ")?;
        let args = args.trim_end().strip_suffix(')')?;
        ((CHANGES.contains(&name) || name == "umask") && !result.starts_with('-'))
            .then(|| Self { name, args: args.split(", ").collect() })
    }

    /// The bytes of a text, or the path of a descriptor.
    fn bytes(&self, at: usize) -> Vec<u8> {
        let hex = self.args[at].split("\\x").skip(1);
        hex.map(|two| u8::from_str_radix(&two[..2], 16).unwrap()).collect()
    }

    fn path(&self, at: usize) -> PathBuf {
        std::ffi::OsString::from_vec(self.bytes(at)).into()
    }

    /// A folder's descriptor and a name in it.
    fn below(&self, at: usize) -> PathBuf {
        self.path(at).join(self.path(at + 1))
    }

    fn octal(&self, at: usize) -> u32 {
        u32::from_str_radix(self.args[at], 8).unwrap()
    }
}

#[derive(Clone)]
enum Change {
    Set(String, usize),
    Gone(String),
    Renamed(String, String),
    Mode(u32),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>, mode: &mut u32) {
        match self {
            Self::Mode(bits) => *mode = *bits,
            Self::Set(name, node) => drop(names.insert(name.clone(), *node)),
            Self::Gone(name) => drop(names.remove(name)),
            Self::Renamed(from, to) => {
                let node = names.remove(from).unwrap();
                names.insert(to.clone(), node);
            }
        }
    }
}

/// A file, or a folder: as the system shows it, and as it is on the disk.
#[derive(Clone, Default)]
struct Node {
    mode: u32,
    mode_on_disk: u32,
    /// Nothing for a folder.
    content: Option<Vec<u8>>,
    content_on_disk: Vec<u8>,
    names: BTreeMap<String, usize>,
    names_on_disk: BTreeMap<String, usize>,
    /// Changes of the names that may not be on the disk.
    pending: Vec<Change>,
}

impl Node {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.names, &mut self.mode);
        self.pending.push(change);
    }
}

/// The first node is the root. The number is the umask.
struct Disk(Vec<Node>, u32);

impl Disk {
    /// A folder that has been there for long.
    fn load(root: &Path) -> Self {
        let mut disk = Self(Vec::new(), 0);
        disk.load_below(root);
        disk
    }

    fn load_below(&mut self, path: &Path) -> usize {
        let id = self.0.len();
        let mode = mode(path);
        self.0.push(Node { mode, mode_on_disk: mode, ..Node::default() });
        if path.is_file() {
            let content = std::fs::read(path).unwrap();
            self.0[id].content_on_disk.clone_from(&content);
            self.0[id].content = Some(content);
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let below = self.load_below(&entry.path());
            self.0[id].names.insert(entry.file_name().into_string().unwrap(), below);
        }
        self.0[id].names_on_disk = self.0[id].names.clone();
        id
    }

    fn find(&self, path: &Path) -> Option<usize> {
        path.iter().try_fold(0, |node, name| self.0[node].names.get(name.to_str()?).copied())
    }

    fn change(&mut self, path: &Path, change: impl FnOnce(String) -> Change) {
        let folder = self.find(path.parent().unwrap()).unwrap();
        let change = change(path.file_name().unwrap().to_str().unwrap().to_owned());
        self.0[folder].change(change);
    }

    fn make(&mut self, path: &Path, mode: u32, content: Option<Vec<u8>>) {
        let (id, mode) = (self.0.len(), mode & !self.1);
        self.0.push(Node { mode, mode_on_disk: mode, content, ..Node::default() });
        self.change(path, |name| Change::Set(name, id));
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        assert_eq!(from.parent(), to.parent(), "a rename between folders is not in the model");
        let to = to.file_name().unwrap().to_str().unwrap().to_owned();
        self.change(from, |from| Change::Renamed(from, to));
    }

    fn replay(&mut self, call: &Call<'_>, home: &Path) {
        if call.name == "umask" {
            self.1 = call.octal(0);
            return;
        }
        // What is elsewhere is not the directory's.
        let own = |path: PathBuf| path.strip_prefix(home).ok().map(Path::to_path_buf);
        let path = match call.name {
            "openat" | "mkdirat" | "fchmodat" | "unlinkat" | "renameat" | "renameat2" | "linkat" => own(call.below(0)),
            _ => own(call.path(0)),
        };
        let Some(path) = path else { return };
        match call.name {
            "openat" => {
                if call.args[2].contains("O_CREAT") && self.find(&path).is_none() {
                    self.make(&path, call.octal(3), Some(Vec::new()));
                }
            }
            "mkdir" => self.make(&path, call.octal(1), None),
            "mkdirat" => self.make(&path, call.octal(2), None),
            "unlink" | "unlinkat" | "rmdir" => self.change(&path, Change::Gone),
            "rename" => self.rename(&path, &own(call.path(1)).unwrap()),
            "renameat" | "renameat2" => self.rename(&path, &own(call.below(2)).unwrap()),
            "linkat" => {
                let node = self.find(&path).unwrap();
                self.change(&own(call.below(2)).unwrap(), |name| Change::Set(name, node));
            }
            _ => {
                let node = self.find(&path).unwrap_or_else(|| panic!("{} is not in the model", path.display()));
                self.replay_on(call, node);
            }
        }
    }

    /// A call on an open file, or on a folder.
    fn replay_on(&mut self, call: &Call<'_>, node: usize) {
        let node = &mut self.0[node];
        match call.name {
            // All are written from the beginning to the end.
            "write" => node.content.as_mut().unwrap().extend(call.bytes(1)),
            // A folder's mode is one of its changes, in their order.
            "chmod" | "fchmod" if node.content.is_none() => node.change(Change::Mode(call.octal(1))),
            "chmod" | "fchmod" => node.mode = call.octal(1),
            "fchown" => {}
            "fsync" | "fdatasync" => {
                node.content_on_disk = node.content.clone().unwrap_or_default();
                node.names_on_disk = node.names.clone();
                node.pending.clear();
                // The content alone is what fdatasync promises.
                if call.name == "fsync" {
                    node.mode_on_disk = node.mode;
                }
            }
            other => panic!("{other} is not in the model"),
        }
    }

    fn found(&self, luck: Luck, random: &mut Random) -> Vec<(PathBuf, Option<Vec<u8>>, u32)> {
        let mut found = Vec::new();
        self.found_below(0, Path::new(""), luck, random, &mut found);
        found
    }

    fn found_below(
        &self,
        id: usize,
        path: &Path,
        luck: Luck,
        random: &mut Random,
        found: &mut Vec<(PathBuf, Option<Vec<u8>>, u32)>,
    ) {
        let node = &self.0[id];
        let number = match luck {
            Luck::None => 0,
            Luck::Names => node.pending.len(),
            Luck::Some => random.below(node.pending.len() + 1),
        };
        let (mut names, mut mode) = (node.names_on_disk.clone(), node.mode_on_disk);
        node.pending[..number].iter().for_each(|change| change.apply(&mut names, &mut mode));
        if node.content.is_some() && matches!(luck, Luck::Some) && random.below(2) == 1 {
            mode = node.mode;
        }
        let content = node.content.as_ref().map(|whole| match (luck, random.below(3)) {
            (Luck::Some, 0) => whole.clone(),
            (Luck::Some, 1) if *whole != node.content_on_disk => whole[..whole.len() / 2].to_vec(),
            _ => node.content_on_disk.clone(),
        });
        if !path.as_os_str().is_empty() {
            found.push((path.to_path_buf(), content, mode));
        }
        for (name, below) in names {
            self.found_below(below, &path.join(name), luck, random, found);
        }
    }
}
