//! `.tar.gz` files: packed from memory, saved under a new name, and read back with a limit on everything, because the person who
//! made one may have meant harm.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rustix::fs::OFlags;
use time::OffsetDateTime;

use super::directory::Directory;
use super::{batch, litter};
use crate::answer::Error;
use crate::caller::Caller;

pub(crate) const MOST_FILES: usize = 1000;
/// Bytes of one file.
pub(crate) const LARGEST_FILE: usize = 4 << 20;
/// Bytes of all files, and of the archive, packed or not.
pub(crate) const LARGEST: usize = 64 << 20;
/// Bytes of a path, and folders in it.
const LONGEST_NAME: usize = 512;
const DEEPEST: usize = 16;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path inside the archive's one folder.
    pub(crate) name: String,
    /// Permission bits.
    pub(crate) mode: u32,
    pub(crate) bytes: Vec<u8>,
}

/// Why an archive is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveFault {
    /// It cannot be decompressed, or is not an archive.
    #[error("it is not a complete .tar.gz file")]
    Broken,
    /// It unpacks to more than a bundle ever holds.
    #[error("it unpacks to more than {} MiB", LARGEST >> 20)]
    Bomb,
    /// It has more files than a bundle ever holds.
    #[error("it has more than {MOST_FILES} files")]
    Many,
    /// A file is larger than one of a bundle ever is.
    #[error("a file in it is larger than {} MiB", LARGEST_FILE >> 20)]
    Large,
    /// A link, a device, a pipe.
    #[error("it holds something that is neither a file nor a folder")]
    Special,
    /// A path that leads out of the folder, or is not a path.
    #[error("a path in it leads out of its folder, or has characters that no path here has")]
    Path,
    /// Two files of one name, also where only a file system that ignores case takes them for one.
    #[error("two files in it have the same name")]
    Twice,
}

/// Where a new archive goes, as an absolute path; a leading `~/` is the home directory.
pub(crate) fn place(target: &str, caller: &Caller) -> PathBuf {
    let path = match (target.strip_prefix("~/"), caller.var("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        (Some(_) | None, _) => PathBuf::from(target),
    };
    std::path::absolute(&path).unwrap_or(path)
}

/// An archive never replaces a file, and goes where there is a folder. `field` is the request's name for it.
///
/// # Errors
/// `request` for a target that exists, is no `.tar.gz` or `.tgz`, or is in no folder.
pub(crate) fn require_new(field: &str, target: &str, caller: &Caller) -> Result<PathBuf, Error> {
    if !(target.ends_with(".tar.gz") || target.ends_with(".tgz")) {
        return Err(Error::request(
            format!("`{field}` is not the name of a .tar.gz or .tgz file"),
            "name a file that does not exist yet, such as `mcp-tunnel.tar.gz`",
        ));
    }
    let place = place(target, caller);
    if fs::symlink_metadata(&place).is_ok() {
        return Err(Error::request(
            format!("`{field}` names a file that exists: `{}`", place.display()),
            "name one that does not exist yet",
        ));
    }
    if !place.parent().is_some_and(Path::is_dir) {
        return Err(Error::request(
            format!("the folder of `{field}` does not exist: `{}`", place.display()),
            "make the folder, or name another",
        ));
    }
    Ok(place)
}

/// Packs files into one folder of a new archive.
///
/// # Errors
/// What the packers say.
pub(crate) fn pack(folder: &str, entries: &[Entry], now: OffsetDateTime) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let now = u64::try_from(now.unix_timestamp()).unwrap_or_default();
    for Entry { name, mode, bytes } in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(now);
        archive.append_data(&mut header, Path::new(folder).join(name), bytes.as_slice())?;
    }
    archive.into_inner()?.finish()
}

/// Writes a new file: whole, with its mode, or not at all.
///
/// # Errors
/// `io`; also when the name was taken meanwhile.
pub(crate) fn save(target: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let folder = Directory::new(target.parent().unwrap_or(Path::new("/")).to_path_buf());
    // What a killed run left of any archive: it may hold a key.
    litter::sweep(&folder, "", |name| name.ends_with(".tar.gz") || name.ends_with(".tgz"));
    batch::create(&folder, &target.file_name().unwrap_or_default().to_string_lossy(), bytes, mode)
}

/// Reads an archive from disk.
///
/// # Errors
/// `io` and `unexpected-file` when the file cannot be read; `request` when it is not taken.
pub(crate) fn open(path: &Path, folder: &str) -> Result<Vec<Entry>, Error> {
    // Non-blocking: a pipe in its place must not hang the helper.
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path);
    let file = file.map_err(|e| Error::io("read", path, e))?;
    if !file.metadata().map_err(|e| Error::io("read", path, e))?.is_file() {
        let (path, what) = (path.to_path_buf(), "it is not a regular file".into());
        return Err(Error::Unexpected { act: "read", path, what });
    }
    unpack(file.take(LARGEST as u64), folder).map_err(|fault| {
        Error::request(
            format!("`{}` was not taken: {fault}", path.display()),
            "copy the file again, in binary form, from the host that made it with `export`; nothing was written",
        )
    })
}

/// The files of an archive that are all in one folder. Nothing is written.
///
/// # Errors
/// The first thing that no archive of ours has.
pub(crate) fn unpack(packed: impl Read, folder: &str) -> Result<Vec<Entry>, ArchiveFault> {
    let mut plain = Vec::new();
    // To the very end, where the checksum is; one byte more than is allowed tells that there is more.
    GzDecoder::new(packed).take(LARGEST as u64 + 1).read_to_end(&mut plain).map_err(|_| ArchiveFault::Broken)?;
    if plain.len() > LARGEST {
        return Err(ArchiveFault::Bomb);
    }
    let mut archive = tar::Archive::new(plain.as_slice());
    let mut entries: Vec<Entry> = Vec::new();
    let mut names = BTreeSet::new();
    for entry in archive.entries().map_err(|_| ArchiveFault::Broken)? {
        let mut entry = entry.map_err(|_| ArchiveFault::Broken)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            return Err(ArchiveFault::Special);
        }
        if entries.len() >= MOST_FILES {
            return Err(ArchiveFault::Many);
        }
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        if size > LARGEST_FILE {
            return Err(ArchiveFault::Large);
        }
        let name = name_in(folder, &entry.path_bytes())?;
        if !names.insert(name.to_lowercase()) {
            return Err(ArchiveFault::Twice);
        }
        let mode = entry.header().mode().map_err(|_| ArchiveFault::Broken)?;
        let mut bytes = Vec::with_capacity(size);
        entry.read_to_end(&mut bytes).map_err(|_| ArchiveFault::Broken)?;
        if bytes.len() != size {
            return Err(ArchiveFault::Broken);
        }
        entries.push(Entry { name, mode, bytes });
    }
    // A file cannot be a folder, too.
    let is_folder = |name: &str| names.iter().any(|other| other.strip_prefix(name).is_some_and(|r| r.starts_with('/')));
    if names.iter().any(|name| is_folder(name)) {
        return Err(ArchiveFault::Twice);
    }
    if entries.is_empty() { Err(ArchiveFault::Broken) } else { Ok(entries) }
}

/// A path inside the folder: plain names, joined by single slashes.
fn name_in(folder: &str, path: &[u8]) -> Result<String, ArchiveFault> {
    let path = std::str::from_utf8(path).map_err(|_| ArchiveFault::Path)?;
    let inside = path.strip_prefix("./").unwrap_or(path).strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    let inside = inside.ok_or(ArchiveFault::Path)?;
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255;
    let is_odd = |c: char| c.is_control() || matches!(c, '\\' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let fits = inside.len() <= LONGEST_NAME && inside.split('/').count() <= DEEPEST;
    if fits && inside.split('/').all(is_plain) && !inside.contains(is_odd) {
        Ok(inside.to_owned())
    } else {
        Err(ArchiveFault::Path)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn entry(name: &str, bytes: &[u8]) -> Entry {
        Entry { name: name.into(), mode: 0o644, bytes: bytes.to_vec() }
    }

    /// An archive of headers as they are, which `pack` would not write.
    fn raw(rows: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, kind, bytes) in rows {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.append(&header, *bytes).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let long = format!("{}/x", "long-folder".repeat(14));
        let all = [entry("a", b"1"), entry("b/c", b""), entry(&long, &[7; 5000])];
        let packed = pack("f", &all, NOW).unwrap();
        assert!(unpack(packed.as_slice(), "f").unwrap() == all);
        assert!(matches!(unpack(packed.as_slice(), "other"), Err(ArchiveFault::Path)));
    }

    #[test]
    fn every_cut_is_refused() {
        let packed = pack("f", &[entry("a", &[1; 300])], NOW).unwrap();
        for end in 0..packed.len() {
            assert!(unpack(&packed[..end], "f").is_err(), "{end} of {}", packed.len());
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for name in ["f/../x", "/f/x", "x", "f/", "f", "f//x", "f/./x", "f/a/../../x", "../f/x", "f/a\\b", "f/a\nb"] {
            let packed = raw(&[(name, tar::EntryType::Regular, b"x")]);
            assert!(matches!(unpack(packed.as_slice(), "f"), Err(ArchiveFault::Path)), "{name}");
        }
        assert!(unpack(raw(&[("./f/x", tar::EntryType::Regular, b"x")]).as_slice(), "f").is_ok());
    }

    #[test]
    fn only_files_and_folders_are_taken() {
        use tar::EntryType::{Block, Char, Directory, Fifo, GNUSparse, Link, Regular, Symlink};
        for kind in [Symlink, Link, Char, Block, Fifo, GNUSparse] {
            let packed = raw(&[("f/ok", Regular, b""), ("f/x", kind, b"")]);
            assert!(
                matches!(unpack(packed.as_slice(), "f"), Err(ArchiveFault::Special | ArchiveFault::Broken)),
                "{kind:?}"
            );
        }
        assert!(unpack(raw(&[("f/d/", Directory, b""), ("f/d/x", Regular, b"")]).as_slice(), "f").is_ok());
    }

    #[test]
    fn sizes_and_numbers_are_limited() {
        let bomb = vec![0; LARGEST + 1];
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(&bomb).unwrap();
        assert!(matches!(unpack(gz.finish().unwrap().as_slice(), "f"), Err(ArchiveFault::Bomb)));
        let large = pack("f", &[entry("a", &bomb[..=LARGEST_FILE])], NOW).unwrap();
        assert!(matches!(unpack(large.as_slice(), "f"), Err(ArchiveFault::Large)));
        let many: Vec<Entry> = (0..=MOST_FILES).map(|n| entry(&n.to_string(), b"")).collect();
        assert!(matches!(unpack(pack("f", &many, NOW).unwrap().as_slice(), "f"), Err(ArchiveFault::Many)));
    }

    #[test]
    fn a_name_is_there_once() {
        for (one, other) in [("a", "a"), ("a", "A"), ("a", "a/b"), ("B/c", "b")] {
            let packed = pack("f", &[entry(one, b"1"), entry(other, b"2")], NOW).unwrap();
            assert!(matches!(unpack(packed.as_slice(), "f"), Err(ArchiveFault::Twice)), "{one} {other}");
        }
    }
}
