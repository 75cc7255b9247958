//! Words and flags, and what the environment says of them.

use std::collections::BTreeMap;
use std::env;
use std::process::exit;

/// Commands in their order, and flags wherever they stand.
pub(crate) struct CommandLine {
    pub(crate) commands: Vec<String>,
    flags: BTreeMap<String, String>,
}

impl CommandLine {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let known = [
            ("metrics", "TUNNEL_METRICS"),
            ("protocol", "TUNNEL_TRANSPORT_PROTOCOL"),
            ("loglevel", "TUNNEL_LOGLEVEL"),
            ("output", "TUNNEL_LOG_OUTPUT"),
            ("url", "TUNNEL_URL"),
            ("token", "TUNNEL_TOKEN"),
            ("token-file", "TUNNEL_TOKEN_FILE"),
            ("grace-period", "TUNNEL_GRACE_PERIOD"),
            ("edge-ip-version", "TUNNEL_EDGE_IP_VERSION"),
            ("region", "TUNNEL_REGION"),
            ("retries", "TUNNEL_RETRIES"),
        ];
        let mut parsed = Self { commands: Vec::new(), flags: BTreeMap::new() };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            if argument == "--version" || argument == "-v" {
                parsed.commands = vec!["version".into()];
                return parsed;
            }
            let Some(flag) = argument.strip_prefix('-').map(|flag| flag.trim_start_matches('-')) else {
                parsed.commands.push(argument);
                continue;
            };
            let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            let name = if name == "p" { "protocol" } else { name };
            let value = match value {
                Some(value) => value.to_owned(),
                None if name == "no-autoupdate" => "true".into(),
                None if known.iter().any(|(flag, _)| *flag == name) => arguments.next().unwrap_or_else(|| {
                    eprintln!("Incorrect Usage: flag needs an argument: -{name}");
                    exit(1)
                }),
                None => {
                    eprintln!("Incorrect Usage: flag provided but not defined: -{name}");
                    exit(1)
                }
            };
            parsed.flags.insert(name.to_owned(), value);
        }
        // What logs as a setting was on the command line; the environment fills in behind it.
        let settings: Vec<String> = parsed.settings();
        for (flag, variable) in known {
            if let Ok(value) = env::var(variable) {
                parsed.flags.entry(flag.to_owned()).or_insert(value);
            }
        }
        parsed.flags.insert(String::new(), settings.join(" "));
        parsed
    }

    /// An option that has a value; an empty one counts as absent.
    pub(crate) fn get(&self, flag: &str) -> Option<&str> {
        self.flags.get(flag).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn settings(&self) -> Vec<String> {
        let mut shown = self.flags.clone();
        if let Some(protocol) = shown.get("protocol").cloned() {
            shown.insert("p".into(), protocol);
        }
        shown.iter().map(|(flag, value)| format!("{flag}:{}", if flag == "token" { "*****" } else { value })).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        let words = "--no-autoupdate tunnel --metrics 127.0.0.1:1 --protocol http2 run --url http://localhost:8080";
        let line = CommandLine::parse(words.split(' ').map(str::to_owned));
        assert_eq!(line.commands, ["tunnel", "run"]);
        let settings = "metrics:127.0.0.1:1 no-autoupdate:true p:http2 protocol:http2 url:http://localhost:8080";
        assert_eq!(line.get(""), Some(settings));
    }
}
