//! `schema`: the JSON Schema of every request and answer, generated from the types that are read and written.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::down::{DownData, DownRequest};
use super::stack::{RestartRequest, StackData, StatusRequest, UpRequest};
use crate::answer::{Answer, Failure, Report};
use crate::commands::certs::check::{CheckData as CertsData, CheckRequest as CertsRequest};
use crate::commands::certs::issue::{IssueData, IssueRequest};
use crate::commands::certs::renew::{RenewData, RenewRequest};
use crate::commands::certs::rotate_ca::{RotateData, RotateRequest};
use crate::commands::check::{CheckData, CheckRequest};
use crate::commands::connect::{ConnectData, ConnectRequest};
use crate::commands::init::{InitData, InitRequest};
use crate::commands::probe::{ProbeData, ProbeRequest};
use crate::commands::render::{RenderData, RenderRequest};
use crate::commands::rules::{RulesData, RulesRequest};
use crate::commands::token::{CheckData as TokenCheckData, SetData, TokenRequest};
use crate::diagnose::{DiagnoseData, DiagnoseRequest};
use crate::preflight::{PreflightData, PreflightRequest};

/// The request of `schema`: there is nothing to ask.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SchemaRequest {}

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

fn command<R: JsonSchema, D: JsonSchema>() -> CommandSchema {
    CommandSchema { request: schema::<R>(false), answer: schema::<Answer<D>>(true) }
}

/// The command.
pub(crate) fn run() -> Report<SchemaData> {
    let commands = [
        ("preflight", command::<PreflightRequest, PreflightData>()),
        ("init", command::<InitRequest, InitData>()),
        ("token set", command::<TokenRequest, SetData>()),
        ("token check", command::<TokenRequest, TokenCheckData>()),
        ("certs issue", command::<IssueRequest, IssueData>()),
        ("certs check", command::<CertsRequest, CertsData>()),
        ("certs renew", command::<RenewRequest, RenewData>()),
        ("certs rotate-ca", command::<RotateRequest, RotateData>()),
        ("render", command::<RenderRequest, RenderData>()),
        ("check", command::<CheckRequest, CheckData>()),
        ("up", command::<UpRequest, StackData>()),
        ("status", command::<StatusRequest, StackData>()),
        ("restart", command::<RestartRequest, StackData>()),
        ("down", command::<DownRequest, DownData>()),
        ("diagnose", command::<DiagnoseRequest, DiagnoseData>()),
        ("probe", command::<ProbeRequest, ProbeData>()),
        ("connect", command::<ConnectRequest, ConnectData>()),
        ("rules", command::<RulesRequest, RulesData>()),
        ("schema", command::<SchemaRequest, SchemaData>()),
    ];
    let data = SchemaData { failure: schema::<Failure>(true), commands: commands.into_iter().collect() };
    Report::new(format!("JSON Schema of {} commands", data.commands.len()), data)
}
