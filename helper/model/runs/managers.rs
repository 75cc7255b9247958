//! Files from which one program starts another, or that say where it listens.

use super::image::{Behind, Files};
use super::listening::{Bind, Certainty, Cure, Listening, Place, bind, named};
use super::shell::Invocation;

/// A program that reads what it starts from a file.
struct Manager {
    names: &'static [&'static str],
    /// Options that name the file, and where it is without them.
    options: &'static [&'static str],
    files: &'static [&'static str],
    /// What is in front of a command line.
    is_command: fn(&str) -> Option<&str>,
}

const MANAGERS: &[Manager] = &[
    // https://supervisord.org/configuration.html
    Manager {
        names: &["supervisord"],
        options: &["-c", "--configuration"],
        files: &["supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"],
        is_command: |line| line.strip_prefix("command")?.trim_start().strip_prefix('='),
    },
    // https://devcenter.heroku.com/articles/procfile
    Manager {
        names: &["honcho", "foreman", "overmind", "hivemind"],
        options: &["-f", "--procfile"],
        files: &["Procfile"],
        is_command: |line| line.split_once(':').filter(|(name, _)| !name.starts_with('#')).map(|(_, rest)| rest),
    },
];

/// The command line of the only program that such a file starts.
pub(super) fn started_by_file(files: &Files<'_>, invocation: &Invocation) -> Option<Behind> {
    let manager = MANAGERS.iter().find(|manager| manager.names.contains(&invocation.program.as_str()))?;
    let folder = invocation.folder.as_deref();
    let named = super::runner::option(&invocation.args, manager.options).map(|(_, value)| value);
    let (file, text) = match named {
        Some(path) => files.read(folder, path),
        None => manager.files.iter().find_map(|path| files.read(folder, path)),
    }?;
    // What else it reads is not known.
    if text.lines().any(|line| line.trim_start().starts_with("[include]")) {
        return None;
    }
    let lines = text.lines().enumerate();
    let mut commands = lines.filter_map(|(at, line)| Some((at + 1, (manager.is_command)(line.trim())?.trim())));
    let (line, command) = commands.next().filter(|_| commands.next().is_none())?;
    Some((file, Some(line), shlex::split(command)?))
}

/// What the configuration of nginx says of a port: https://nginx.org/en/docs/http/ngx_http_core_module.html#listen and
/// https://hub.docker.com/_/nginx (`conf.d/default.conf` listens on 80, templates are filled in at the start).
pub(super) fn nginx(files: &Files<'_>, port: u16) -> Listening {
    const FOLDER: &str = "/etc/nginx";
    let mounts = files.found.mounts(files.service);
    let targets = mounts.iter().map(|mount| mount.target.as_str()).filter(|target| target.starts_with(FOLDER));
    let mut paths: Vec<&str> = targets.filter(|target| target.ends_with(".conf")).collect();
    paths.extend(["/etc/nginx/nginx.conf", "/etc/nginx/conf.d/default.conf"]);
    paths.sort_unstable();
    paths.dedup();
    let includes_more = |text: &str| {
        let mut lines = text.lines().flat_map(|line| line.split(';'));
        lines.any(|part| part.split_once("include ").is_some_and(|(_, path)| !path.trim().ends_with("mime.types")))
    };
    let is_open = mounts.iter().any(|mount| mount.target.starts_with("/etc/nginx") && !mount.target.ends_with(".conf"));
    let read: Vec<(&str, (String, String))> =
        paths.into_iter().filter_map(|path| Some((path, files.read(None, path)?))).collect();
    let mut all = Vec::new();
    for (_, (file, text)) in &read {
        for (at, line) in text.lines().enumerate() {
            let Some((_, rest)) = line.split('#').next().unwrap_or_default().split_once("listen ") else { continue };
            let value = rest.trim_start().split([';', ' ', '\t']).next().unwrap_or_default();
            let is_port = value.parse::<u16>().is_ok();
            let (_, port) = named(Some(("listen", value)), is_port.then_some(("listen", value)));
            let of = if is_port { Bind::Beyond } else { bind(value) };
            let Some((_, port)) = port.filter(|_| of != Bind::Unknown) else { return Listening::default() };
            all.push((port, of, file, at + 1));
        }
    }
    // The image's own file listens, too, where none is in its place.
    if is_open
        || all.is_empty()
        || !read.iter().any(|(path, _)| path.ends_with("default.conf") || path.ends_with("nginx.conf"))
    {
        return Listening::default();
    }
    let place = |file: &str, line: usize| {
        let cure = Cure::Code("listen PORT;".into());
        Place::new("`listen` of nginx", Certainty::Likely).cured(cure).in_line(file, Some(line))
    };
    let own: Vec<_> = all.iter().filter(|(listens, ..)| *listens == port).collect();
    match (own.first(), &all[0]) {
        (None, _) if read.iter().any(|(_, (_, text))| includes_more(text)) => Listening::default(),
        (None, (other, _, file, line)) => {
            Listening { port: Some((*other, place(file, *line))), ..Listening::default() }
        }
        (Some((_, _, file, line)), _) if own.iter().all(|(_, of, ..)| *of == Bind::Loopback) => {
            Listening { loopback: Some(place(file, *line)), ..Listening::default() }
        }
        _ => Listening::default(),
    }
}

/// The port of traefik among its entry points: https://doc.traefik.io/traefik/reference/install-configuration/entrypoints/.
pub(super) fn traefik(words: &[String], port: u16) -> Listening {
    let address = |word: &String| {
        let (name, value) = word.split_once('=')?;
        let name = name.to_ascii_lowercase();
        (name.starts_with("--entrypoints.") && name.ends_with(".address")).then(|| value.to_owned())
    };
    let of = |address: String| address.split('/').next()?.rsplit_once(':')?.1.parse().ok();
    let all: Option<Vec<u16>> = words.iter().filter_map(address).map(of).collect();
    let place = || Place::new("`--entrypoints` of `traefik`", Certainty::Sure);
    one_of(all.unwrap_or_default().into_iter().map(|port| (port, place())).collect(), port)
}

/// The port of caddy among the sites of its Caddyfile: https://caddyserver.com/docs/caddyfile/concepts#addresses.
pub(super) fn caddy(files: &Files<'_>, port: u16) -> Listening {
    let Some((file, text)) = files.read(None, "/etc/caddy/Caddyfile") else { return Listening::default() };
    let (mut depth, mut all) = (0_usize, Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let site = line.trim_end_matches('{').trim();
        if depth == 0 && !line.starts_with(['#', '(', '&', '}']) && !site.is_empty() {
            for address in site.split([',', ' ']).filter(|address| !address.is_empty()) {
                let Some(own) = port_of_site(address) else { return Listening::default() };
                all.push((
                    own,
                    Place::new("an address of the Caddyfile", Certainty::Likely).in_line(&file, Some(at + 1)),
                ));
            }
            // A file of one site has no braces around it.
            if !line.ends_with(['{', ',']) {
                break;
            }
        }
        depth = (depth + usize::from(line.ends_with('{'))).saturating_sub(usize::from(line.starts_with('}')));
    }
    let moves = ["http_port", "https_port"].iter().any(|option| text.contains(option));
    if moves { Listening::default() } else { one_of(all, port) }
}

fn port_of_site(address: &str) -> Option<u16> {
    if address == "import" || address.contains(['{', '$', '[']) {
        return None;
    }
    let (scheme, rest) = address.split_once("://").unwrap_or(("https", address));
    match rest.split('/').next()?.rsplit_once(':') {
        Some((_, port)) => port.parse().ok(),
        None => Some(if scheme == "http" { 80 } else { 443 }),
    }
}

/// The port that a route names, if it is one of these; otherwise the first.
fn one_of(all: Vec<(u16, Place)>, port: u16) -> Listening {
    let at = all.iter().position(|(own, _)| *own == port).unwrap_or_default();
    Listening { port: all.into_iter().nth(at), ..Listening::default() }
}
