//! The request line: from arguments to what is printed.

mod commands;
mod flags;
mod help;
mod output;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde_json::Value;

use crate::answer::{self, Error, Status, text};
use crate::caller::{Caller, quote};
use commands::{COMMANDS, Call};
use output::{Form, Streams};

/// What must be printed, without the newline at its end.
pub(crate) struct Printed {
    /// Help, version or the answer.
    pub(crate) text: String,
    pub(crate) code: u8,
}

/// Runs what the arguments say.
pub(crate) fn run(args: &[OsString], caller: &mut Caller) -> Printed {
    let streams = Streams::of_process();
    if args.len() < 2 {
        return plain(&help::parser(args, streams.width()).render_help().to_string());
    }
    if streams.terminals && output::form(args, streams, caller) == Form::Text {
        caller.screen = Some(output::screen(streams, caller));
    }
    let answer = match help::parser(args, streams.width()).try_get_matches_from(args) {
        Ok(matches) => {
            let answer = dispatch(&matches, output::is_json_asked(args), caller);
            // Its answer was the lines.
            if matches.subcommand_name() == Some("logs") && is_text_stream(&answer, args) {
                return plain("");
            }
            answer
        }
        Err(error) if error.kind() == ErrorKind::DisplayVersion && output::is_json_asked(args) => {
            answer::finish("--version", Ok(help::version()), caller)
        }
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return plain(&error.render().to_string());
        }
        Err(error) => {
            let words = said(args);
            answer::finish::<()>(&words, Err(Error::Usage(usage(&error, &words, args))), caller)
        }
    };
    let (value, status) = answer;
    let text = match output::form(args, streams, caller) {
        Form::Line => serde_json::to_string(&value).unwrap_or_default(),
        Form::Pretty => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Form::Text => text::render(&value, output::screen(streams, caller)).trim_end().to_owned(),
    };
    Printed { text, code: status.exit_code() }
}

/// Whether lines of text were printed, and nothing is to be said about them.
fn is_text_stream((value, status): &(Value, Status), args: &[OsString]) -> bool {
    let has_lines = value["data"]["lines"].as_object().is_some_and(|lines| !lines.is_empty());
    *status == Status::Ok && has_lines && !output::is_json_asked(args)
}

fn plain(text: &str) -> Printed {
    Printed { text: text.trim_end().to_owned(), code: Status::Ok.exit_code() }
}

/// What is wrong with the arguments, in one line.
fn usage(error: &clap::Error, words: &str, args: &[OsString]) -> String {
    let verbs = || {
        let verbs = COMMANDS.iter().filter_map(|c| c.words.strip_prefix(words)?.strip_prefix(' '));
        verbs.map(|verb| format!("`{verb}`")).collect::<Vec<_>>().join(", ")
    };
    let missing =
        matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand);
    if missing && words.is_empty() {
        return "a command is missing".into();
    }
    if missing {
        return format!("`{words}` needs a verb: {}", verbs());
    }
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let nearest = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let nearest = nearest.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) => names.last().cloned(),
        _ => None,
    });
    match nearest {
        Some(name) => format!("{message}; did you mean `{name}`?"),
        None if error.kind() == ErrorKind::InvalidSubcommand && !words.is_empty() => {
            format!("{message}; the verbs of `{words}` are {}", verbs())
        }
        None if error.kind() == ErrorKind::UnknownArgument && !is_flag(error) => {
            format!("{message}{}", as_flags(words, args))
        }
        None => message,
    }
}

fn is_flag(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(name)) if name.starts_with('-'))
}

/// The flags for what was given as words: commands take no positional arguments.
fn as_flags(words: &str, args: &[OsString]) -> String {
    let Some(row) = COMMANDS.iter().find(|row| row.words == words) else { return String::new() };
    let said: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).filter(|arg| !arg.starts_with('-')).collect();
    let is_said = |other: &&commands::Command| {
        let verbs: Vec<&str> = other.words.split(' ').collect();
        other.words != words && said.windows(verbs.len()).any(|said| *said == verbs)
    };
    match COMMANDS.iter().filter(is_said).max_by_key(|row| row.words.len()) {
        Some(asked) if words == "schema" => format!("; did you mean `--command {}`?", quote(OsStr::new(asked.words))),
        _ if row.example.is_empty() => String::new(),
        _ => format!("; `{words}` takes flags, such as `{}`", row.example),
    }
}

/// The command words among the arguments, as far as they are ours: what else was typed may be a secret.
fn said(args: &[OsString]) -> String {
    let mut command = help::words();
    let mut words = Vec::new();
    for arg in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(verb) = command.find_subcommand(arg).cloned() {
            words.push(arg);
            command = verb;
        }
    }
    words.join(" ")
}

fn dispatch(matches: &ArgMatches, is_json: bool, caller: &mut Caller) -> (Value, Status) {
    let (mut words, mut own) = (Vec::new(), matches);
    while let Some((word, inner)) = own.subcommand() {
        words.push(word);
        own = inner;
    }
    let words = words.join(" ");
    let Some(command) = COMMANDS.iter().find(|command| command.words == words) else {
        return answer::finish::<()>(&words, Err(Error::Usage(format!("`{words}` is not a command"))), caller);
    };
    if own.get_flag("quiet") {
        caller.progress = false;
    } else if own.get_one::<String>("progress").is_some_and(|how| how == "plain") {
        caller.progress = true;
    }
    let asked = own.get_one::<PathBuf>("dir").cloned();
    let flags = match flags::given(&flags::fields(&(command.request)()), own) {
        Ok(flags) => flags,
        Err(error) => return answer::finish::<()>(command.words, Err(error), caller),
    };
    let call = Call {
        dir: asked.or_else(|| caller.var("MCP_TUNNEL_DIR").map(PathBuf::from)),
        json: own.get_one::<String>("json").cloned(),
        flags,
        is_json,
    };
    (command.run)(&call, caller)
}
