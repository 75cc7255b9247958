//! Lines as cloudflared prints them.

use crate::command_line::CommandLine;
use mcp_tunnels_standin::clock;
use serde_json::{Map, Value, json};
use std::env;
use std::io::{self, Write};
use std::process::exit;

/// `TIME LVL message error="…" key=value …` on stderr, or one JSON object a line.
#[derive(Clone)]
pub(crate) struct Log {
    least: u8,
    json: bool,
}

pub(crate) type Fields<'a> = &'a [(&'a str, Value)];

impl Log {
    pub(crate) fn new(line: &CommandLine) -> Self {
        let least = match line.get("loglevel").unwrap_or("info") {
            "debug" => 0,
            "info" => 1,
            "warn" => 2,
            "error" => 3,
            "fatal" => 4,
            other => {
                eprintln!("Unknown Level String: '{other}', defaulting to NoLevel");
                1
            }
        };
        let json = line.get("output") == Some("json") || env::var("TUNNEL_MANAGEMENT_OUTPUT").as_deref() == Ok("json");
        Self { least, json }
    }

    pub(crate) fn line(&self, level: u8, message: &str, error: Option<&str>, fields: Fields<'_>) {
        if level < self.least {
            return;
        }
        let (short, long) = [("DBG", "debug"), ("INF", "info"), ("WRN", "warn"), ("ERR", "error")][usize::from(level)];
        let line = if self.json {
            // A fixed field that the console prints as part of the message.
            let (message, tunnel) = message.split_once(" tunnelID=").unwrap_or((message, ""));
            let mut object: Map<String, Value> =
                fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
            object.insert("level".into(), json!(long));
            object.insert("message".into(), json!(message));
            object.insert("time".into(), json!(clock::seconds()));
            object.extend(error.map(|error| ("error".to_owned(), json!(error))));
            object.extend(Some(tunnel).filter(|id| !id.is_empty()).map(|id| ("tunnelID".to_owned(), json!(id))));
            Value::Object(object).to_string()
        } else {
            let mut line = format!("{} {short} {message}", clock::seconds());
            line += &error.map(|error| format!(" error={}", json!(error))).unwrap_or_default();
            for (key, value) in fields {
                line += &format!(" {key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
            line
        };
        // A log without a reader is no reason to stop.
        let _ = writeln!(io::stderr(), "{line}");
    }

    pub(crate) fn info(&self, message: &str, fields: Fields<'_>) {
        self.line(1, message, None, fields);
    }

    pub(crate) fn error(&self, message: &str, error: &str, fields: Fields<'_>) {
        self.line(3, message, Some(error), fields);
    }

    pub(crate) fn fatal(&self, error: &str) -> ! {
        eprintln!("{error}");
        exit(1)
    }
}
