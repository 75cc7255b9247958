//! Which process holds a lock (Linux, where `/proc` tells; elsewhere the holder stays unknown).

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::redact;

/// A process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    id: u32,
    /// Its program and command, without options.
    command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (`{}`)", self.id, self.command)
    }
}

/// The process that holds a flock(2) lock on an open file: the one that took it, or a child that inherited it.
/// Processes of other users are not shown to an ordinary user.
pub(crate) fn of_flock(file: &File) -> Option<Holder> {
    let meta = file.metadata().ok()?;
    let is_same = |path: &Path| fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (meta.dev(), meta.ino()));
    let mut inherited = None;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        for open in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            if !is_same(&open.path()) {
                continue;
            }
            let info = fs::read_to_string(process.path().join("fdinfo").join(open.file_name())).unwrap_or_default();
            let Some(taker) = taker(&info) else { continue };
            let holder = Holder { id, command: command(&fs::read(process.path().join("cmdline")).unwrap_or_default()) };
            if taker == id {
                return Some(holder);
            }
            inherited.get_or_insert(holder);
        }
    }
    inherited
}

/// The process that took the lock, from a file of `/proc/PID/fdinfo` (proc_pid_fdinfo(5)).
fn taker(info: &str) -> Option<u32> {
    let lock = info.lines().find_map(|line| line.strip_prefix("lock:"))?;
    let mut words = lock.split_whitespace().skip_while(|word| *word != "FLOCK");
    words.nth(3)?.parse().ok()
}

/// Program and command of a command line whose words end with NUL. What follows the first option may be a request.
fn command(line: &[u8]) -> String {
    let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).filter(|word| !word.is_empty());
    let program = words.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let rest = words.take_while(|word| !word.starts_with('-')).take(3);
    let whole = rest.fold(program, |whole, word| whole + " " + &word);
    redact::evidence(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_fdinfo_names_the_process_that_took_the_lock() {
        let info = "pos:\t0\nflags:\t02100000\nmnt_id:\t30\nlock:\t1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF\n";
        assert_eq!(taker(info), Some(4711));
        assert_eq!(taker("pos:\t0\nlock:\t1: POSIX  ADVISORY  WRITE 4711 fe:00:131 0 EOF\n"), None);
        assert_eq!(taker("pos:\t0\n"), None);
    }

    #[test]
    fn a_command_is_shown_without_its_options() {
        let line = b"/opt/bin/mcp-tunnels-helper\0certs\0renew\0--json\0{\"key\":1}\0";
        assert_eq!(command(line), "mcp-tunnels-helper certs renew");
        assert_eq!(command(b""), "");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holder_of_a_lock_is_this_process() {
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        assert_eq!(of_flock(&dir), None);
        dir.lock().unwrap();
        assert_eq!(of_flock(&File::open(folder.path()).unwrap()).map(|holder| holder.id), Some(std::process::id()));
    }
}
