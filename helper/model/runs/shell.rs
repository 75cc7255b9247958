//! Which program a command line starts in the end: through a shell, behind wrappers and package runners.

use std::collections::BTreeMap;

use crate::deployment::env_file::{self, Room};

/// A program as it is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Invocation {
    /// Its name, without a folder.
    pub(super) program: String,
    pub(super) args: Vec<String>,
    /// Its environment, as far as it is known.
    pub(super) env: BTreeMap<String, String>,
    /// Whether that is all of it: an image may set more variables.
    pub(super) is_env_known: bool,
    /// The folder in which it starts, where one is named.
    pub(super) folder: Option<String>,
}

const SHELLS: [&str; 4] = ["sh", "bash", "ash", "dash"];
/// Programs that start another program, with the number of their arguments before it.
const WRAPPERS: [(&str, usize); 11] = [
    ("exec", 0),
    ("nohup", 0),
    ("tini", 0),
    ("dumb-init", 0),
    ("catatonit", 0),
    ("ddtrace-run", 0),
    ("opentelemetry-instrument", 0),
    ("gosu", 1),
    ("su-exec", 1),
    ("npx", 0),
    ("bunx", 0),
];
/// The same of two words.
const RUNNERS: [(&str, &str); 14] = [
    ("uv", "run"),
    ("uvx", ""),
    ("poetry", "run"),
    ("pipenv", "run"),
    ("pdm", "run"),
    ("hatch", "run"),
    ("rye", "run"),
    ("pipx", "run"),
    ("pnpm", "exec"),
    ("pnpm", "dlx"),
    ("yarn", "dlx"),
    ("npm", "exec"),
    ("bundle", "exec"),
    ("newrelic-admin", "run-program"),
];
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

/// Commands that end before the next one begins and leave no server behind: all of them, or those with one of these words.
const PASSING: [(&[&str], &[&str]); 12] = [
    (&[":", "true", "[", "test", "set", "unset", "umask", "ulimit", "shopt", "echo", "printf", "sleep", "wait"], &[]),
    (&["cat", "cp", "mv", "rm", "ln", "ls", "mkdir", "touch", "chmod", "chown", "chgrp", "install", "find"], &[]),
    (&["grep", "sed", "envsubst", "tar", "unzip", "date", "id", "whoami", "uname", "hostname", "printenv", "pwd"], &[]),
    (&["curl", "wget", "git", "nc", "pg_isready", "wait-for-it", "wait-for-it.sh", "wait-for", "wait-for.sh"], &[]),
    (&["apk", "apt", "apt-get", "dnf", "yum", "update-ca-certificates", "locale-gen"], &[]),
    (&["pip", "pip3", "venv", "virtualenv", "ensurepip", "tsc", "alembic", "dbmate", "flyway", "goose"], &[]),
    (&["npm", "yarn", "pnpm", "bun", "deno"], &["install", "i", "ci", "add", "rebuild", "build", "cache"]),
    (&["uv", "poetry", "pipenv", "pdm"], &["install", "sync", "pip", "venv", "lock", "add", "tool"]),
    (&["bundle", "composer", "conda", "mamba", "go", "cargo"], &["install", "update", "build", "mod"]),
    (&["flask", "prisma"], &["db", "generate"]),
    (
        &["python", "python3", "manage.py"],
        &["collectstatic", "compilemessages", "createsuperuser", "check", "loaddata"],
    ),
    (&[".", "source"], &["activate"]),
];

/// The program that is left running when a command line is carried out; `None` where that cannot be told, as with
/// several at once.
pub(super) fn started(words: &[String], env: &BTreeMap<String, String>, folder: Option<&str>) -> Option<Invocation> {
    let mut start = Invocation { env: env.clone(), folder: folder.map(str::to_owned), ..Invocation::default() };
    start.args = words.to_vec();
    // Bounded: each round takes a word away, or opens a shell's line.
    for _ in 0..12 {
        let first = start.args.first()?.clone();
        let name = first.rsplit('/').next().unwrap_or_default().to_owned();
        let at = |n: usize| start.args.get(n).map(String::as_str).unwrap_or_default();
        if let Some((variable, value)) = assignment(&first) {
            start.env.insert(variable, value);
            start.args.remove(0);
        } else if SHELLS.contains(&name.as_str()) && at(1).starts_with('-') && at(1).ends_with('c') {
            let line = at(2).to_owned();
            start = last_of(&line, start)?;
        } else if name == "env" {
            start.args.remove(0);
        } else if let Some((_, own)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name) {
            start.args.drain(..=*own);
            behind_options(&mut start.args);
        } else if let Some((_, word)) = RUNNERS.iter().find(|(a, b)| *a == name && (b.is_empty() || *b == at(1))) {
            start.args.drain(..=usize::from(!word.is_empty()));
            behind_options(&mut start.args);
        } else if is_python(&name) && at(1) == "-m" || is_python(&name) && at(2) == "-m" && at(1).starts_with('-') {
            let module = start.args.iter().position(|word| word == "-m")? + 1;
            start.args.drain(..module);
        } else {
            start.program = name;
            start.args.remove(0);
            return Some(start);
        }
    }
    None
}

pub(super) fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    (is_name && !value.contains('$')).then(|| (name.to_owned(), value.to_owned()))
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

/// The last command of a shell's line, with the folder and the variables that those before it leave.
fn last_of(line: &str, mut start: Invocation) -> Option<Invocation> {
    let statements = statements(line)?;
    let (last, before) = statements.split_last()?;
    for statement in before {
        let words = shlex::split(&fill(statement, &start.env)).unwrap_or_default();
        match words.first().map(String::as_str) {
            Some("cd") => start.folder = words.get(1).map(|to| joined(start.folder.as_deref(), to)),
            Some("export") => start.env.extend(words[1..].iter().filter_map(|word| assignment(word))),
            _ if passes(&words, &start) => {}
            // It may be a server that goes on behind, in front of the last one.
            _ => return None,
        }
    }
    start.args = shlex::split(&fill(last, &start.env))?;
    Some(start)
}

/// Whether a command leaves nothing behind that takes calls: also a migration of a database, whatever carries it out.
fn passes(words: &[String], start: &Invocation) -> bool {
    if words.iter().all(|word| word.contains('=') && !word.starts_with('-')) {
        return true;
    }
    let Some(command) = started(words, &start.env, None) else { return false };
    let file = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    words.iter().any(|word| word.contains("migrat"))
        || PASSING.iter().any(|(programs, with)| {
            let has = || command.args.iter().any(|arg| with.contains(&file(arg).as_str()));
            programs.contains(&command.program.as_str()) && (with.is_empty() || has())
        })
}

/// A path from a folder of the container.
pub(super) fn joined(folder: Option<&str>, path: &str) -> String {
    match folder {
        Some(folder) if !path.starts_with('/') => {
            format!("{}/{}", folder.trim_end_matches('/'), path.trim_start_matches("./"))
        }
        _ => path.to_owned(),
    }
}

/// The variables of a text filled in, those that are known; the others stay references.
fn fill(text: &str, env: &BTreeMap<String, String>) -> String {
    let is_plain = |value: &&String| !value.contains(['$', '\'', '"', ' ', ';', '&', '|', '\\']);
    let lookup = |name: &str| {
        let value = env.get(name).filter(is_plain).cloned();
        Some(value.unwrap_or_else(|| format!("${{{name}}}")))
    };
    env_file::interpolated(text, &lookup, &Room::default()).unwrap_or_else(|| text.to_owned())
}

/// The commands of a shell's line, one after the other; `None` where several run at once or one depends on another.
fn statements(line: &str) -> Option<Vec<String>> {
    let (mut all, mut one, mut quote) = (Vec::new(), String::new(), None);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '\\') => {
                let next = letters.next()?;
                if next != '\n' {
                    one.extend(['\\', next]);
                }
            }
            (None, '&') if letters.peek() == Some(&'&') => {
                letters.next();
                all.push(std::mem::take(&mut one));
            }
            // `2>&1` is no second program.
            (None, '&') if one.ends_with('>') => one.push('&'),
            (None, '&' | '|' | '`' | '(') => return None,
            (None, ';' | '\n') => all.push(std::mem::take(&mut one)),
            _ => {
                match (quote, letter) {
                    (None, '\'' | '"') => quote = Some(letter),
                    (Some(open), letter) if open == letter => quote = None,
                    _ => {}
                }
                one.push(letter);
            }
        }
    }
    all.push(one);
    all.retain(|statement| !statement.trim().is_empty());
    let is_compound = |statement: &String| {
        let word = statement.split_whitespace().next().unwrap_or_default();
        ["if", "then", "else", "fi", "for", "while", "until", "do", "done", "case", "{", "trap"].contains(&word)
    };
    (!all.iter().any(is_compound)).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<(String, String)> {
        let env = BTreeMap::from([("PORT".to_owned(), "9000".to_owned())]);
        let found = started(&shlex::split(line).unwrap(), &env, Some("/app"))?;
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
