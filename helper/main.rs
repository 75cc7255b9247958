//! `mcp-tunnels-helper`: argv in; one JSON line, or text at a terminal, and an exit code out.

mod answer;
mod caller;
mod certs;
mod check;
mod cli;
mod commands;
mod config;
mod deployment;
mod diagnose;
mod engine;
mod export;
mod hash;
#[cfg(test)]
mod layout;
mod lint;
mod list;
mod logs;
mod model;
mod near;
mod os;
mod pipe;
mod preflight;
mod privileges;
mod probe;
#[cfg(test)]
mod properties;
mod redact;
mod render;
mod rules;
#[cfg(test)]
mod shape;
mod stack;
mod steps;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use answer::Status;
use caller::Caller;
use cli::Printed;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| answer_a_panic(panic.location())));
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|word| word == probe::inside::WORD) {
        return probe::inside::run();
    }
    // Every file gets the mode that it is meant to have, at once and not later; a person's own folders get theirs.
    os::settle::take_umask();
    let mut caller = Caller::from_process();
    let Printed { text, code } = cli::run(&args, &mut caller);
    match print(&text) {
        Ok(()) => ExitCode::from(code),
        // A truncated answer must not look like success.
        Err(error) => {
            if error.kind() != io::ErrorKind::BrokenPipe {
                let _ = writeln!(io::stderr(), "failed to write the answer to standard output: {error}");
            }
            ExitCode::from(Status::Error.exit_code())
        }
    }
}

/// Whether an answer is on its way: there is exactly one.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// The answer to a fault of the helper itself. Takes no lock, asks no other part of the program, and says only where in
/// the source it was: the words of a panic may quote what it was working on.
fn answer_a_panic(place: Option<&std::panic::Location<'_>>) -> ! {
    if ANSWERED.swap(true, Ordering::SeqCst) {
        if std::thread::current().name() == Some("main") {
            std::process::exit(Status::Error.exit_code().into());
        }
        // The main thread is printing its answer, and ends the process when that is done.
        loop {
            std::thread::park();
        }
    }
    let (file, line) = place.map_or(("unknown", 0), |place| (place.file(), place.line()));
    let text = format!(
        concat!(
            r#"{{"schema":{},"command":"","status":"error","error":{{"code":"internal","#,
            r#""message":"internal error: panic at {}:{}","#,
            r#""hint":"this is a bug; please report it with the command that you ran"}}}}"#,
            "\n"
        ),
        answer::SCHEMA,
        file.replace(['"', '\\'], "/"),
        line
    );
    let mut rest = text.as_bytes();
    while let Ok(written @ 1..) = rustix::io::retry_on_intr(|| rustix::io::write(rustix::stdio::stdout(), rest)) {
        rest = &rest[written..];
    }
    std::process::exit(Status::Error.exit_code().into())
}

fn print(text: &str) -> io::Result<()> {
    ANSWERED.store(true, Ordering::SeqCst);
    let mut out = io::stdout().lock();
    if text.is_empty() {
        // A stream was the answer.
        return out.flush();
    }
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}
