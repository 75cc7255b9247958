//! The parser and its help texts, made from the rows of the commands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, value_parser};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::commands::{COMMANDS, Command, GROUPS};
use super::flags;
use crate::answer::Report;
use crate::answer::text::wrap;
use crate::config::images;

const NAME: &str = "mcp-tunnels-helper";
const ABOUT: &str = "Sets up, checks, runs and diagnoses an Anthropic MCP tunnel with Docker Compose.

Prints one JSON object, or text at a terminal. Exit code 0: nothing worse than a warning; 1: at least one error; 2: no \
answer.";

/// What `null` of the JSON is among the flags.
const REMOVES: &str =
    "An empty value is `null`: `--route wiki=` removes the route, `--protocol=` resets the setting.\n\n";

/// What this program is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VersionData {
    version: &'static str,
    /// Commit that it was built from, where the build knew it.
    commit: Option<&'static str>,
    /// Machine and system that it was built for.
    target: String,
    /// Container images that it writes into a new deployment.
    images: BTreeMap<&'static str, &'static str>,
}

/// The answer of `--version --output json`.
pub(crate) fn version() -> Report<VersionData> {
    let data = VersionData {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("MCP_TUNNELS_COMMIT"),
        target: target(),
        images: images::TABLE.iter().copied().collect(),
    };
    Report::new(format!("{NAME} {}", version_line()), data)
}

/// The target triple, as far as the code can tell it.
fn target() -> String {
    let vendor = if cfg!(target_vendor = "apple") { "apple" } else { "unknown" };
    let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let environment = if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "gnu") {
        "-gnu"
    } else {
        ""
    };
    format!("{}-{vendor}-{os}{environment}", std::env::consts::ARCH)
}

fn version_line() -> String {
    let commit = option_env!("MCP_TUNNELS_COMMIT").map_or_else(String::new, |commit| format!("commit {commit}, "));
    format!("{} ({commit}{})", env!("CARGO_PKG_VERSION"), target())
}

/// The parser of these arguments: only the commands that they name have flags, because schemas take time.
pub(crate) fn parser(args: &[OsString], width: usize) -> clap::Command {
    let is_named = |word: &str| args.iter().any(|arg| arg == word);
    let is_help = |arg: &OsString| ["help", "--help", "-h"].iter().any(|word| arg == word);
    let helped = args.iter().any(is_help);
    let row = |row: &Command, name: &'static str| {
        let mut command = clap::Command::new(name).about(row.about);
        if row.words.split(' ').all(is_named) {
            let (fields, mut args) = (flags::fields(&(row.request)()), Vec::new());
            fields.iter().for_each(|field| field.args("", &mut args));
            command = command.args(args);
            if helped {
                let removes = if fields.iter().any(flags::Field::takes_routes) { REMOVES } else { "" };
                command = command.after_help(format!("{removes}{}", after(row, width)));
            }
        }
        command
    };
    let mut all = base().version(version_line()).term_width(width);
    for command in COMMANDS {
        all = match command.words.split_once(' ') {
            None => all.subcommand(row(command, command.words)),
            Some((group, verb)) => {
                let verb = row(command, verb);
                match all.find_subcommand(group) {
                    Some(_) => all.mut_subcommand(group, |group| group.subcommand(verb)),
                    None => all.subcommand(group_of(group).subcommand(verb)),
                }
            }
        };
    }
    all
}

fn group_of(name: &'static str) -> clap::Command {
    let about = GROUPS.iter().find(|(group, _)| *group == name).map_or("", |(_, about)| about);
    clap::Command::new(name).about(about).subcommand_required(true)
}

/// The words of the commands without their flags.
pub(crate) fn words() -> clap::Command {
    parser(&[], 0)
}

fn base() -> clap::Command {
    let global = |name: &'static str| Arg::new(name).long(name).global(true);
    clap::Command::new(NAME).bin_name(NAME).about(ABOUT).subcommand_required(true).args([
        global("dir")
            .value_name("DIR")
            .value_parser(value_parser!(PathBuf))
            .help("Deployment directory [default: $MCP_TUNNEL_DIR, otherwise ~/mcp-tunnel]"),
        global("json")
            .value_name("REQUEST")
            .num_args(0..=1)
            .default_missing_value("{}")
            .help("The request: a JSON object, @FILE, or - for standard input [default: {}]"),
        global("output")
            .value_name("text|json")
            .value_parser(["text", "json"])
            .hide_possible_values(true)
            .help("Form of the answer [default: text at a terminal, otherwise json]"),
        global("pretty").action(ArgAction::SetTrue).help("Indent the JSON of the answer"),
        global("progress")
            .value_name("auto|plain")
            .value_parser(["auto", "plain"])
            .hide_possible_values(true)
            .help("Report progress of long work on standard error: at a terminal, or always [default: auto]"),
        global("quiet").action(ArgAction::SetTrue).help("Report no progress"),
    ])
}

/// What the answer holds, and an example.
fn after(row: &Command, width: usize) -> String {
    let schema = (row.answer)();
    let root = schema.as_value();
    let at = root["properties"]["data"]["$ref"].as_str().and_then(|at| at.rsplit('/').next()).unwrap_or_default();
    let data = if at.is_empty() { &root["properties"]["data"] } else { &root["$defs"][at] };
    let fields: Vec<(&str, &str)> = data["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| (name.as_str(), about(field, root)))
        .collect();
    let widest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = String::from("Answer, in `data`:\n");
    for (name, about) in fields {
        let lines = wrap(about, width.saturating_sub(widest + 4).max(20));
        let indent = " ".repeat(widest + 4);
        text.push_str(&format!("  {name:widest$}  {}\n", lines.join(&format!("\n{indent}"))));
    }
    text.push_str(&format!("\nExample:\n  {}", format!("{NAME} {} {}", row.words, row.example).trim_end()));
    text
}

/// The first sentence of a field's description.
fn about<'a>(field: &'a Value, root: &'a Value) -> &'a str {
    let name = field["$ref"].as_str().and_then(|at| at.rsplit('/').next());
    let target = name.map(|name| &root["$defs"][name]["description"]);
    let text = field["description"].as_str().or(target.and_then(Value::as_str)).unwrap_or_default();
    text.split(['\n', ';']).next().unwrap_or_default()
}
