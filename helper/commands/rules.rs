//! `rules`: the troubleshooting table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Error, Layer, Report, Severity};
use crate::caller::Caller;
use crate::rules::{Cure, RULES, Rule, RuleId, filled};

/// The request of `rules`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RulesRequest {
    /// Only this row.
    id: Option<String>,
}

/// What `rules` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RulesData {
    /// The rows, in the order of the layers.
    rules: Vec<FilledRule>,
}

/// One row with its placeholders filled.
#[derive(Debug, Serialize, JsonSchema)]
struct FilledRule {
    /// Stable kebab-case name.
    id: RuleId,
    /// Where to look.
    layer: Layer,
    /// Its severity, unless the case is milder.
    severity: Severity,
    /// What is wrong, in one line.
    title: String,
    /// What a person sees of it.
    symptom: &'static str,
    /// Why it is so.
    cause: String,
    /// What to do.
    fix: String,
    /// What fixes it: a helper command, or an action of a person.
    cure: Cure,
    /// Where to read on.
    docs: &'static str,
}

/// Prints the table.
///
/// # Errors
/// `request` for an id that no row has.
pub(crate) fn run(request: &RulesRequest, caller: &Caller) -> Result<Report<RulesData>, Error> {
    let asked = request.id.as_deref();
    let mut rows: Vec<&Rule> = RULES.iter().filter(|r| asked.is_none_or(|id| id == r.id.as_str())).collect();
    rows.sort_by_key(|r| r.layer);
    if rows.is_empty() {
        return Err(Error::request(
            format!("there is no rule `{}`", request.id.as_deref().unwrap_or_default()),
            "`mcp-tunnels-helper rules` prints them all",
        ));
    }
    let summary = match rows.as_slice() {
        [one] => filled(one.title, None),
        many => format!("{} findings that a command can report", many.len()),
    };
    let rules = rows
        .into_iter()
        .map(|r| FilledRule {
            id: r.id,
            layer: r.layer,
            severity: r.severity,
            title: filled(r.title, None),
            symptom: r.symptom,
            cause: caller.fill(r.cause),
            fix: caller.fill(&filled(r.fix, None)),
            cure: r.cure,
            docs: r.docs,
        })
        .collect();
    Ok(Report::new(summary, RulesData { rules }).whole(true))
}
