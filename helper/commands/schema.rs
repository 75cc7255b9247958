//! `schema`: the JSON Schema of every request and answer, generated from the types that are read and written.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Error, Failure, Report};

/// The request of `schema`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SchemaRequest {
    /// Only this command, with its verb, such as `certs check`.
    command: Option<String>,
}

/// What `schema` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SchemaData {
    /// The answer of any command that could not look.
    failure: Schema,
    /// One entry a command.
    commands: std::collections::BTreeMap<&'static str, CommandSchema>,
}

/// The schemas of one command.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CommandSchema {
    /// What the command does.
    about: &'static str,
    /// What `--json` takes.
    request: Schema,
    /// What is printed when it could look.
    answer: Schema,
}

fn schema<T: JsonSchema>(answer: bool) -> Schema {
    let settings = SchemaSettings::draft2020_12();
    let settings = if answer { settings.for_serialize() } else { settings };
    settings.into_generator().into_root_schema_for::<T>()
}

pub(crate) fn request_of<R: JsonSchema>() -> Schema {
    schema::<R>(false)
}

pub(crate) fn answer_of<D: JsonSchema>() -> Schema {
    schema::<Answer<D>>(true)
}

/// A command: its words, what it does, and the schemas of its request and answer.
type Entry = (&'static str, &'static str, fn() -> Schema, fn() -> Schema);

/// The command.
///
/// # Errors
/// `request` for a command that does not exist.
pub(crate) fn run(request: &SchemaRequest, commands: impl Iterator<Item = Entry>) -> Result<Report<SchemaData>, Error> {
    let asked = request.command.as_deref();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let asked = asked.map(words);
    let is_asked = |entry: &Entry| asked.as_ref().is_none_or(|asked| entry.0 == asked);
    let both =
        |(words, about, request, answer): Entry| (words, CommandSchema { about, request: request(), answer: answer() });
    let commands: std::collections::BTreeMap<_, _> = commands.filter(is_asked).map(both).collect();
    let summary = match (&asked, commands.len()) {
        (Some(asked), 0) => {
            return Err(Error::request(
                format!("there is no command `{asked}`"),
                "give the command with its verb, such as `certs check`, or leave `command` out for all",
            ));
        }
        (Some(asked), _) => format!("JSON Schema of `{asked}`"),
        (None, n) => format!("JSON Schema of {n} commands"),
    };
    Ok(Report::new(summary, SchemaData { failure: schema::<Failure>(true), commands }).whole(true))
}
