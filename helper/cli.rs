//! The request line: the commands, nothing else.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use serde_json::Value;

use crate::answer::{self, Error, Report, Status, request};
use crate::caller::Caller;
use crate::commands::{certs, check, connect, down, init, probe, render, rules, schema, stack, token};
use crate::deployment::Deployment;
use crate::{diagnose, preflight};

/// Sets up, checks and runs an Anthropic MCP tunnel with Docker Compose.
///
/// Reads one JSON request, prints one JSON answer. Exit code 0: ok; 1: problems found; 2: could not answer.
#[derive(Debug, Parser)]
// The launcher keeps it under a longer name.
#[command(name = "mcp-tunnels-helper", bin_name = "mcp-tunnels-helper", version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Deployment directory [default: ~/mcp-tunnel]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The request: a JSON object, @FILE, or - for standard input [default: {}]
    #[arg(long, global = true, value_name = "REQUEST")]
    json: Option<String>,
    /// Indent the answer
    #[arg(long, global = true)]
    pretty: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check whether this host can run the tunnel: tools, settings, network
    Preflight,
    /// Create the deployment directory, or list the remaining steps
    Init,
    /// Set or check the tunnel's token
    #[command(subcommand)]
    Token(TokenVerb),
    /// Issue, check and renew the certificates
    #[command(subcommand)]
    Certs(CertsVerb),
    /// Write the proxy configuration and the compose file
    Render,
    /// Lint the files of the deployment
    Check,
    /// Start the stack and wait until it is live
    Up,
    /// Report whether the stack is live
    Status,
    /// Apply an edited configuration or a new token
    Restart,
    /// Stop the stack
    Down,
    /// Diagnose a deployment or a saved log
    Diagnose,
    /// Test whether Claude can call the MCP server behind each route
    Probe,
    /// Show how to call the tunnel from Claude
    Connect,
    /// Print the troubleshooting table
    Rules,
    /// Print the JSON Schema of every request and answer
    Schema,
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// Write the token to .env (from standard input or a hidden prompt)
    Set,
    /// Check the token in .env
    Check,
}

#[derive(Debug, Subcommand)]
enum CertsVerb {
    /// Issue the CA and the server certificate, if missing
    Issue,
    /// Check every documented requirement, with a TLS handshake for every route
    Check,
    /// Renew the server certificate with the same CA and the same key
    Renew,
    /// Rotate the CA without losing a call, in three steps
    RotateCa,
}

/// What is to be printed.
pub(crate) enum Printed {
    /// Help or version, plain text.
    Text(String),
    /// The answer.
    Json(Value, Status, bool),
}

/// Runs what the arguments say.
pub(crate) fn run(args: &[OsString], caller: &mut Caller) -> Printed {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Printed::Text(error.render().to_string());
        }
        Err(error) => {
            let pretty = args.iter().any(|arg| arg == "--pretty");
            let text = error.render().to_string();
            let message = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
            let words = command_words(args);
            let message = if matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
                format!("missing subcommand of `{words}`")
            } else {
                message.replace('\n', " ").split_whitespace().collect::<Vec<_>>().join(" ")
            };
            let (value, status) = answer::finish::<()>(&words, Err(Error::Usage(message)), caller);
            return Printed::Json(value, status, pretty);
        }
    };
    dispatch(&cli, caller)
}

/// The command words among the arguments. Other arguments are left out: they may be secrets.
fn command_words(args: &[OsString]) -> String {
    let mut command = Cli::command();
    let mut words = Vec::new();
    for arg in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(verb) = command.find_subcommand(arg).cloned() {
            words.push(arg);
            command = verb;
        }
    }
    words.join(" ")
}

fn dispatch(cli: &Cli, caller: &mut Caller) -> Printed {
    let json = cli.json.as_deref();
    macro_rules! answer {
        ($name:literal, |$request:ident: $type:ty, $deployment:ident| $body:expr) => {{
            let result = (|| {
                let $request: $type = request::read(json)?;
                let $deployment = Deployment::locate(cli.dir.as_deref(), caller)?;
                caller.dir = Some($deployment.root().to_path_buf());
                $body
            })();
            answer::finish($name, result, caller)
        }};
    }
    let (value, status) = match &cli.command {
        Command::Preflight => {
            let result = request::read(json).and_then(|r: preflight::PreflightRequest| {
                let deployment = Deployment::locate(cli.dir.as_deref(), caller);
                caller.dir = deployment.as_ref().ok().map(|d| d.root().to_path_buf());
                // Only a directory that was asked for must be one.
                let deployment = if cli.dir.is_some() { Ok(deployment?) } else { deployment };
                preflight::run(deployment, r, caller)
            });
            answer::finish("preflight", result, caller)
        }
        Command::Init => answer!("init", |r: init::InitRequest, d| init::run(&d, &r, caller)),
        Command::Token(TokenVerb::Set) if json == Some("-") => answer::finish::<()>(
            "token set",
            Err(Error::request("standard input cannot be both the request and the token", "leave `--json` out")),
            caller,
        ),
        Command::Token(TokenVerb::Set) => answer!("token set", |_r: token::TokenRequest, d| token::set(&d, caller)),
        Command::Token(TokenVerb::Check) => {
            answer!("token check", |_r: token::TokenRequest, d| token::check(&d, caller))
        }
        Command::Certs(CertsVerb::Issue) => {
            answer!("certs issue", |r: certs::issue::IssueRequest, d| certs::issue::run(&d, r, caller))
        }
        Command::Certs(CertsVerb::Check) => {
            answer!("certs check", |r: certs::check::CheckRequest, d| certs::check::run(&d, r, caller))
        }
        Command::Certs(CertsVerb::Renew) => {
            answer!("certs renew", |r: certs::renew::RenewRequest, d| certs::renew::run(&d, r, caller))
        }
        Command::Certs(CertsVerb::RotateCa) => {
            answer!("certs rotate-ca", |r: certs::rotate_ca::RotateRequest, d| certs::rotate_ca::run(&d, r, caller))
        }
        Command::Render => answer!("render", |r: render::RenderRequest, d| render::run(&d, &r, caller)),
        Command::Check => answer!("check", |_r: check::CheckRequest, d| check::run(&d, caller)),
        Command::Up => answer!("up", |r: stack::UpRequest, d| stack::up(&d, r, caller)),
        Command::Status => {
            answer!("status", |r: stack::StatusRequest, d| stack::status(&d, r, caller))
        }
        Command::Restart => {
            answer!("restart", |r: stack::RestartRequest, d| stack::restart(&d, &r, caller))
        }
        Command::Down => answer!("down", |_r: down::DownRequest, d| down::down(&d, caller)),
        Command::Diagnose => diagnose(cli, caller),
        Command::Probe => answer!("probe", |r: probe::ProbeRequest, d| probe::run(&d, &r, caller)),
        Command::Connect => answer!("connect", |r: connect::ConnectRequest, d| connect::run(&d, &r, caller)),
        Command::Rules => {
            let result: Result<Report<rules::RulesData>, Error> =
                request::read(json).and_then(|r: rules::RulesRequest| rules::run(&r, caller));
            answer::finish("rules", result, caller)
        }
        Command::Schema => {
            let result = request::read(json).map(|_: schema::SchemaRequest| schema::run());
            answer::finish("schema", result, caller)
        }
    };
    Printed::Json(value, status, cli.pretty)
}

/// `diagnose` reads a saved log without a deployment directory.
fn diagnose(cli: &Cli, caller: &mut Caller) -> (Value, Status) {
    let json = cli.json.as_deref();
    let result = (|| {
        let request: diagnose::DiagnoseRequest = request::read(json)?;
        match &request.logs {
            Some(source) if source == "-" && json == Some("-") => {
                Err(Error::request("standard input cannot be both the request and the log", "pass the request as text"))
            }
            Some(source) => {
                // The log is not the directory's; the commands in the advice may well be for it.
                if cli.dir.is_some() {
                    let deployment = Deployment::locate(cli.dir.as_deref(), caller)?;
                    caller.dir = Some(deployment.root().to_path_buf());
                }
                diagnose::saved::run(source, &request, caller)
            }
            None => {
                let deployment = Deployment::locate(cli.dir.as_deref(), caller)?;
                caller.dir = Some(deployment.root().to_path_buf());
                diagnose::live::run(&deployment, &request, caller)
            }
        }
    })();
    answer::finish("diagnose", result, caller)
}
