//! Where the server of a service takes calls, as far as its command line, its environment and its script tell.

mod image;
mod listening;
mod runner;
mod script;
mod shell;

use std::collections::BTreeMap;

use super::found::Found;
use crate::deployment::Deployment;
pub(crate) use image::context;
use listening::Said;
pub(crate) use listening::{Listening, Place};
use shell::Invocation;

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

/// Where the server of a service takes calls.
pub(crate) fn listening(deployment: &Deployment, found: &Found, service: &str) -> Listening {
    let environment = found.environment(service).into_iter();
    let mut env: BTreeMap<String, String> = environment.filter_map(|(name, value)| Some((name, value?))).collect();
    let own = image::Image::of(deployment, found, service);
    let mut folder = found.text(service, "working_dir");
    let mut words = found.command(service);
    let mut of_image = None;
    if let Some(image) = &own {
        folder = folder.or_else(|| image.folder.clone());
        for (name, value) in &image.env {
            env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let keeps_entry = found.service(service, "entrypoint").is_none();
        if keeps_entry {
            of_image = Some(image.file.as_str());
            let rest = if found.service(service, "command").is_some() { words } else { image.command.clone() };
            words = image.entrypoint.iter().cloned().chain(rest).collect();
        }
    }
    let Some(invocation) = shell::started(&words, &env, folder.as_deref()) else {
        return of_variables(&env);
    };
    let invocation = Invocation { is_env_known: is_plain(found, service), ..invocation };
    let mut all = of_invocation(deployment, found, service, invocation, 3);
    if let Some(file) = of_image.filter(|_| all.is_fact) {
        all = all.in_file(file);
    }
    if all.is_fact || !all.is_empty() { all } else { of_variables(&env) }
}

/// Whether a service runs an image that holds a language and no settings of servers.
fn is_plain(found: &Found, service: &str) -> bool {
    let image = found.text(service, "image").unwrap_or_default();
    let name = image.strip_prefix("docker.io/").unwrap_or(&image);
    let name = name.strip_prefix("library/").unwrap_or(name).split([':', '@']).next().unwrap_or_default();
    found.service(service, "build").is_none() && ["python", "node", "php", "ruby", "oven/bun"].contains(&name)
}

fn of_invocation(deployment: &Deployment, found: &Found, service: &str, invocation: Invocation, left: u8) -> Listening {
    if let Some(known) = runner::listening(&invocation) {
        return known;
    }
    let files = image::Files { deployment, found, service, folder: invocation.folder.as_deref() };
    if let Some((file, words)) = image::script_of_package(&files, &invocation) {
        let next = shell::started(&words, &invocation.env, invocation.folder.as_deref()).filter(|_| left > 0);
        let of_script = next.map(|next| of_invocation(deployment, found, service, next, left - 1));
        return of_script.unwrap_or_default().in_file(&file);
    }
    let mut all = Listening::default();
    let host = runner::option(&invocation.args, &HOSTS).or_else(|| variable(&invocation.env, &HOST_VARIABLES));
    let port = runner::option(&invocation.args, &PORTS).or_else(|| variable(&invocation.env, &PORT_VARIABLES));
    all.take("", None, (host, port), (None, false));
    let names_transport = runner::transport(&invocation)
        .or_else(|| variable(&invocation.env, &TRANSPORT_VARIABLES).map(|(_, value)| value));
    if names_transport.is_some_and(|said| said.eq_ignore_ascii_case("stdio")) {
        all.stdio = Some(Place::new("the transport that its settings name"));
    }
    let script = script::read(&files, &invocation);
    // Flags and variables are for the script to read; where there are none, it has its own.
    if let Some(script) = script {
        all.stdio = all.stdio.or(script.stdio.filter(|_| names_transport.is_none()));
        all.loopback = all.loopback.or(script.loopback.filter(|_| host.is_none()));
        all.port = all.port.or(script.port.filter(|_| port.is_none()));
    }
    all
}

/// A variable among these.
fn variable<'a>(env: &'a BTreeMap<String, String>, names: &[&'static str]) -> Said<'a> {
    names.iter().find_map(|name| Some((*name, env.get(*name)?.as_str())))
}

/// What the environment alone says, where the program is not known.
fn of_variables(env: &BTreeMap<String, String>) -> Listening {
    let mut all = Listening::default();
    all.take("", None, (variable(env, &HOST_VARIABLES), variable(env, &PORT_VARIABLES)), (None, false));
    let stdio = variable(env, &TRANSPORT_VARIABLES).is_some_and(|(_, value)| value.eq_ignore_ascii_case("stdio"));
    all.stdio = stdio.then(|| Place::new("the transport that its settings name"));
    all
}
