//! The token that cloudflared gets, from any source.

use super::absence::{Candidate, Question};
use super::found::Found;
use super::stack::FileIn;
use crate::caller::Caller;
use crate::config::yaml::{self, Value, at};
use crate::deployment::env_file::{self, EnvFile};
use crate::deployment::{Deployment, Token, TokenState, path};
use crate::os::files;
use crate::rules::Absence;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenOrigin {
    /// A variable of `.env`.
    Env(String),
    /// A variable that only the calling shell has.
    Shell(String),
    /// A variable that nothing sets.
    Unset(String),
    /// A file of the directory.
    File(String),
    /// The compose file, or a file of variables that it names.
    Written,
    /// The command line of cloudflared.
    Command,
    /// What Anthropic's set-up program left, for a variable that nothing sets.
    SetUp,
    /// A file that cloudflared's container does not have, as the files prove.
    NotThere {
        /// What names it.
        setting: &'static str,
        path: String,
        why: Absence,
    },
    /// It cannot be seen from here: why.
    Unseen(String),
    /// cloudflared is given none.
    Nowhere,
}

#[derive(Clone, Debug)]
pub(crate) struct AgentToken {
    pub(crate) state: TokenState,
    pub(crate) origin: TokenOrigin,
}

/// Finds the token that `agent` gets, in cloudflared's own order: flags before variables, the token before a file.
pub(crate) fn token_of(found: &Found, deployment: &Deployment, caller: &Caller, agent: Option<&str>) -> AgentToken {
    let state = |text: Option<&str>| TokenState::of(text);
    let given = |text: Option<String>, origin| AgentToken { state: state(text.as_deref()), origin };
    let in_env = || found.env().and_then(|env| env.get(env_file::TOKEN));
    let Some(agent) = agent else { return given(in_env(), TokenOrigin::Env(env_file::TOKEN.into())) };
    let of_flag = found.flag(agent, "token");
    if let Some((name, has_default)) = variable_of_flag(found, agent) {
        // Behind an empty one, the next word is no token.
        return of_variable(found, deployment, caller, name, of_flag.filter(|_| has_default));
    }
    if let Some(token) = of_flag {
        return given(Some(token), TokenOrigin::Command);
    }
    if found.environment(agent).contains_key(env_file::TOKEN) {
        let value = found.environment(agent).remove(env_file::TOKEN).flatten();
        let Some(variable) = variable(found, agent) else { return given(value, TokenOrigin::Written) };
        return of_variable(found, deployment, caller, variable, value);
    }
    let Some((setting, file)) = file_of(found, agent) else {
        let unread = || TokenOrigin::Unseen(format!("a file that `env_file` of `{agent}` names cannot be read"));
        let origin = if found.knows_variables(agent) { TokenOrigin::Nowhere } else { unread() };
        return given(None, origin);
    };
    let question = Question { deployment, found, service: agent, path: &file, is_it: &is_token };
    if let Some(why) = question.answer() {
        return given(None, TokenOrigin::NotThere { setting, path: file, why });
    }
    match found.file_in(agent, &file) {
        FileIn::Variable(name) => of_variable(found, deployment, caller, name, None),
        FileIn::Text(text) => given(Some(text), TokenOrigin::Written),
        FileIn::Host(place) => match files::inside(&place) {
            Some(place) => {
                let text = files::read_text(deployment, &place).ok().flatten();
                given(text, TokenOrigin::File(place))
            }
            None => given(None, TokenOrigin::Unseen(format!("`{place}` is outside of the directory"))),
        },
        FileIn::Volume(name) => given(None, TokenOrigin::Unseen(format!("`{file}` is in the volume {name}"))),
        FileIn::Image => given(None, TokenOrigin::Unseen(format!("nothing is mounted at `{file}`"))),
    }
}

/// The file with its token that cloudflared is given, and what names it.
fn file_of(found: &Found, agent: &str) -> Option<(&'static str, String)> {
    let flag = found.flag(agent, "token-file").map(|file| (TOKEN_FLAG, file));
    flag.or_else(|| Some((TOKEN_FILE, found.variable(agent, TOKEN_FILE)?)))
}

/// What names a file with its token, where cloudflared is given one.
pub(crate) fn file_setting(found: &Found, agent: &str) -> Option<&'static str> {
    Some(file_of(found, agent)?.0)
}

/// A variable of cloudflared's that names the file with its token.
pub(crate) const TOKEN_FILE: &str = "TUNNEL_TOKEN_FILE";
const TOKEN_FLAG: &str = "--token-file";

/// Whether a file holds a token and nothing else. Only what looks like one is parsed: what is parsed is kept secret.
fn is_token(file: &Candidate<'_>) -> bool {
    let text = file.text.trim();
    text.starts_with("eyJ") && !text.contains(char::is_whitespace) && Token::parse(text).is_ok()
}

fn of_variable(
    found: &Found,
    deployment: &Deployment,
    caller: &Caller,
    name: String,
    filled: Option<String>,
) -> AgentToken {
    let own = |value: &String| !value.is_empty();
    let in_env = found.env().and_then(|env: &EnvFile| env.get(&name)).filter(own);
    let in_shell = || caller.var(&name).map(|value| value.to_string_lossy().into_owned()).filter(own);
    let set_up = || files::read_text(deployment, path::SETUP_TOKEN).ok().flatten();
    let is_set = in_env.is_some();
    let (text, origin) = if is_set {
        (filled.filter(own).or(in_env), TokenOrigin::Env(name))
    } else if let Some(value) = in_shell() {
        (filled.filter(own).or(Some(value)), TokenOrigin::Shell(name))
    } else if let Some(text) = set_up() {
        (Some(text), TokenOrigin::SetUp)
    } else if found.env().is_some_and(|env| env.get(&name).is_some()) {
        (None, TokenOrigin::Env(name))
    } else {
        // A default of the compose file, where it has one.
        (filled.filter(own), TokenOrigin::Unset(name))
    };
    AgentToken { state: TokenState::of(text.as_deref()), origin }
}

/// The variable that the files put behind `--token`, and whether they have a default for it.
fn variable_of_flag(found: &Found, agent: &str) -> Option<(String, bool)> {
    let words = found.trees().find_map(|value| match at(value, &["services", agent, "command"])? {
        Value::String(line) => Some(line.split_whitespace().map(str::to_owned).collect()),
        list => Some(yaml::texts(list)),
    })?;
    let words: Vec<String> = words;
    let behind = |at: usize, word: &String| match word.split_once('=') {
        Some(("--token" | "-token", value)) => Some(value.to_owned()),
        _ if word == "--token" || word == "-token" => words.get(at + 1).cloned(),
        _ => None,
    };
    let value = words.iter().enumerate().find_map(|(at, word)| behind(at, word))?;
    Some((super::environment::interpolated(&value).into_iter().next()?, value.contains('-')))
}

/// The variable that the files put in the token's place; `None` where they have a value there.
fn variable(found: &Found, agent: &str) -> Option<String> {
    let given = found.trees().filter_map(|value| at(value, &["services", agent, "environment"]));
    let (_, raw) = given.flat_map(yaml::assignments).find(|(name, _)| name == env_file::TOKEN)?;
    match raw {
        None => Some(env_file::TOKEN.to_owned()),
        Some(text) => super::environment::interpolated(&text).into_iter().next(),
    }
}
