//! Where the server of a service takes calls, as far as its command line, its environment and its script tell.

mod image;
mod listening;
mod runner;
mod script;
mod shell;

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use super::address::host_and_port;
use super::found::Found;
use crate::deployment::Deployment;
pub(crate) use image::context;
use listening::{Bind, Said};
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
    let image = image_name(found, service).rsplit('/').next().unwrap_or_default().to_owned();
    if words.is_empty() {
        let is_in_front = found.service(service, "build").is_none() && IN_FRONT.contains(&image.as_str());
        return if is_in_front { Listening::default() } else { of_variables(&env, found, service) };
    }
    // Several programs: a variable may be for any of them.
    let Some(invocation) = shell::started(&words, &env, folder.as_deref()) else { return Listening::default() };
    if IN_FRONT.contains(&invocation.program.as_str()) {
        return Listening::default();
    }
    let invocation = Invocation { is_env_known: is_plain(found, service), ..invocation };
    let mut all = of_invocation(deployment, found, service, invocation, 3);
    if let Some(file) = of_image.filter(|_| all.is_fact) {
        all = all.in_file(file);
    }
    if all.is_fact || !all.is_empty() { all } else { of_variables(&env, found, service) }
}

/// The name of a service's image, without its tag and without the registry that is Docker's own.
fn image_name(found: &Found, service: &str) -> String {
    let image = found.text(service, "image").unwrap_or_default();
    let name = image.strip_prefix("docker.io/").unwrap_or(&image);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let end = name.rfind('/').unwrap_or_default();
    let tag = name[end..].find([':', '@']).map_or(name.len(), |at| end + at);
    name[..tag].to_owned()
}

/// Whether a service runs an image that holds a language and no settings of servers.
fn is_plain(found: &Found, service: &str) -> bool {
    let name = image_name(found, service);
    found.service(service, "build").is_none() && ["python", "node", "php", "ruby", "oven/bun"].contains(&name.as_str())
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
    let given = (runner::option(&invocation.args, &HOSTS), runner::option(&invocation.args, &PORTS));
    let is_own = !is_of_a_client((given.0.map(|said| said.1), given.1.map(|said| said.1)), found, service);
    let set = own_variables(&invocation.env, found, service);
    let (host, port) = (given.0.filter(|_| is_own).or(set.0), given.1.filter(|_| is_own).or(set.1));
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
    (among(&HOST_VARIABLES), among(&PORT_VARIABLES))
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
    let mut all = Listening::default();
    all.take("", None, own_variables(env, found, service), (None, false));
    let stdio = variable(env, &TRANSPORT_VARIABLES).is_some_and(|(_, value)| value.eq_ignore_ascii_case("stdio"));
    all.stdio = stdio.then(|| Place::new("the transport that its settings name"));
    all
}
