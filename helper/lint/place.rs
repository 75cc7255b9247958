//! Where something is written, in the words of a finding.

use super::facts::Facts;
use crate::config::yaml;
use crate::rules::At;

/// A file with its line, for a person.
pub(super) fn in_line((file, line): &At) -> String {
    match line {
        Some(line) => format!("`{file}`, line {line}"),
        None => format!("`{file}`"),
    }
}

/// Where a variable of a service is written: in the compose file, or in a line of a file of variables.
pub(super) fn set_at(service: &str, at: &At) -> String {
    match at {
        (file, None) => format!("`environment:` of `{service}` in `{file}`"),
        of_file => in_line(of_file),
    }
}

/// A line of the proxy's configuration.
pub(super) fn in_gateway(facts: &Facts, path: &[&str]) -> Option<String> {
    let line = yaml::line_of(&facts.gateway_text, path)?;
    Some(in_line(&(facts.gateway_path.clone(), Some(line))))
}
