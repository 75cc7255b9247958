//! Variables that the files use and that nothing sets.

use super::refusal::Refusal;
use crate::config::yaml;
use crate::deployment::env_file::{self, Room};
use crate::model::environment::name_of;
use crate::model::found::Found;
use crate::model::found::place::Lookup;
use crate::model::sources::ComposeFile;
use crate::model::token::TokenOrigin;
use crate::rules::{Refused, Severity};

/// A variable without a value.
#[derive(Debug, PartialEq, Eq)]
struct Unset<'a> {
    name: &'a str,
    /// The file says that it must have one.
    is_required: bool,
}

pub(super) fn unset(found: &Found, token: &TokenOrigin) -> Vec<Refusal> {
    // A file that Compose cannot read sets nothing, which has its own finding.
    if found.env_fault.is_some() || found.env().is_some_and(|env| !env.faults().is_empty()) {
        return Vec::new();
    }
    let of_token = match token {
        TokenOrigin::Env(name) | TokenOrigin::Shell(name) | TokenOrigin::Unset(name) => name.as_str(),
        _ => env_file::TOKEN,
    };
    let mut all: Vec<Refusal> = Vec::new();
    found.with_variables(&mut |file, _, lookup| {
        let Ok(value) = &file.value else { return };
        yaml::each_text(value, &mut |path, text| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let refusals = if text.contains('$') { of_text(found, file, &path, text, lookup) } else { Vec::new() };
            all.extend(refusals.into_iter().filter(|refusal| match &refusal.why {
                Refused::Required { name, .. } | Refused::Empty { name, .. } => name != of_token,
                _ => true,
            }));
        });
    });
    // One file may be read in two ways.
    let mut single: Vec<Refusal> = Vec::new();
    for refusal in all {
        if !single.contains(&refusal) {
            single.push(refusal);
        }
    }
    single
}

fn of_text(found: &Found, file: &ComposeFile, path: &[&str], text: &str, lookup: &Lookup<'_>) -> Vec<Refusal> {
    let place = yaml::named(path);
    let mut unset = Vec::new();
    find(text, lookup, 0, &mut unset);
    let line = |name: &str| found.place_in(file, path, name);
    let refusal = |name: &str, severity, why| Refusal { file: file.name.clone(), line: line(name), severity, why };
    let mut all: Vec<Refusal> = Vec::new();
    for Unset { name, is_required } in unset {
        let (owned, place) = (name.to_owned(), place.clone());
        match position(found, file, path, text, lookup) {
            _ if is_required => all.push(refusal(name, Severity::Error, Refused::Required { place, name: owned })),
            Some(severity) => all.push(refusal(name, severity, Refused::Empty { place, name: owned })),
            None => {}
        }
    }
    if all.is_empty() && text.len() < LONGEST && env_file::interpolated(text, lookup, &Room::default()).is_none() {
        all.push(refusal("", Severity::Error, Refused::Template { place }));
    }
    all
}

/// Texts up to this length, in bytes, are surely filled in unless something is wrong with them.
const LONGEST: usize = 4096;

/// How bad it is that a variable in a text is empty; `None` where an empty one is a value like any other.
fn position(found: &Found, file: &ComposeFile, path: &[&str], text: &str, lookup: &Lookup<'_>) -> Option<Severity> {
    let ["services", service, key, rest @ ..] = path else {
        let is_file = matches!(path, ["secrets" | "configs", _, "file"]);
        return is_file.then_some(Severity::Error);
    };
    if !found.is_started(service) {
        return None;
    }
    // Another file may have the last word.
    let is_last = found.file_of(service, &[key]) == file.name;
    match (*key, rest) {
        ("image", []) | ("build", [] | ["context" | "dockerfile"]) => is_last.then_some(Severity::Error),
        ("env_file", []) | ("env_file", [_] | [_, "path"]) => Some(Severity::Error),
        ("volumes", [_] | [_, "source"]) => Some(Severity::Error),
        ("ports", [_] | [_, "published" | "target"]) => {
            let filled = env_file::interpolated(text, lookup, &Room::default()).unwrap_or_default();
            let port = filled.split('/').next().unwrap_or_default();
            // Without the host's port, Compose takes a free one.
            let is_container = rest.last() != Some(&"published") && (port.is_empty() || port.ends_with(':'));
            Some(if is_container { Severity::Error } else { Severity::Warning })
        }
        _ => None,
    }
}

/// Variables in variables are followed to this depth.
const DEEPEST: usize = 16;

/// The variables of a text that nothing sets and that have no default, as Compose reads them.
fn find<'a>(text: &'a str, lookup: &Lookup<'_>, depth: usize, unset: &mut Vec<Unset<'a>>) {
    let mut rest = text;
    while let Some(at) = rest.find('$').filter(|_| depth < DEEPEST) {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let (body, after) = match rest.strip_prefix('{') {
            Some(open) => match closing(open) {
                Some(end) => (&open[..end], &open[end + 1..]),
                None => return,
            },
            None => rest.split_at(name_of(rest).len()),
        };
        rest = after;
        let name = name_of(body);
        let value = lookup(name);
        let is_empty = value.as_ref().is_none_or(String::is_empty);
        let (operator, word) = body[name.len()..].split_at(operator_of(&body[name.len()..]));
        let is_gone = if operator.starts_with(':') { is_empty } else { value.is_none() };
        match operator.trim_start_matches(':') {
            _ if name.is_empty() => {}
            "" if body.len() == name.len() && is_empty => unset.push(Unset { name, is_required: false }),
            "?" if is_gone => unset.push(Unset { name, is_required: true }),
            "-" if is_gone => find(word, lookup, depth + 1, unset),
            "+" if !is_gone => find(word, lookup, depth + 1, unset),
            _ => {}
        }
    }
}

/// Length of `:-`, `-`, `:?`, `?`, `:+`, `+` at the beginning of a text.
fn operator_of(text: &str) -> usize {
    let colon = usize::from(text.starts_with(':'));
    if text[colon..].starts_with(['-', '?', '+']) { colon + 1 } else { 0 }
}

/// Where the brace is closed that was opened in front of a text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_missed_where_it_has_neither_a_value_nor_a_default() {
        let lookup = |name: &str| match name {
            "SET" => Some("x".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expected) in [
            ("$A ${B} $SET ${SET} $$A $${A} ${EMPTY}", "A B EMPTY"),
            ("${A:-x} ${A-x} ${A:-} ${A:+x} ${A+x} ${SET:?m} ${EMPTY?m} ${EMPTY-x}", ""),
            ("${A:?m} ${B?} ${EMPTY:?m}", "A! B! EMPTY!"),
            ("${A:-${B}} ${A:-${B:-x}} ${A-${SET}} ${SET:-${C}} ${A:-${D:?m}}", "B D!"),
            ("${SET:+${A}} ${A:+${B}} ${SET+$C}", "A C"),
            ("$ $1 ${} a$ ${A", ""),
            ("a${A}b${B:-y}c$C/d", "A C"),
        ] {
            let mut unset = Vec::new();
            find(text, &lookup, 0, &mut unset);
            let found = unset.iter().map(|u| format!("{}{}", u.name, if u.is_required { "!" } else { "" }));
            assert_eq!(found.collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }
}
