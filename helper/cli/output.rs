//! Whether an answer is text for a person or JSON, and how wide.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;

use crate::caller::{Caller, Screen};

/// Columns of a line where there is no terminal that says.
const COLUMNS: usize = 80;
/// Fewer columns than this break tables more than they help.
const FEWEST: usize = 40;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One line of JSON.
    Line,
    /// JSON, indented.
    Pretty,
    /// For a person at a terminal.
    Text,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    /// Whether standard output and standard error are terminals.
    pub(crate) terminals: bool,
    /// Columns of the terminal on standard output.
    pub(crate) columns: Option<usize>,
}

impl Streams {
    /// Asks the system.
    pub(crate) fn of_process() -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let size = rustix::termios::tcgetwinsize(&out).ok();
        let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        Self { terminals: out.is_terminal() && err.is_terminal(), columns }
    }

    /// Columns of a line.
    pub(crate) fn width(self) -> usize {
        self.columns.unwrap_or(COLUMNS).max(FEWEST)
    }
}

/// What the arguments ask for. They are read before they are parsed, because a line with a mistake is answered, too.
fn asked(args: &[OsString]) -> Option<Form> {
    let words: Vec<&OsStr> = args.iter().skip(1).map(OsString::as_os_str).take_while(|word| *word != "--").collect();
    let named = |name: &str| {
        let joined = format!("--output={name}");
        words.iter().any(|word| *word == joined.as_str())
            || words.windows(2).any(|pair| pair[0] == "--output" && pair[1] == name)
    };
    if named("text") {
        return Some(Form::Text);
    }
    if words.contains(&OsStr::new("--pretty")) {
        return Some(Form::Pretty);
    }
    let is_json = |word: &&OsStr| *word == "--json" || word.as_encoded_bytes().starts_with(b"--json=");
    (named("json") || words.iter().any(is_json)).then_some(Form::Line)
}

/// Whether JSON was asked for by `--output json` or `--pretty`.
pub(crate) fn is_json_asked(args: &[OsString]) -> bool {
    matches!(asked(args), Some(Form::Line | Form::Pretty))
}

/// The form of the answer: what was asked for, otherwise text where a person reads both streams at a terminal.
pub(crate) fn form(args: &[OsString], streams: Streams, caller: &Caller) -> Form {
    let is_set = |name: &str| caller.var(name).is_some();
    let automated =
        is_set("CI") || is_set("CLAUDECODE") || caller.var("MCP_TUNNEL_OUTPUT").is_some_and(|v| v == "json");
    let terminal = caller.var("TERM").is_some_and(|term| term != "dumb");
    match asked(args) {
        Some(form) => form,
        None if streams.terminals && terminal && !automated => Form::Text,
        None => Form::Line,
    }
}

/// How text is laid out; colours only where a terminal shows them.
pub(crate) fn screen(streams: Streams, caller: &Caller) -> Screen {
    let terminal = caller.var("TERM").is_some_and(|term| term != "dumb");
    Screen { width: streams.width(), colour: streams.terminals && terminal && caller.var("NO_COLOR").is_none() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_of(words: &[&str], env: &[(&str, &str)], terminals: bool) -> Form {
        let args: Vec<OsString> = std::iter::once("helper").chain(words.iter().copied()).map(Into::into).collect();
        let caller = Caller::with_env(env);
        form(&args, Streams { terminals, columns: None }, &caller)
    }

    #[test]
    fn text_needs_a_person_at_a_terminal() {
        let term = ("TERM", "xterm");
        assert_eq!(form_of(&["status"], &[term], true), Form::Text);
        assert_eq!(form_of(&["status"], &[term], false), Form::Line);
        assert_eq!(form_of(&["status"], &[], true), Form::Line);
        assert_eq!(form_of(&["status"], &[("TERM", "dumb")], true), Form::Line);
        for (name, value) in [("CI", "true"), ("CI", "0"), ("CLAUDECODE", "1"), ("MCP_TUNNEL_OUTPUT", "json")] {
            assert_eq!(form_of(&["status"], &[term, (name, value)], true), Form::Line, "{name}");
            assert_eq!(form_of(&["status", "--output", "text"], &[term, (name, value)], true), Form::Text, "{name}");
        }
        // An empty variable is not set.
        assert_eq!(form_of(&["status"], &[term, ("CI", "")], true), Form::Text);
        assert_eq!(form_of(&["status"], &[term, ("MCP_TUNNEL_OUTPUT", "text")], true), Form::Text);
    }

    #[test]
    fn whoever_sends_json_gets_json() {
        let term = &[("TERM", "xterm")];
        for words in [&["--json"][..], &["--json", "{}"], &["--json={}"], &["--output", "json"], &["--output=json"]] {
            assert_eq!(form_of(words, term, true), Form::Line, "{words:?}");
        }
        assert_eq!(form_of(&["--pretty"], term, true), Form::Pretty);
        assert_eq!(form_of(&["--pretty", "--output", "json"], term, true), Form::Pretty);
        assert_eq!(form_of(&["--json", "{}", "--output=text"], term, false), Form::Text);
        assert_eq!(form_of(&["--", "--json"], term, true), Form::Text);
    }
}
