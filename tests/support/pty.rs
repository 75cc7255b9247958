//! A terminal of its own for a program under test.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::HANG;

/// The side of the person: a keyboard and a screen.
pub(crate) struct Terminal {
    person: File,
    /// Kept open, so that its modes outlive the program.
    program: File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    pub(crate) fn open() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let no_ctty = i32::try_from(OFlags::NOCTTY.bits()).unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let program = OpenOptions::new().read(true).write(true).custom_flags(no_ctty).open(path).unwrap();
        let person = File::from(person);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut source, shown) = (person.try_clone().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = source.read(&mut chunk) {
                shown.lock().unwrap().extend_from_slice(&chunk[..n]);
            }
        });
        Self { person, program, screen }
    }

    /// Runs a command with all three streams on this terminal.
    pub(crate) fn spawn(&self, command: Command) -> Child {
        let stderr = Stdio::from(self.program.try_clone().unwrap());
        self.spawn_with_stderr(command, stderr)
    }

    /// The same with standard error elsewhere.
    pub(crate) fn spawn_with_stderr(&self, mut command: Command, stderr: Stdio) -> Child {
        let stream = || Stdio::from(self.program.try_clone().unwrap());
        command.stdin(stream()).stdout(stream()).stderr(stderr).spawn().unwrap()
    }

    pub(crate) fn type_in(&self, text: &str) {
        (&self.person).write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Whether what is typed is shown.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.program).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until the condition holds.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < HANG, "{what}: {}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
