//! `mcp-tunnels-helper`: argv in, one JSON line and an exit code out.

mod answer;
mod caller;
mod certs;
mod cli;
mod commands;
mod config;
mod deployment;
mod diagnose;
mod engine;
mod hash;
#[cfg(test)]
mod layout;
mod lint;
mod logs;
mod os;
mod preflight;
mod rules;
mod stack;
mod steps;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use answer::{Error, Status};
use caller::Caller;
use cli::Printed;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // The place, never the payload: it may quote what it was working on.
        let place = panic.location().map_or_else(String::new, |l| format!("{}:{}", l.file(), l.line()));
        let failure = answer::failure("", &Error::Internal(format!("panic at {place}")));
        let _ = print(&serde_json::to_string(&failure).unwrap_or_default());
        std::process::exit(Status::Error.exit_code().into());
    }));
    let mut caller = Caller::from_process();
    let args: Vec<OsString> = std::env::args_os().collect();
    let (text, code) = match cli::run(&args, &mut caller) {
        Printed::Text(text) => (text.trim_end().to_owned(), 0),
        Printed::Json(value, status, pretty) => {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            (text.unwrap_or_default(), status.exit_code())
        }
    };
    match print(&text) {
        Ok(()) => ExitCode::from(code),
        // An answer that did not arrive is none.
        Err(error) => {
            if error.kind() != io::ErrorKind::BrokenPipe {
                let _ = writeln!(io::stderr(), "failed to write the answer to standard output: {error}");
            }
            ExitCode::from(Status::Error.exit_code())
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}
