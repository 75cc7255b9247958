//! Where the server of a service takes calls, as far as its command line, its environment and its script tell.

mod brought;
mod build;
mod code;
mod context;
mod copies;
mod ignored;
mod image;
mod instruction;
mod listening;
mod managers;
mod program;
mod programs;
mod runner;
mod script;
mod served;
mod settings;
mod shell;
mod start;
mod statements;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::address::host_and_port;
use super::found::Found;
use crate::deployment::Deployment;
use crate::rules::At;
pub(crate) use build::{Build, build};
pub(crate) use context::{Context, context};
pub(crate) use copies::{Gone, not_there};
use listening::{Bind, Said};
pub(crate) use listening::{Certainty, Cure, Listening, Place};
use managers::{caddy, nginx, started_by_file, traefik};
pub(crate) use program::unusable;
pub(crate) use served::{Sdk, Served, Sessions, served};
use shell::Invocation;
use start::Start;

/// Options and variables that programs of all kinds have for the address that they listen on.
const HOSTS: [&str; 6] = ["--host", "--hostname", "--bind", "--address", "--addr", "--listen"];
const PORTS: [&str; 4] = ["--port", "-p", "-port", "--http-port"];
const HOST_VARIABLES: [&str; 14] = [
    "HOST",
    "BIND",
    "BIND_HOST",
    "BIND_ADDRESS",
    "LISTEN_HOST",
    "LISTEN_ADDR",
    "LISTEN_ADDRESS",
    "SERVER_HOST",
    "SERVER_ADDRESS",
    "HTTP_HOST",
    "MCP_HOST",
    "MCP_SERVER_HOST",
    "FASTMCP_HOST",
    "UVICORN_HOST",
];
const PORT_VARIABLES: [&str; 9] = [
    "PORT",
    "LISTEN_PORT",
    "SERVER_PORT",
    "HTTP_PORT",
    "MCP_PORT",
    "MCP_SERVER_PORT",
    "MCP_HTTP_PORT",
    "FASTMCP_PORT",
    "UVICORN_PORT",
];
const TRANSPORT_VARIABLES: [&str; 5] =
    ["MCP_TRANSPORT", "TRANSPORT", "FASTMCP_TRANSPORT", "MCP_TRANSPORT_TYPE", "TRANSPORT_TYPE"];

/// Ports of what servers are clients of (IANA's registry and the vendors' defaults): mail, directories, databases, queues.
const OF_OTHERS: [u16; 24] = [
    25, 110, 143, 389, 465, 587, 636, 993, 995, 1433, 1521, 1883, 2181, 3306, 4222, 5432, 5671, 5672, 6379, 9042, 9092,
    9200, 11211, 27017,
];
/// Programs that listen where a file of theirs says, and those that start others: variables are for what is behind them.
const IN_FRONT: [&str; 19] = [
    "nginx",
    "httpd",
    "apache2",
    "caddy",
    "haproxy",
    "traefik",
    "envoy",
    "supervisord",
    "s6-svscan",
    "runsvdir",
    "circusd",
    "honcho",
    "foreman",
    "overmind",
    "pm2",
    "pm2-runtime",
    "concurrently",
    "process-compose",
    "systemd",
];

/// Why nothing is known of where a server listens, although there are files that say it.
pub(crate) fn unread(found: &Found, service: &str) -> Option<String> {
    let image = found.text(service, "image").unwrap_or_default();
    let name = image::name_of(&image).rsplit('/').next().unwrap_or_default();
    let is_front = IN_FRONT.contains(&name);
    if found.service(service, "build").is_some() {
        return Some(format!(
            "where `{service}` listens is not known: nothing that its build names says it in a form that is read"
        ));
    }
    is_front.then(|| {
        format!("where `{service}` listens is not known: the configuration of {name} is not read, or does not say it")
    })
}

/// Where the server of a service takes calls, in view of the port that a route names.
pub(crate) fn listening(deployment: &Deployment, found: &Found, service: &str, port: u16) -> Listening {
    let start = Start::of(deployment, found, service);
    let files = image::Files { deployment, found, service, image: start.image.as_ref(), port };
    if let Some(front) = in_front(&files, &start.name, &start.words, start.is_built) {
        return front;
    }
    if start.words.is_empty() {
        return of_variables(&start.base.env, found, service);
    }
    // Several programs: a variable may be for any of them.
    let last = start.program().and_then(|invocation| last(&files, invocation, start.at.clone(), 4));
    let Some((invocation, at)) = last else { return Listening::default() };
    let all = of_program(&files, &invocation);
    match at {
        Some((file, line)) => all.in_line(&file, line),
        None => all,
    }
}

/// The program behind scripts for a shell and files that name it, with the place that does; `left` is how many more of
/// those are followed.
fn last(
    files: &image::Files<'_>,
    invocation: Invocation,
    at: Option<At>,
    left: u8,
) -> Option<(Invocation, Option<At>)> {
    if runner::is_known(&invocation) {
        return Some((invocation, at));
    }
    let named = image::script_of_package(files, &invocation).or_else(|| started_by_file(files, &invocation));
    let (base, (file, line, words)) = match (named, shell_script(files, &invocation)) {
        (Some(behind), _) => (invocation, behind),
        (None, Some((file, text))) => {
            let next = shell::last_of(&text, invocation)?;
            (Invocation { args: Vec::new(), ..next.clone() }, (file, next.line, next.args))
        }
        (None, None) => return Some((invocation, at)),
    };
    let next = shell::started(&words, &base).filter(|_| left > 0)?;
    last(files, next, Some((file, line)), left - 1)
}

/// What the image of a program says that passes calls on: its files, or its options.
fn in_front(files: &image::Files<'_>, name: &str, words: &[String], is_built: bool) -> Option<Listening> {
    match name {
        "traefik" if !is_built => Some(traefik(words, files.port)),
        _ if !words.is_empty() => None,
        "nginx" | "nginx-unprivileged" => Some(nginx(files, files.port)),
        "caddy" => Some(caddy(files, files.port)),
        front => (!is_built && IN_FRONT.contains(&front)).then(Listening::default),
    }
}

/// Where the last program of a command line listens.
fn of_program(files: &image::Files<'_>, invocation: &Invocation) -> Listening {
    let image::Files { found, service, .. } = *files;
    let file = |name: &str| files.read(invocation.folder.as_deref(), name);
    if let Some(known) = runner::listening(invocation, &file) {
        return known;
    }
    if invocation.program == "nginx" {
        return nginx(files, files.port);
    }
    if IN_FRONT.contains(&invocation.program.as_str()) {
        return Listening::default();
    }
    let given = (runner::option(&invocation.args, &HOSTS), runner::option(&invocation.args, &PORTS));
    let is_own = !is_of_a_client((given.0.map(|said| said.1), given.1.map(|said| said.1)), found, service);
    let set = own_variables(&invocation.env, found, service);
    let (host, port) = (given.0.filter(|_| is_own).or(set.0), given.1.filter(|_| is_own).or(set.1));
    let mut all = guessed(host, port);
    let named = runner::transport(invocation).or_else(|| variable(&invocation.env, &TRANSPORT_VARIABLES));
    all.stdio = over_stdio(named);
    // Options are for the script to read; of variables it says itself what it makes of them.
    if let Some(script) = script::read(files, invocation) {
        all.stdio = all.stdio.or(script.stdio.filter(|_| named.is_none()));
        all.loopback = script.loopback.filter(|_| given.0.is_none()).or(all.loopback);
        all.port = script.port.filter(|_| given.1.is_none()).or(all.port);
    }
    all
}

/// The text of a shell script that a command line carries out, its arguments in place of `$@`.
fn shell_script(files: &image::Files<'_>, invocation: &Invocation) -> Option<(String, String)> {
    let Invocation { program, path, args, folder, .. } = invocation;
    let is_shell = |name: &str| shell::SHELLS.contains(&name);
    let ((file, text), own) = if is_shell(program) {
        let at = args.iter().position(|arg| !arg.starts_with('-'))?;
        (files.read(folder.as_deref(), &args[at])?, &args[at + 1..])
    } else {
        (files.program(folder.as_deref(), path)?, &args[..])
    };
    let named = text.lines().next().and_then(|line| line.strip_prefix("#!")?.split(['/', ' ']).next_back());
    if !is_shell(program) && !named.is_some_and(|name| is_shell(name.trim())) {
        return None;
    }
    let own = shlex::try_join(own.iter().map(String::as_str)).ok()?;
    let text = ["\"$@\"", "\"$*\"", "\"${@}\"", "$@", "$*"].iter().fold(text, |text, all| text.replace(all, &own));
    Some((file, text))
}

/// What names a transport without HTTP.
fn over_stdio(named: Said<'_>) -> Option<Place> {
    let (name, value) = named?;
    value.eq_ignore_ascii_case("stdio").then(|| Place::new(format!("`{name}`"), Certainty::Likely))
}

/// What options and variables say that a program need not have.
fn guessed(host: Said<'_>, port: Said<'_>) -> Listening {
    let (host, port) = listening::named(host, port);
    let place = |name: &'static str| Place::new(format!("`{name}`"), Certainty::Guess);
    Listening {
        stdio: None,
        loopback: host.filter(|(_, host)| listening::bind(host) == Bind::Loopback).map(|(name, _)| place(name)),
        port: port.map(|(name, port)| (port, place(name))),
    }
}

/// A variable among these.
fn variable<'a>(env: &'a BTreeMap<String, String>, names: &[&'static str]) -> Said<'a> {
    names.iter().find_map(|name| Some((*name, env.get(*name)?.as_str())))
}

/// Variables with the host and the port of the server itself.
fn own_variables<'a>(env: &'a BTreeMap<String, String>, found: &Found, service: &str) -> (Said<'a>, Said<'a>) {
    const ENDINGS: [&str; 4] = ["HOST", "ADDRESS", "ADDR", "PORT"];
    let is_own = |name: &&&'static str| {
        let name: &str = name;
        let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        let set = |ending: &str| env.get(&format!("{stem}{ending}")).map(String::as_str);
        !is_of_a_client((ENDINGS[..3].iter().find_map(|ending| set(ending)), set("PORT")), found, service)
    };
    let among =
        |names: &[&'static str]| names.iter().filter(is_own).find_map(|name| Some((*name, env.get(*name)?.as_str())));
    let (host, port) = (among(&HOST_VARIABLES), among(&PORT_VARIABLES));
    // A name alone may be that of the public address, or of what is dialled.
    let is_address = |value: &str| host_and_port(value).0.parse::<IpAddr>().is_ok();
    (host.filter(|(_, value)| port.is_some() || is_address(value)), port)
}

/// Whether a host and a port that belong together are of what the server dials, not of where it listens: another host,
/// or a port of a database or of mail.
fn is_of_a_client((host, port): (Option<&str>, Option<&str>), found: &Found, service: &str) -> bool {
    let is_elsewhere = |host: &str| {
        let bare = host_and_port(host).0;
        listening::bind(host) == Bind::Beyond
            && !matches!(bare.as_str(), "" | "*" | "+" | "0" | "0.0.0.0")
            && host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_err()
            && found.service_named(&bare).is_none_or(|named| named != service)
    };
    let is_of_others = |port: &str| port.parse().is_ok_and(|port| OF_OTHERS.contains(&port));
    host.is_some_and(is_elsewhere) || port.is_some_and(is_of_others)
}

/// What the environment alone says, where the program is not known.
fn of_variables(env: &BTreeMap<String, String>, found: &Found, service: &str) -> Listening {
    let (host, port) = own_variables(env, found, service);
    Listening { stdio: over_stdio(variable(env, &TRANSPORT_VARIABLES)), ..guessed(host, port) }
}
