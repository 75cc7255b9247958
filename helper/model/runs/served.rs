//! Which host names the MCP server of a service answers to, and in how many processes it keeps its sessions: as far as its
//! command line and its script tell.

use super::code::split;
use super::image::Files;
use super::listening::{Bind, Certainty, Cure, Place, bind};
use super::runner::option;
use super::script::{Call, Code, code_of};
use super::shell::{Invocation, is_python};
use super::start::Start;
use super::{last, shell};
use crate::deployment::Deployment;
use crate::model::found::Found;
use crate::rules::At;

/// What is known of a server besides where it listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served {
    /// It answers local host names only.
    pub(crate) guard: Option<Place>,
    /// Several processes or containers take its calls.
    pub(crate) sessions: Option<Sessions>,
    /// Host or port stand where its version of the SDK does not take them: whether it is version 1, and where.
    pub(crate) misplaced: Option<(bool, Place)>,
}

/// Which version of the SDK for Python is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    /// One before 1.23, which answers to every host name.
    Unguarded,
    /// One that bounds let in and that is not older.
    Guarded,
    Unknown,
}

/// Several places of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sessions {
    pub(crate) count: u32,
    /// Whether they are containers, and not processes of one.
    pub(crate) are_containers: bool,
    /// What asks for them, and where.
    pub(crate) place: Place,
    /// Whether the script keeps sessions in its memory, as far as it is read.
    pub(crate) is_known: bool,
}

/// Programs that serve an application of Python, with the options and the variable for how many do it.
const WORKERS: [(&str, &[&str], &str); 5] = [
    // https://www.uvicorn.org/settings/#production
    ("uvicorn", &["--workers"], "WEB_CONCURRENCY"),
    // https://docs.gunicorn.org/en/stable/settings.html#workers
    ("gunicorn", &["--workers", "-w"], "WEB_CONCURRENCY"),
    // https://hypercorn.readthedocs.io/en/latest/how_to_guides/configuring.html
    ("hypercorn", &["--workers", "-w"], ""),
    // https://github.com/emmett-framework/granian#options
    ("granian", &["--workers"], "GRANIAN_WORKERS"),
    // https://fastapi.tiangolo.com/deployment/server-workers/
    ("fastapi", &["--workers"], "WEB_CONCURRENCY"),
];

/// What a service's files say of it, and of the version of the SDK that it installs.
pub(crate) fn served(deployment: &Deployment, found: &Found, service: &str, sdk: Sdk) -> Served {
    let start = Start::of(deployment, found, service);
    let files = Files { deployment, found, service, image: start.image.as_ref(), port: 0 };
    let last = start.program().and_then(|invocation| last(&files, invocation, start.at.clone(), 4));
    let script = last.as_ref().and_then(|(invocation, _)| script(&files, invocation));
    let code = script.as_ref().map(|(_, code)| code);
    let guard = script.as_ref().and_then(|(file, code)| guard(code, file, sdk));
    let is_run = last.as_ref().is_some_and(|(invocation, _)| is_python(&invocation.program));
    let misplaced = script.as_ref().filter(|_| is_run).and_then(|(file, code)| misplaced(code, file));
    let is_stateless = code.is_some_and(Code::is_stateless)
        || start.base.env.iter().any(|(name, value)| name.contains("STATELESS") && !matches!(&**value, "false" | "0"));
    let many = last.as_ref().and_then(|(invocation, at)| workers(invocation, at));
    let many = many.or_else(|| script.as_ref().and_then(|(file, code)| workers_of_script(code, file)));
    let are_containers = many.is_none();
    let many = many.or_else(|| replicas(found, service)).filter(|_| !is_stateless);
    let is_known = code.is_some_and(Code::keeps_sessions);
    let sessions = many.map(|(count, place)| Sessions { count, are_containers, place, is_known });
    Served { guard, sessions, misplaced }
}

/// The script that has the server: the one that is run, or the module that a program serves.
fn script(files: &Files<'_>, invocation: &Invocation) -> Option<(String, Code)> {
    let Invocation { program, args, folder, .. } = invocation;
    if is_python(program) || program.ends_with(".py") {
        let path = if is_python(program) { args.iter().find(|arg| arg.ends_with(".py"))? } else { program };
        return code_of(files, invocation, folder.as_deref(), path);
    }
    WORKERS.iter().find(|(name, ..)| name == program)?;
    let is_module = |arg: &&String| {
        let name = arg.split_once(':').map(|(module, _)| module).unwrap_or_default();
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
    };
    let is_name = |arg: &&String| is_module(arg) && !arg.starts_with(|c: char| c.is_ascii_digit());
    // An option may have an address for its value.
    let module = args.iter().find(is_name)?.split(':').next()?.replace('.', "/");
    let within = option(args, &["--app-dir", "--chdir"]).map(|(_, folder)| folder);
    let folder = match within {
        Some(within) => Some(shell::joined(folder.as_deref(), within)),
        None => folder.clone(),
    };
    let paths = [format!("{module}.py"), format!("{module}/__init__.py")];
    paths.iter().find_map(|path| code_of(files, invocation, folder.as_deref(), path))
}

/// Version 1 of the SDK takes host and port where the server is made, version 2 where it runs; the name of the import
/// tells which it is (`mcp/server/fastmcp/server.py` of 1.30.0, `mcp/server/mcpserver/server.py` of 2.3.0).
fn misplaced(code: &Code, file: &str) -> Option<(bool, Place)> {
    let is_first = code.has("from mcp.server.fastmcp import");
    // One that takes either version, or that is from another package, is not judged.
    let others = ["MCPServer", "from fastmcp", "import fastmcp", "except TypeError"];
    let others = if is_first { &others[..] } else { &["FastMCP", "except TypeError"] };
    let is_second = code.has("from mcp.server import MCPServer") || code.has("from mcp.server.mcpserver import");
    if !is_first && !is_second || others.iter().any(|word| code.has(word)) {
        return None;
    }
    let made = if is_first { code.calls("FastMCP") } else { code.calls("MCPServer") };
    let ([made], runs) = (made.as_slice(), code.runs()) else { return None };
    let [run] = runs.as_slice() else { return None };
    let (call, cure) = match is_first {
        // Nothing but the server itself has a method of this name.
        true => (
            code.is_run_of(made, run).then_some(run)?,
            "FastMCP(…, host=\"0.0.0.0\", port=PORT)` and `run(transport=\"streamable-http\")",
        ),
        false => (made, "run(transport=\"streamable-http\", host=\"0.0.0.0\", port=PORT)"),
    };
    let name = ["host", "port"].into_iter().find(|name| call.keyword(name).is_some())?;
    let place = Place::new(format!("`{name}=`"), Certainty::Sure).cured(Cure::Code(cure.into()));
    Some((is_first, place.in_line(file, Some(code.line(call.at)))))
}

/// The server that is made for loopback: since 1.23 the SDK then accepts local host names only, and `streamable_http_app`
/// hands that on to whatever serves it (`mcp/server/fastmcp/server.py` of 1.30.0, `mcp/server/mcpserver/server.py` of 2.3.0).
fn guard(code: &Code, file: &str, sdk: Sdk) -> Option<Place> {
    // The protection may be off, or the code may change the header.
    let others = ["transport_security", "TransportSecurity", "b\"host\"", "b'host'", "[\"headers\"]", "['headers']"];
    if sdk == Sdk::Unguarded || others.iter().any(|word| code.has(word)) {
        return None;
    }
    let apps = [code.calls(".streamable_http_app"), code.calls(".sse_app")].concat();
    let is_first = code.has("mcp.server.fastmcp") && !code.has("MCPServer");
    let runs = code.runs();
    let is_over_http = |run: &Call<'_>| run.keyword("transport").or_else(|| run.positional(0)).is_some();
    let is_moved = is_first && code.has(".settings.host") && runs.iter().any(is_over_http);
    let of = if is_first { code.calls("FastMCP") } else { code.calls("MCPServer") };
    let [made] = of.as_slice() else { return None };
    let is_served = !apps.is_empty() || is_moved;
    // Version 2 has the host where the application is made.
    let named = if is_first { made } else { apps.first()? };
    let is_open = named.is_open() || made.is_open() || code.env("FASTMCP_HOST").is_some();
    if !is_served || is_open || !is_first && !code.has("mcp.server") {
        return None;
    }
    let host = named.keyword("host");
    let is_local = match host {
        Some(host) => code.value(host, 4).is_some_and(|host| bind(&host) == Bind::Loopback && host != "127.0.0.2"),
        None => true,
    };
    let cure = if is_first { "FastMCP(…, host=\"0.0.0.0\")" } else { "streamable_http_app(host=\"0.0.0.0\")" };
    let words = match host {
        Some(_) => "names a host of loopback",
        None => "names no host",
    };
    let certainty = if sdk == Sdk::Guarded || !is_first { Certainty::Likely } else { Certainty::Guess };
    let place = Place::new(words, certainty).cured(Cure::Code(cure.to_owned()));
    is_local.then(|| place.in_line(file, Some(code.line(named.at))))
}

/// So many that sessions are lost.
fn several(count: &str) -> Option<u32> {
    count.trim().parse().ok().filter(|count| *count > 1)
}

fn workers(invocation: &Invocation, at: &Option<At>) -> Option<(u32, Place)> {
    let (name, options, variable) = WORKERS.iter().find(|(name, ..)| *name == invocation.program)?;
    let (words, count, cure) = match option(&invocation.args, options) {
        Some((option, count)) => {
            (format!("`{option} {count}` of `{name}`"), count.to_owned(), Cure::Words(format!("{option} 1")))
        }
        None => {
            let count = invocation.env.get(*variable)?;
            (format!("`{variable}={count}`"), count.clone(), Cure::Variable((*variable).to_owned()))
        }
    };
    let count = several(&count)?;
    Some((count, Place { file: at.clone(), ..Place::new(words, Certainty::Likely).cured(cure) }))
}

fn workers_of_script(code: &Code, file: &str) -> Option<(u32, Place)> {
    let run = code.calls("uvicorn.run").into_iter().next()?;
    let count = several(&code.value(run.keyword("workers")?, 4)?)?;
    let place = Place::new(format!("`workers={count}` of `uvicorn.run`"), Certainty::Likely);
    let cure = Cure::Code("workers=1".into());
    Some((count, place.cured(cure).in_line(file, Some(code.line(run.at)))))
}

fn replicas(found: &Found, service: &str) -> Option<(u32, Place)> {
    let (key, count) = found.replicas(service)?;
    let count = several(&count)?;
    let place = Place::new(format!("`{key}: {count}`"), Certainty::Likely);
    let key = key.rsplit('.').next().unwrap_or(key);
    Some((count, place.cured(Cure::Words(format!("{key}: 1")))))
}

impl Code {
    /// Whether its server keeps no session from one call to the next.
    fn is_stateless(&self) -> bool {
        let calls =
            ["FastMCP", "MCPServer", ".http_app", ".streamable_http_app", ".run", "StreamableHTTPSessionManager"];
        let all = calls.iter().flat_map(|name| self.calls(name)).collect::<Vec<_>>();
        let is_set = |call: &Call<'_>| {
            call.args.iter().flat_map(|arg| split(arg)).any(|arg| {
                arg.split_once('=')
                    .is_some_and(|(name, value)| name.trim().starts_with("stateless") && value.trim() != "False")
            })
        };
        all.iter().any(is_set) || self.has(".settings.stateless_http")
    }

    /// Whether it has a server of MCP over streamable HTTP.
    fn keeps_sessions(&self) -> bool {
        let servers = ["FastMCP(", "MCPServer(", "StreamableHTTPSessionManager("];
        let serves = ["http_app(", "sse_app(", "StreamableHTTPSessionManager(", "streamable"];
        servers.iter().any(|word| self.has(word)) && serves.iter().any(|word| self.has(word))
    }
}
