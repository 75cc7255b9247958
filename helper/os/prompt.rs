//! A line typed at the terminal that the terminal does not show.

use std::io::{self, BufRead, Read, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Longest line that is read, in bytes.
const LIMIT: u64 = 64 << 10;

/// The terminal while it is hidden: its modes from before, and the prompt.
struct Hidden {
    before: Termios,
    prompt: &'static str,
}

/// What the thread that takes the signals has to restore.
static HIDDEN: Mutex<Option<Hidden>> = Mutex::new(None);

fn hidden() -> MutexGuard<'static, Option<Hidden>> {
    HIDDEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hidden {
    /// Switches the echo off before the prompt is printed: a paste may come the moment it appears.
    fn show_prompt(&self) -> io::Result<()> {
        let mut modes = self.before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
        tell(self.prompt)
    }

    /// Drops what was typed and not read: the rest of a paste must not become commands of the shell.
    fn restore(&self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

/// Restores the terminal on every way out.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(terminal) = hidden().take() {
            terminal.restore();
            // The end of the line was not shown either.
            let _ = tell("\n");
        }
    }
}

/// Reads a line, without its end, from the terminal that is standard input, with the echo switched off. A signal that ends
/// or stops the process restores the terminal first.
///
/// # Errors
/// When the terminal cannot be switched or read.
pub(crate) fn hidden_line(prompt: &'static str) -> io::Result<Vec<u8>> {
    restore_on_signals()?;
    let before = tcgetattr(io::stdin())?;
    let _restore = Restore;
    hidden().insert(Hidden { before, prompt }).show_prompt()?;
    let mut line = Vec::new();
    io::stdin().lock().take(LIMIT).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(line)
}

/// Prints to the terminal, also where standard error is redirected.
fn tell(text: &str) -> io::Result<()> {
    match std::fs::OpenOptions::new().write(true).open("/dev/tty") {
        Ok(mut terminal) => terminal.write_all(text.as_bytes()),
        Err(_) => io::stderr().write_all(text.as_bytes()),
    }
}

/// Starts the thread that takes the signals, once. It stays to the end: signal-hook does not give a signal its default
/// action back.
fn restore_on_signals() -> io::Result<()> {
    static STARTED: OnceLock<()> = OnceLock::new();
    if STARTED.set(()).is_err() {
        return Ok(());
    }
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let slot = hidden();
            if let Some(terminal) = slot.as_ref() {
                terminal.restore();
            }
            // Returns only from SIGTSTP, once the process continues.
            let _ = emulate_default_handler(signal);
            if let Some(terminal) = slot.as_ref() {
                let _ = terminal.show_prompt();
            }
        }
    })?;
    Ok(())
}
