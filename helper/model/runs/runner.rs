//! What the command line of a program that is known says of where it listens.

use super::listening::{Bind, Certainty, Cure, Listening, Place, Said, bind, named};
use super::programs::{KNOWN, Packed, Program};
use super::shell::{By, Invocation};
use crate::model::address::host_and_port;

/// The value of one of these options, with the option; empty where it has none.
pub(super) fn option<'a>(args: &'a [String], names: &'static [impl AsRef<str>]) -> Said<'a> {
    let own = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    args[..own].iter().enumerate().find_map(|(at, arg)| {
        let options = names.iter().map(AsRef::as_ref).filter(|name| name.starts_with('-'));
        options.into_iter().find_map(|name| match arg.strip_prefix(name)? {
            "" => Some((name, args[..own].get(at + 1).map_or("", String::as_str))),
            rest if name.starts_with("--") || name.len() > 2 => Some((name, rest.strip_prefix('=')?)),
            rest if rest.starts_with(|c: char| c.is_ascii_digit() || c == '=') => {
                Some((name, rest.trim_start_matches('=')))
            }
            _ => None,
        })
    })
}

/// The command line of an image that is known, with what its service says.
pub(super) fn packed(image: &str, command: Vec<String>) -> Option<Vec<String>> {
    let Packed { program, own, command: usual, .. } =
        KNOWN.images.iter().find(|packed| packed.images.iter().any(|name| name == image))?;
    let command = if command.is_empty() { usual.clone() } else { command };
    // Some write the program once more.
    let command = command.into_iter().skip_while(|word| word.rsplit('/').next() == Some(program));
    Some(std::iter::once(program.clone()).chain(command).chain(own.iter().cloned()).collect())
}

/// The row of a program that is known, and the name that it goes by.
fn row_of(invocation: &Invocation) -> Option<(&'static Program, &str)> {
    let Invocation { program, args, .. } = invocation;
    let starts = |name: &str| args.first().is_some_and(|arg| arg.rsplit('/').next() == Some(name));
    let program = ["manage.py", "artisan"].into_iter().find(|name| starts(name)).unwrap_or(program);
    let fits = |row: &&Program| {
        row.names.iter().any(|name| name == program)
            && (row.words.is_empty() || row.words.iter().any(|word| has(args, word)))
            && !(row.is_python && (invocation.by == By::Node || invocation.by == By::Other && !has(args, "--port")))
    };
    Some((KNOWN.programs.iter().find(fits)?, program))
}

/// Whether a word is among the arguments, alone or with a value.
fn has(args: &[String], word: &str) -> bool {
    args.iter().any(|arg| arg == word || arg.split_once('=').is_some_and(|(name, _)| name == word))
}

pub(super) fn is_known(invocation: &Invocation) -> bool {
    row_of(invocation).is_some()
}

/// What a program's command line says; `None` for a program that is not known. `file` reads a file of its folder.
pub(super) fn listening(invocation: &Invocation, file: &dyn Fn(&str) -> Option<(String, String)>) -> Option<Listening> {
    let (row, program) = row_of(invocation)?;
    let Invocation { args, env, .. } = invocation;
    let case = Case { row, program, invocation };
    let is_said = |name: &str| has(args, name) || env.get(name).is_some_and(|value| value != "development");
    if row.unless.iter().any(|name| is_said(name)) || has(args, "--help") {
        return Some(Listening::default());
    }
    // Words that only its start shows may be any option.
    let has_more = args.iter().any(|arg| arg.starts_with('$'));
    if let Some(found) = case.over_stdio() {
        return Some(if has_more { Listening::default() } else { found });
    }
    if let Some((_, name)) = option(args, &row.config).filter(|_| option(args, &row.both).is_none()) {
        return Some(file(name).map_or_else(Listening::default, |(file, text)| case.in_config(&file, &text)));
    }
    let speaks = |(_, text): &(String, String)| ["host", "bind", "0.0.0.0"].iter().any(|word| text.contains(word));
    if let Some((name, text)) = row.files.iter().filter_map(|name| file(name)).find(speaks) {
        let says_all = !row.config.is_empty() && option(args, &row.both).is_none();
        return Some(if says_all { case.in_config(&name, &text) } else { Listening::default() });
    }
    let is_one_of_many = row.is_likely || row.is_python && invocation.by == By::Other;
    Some(case.over_http(has_more).at_most(if is_one_of_many { Certainty::Likely } else { Certainty::Sure }))
}

/// A program that is known, as it is started.
struct Case<'a> {
    row: &'static Program,
    program: &'a str,
    invocation: &'a Invocation,
}

impl Case<'_> {
    /// How certain that is which variables of an image could change.
    fn unless(&self, variables: bool) -> Certainty {
        if !variables || self.invocation.is_env_known { Certainty::Sure } else { Certainty::Likely }
    }

    /// What it says where it speaks over standard input, or may do so.
    fn over_stdio(&self) -> Option<Listening> {
        let Self { row, program, invocation: Invocation { args, env, .. } } = self;
        let chosen = row.stdio.as_ref()?;
        let set = |name: &'static String| env.get(name).map(|value| (name.as_str(), value.as_str()));
        let said = option(args, chosen).or_else(|| chosen.iter().find_map(set));
        let is_word = chosen.iter().any(|name| !name.starts_with('-') && args.contains(name));
        if is_word || said.is_some_and(|(_, value)| value != "stdio") {
            return None;
        }
        // A configuration in place of a script may name another transport.
        if row.words.iter().any(|word| word == "run")
            && !args.iter().any(|arg| arg.split(':').next().unwrap_or(arg).ends_with(".py"))
        {
            return Some(Listening::default());
        }
        let words = [*program].into_iter().chain(row.words.first().map(String::as_str)).collect::<Vec<_>>().join(" ");
        let words = match (said, chosen.first()) {
            (Some((name, value)), _) => format!("`{name} {value}` of `{program}`"),
            (None, Some(first)) => format!("`{words}` without `{first}`"),
            (None, None) => format!("`{program}`, which has no HTTP transport"),
        };
        let has_variable =
            said.is_none() && chosen.iter().any(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
        let cure = if row.http.is_empty() { Cure::Bridge(self.bridge()) } else { Cure::Words(row.http.clone()) };
        let place = Place::new(words, self.unless(has_variable)).cured(cure);
        Some(Listening { stdio: Some(place), ..Listening::default() })
    }

    /// What puts HTTP in front of it; `…` is in place of its own command line.
    fn bridge(&self) -> String {
        const PROXY: &str = "command: uvx mcp-proxy --host 0.0.0.0 --port PORT -- …";
        let is_of_npm = self.program.starts_with('@');
        match self.invocation.by {
            By::Image => {
                let (tag, runner) = if is_of_npm { ("", "npx -y") } else { (":uvx", "uvx") };
                format!(
                    "image: supercorp/supergateway{tag}` and `command: --outputTransport streamableHttp --port PORT --stdio \"{runner} {} …\"",
                    self.program
                )
            }
            By::Other if !is_of_npm => PROXY.into(),
            By::Node | By::Other => {
                "command: npx -y supergateway --outputTransport streamableHttp --port PORT --stdio \"…\"".into()
            }
            By::Python => PROXY.into(),
        }
    }

    /// `has_more`: whether there may be more options.
    fn over_http(&self, has_more: bool) -> Listening {
        let Self { row, program, invocation: Invocation { args, env, .. } } = self;
        let mut found = Listening::default();
        let both = option(args, &row.both).or_else(|| positional(row, args));
        // Several addresses, or none of a network.
        let count = args.iter().filter(|arg| row.both.iter().any(|name| arg.starts_with(name))).count();
        let is_other = |value: &str| [",", " ", "unix:", "fd:"].iter().any(|mark| value.contains(mark));
        if (count > 1 && row.stdio.is_none()) || both.is_some_and(|(_, value)| is_other(value)) {
            return found;
        }
        let set = |name: &'static String| env.get(name).map(|value| (name.as_str(), value.as_str()));
        let mut host = option(args, &row.host).or_else(|| set(&row.host_var));
        let mut port = option(args, &row.port).or_else(|| set(&row.port_var)).or_else(|| bare_port(row, args));
        let parts = both.map(|(name, value)| (name, host_and_port(value), value.contains(':')));
        if let Some((name, (of_host, of_port), has_port)) = &parts {
            let is_port_alone = !has_port && of_host.parse::<u16>().is_ok();
            host = host.or((!is_port_alone).then_some((*name, of_host.as_str())));
            port = port.or(has_port.then_some((*name, of_port.as_str())));
            port = port.or(is_port_alone.then_some((*name, of_host.as_str())));
        }
        let is_said = host.is_some() || port.is_some();
        let (host, port_of) = named(host, port);
        let place = |name: &'static str| {
            let is_variable = *name == row.host_var || *name == row.port_var;
            let cure = if is_variable { Cure::Variable(name.to_owned()) } else { Cure::Words(self.opens()) };
            Place::new(format!("`{name}` of `{program}`"), Certainty::Sure).cured(cure)
        };
        let usual = |name: &str, variable: &String| {
            let certainty = self.unless(!variable.is_empty());
            let words = match (certainty, row.files.first()) {
                (Certainty::Sure, None) => format!("`{program}` without {name}"),
                (_, Some(file)) => format!("`{program}` without {name}, unless `{file}` names one"),
                _ => format!("`{program}` without {name}, unless its image sets `{variable}`"),
            };
            let certainty = if row.files.is_empty() { certainty } else { Certainty::Likely };
            Place::new(words, certainty).cured(Cure::Words(self.opens()))
        };
        found.loopback = match (host, row.default.as_deref()) {
            (Some((name, host)), _) => (bind(host) == Bind::Loopback).then(|| place(name)),
            (None, Some(host)) if !has_more => (bind(host) == Bind::Loopback).then(|| usual("a host", &row.host_var)),
            (None, _) => None,
        };
        found.port = match (port_of, row.default_port) {
            (Some((name, port)), _) => Some((port, place(name))),
            (None, 0) => None,
            (None, _) if port.is_some() || has_more => None,
            (None, usual_port) => Some((usual_port, usual("a port", &row.port_var))),
        };
        // One of several programs with that name, if it says nothing.
        if row.is_likely && !is_said { Listening::default() } else { found }
    }

    /// What its configuration says, in one line.
    fn in_config(&self, file: &str, text: &str) -> Listening {
        let lines = text.lines().enumerate().filter_map(|(at, line)| {
            let value = line.strip_prefix("bind")?.trim_start().strip_prefix('=')?;
            Some((at + 1, super::code::literal(value)))
        });
        let all: Vec<_> = lines.collect();
        let [(line, Some(value))] = all.as_slice() else { return Listening::default() };
        let (host, port) = host_and_port(value);
        let cure = || Cure::Code("bind = \"0.0.0.0:PORT\"".into());
        let place = || Place::new(format!("`bind` of `{}`", self.program), Certainty::Likely).cured(cure());
        let found = Listening {
            stdio: None,
            loopback: (bind(&host) == Bind::Loopback).then(place),
            port: port.parse().ok().filter(|_| value.contains(':')).map(|port| (port, place())),
        };
        found.in_line(file, Some(*line))
    }

    /// The words that let others in.
    fn opens(&self) -> String {
        match (self.row.host.first(), self.row.both.first(), self.row.words.first()) {
            (Some(host), ..) if host.starts_with("-D") || host.contains('.') => format!("{host}=0.0.0.0"),
            (Some(host), ..) => format!("{host} 0.0.0.0"),
            (None, Some(both), _) => format!("{both} 0.0.0.0:PORT"),
            (None, None, Some(word)) if word != "run" => format!("{word} 0.0.0.0:PORT"),
            (None, None, _) => format!("{}=0.0.0.0", self.row.host_var),
        }
    }
}

/// The transport that the command or the environment names.
pub(super) fn transport(invocation: &Invocation) -> Said<'_> {
    option(&invocation.args, &["--transport", "-t", "-transport"])
}

/// An address without an option: `php -S ADDR`, `manage.py runserver ADDR`.
fn positional<'a>(row: &'static Program, args: &'a [String]) -> Said<'a> {
    let word = row.words.first().filter(|word| matches!(word.as_str(), "-S" | "runserver"))?;
    let at = args.iter().position(|arg| arg == word)?;
    let value = args[at + 1..].iter().find(|arg| !arg.starts_with('-'))?;
    Some((word, value))
}

/// The port that `python -m http.server` has without an option.
fn bare_port<'a>(row: &'static Program, args: &'a [String]) -> Said<'a> {
    let name = row.names.first().filter(|name| *name == "http.server")?;
    let value = args.iter().find(|arg| arg.parse::<u16>().is_ok())?;
    Some((name, value))
}
