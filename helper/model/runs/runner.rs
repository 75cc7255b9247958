//! Programs that serve HTTP for a person's code, and what their command lines say of where they listen: their options,
//! their variables and their defaults, as each one's own documentation has them.

use super::listening::{Listening, Place};
use super::shell::Invocation;
use crate::model::address::host_and_port;

/// One program.
struct Runner {
    name: &'static str,
    /// A word that must follow, like the `run` of `flask run`.
    word: &'static str,
    /// Options with the host, the port, and with both; the first is the one that is advised.
    host: &'static [&'static str],
    port: &'static [&'static str],
    both: &'static [&'static str],
    /// Variables with the host and the port.
    host_var: &'static str,
    port_var: &'static str,
    /// Where it listens when nothing is said, where that is documented.
    default: Option<(&'static str, u16)>,
    /// Options and variables that say it in another way.
    otherwise: &'static [&'static str],
    /// Whether it speaks over standard input unless a transport is named.
    is_stdio: bool,
}

const NONE: Runner = Runner {
    name: "",
    word: "",
    host: &["--host"],
    port: &["--port"],
    both: &[],
    host_var: "",
    port_var: "",
    default: Some(("127.0.0.1", 8000)),
    otherwise: &[],
    is_stdio: false,
};

const RUNNERS: &[Runner] = &[
    Runner {
        name: "uvicorn",
        host_var: "UVICORN_HOST",
        port_var: "UVICORN_PORT",
        otherwise: &["--uds", "--fd", "UVICORN_UDS", "UVICORN_FD"],
        ..NONE
    },
    Runner {
        name: "hypercorn",
        host: &[],
        port: &[],
        both: &["--bind", "-b"],
        otherwise: &["--config", "-c", "--insecure-bind"],
        ..NONE
    },
    // It reads gunicorn.conf.py by itself.
    Runner {
        name: "gunicorn",
        host: &[],
        port: &[],
        both: &["--bind", "-b"],
        default: None,
        otherwise: &["--config", "-c", "GUNICORN_CMD_ARGS"],
        ..NONE
    },
    Runner {
        name: "flask",
        word: "run",
        host: &["--host", "-h"],
        port: &["--port", "-p"],
        host_var: "FLASK_RUN_HOST",
        port_var: "FLASK_RUN_PORT",
        default: Some(("127.0.0.1", 5000)),
        ..NONE
    },
    Runner { name: "fastapi", word: "dev", port_var: "PORT", host_var: "HOST", ..NONE },
    Runner {
        name: "fastapi",
        word: "run",
        port_var: "PORT",
        host_var: "HOST",
        default: Some(("0.0.0.0", 8000)),
        ..NONE
    },
    Runner {
        name: "daphne",
        host: &["--bind", "-b"],
        port: &["--port", "-p"],
        otherwise: &["--endpoint", "-e", "--fd", "-u"],
        ..NONE
    },
    Runner { name: "granian", host_var: "GRANIAN_HOST", port_var: "GRANIAN_PORT", otherwise: &["--uds"], ..NONE },
    Runner { name: "waitress-serve", both: &["--listen"], default: Some(("0.0.0.0", 8080)), ..NONE },
    Runner { name: "http.server", host: &["--bind", "-b"], port: &[], default: Some(("0.0.0.0", 8000)), ..NONE },
    Runner {
        name: "fastmcp",
        word: "run",
        port: &["--port", "-p"],
        host_var: "FASTMCP_HOST",
        port_var: "FASTMCP_PORT",
        is_stdio: true,
        ..NONE
    },
    // Host and port are in the script.
    Runner { name: "mcp", word: "run", host: &[], port: &[], default: None, is_stdio: true, ..NONE },
    // Express listens on every address.
    Runner { name: "supergateway", host: &[], default: Some(("0.0.0.0", 8000)), ..NONE },
    Runner { name: "php", word: "-S", host: &[], port: &[], default: None, ..NONE },
    Runner { name: "manage.py", word: "runserver", host: &[], port: &[], ..NONE },
    Runner { name: "django-admin", word: "runserver", host: &[], port: &[], ..NONE },
];

/// The value of one of these options, with the option.
pub(super) fn option<'a>(args: &'a [String], names: &[&'static str]) -> Option<(&'static str, &'a str)> {
    args.iter().enumerate().find_map(|(at, arg)| {
        names.iter().find_map(|name| match arg.strip_prefix(name)? {
            "" => Some((*name, args.get(at + 1)?.as_str())),
            rest if name.starts_with("--") => Some((*name, rest.strip_prefix('=')?)),
            rest if rest.starts_with(|c: char| c.is_ascii_digit() || c == '=') => {
                Some((*name, rest.trim_start_matches('=')))
            }
            _ => None,
        })
    })
}

/// What a program's command line says; `None` for a program that is not known.
pub(super) fn listening(invocation: &Invocation) -> Option<Listening> {
    let Invocation { program, args, env, .. } = invocation;
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let is_script = super::shell::is_python(program) && args.first().is_some_and(|arg| arg.ends_with("manage.py"));
    let program = if is_script { "manage.py" } else { program.as_str() };
    let runner = RUNNERS.iter().find(|r| r.name == program && (r.word.is_empty() || has(r.word)))?;
    let is_otherwise = |name: &&str| {
        has(name) || env.contains_key(*name) || args.iter().any(|arg| arg.starts_with(&format!("{name}=")))
    };
    if runner.otherwise.iter().any(is_otherwise) || has("--help") {
        return Some(Listening { is_fact: true, ..Listening::default() });
    }
    if runner.is_stdio && transport(invocation).is_none_or(|said| said == "stdio") {
        // A configuration in place of a script may name another transport.
        let is_script = args.iter().any(|arg| arg.split(':').next().is_some_and(|file| file.ends_with(".py")));
        let words = format!("`{} {}` without `--transport`", runner.name, runner.word);
        let is_open = runner.name == "fastmcp" && !invocation.is_env_known;
        let place = Place { is_open, ..Place::new(words) };
        return Some(Listening { stdio: is_script.then_some(place), is_fact: true, ..Listening::default() });
    }
    let mut found = Listening { is_fact: true, ..Listening::default() };
    let both = option(args, runner.both).or_else(|| positional(runner, args));
    // Several addresses, or none of a network.
    let count = args.iter().filter(|arg| runner.both.iter().any(|name| arg.starts_with(name))).count();
    if count > 1 || both.is_some_and(|(_, value)| [",", " ", "unix:", "fd:"].iter().any(|mark| value.contains(mark))) {
        return Some(found);
    }
    let set = |name: &'static str| env.get(name).filter(|_| !name.is_empty()).map(|value| (name, value.as_str()));
    let host = option(args, runner.host).or_else(|| set(runner.host_var));
    let port = option(args, runner.port).or_else(|| set(runner.port_var)).or_else(|| bare_port(runner, args));
    let (mut said_host, mut said_port) = (host, port);
    let parts = both.map(|(name, value)| (name, host_and_port(value), value.contains(':')));
    if let Some((name, (host, port), has_port)) = &parts {
        let is_port_alone = !has_port && host.parse::<u16>().is_ok();
        said_host = said_host.or((!is_port_alone).then_some((*name, host.as_str())));
        said_port = said_port.or(has_port.then_some((*name, port.as_str())));
        said_port = said_port.or(is_port_alone.then_some((*name, host.as_str())));
    }
    let is_env_known = runner.host_var.is_empty() && runner.port_var.is_empty() || invocation.is_env_known;
    let opens = match (runner.host.first(), runner.both.first()) {
        (Some(host), _) => format!("{host} 0.0.0.0"),
        (None, Some(both)) => format!("{both} 0.0.0.0:PORT"),
        (None, None) => format!("{} 0.0.0.0:PORT", runner.word),
    };
    found.take(runner.name, Some(&opens), (said_host, said_port), (runner.default, is_env_known));
    Some(found)
}

/// The transport that the command or the environment names.
pub(super) fn transport(invocation: &Invocation) -> Option<&str> {
    let named = option(&invocation.args, &["--transport", "-t"]).map(|(_, value)| value);
    named.or_else(|| invocation.env.get("FASTMCP_TRANSPORT").map(String::as_str))
}

/// An address without an option: `php -S ADDR`, `manage.py runserver ADDR`.
fn positional<'a>(runner: &Runner, args: &'a [String]) -> Option<(&'static str, &'a str)> {
    let at = args.iter().position(|arg| arg == runner.word).filter(|_| matches!(runner.word, "-S" | "runserver"))?;
    let value = args[at + 1..].iter().find(|arg| !arg.starts_with('-'))?;
    Some((runner.word, value))
}

/// The port that `python -m http.server` has without an option.
fn bare_port<'a>(runner: &Runner, args: &'a [String]) -> Option<(&'static str, &'a str)> {
    let value = args.iter().find(|arg| runner.name == "http.server" && arg.parse::<u16>().is_ok())?;
    Some(("http.server", value))
}
