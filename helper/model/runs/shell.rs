//! Which program a command line starts in the end: through a shell, behind wrappers and package runners.

use std::collections::BTreeMap;

use super::statements::{Statement, Text};
use crate::deployment::env_file::{self, Room};

/// A program as it is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Invocation {
    /// Its name, without a folder and without a version.
    pub(super) program: String,
    /// The same as it is written.
    pub(super) path: String,
    pub(super) args: Vec<String>,
    /// Its environment, as far as it is known; a value with a `$` in it is not.
    pub(super) env: BTreeMap<String, String>,
    /// Whether that is all of it: an image may set more variables.
    pub(super) is_env_known: bool,
    /// The folder in which it starts, where one is named.
    pub(super) folder: Option<String>,
    /// What starts it.
    pub(super) by: By,
    /// Its line in the text of a script.
    pub(super) line: Option<usize>,
}

/// What starts a program: it tells packages of one name apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By {
    #[default]
    Other,
    Node,
    Python,
    /// The entry point of an image that is known.
    Image,
}

pub(super) const SHELLS: [&str; 4] = ["sh", "bash", "ash", "dash"];
/// Programs that start the one behind them: the name, the word that has to follow, and how many words of their own come
/// before the other program.
const WRAPPERS: [(&str, &str, usize); 26] = [
    ("exec", "", 0),
    ("cross-env", "", 0),
    ("nohup", "", 0),
    ("tini", "", 0),
    ("dumb-init", "", 0),
    ("catatonit", "", 0),
    ("ddtrace-run", "", 0),
    ("opentelemetry-instrument", "", 0),
    ("gosu", "", 1),
    ("su-exec", "", 1),
    ("npx", "", 0),
    ("bunx", "", 0),
    ("uv", "run", 0),
    ("uvx", "", 0),
    ("poetry", "run", 0),
    ("pipenv", "run", 0),
    ("pdm", "run", 0),
    ("hatch", "run", 0),
    ("rye", "run", 0),
    ("pipx", "run", 0),
    ("pnpm", "exec", 0),
    ("pnpm", "dlx", 0),
    ("yarn", "dlx", 0),
    ("npm", "exec", 0),
    ("bundle", "exec", 0),
    ("newrelic-admin", "run-program", 0),
];
/// Programs that start what comes behind `--`.
const BEFORE_DASHES: [&str; 9] =
    ["wait-for-it", "wait-for-it.sh", "wait-for", "wait-for.sh", "dotenv", "dotenvx", "doppler", "infisical", "op"];
/// Options of these that have a value.
const WITH_VALUE: [&str; 16] = [
    "--with",
    "--with-requirements",
    "--with-editable",
    "--python",
    "--directory",
    "--project",
    "--extra",
    "--group",
    "--env-file",
    "--index",
    "--index-url",
    "--extra-index-url",
    "--from",
    "--package",
    "-p",
    "-g",
];

/// Commands by their programs, all of them or those with one of these words.
pub(super) type Commands = [(&'static str, &'static str)];

/// Commands that end before the next one begins and leave no server behind.
const PASSING: &Commands = &[
    (": exit true [ test set unset umask ulimit shopt echo printf sleep wait", ""),
    ("cat cp mv rm ln ls mkdir touch chmod chown chgrp install find", ""),
    ("grep sed envsubst tar unzip date id whoami uname hostname printenv pwd", ""),
    ("curl wget git nc pg_isready wait-for-it wait-for-it.sh wait-for wait-for.sh", ""),
    ("apk apt apt-get dnf yum update-ca-certificates locale-gen", ""),
    ("pip pip3 venv virtualenv ensurepip tsc alembic dbmate flyway goose", ""),
    ("npm yarn pnpm bun deno", "install i ci add rebuild build cache"),
    ("uv poetry pipenv pdm", "install sync pip venv lock add tool"),
    ("bundle composer conda mamba go cargo", "install update build mod"),
    ("flask prisma", "db generate"),
    ("python python3 manage.py", "collectstatic compilemessages createsuperuser check loaddata"),
    (". source", "activate"),
];

/// The program that is left running when a command line is carried out, with the environment and the folder of `base`;
/// `None` where that cannot be told, as with several at once.
pub(super) fn started(words: &[String], base: &Invocation) -> Option<Invocation> {
    let mut start = Invocation { args: words.to_vec(), ..base.clone() };
    // Bounded: each round takes a word away, or opens a shell's line.
    for _ in 0..12 {
        let first = start.args.first()?.clone();
        let name = name_of(&first);
        let at = |n: usize| start.args.get(n).map(String::as_str).unwrap_or_default();
        if let Some((variable, value)) = assignment(&first) {
            start.env.insert(variable, value);
            start.args.remove(0);
        } else if SHELLS.contains(&name.as_str()) && at(1).starts_with('-') && at(1).ends_with('c') {
            let line = at(2).to_owned();
            start = last_of(&line, start)?;
            start.line = base.line;
        } else if name == "env" {
            start.args.remove(0);
            behind_options(&mut start.args);
        } else if let Some((_, word, own)) =
            WRAPPERS.iter().find(|(a, b, _)| *a == name && (b.is_empty() || *b == at(1)))
        {
            let count = 1 + usize::from(!word.is_empty()) + own;
            start.args.drain(..count.min(start.args.len()));
            behind_options(&mut start.args);
            start.by = by(&name).unwrap_or(start.by);
        } else if BEFORE_DASHES.contains(&name.as_str()) && start.args.iter().any(|word| word == "--") {
            let dashes = start.args.iter().position(|word| word == "--")?;
            start.args.drain(..=dashes);
        } else if is_python(&name) && (at(1) == "-m" || at(2) == "-m" && at(1).starts_with('-')) {
            let module = start.args.iter().position(|word| word == "-m")? + 1;
            start.args.drain(..module);
            start.by = By::Python;
        } else {
            // A module has underscores where its package has hyphens.
            start.program = if start.by == By::Python { name.replace('_', "-") } else { name };
            start.path = start.args.remove(0);
            return Some(start);
        }
    }
    None
}

/// The name of a program: without its folder, of a package without its version.
fn name_of(word: &str) -> String {
    let (scope, rest) = match word.strip_prefix('@').and_then(|rest| rest.split_once('/')) {
        Some((scope, rest)) => (format!("@{scope}/"), rest),
        None => (String::new(), word.rsplit('/').next().unwrap_or_default()),
    };
    format!("{scope}{}", rest.split(['@', '=']).next().unwrap_or_default())
}

fn by(runner: &str) -> Option<By> {
    match runner {
        "npx" | "bunx" | "npm" | "pnpm" | "yarn" => Some(By::Node),
        "uv" | "uvx" | "pipx" | "poetry" | "pipenv" | "pdm" | "hatch" | "rye" => Some(By::Python),
        _ => None,
    }
}

pub(super) fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_name.then(|| (name.to_owned(), value.to_owned()))
}

/// Takes the options in front of a program away.
fn behind_options(args: &mut Vec<String>) {
    while let Some(option) = args.first().filter(|word| word.starts_with('-')).cloned() {
        args.remove(0);
        if WITH_VALUE.contains(&option.as_str()) && !args.is_empty() {
            args.remove(0);
        }
    }
}

/// The last command of a shell's text, with the folder and the variables that those before it leave.
pub(super) fn last_of(text: &str, mut start: Invocation) -> Option<Invocation> {
    let mut statements = Text::new(text).statements()?;
    // What the last one needs is carried out with it.
    for statement in (0..statements.len()).rev() {
        statements[statement].is_conditional = false;
        if !statements[statement].is_chained {
            break;
        }
    }
    let (last, before) = statements.split_last()?;
    for statement in before {
        defaults(&statement.text, &mut start);
        let words = shlex::split(&fill(&statement.text, &start)).unwrap_or_default();
        match words.first().map(String::as_str) {
            None => {}
            Some("cd") => {
                let to = words.get(1).filter(|to| !statement.is_conditional && !to.contains('$'));
                start.folder = to.map(|to| joined(start.folder.as_deref(), to));
            }
            Some("export" | "readonly") => take(&words[1..], statement, &mut start),
            Some(_) if words.iter().all(|word| assignment(word).is_some()) => take(&words, statement, &mut start),
            Some(_) if passes(&words, &start) => {}
            // It may be a server that goes on behind, in front of the last one.
            Some(_) => return None,
        }
    }
    if last.is_piped {
        return None;
    }
    start.args = shlex::split(&fill(&last.text, &start))?;
    start.line = Some(last.line);
    Some(start)
}

/// Takes assignments; what may not be carried out leaves a variable that is not known.
fn take(words: &[String], statement: &Statement, start: &mut Invocation) {
    for (name, value) in words.iter().filter_map(|word| assignment(word)) {
        let value = if statement.is_conditional { format!("${{{name}}}") } else { value };
        start.env.insert(name, value);
    }
}

/// Takes what `: "${NAME:=value}"` sets.
fn defaults(statement: &str, start: &mut Invocation) {
    let Some(rest) = statement.trim_start().strip_prefix(": ") else { return };
    for word in shlex::split(rest).unwrap_or_default() {
        let inner = word.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let Some((name, value)) = inner.and_then(|inner| inner.split_once(":=")) else { continue };
        let value = if start.is_env_known { value.to_owned() } else { format!("${{{name}}}") };
        start.env.entry(name.to_owned()).or_insert(value);
    }
}

/// Whether a command leaves nothing behind that takes calls: also a migration of a database, whatever carries it out.
fn passes(words: &[String], start: &Invocation) -> bool {
    let Some(command) = started(words, &Invocation { folder: None, ..start.clone() }) else { return false };
    words.iter().any(|word| word.contains("migrat")) || is_among(PASSING, &command, file)
}

/// Whether a command is one of these; `read` says what counts of an argument.
pub(super) fn is_among(commands: &Commands, command: &Invocation, read: fn(&str) -> &str) -> bool {
    let has = |words: &str, word: &str| words.split(' ').any(|own| own == word);
    commands.iter().any(|(programs, with)| {
        has(programs, &command.program) && (with.is_empty() || command.args.iter().any(|arg| has(with, read(arg))))
    })
}

/// The last part of a path.
fn file(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A path from a folder of the container.
pub(super) fn joined(folder: Option<&str>, path: &str) -> String {
    match folder {
        Some("") => path.to_owned(),
        Some(folder) if !path.starts_with('/') => {
            format!("{}/{}", folder.trim_end_matches('/'), path.trim_start_matches("./"))
        }
        _ => path.to_owned(),
    }
}

/// The variables of a text filled in, those that are known; the others stay references.
fn fill(text: &str, start: &Invocation) -> String {
    let is_plain = |value: &&String| !value.contains(['$', '\'', '"', ' ', ';', '&', '|', '\\']);
    let lookup = |name: &str| match start.env.get(name) {
        Some(value) => Some(Some(value).filter(is_plain).cloned().unwrap_or_else(|| format!("${{{name}}}"))),
        None if start.is_env_known && name != "_" => None,
        None => Some(format!("${{{name}}}")),
    };
    env_file::interpolated(text, &lookup, &Room::default()).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<(String, String)> {
        let env = BTreeMap::from([("PORT".to_owned(), "9000".to_owned())]);
        let base = Invocation { env, folder: Some("/app".into()), ..Invocation::default() };
        let found = started(&shlex::split(line).unwrap(), &base)?;
        Some((found.program, found.args.join(" ")))
    }

    #[test]
    fn the_program_is_found_behind_shells_and_wrappers() {
        for (line, program, args) in [
            ("uvicorn a:app --port 1", "uvicorn", "a:app --port 1"),
            ("python3.13 -u -m uvicorn a:app", "uvicorn", "a:app"),
            ("sh -c 'pip install -q mcp && exec uvicorn a:app --port $PORT'", "uvicorn", "a:app --port 9000"),
            ("/bin/bash -lc 'cd x; FOO=1 uvicorn a:app --port ${PORT:-1} 2>&1'", "uvicorn", "a:app --port 9000 2>&1"),
            ("tini -- uv run --with mcp fastmcp run s.py", "fastmcp", "run s.py"),
            ("npx -y supergateway --port 8000", "supergateway", "--port 8000"),
            ("env A=1 /usr/bin/node server.js", "node", "server.js"),
            ("sh -c 'uvicorn a:app --port $OTHER'", "uvicorn", "a:app --port ${OTHER}"),
        ] {
            assert_eq!(of(line), Some((program.to_owned(), args.to_owned())), "{line}");
        }
        for line in [
            "sh -c 'nginx & uvicorn a:app'",
            "sh -c 'a || b'",
            "sh -c 'if x; then uvicorn a; fi'",
            "sh -c 'nginx && exec uvicorn a:app'",
            "sh -c 'service nginx start; exec uvicorn a:app'",
            "bash -lc '/etc/init.d/nginx start && uvicorn a:app'",
            "sh -c 'mkdir -p /x && caddy start && uvicorn a:app'",
            "sh -c '[ -n \"$DEV\" ] && exec uvicorn b:app; exec uvicorn a:app'",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
        for before in [
            "mkdir -p /x; sleep 1",
            "apk add nginx",
            "npm ci --silent",
            ". .venv/bin/activate",
            "uv sync",
            "uv run alembic upgrade head",
            "python manage.py migrate --noinput",
            "npx prisma migrate deploy",
            "python -m pip install mcp",
            "A=1 B=2",
            "./wait-for-it.sh db:5432",
        ] {
            assert_eq!(
                of(&format!("sh -c '{before} && exec uvicorn a:app'")).map(|found| found.0).as_deref(),
                Some("uvicorn"),
                "{before}"
            );
        }
    }
}
