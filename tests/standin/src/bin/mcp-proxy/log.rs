//! Lines as slog's JSON handler prints them.

use mcp_tunnels_standin::clock;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::exit;

#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
pub(crate) enum Level {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

/// slog's JSON handler.
#[derive(Clone, Copy)]
pub(crate) struct Log(pub(crate) Level);

impl Log {
    pub(crate) fn line(self, level: Level, message: &str, fields: &[(&str, Value)]) {
        if level < self.0 {
            return;
        }
        let name = match level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        let mut line = format!("{{\"time\":\"{}\",\"level\":\"{name}\",\"msg\":{}", clock::nanos(), json!(message));
        for (key, value) in fields {
            line += &format!(",{}:{value}", json!(key));
        }
        // A log without a reader is no reason to stop.
        let _ = writeln!(io::stdout(), "{line}}}");
    }

    pub(crate) fn fatal(self, message: &str, error: &str) -> ! {
        self.line(Level::Error, message, &[("error", json!(error))]);
        exit(1)
    }
}
