//! The commands, one row each. The parser, flags, help, `schema`, README's table and the launcher's words are made of it.

use std::path::{Path, PathBuf};

use schemars::Schema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::request::{self, Flag};
use crate::answer::{self, Error, Report, Status};
use crate::caller::Caller;
use crate::commands::schema::{answer_of, request_of};
use crate::commands::{
    allow, certs, check, connect, down, export, init, logs, probe, render, rules, schema, stack, token,
};
use crate::deployment::{Deployment, kind};
use crate::model::found::Found;
use crate::os::{lock, settle};
use crate::{diagnose, preflight};

pub(crate) struct Command {
    /// The command and its verb, such as `certs check`.
    pub(crate) words: &'static str,
    /// What it does, in one line that begins with the verb.
    pub(crate) about: &'static str,
    /// Arguments of an example, without the command's own words.
    pub(crate) example: &'static str,
    /// Schema of what `--json` and the flags take.
    pub(crate) request: fn() -> Schema,
    pub(crate) answer: fn() -> Schema,
    /// Reads the request and answers it.
    pub(crate) run: fn(&Call, &mut Caller) -> (Value, Status),
}

/// What words with several verbs are about.
pub(crate) const GROUPS: &[(&str, &str)] = &[
    ("token", "Writes the tunnel's token into .env, or checks it"),
    ("certs", "Issues, checks, renews and replaces certificates"),
];

/// What one call of the helper asks for.
pub(crate) struct Call {
    /// `--dir`, otherwise `MCP_TUNNEL_DIR`.
    pub(crate) dir: Option<PathBuf>,
    /// `--json` as it was given.
    pub(crate) json: Option<String>,
    /// Fields that were given as flags.
    pub(crate) flags: Vec<Flag>,
    /// Whether JSON was asked for, by `--output json`, `--pretty` or `--json`.
    pub(crate) is_json: bool,
}

impl Call {
    fn request<R: DeserializeOwned>(&self) -> Result<R, Error> {
        request::read(self.json.as_deref(), &self.flags)
    }

    fn deployment(&self, caller: &mut Caller) -> Result<Deployment, Error> {
        let deployment = Deployment::locate(self.dir.as_deref(), caller)?;
        caller.dir = Some(deployment.root().to_path_buf());
        Ok(deployment)
    }

    /// Makes the redactor know the secrets of the directory, where there is one: what was given, and what is wrong with
    /// it, may hold them.
    fn learn_secrets(&self, caller: &Caller) {
        if let Ok(deployment) = Deployment::locate(self.dir.as_deref(), caller)
            && deployment.exists().is_ok_and(|exists| exists)
        {
            let _ = Found::read(&deployment);
        }
    }

    /// Names the current directory where it is a deployment and the default one does not exist.
    fn hinted(&self, error: Error, caller: &Caller) -> Error {
        let is_default_absent = || self.dir.is_none() && caller.dir.as_ref().is_some_and(|dir| !dir.exists());
        match error {
            Error::Directory { message, hint } if is_default_absent() && is_deployment_here(caller) => {
                let hint = format!("the current directory is a deployment: add `--dir .`; otherwise {hint}");
                Error::Directory { message, hint }
            }
            other => other,
        }
    }
}

/// A row. `|request, deployment, caller|` for a command on a deployment directory, `|request, call, caller|` after `free`
/// for one that may do without.
macro_rules! command {
    ($words:literal, $about:literal, $example:literal, $request:ty => $data:ty, free |$r:pat_param, $call:pat_param, $caller:ident| $body:expr) => {
        Command {
            words: $words,
            about: $about,
            example: $example,
            request: request_of::<$request>,
            answer: answer_of::<$data>,
            run: |call, $caller| {
                let result: Result<Report<$data>, Error> = call.request::<$request>().and_then(|$r| {
                    let $call = call;
                    $body
                });
                let failed = |error| {
                    call.learn_secrets($caller);
                    call.hinted(error, $caller)
                };
                answer::finish($words, settled(result).map_err(failed), $caller)
            },
        }
    };
    ($words:literal, $about:literal, $example:literal, $request:ty => $data:ty, |$r:pat_param, $d:ident, $caller:ident| $body:expr) => {
        command!($words, $about, $example, $request => $data, free |$r, call, $caller| {
            let $d = call.deployment($caller)?;
            $body
        })
    };
}

macro_rules! commands {
    ($({ $($row:tt)* })*) => { &[$(command!($($row)*)),*] };
}

/// Every command, in the order in which a person meets them.
pub(crate) static COMMANDS: &[Command] = commands! {
    { "preflight", "Checks what on this host and its network would keep the tunnel from working",
      "--timeout-ms 3000", preflight::PreflightRequest => preflight::PreflightData,
      free |r, call, caller| check_host(r, call, caller) }
    { "init", "Writes the deployment directory; without a domain, reports its state and the next step",
      "--domain abcd1234.tunnel.anthropic.com --sample", init::InitRequest => init::InitData,
      |r, d, caller| init::run(&d, &r, caller) }
    { "token set", "Writes the token into .env, from standard input or a hidden prompt",
      "", token::TokenRequest => token::SetData, free |_r, call, caller| set_token(call, caller) }
    { "token check", "Checks the token in .env without showing it",
      "", token::TokenRequest => token::CheckData, |_r, d, caller| token::check(&d, caller) }
    { "certs issue", "Makes the CA and the server certificate, if missing",
      "--server-days 90", certs::issue::IssueRequest => certs::issue::IssueData,
      |r, d, caller| certs::issue::run(&d, r, caller) }
    { "certs check", "Checks every documented requirement, and makes a TLS handshake for each route",
      "--fail-within-days 14", certs::check::CheckRequest => certs::check::CheckData,
      |r, d, caller| certs::check::run(&d, r, caller) }
    { "certs renew", "Issues a new server certificate with the same CA and key, if fewer than 30 days are left",
      "--renew-before-days 30", certs::renew::RenewRequest => certs::renew::RenewData,
      |r, d, caller| certs::renew::run(&d, r, caller) }
    { "certs rotate-ca", "Changes to a new CA without losing a call: begin, switch, finish, and back",
      "--step begin", certs::rotate_ca::RotateRequest => certs::rotate_ca::RotateData,
      |r, d, caller| certs::rotate_ca::run(&d, r, caller) }
    { "render", "Writes the proxy's configuration and the compose file",
      "--route wiki=http://wiki:8000 --network wiki_default --dry-run", render::RenderRequest => render::RenderData,
      |r, d, caller| render::run(&d, &r, caller) }
    { "check", "Lints the deployment on disk, generated or hand-written",
      "", check::CheckRequest => check::CheckData, |_r, d, caller| check::run(&d, caller) }
    { "up", "Starts the stack and waits until it is ready",
      "--wait-seconds 120", stack::UpRequest => stack::StackData, |r, d, caller| stack::up(&d, r, caller) }
    { "status", "Reports whether the stack is ready, without starting anything",
      "--wait-seconds 30", stack::StatusRequest => stack::StackData, |r, d, caller| stack::status(&d, r, caller) }
    { "restart", "Applies an edited configuration, a new token or an edited server",
      "--service mcp-gateway", stack::RestartRequest => stack::StackData,
      |r, d, caller| stack::restart(&d, &r, caller) }
    { "down", "Stops the stack",
      "", down::DownRequest => down::DownData, |_r, d, caller| down::down(&d, caller) }
    { "allow", "Records that a person allows the privileges that the stack asks for",
      "", allow::AllowRequest => allow::AllowData, |r, d, caller| allow::run(&d, &r, caller) }
    { "diagnose", "Reports what is wrong, causes first, with evidence and fix: of the deployment, or of a saved log",
      "--logs saved.log", diagnose::DiagnoseRequest => diagnose::DiagnoseData,
      free |r, call, caller| diagnose(r, call, caller) }
    { "logs", "Prints the containers' logs, redacted, as lines of text (one JSON object per line with `--output json`)",
      "--service cloudflared --since 15m", logs::LogsRequest => logs::LogsData,
      free |r, call, caller| {
          let deployment = call.deployment(caller)?;
          logs::run(&deployment, &r, call.is_json, caller)
      } }
    { "probe", "Asks the MCP server behind each route whether Claude could call it",
      "--url http://host.docker.internal:8000", probe::ProbeRequest => probe::ProbeData,
      |r, d, caller| probe::run(&d, &r, caller) }
    { "connect", "Prints how to call it from Claude",
      "--path mcp", connect::ConnectRequest => connect::ConnectData, |r, d, caller| connect::run(&d, &r, caller) }
    { "export", "Writes the deployment for a Kubernetes cluster, or packs it for another Docker host",
      "--to replica --out mcp-tunnel.tar.gz", export::ExportRequest => export::ExportData,
      |r, d, caller| export::run(&d, &r, caller) }
    { "rules", "Prints the troubleshooting table",
      "--id token-placeholder", rules::RulesRequest => rules::RulesData,
      free |r, call, caller| {
          call.learn_secrets(caller);
          rules::run(&r, caller)
      } }
    { "schema", "Prints the JSON Schema of every request and answer, or of one command",
      "--command 'certs check'", schema::SchemaRequest => schema::SchemaData,
      free |r, _call, _caller| schema::run(&r, COMMANDS.iter().map(|c| (c.words, c.about, c.request, c.answer))) }
};

/// What was changed is on disk before the answer says so, also where the command failed later.
fn settled<D>(result: Result<Report<D>, Error>) -> Result<Report<D>, Error> {
    let kept = settle::settle();
    let mut report = result?;
    kept?;
    report.skipped.extend(lock::unlocked());
    Ok(report)
}

fn is_deployment_here(caller: &Caller) -> bool {
    let here = Deployment::locate(Some(Path::new(".")), caller);
    here.and_then(|here| kind::look(&here)).is_ok_and(|look| look.maker().is_some())
}

fn check_host(
    request: preflight::PreflightRequest,
    call: &Call,
    caller: &mut Caller,
) -> Result<Report<preflight::PreflightData>, Error> {
    let deployment = call.deployment(caller);
    // Only a directory that was asked for must be one.
    let deployment = if call.dir.is_some() { Ok(deployment?) } else { deployment };
    preflight::run(deployment, request, caller)
}

fn set_token(call: &Call, caller: &mut Caller) -> Result<Report<token::SetData>, Error> {
    if call.json.as_deref() == Some("-") {
        return Err(Error::request("standard input cannot be both the request and the token", "leave `--json` out"));
    }
    let deployment = call.deployment(caller)?;
    token::set(&deployment, caller)
}

/// A saved log needs no deployment directory.
fn diagnose(
    request: diagnose::DiagnoseRequest,
    call: &Call,
    caller: &mut Caller,
) -> Result<Report<diagnose::DiagnoseData>, Error> {
    let Some(source) = &request.logs else {
        let deployment = call.deployment(caller)?;
        return diagnose::live::run(&deployment, &request, caller);
    };
    if source == "-" && call.json.as_deref() == Some("-") {
        return Err(Error::request(
            "standard input cannot be both the request and the log",
            "pass the request as text",
        ));
    }
    // The log is not the directory's; the commands in the advice may well be for it.
    if call.dir.is_some() {
        call.deployment(caller)?;
    }
    call.learn_secrets(caller);
    diagnose::saved::run(source, &request, caller)
}
