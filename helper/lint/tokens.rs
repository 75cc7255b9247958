//! What is wrong with the token that cloudflared gets, told by where it comes from.

use super::facts::Facts;
use super::{pair, secrets};
use crate::answer::{Finding, Subject};
use crate::deployment::{TokenState, env_file, path};
use crate::model::current::MOUNTS;
use crate::model::found::Found;
use crate::model::found::place::line_that_sets;
use crate::model::token::{self, AgentToken, TokenOrigin};
use crate::redact::names;
use crate::rules::{self, Absence, Absent, Remedy, RuleId, State};

/// The finding about a token that is not valid; its fix names the place that the stack takes the token from.
pub(crate) fn finding(found: &Found, token: &AgentToken, agent: Option<&str>) -> Option<Finding> {
    let agent = agent.unwrap_or_default();
    if let TokenOrigin::NotThere { setting, path, why } = &token.origin {
        return Some(absent(found, agent, (setting, path), why));
    }
    let finding = secrets::state_finding(&token.state)?;
    let elsewhere = |finding: Finding, place: &str| finding.with_remedy(Remedy::TokenElsewhere { place });
    Some(match &token.origin {
        TokenOrigin::Unset(name) => unset(finding, name),
        TokenOrigin::Env(name) if has_token(found, name) => {
            let said =
                format!("`{name}` in `.env` is a token, and the `environment` of `{agent}` makes something else of it");
            let file = found.file_of(agent, &["environment"]);
            let remedy = Remedy::TokenSpoilt { name, service: agent, file };
            finding.about(Subject::service(agent)).with(said).with_remedy(remedy)
        }
        TokenOrigin::Env(name) if name != env_file::TOKEN => {
            let name = names::shown(name);
            elsewhere(finding.about(Subject::Variable { name: name.to_owned() }), &format!("`{name}=` in `.env`"))
        }
        TokenOrigin::Shell(name) => {
            let name = names::shown(name);
            let place = format!("`{name}`, which this shell exports,");
            elsewhere(finding.about(Subject::Variable { name: name.to_owned() }), &place)
        }
        TokenOrigin::File(place) => {
            let shown = format!("`{}`", rules::shown_path(place));
            elsewhere(finding.about(Subject::file(place)).with(&shown), &shown)
        }
        TokenOrigin::Written => written(found, agent, finding),
        TokenOrigin::Nowhere => {
            let file = found.file_of(agent, &["environment", "command"]);
            let said = format!("no setting of `{agent}` names TUNNEL_TOKEN or a file with the token");
            let state = State::TokenNotGiven { service: agent, file, has_token: has_token(found, env_file::TOKEN) };
            finding.about(Subject::service(agent)).with(said).with_remedy(Remedy::State(state))
        }
        TokenOrigin::Env(name) if matches!(token.state, TokenState::Malformed(_)) => {
            let line = found.env().and_then(|env| line_that_sets(&String::from_utf8_lossy(env.as_bytes()), name));
            finding.about(Subject::File { name: path::ENV.to_owned(), line })
        }
        TokenOrigin::Command => elsewhere(finding, &format!("`--token` of `{agent}`")),
        TokenOrigin::Env(_) | TokenOrigin::SetUp | TokenOrigin::NotThere { .. } | TokenOrigin::Unseen(_) => finding,
    })
}

/// cloudflared's container does not have the file that a setting names.
fn absent(found: &Found, agent: &str, (setting, path): (&str, &str), why: &Absence) -> Finding {
    let line = found.line_of_variable(agent, setting).or_else(|| found.line_of(setting));
    let line = line.as_ref().map(|(file, line)| (file.as_str(), *line));
    let setting = format!("`{setting}`");
    let absent = Absent {
        service: agent,
        file: found.file_of(agent, if path.starts_with("/run/secrets/") { &["secrets"] } else { MOUNTS }),
        setting: Some(&setting),
        line,
        path,
        what: "the token",
        also: None,
        is_reloaded: false,
        variable: has_token(found, env_file::TOKEN).then_some(env_file::TOKEN),
        why,
    };
    let finding = rules::finding(RuleId::TokenFileUnreadable).about(Subject::service(agent));
    finding.with_remedy(Remedy::Absent(absent)).with(absent)
}

/// A token in the `environment` of a compose file, or in a file of variables that it names.
fn written(found: &Found, agent: &str, finding: Finding) -> Finding {
    match found.place_of_variable(agent, env_file::TOKEN) {
        Some((file, Some(line))) => {
            let place = format!("`{}=` in `{}`, line {line}", env_file::TOKEN, rules::shown_path(&file));
            let finding = finding.about(Subject::File { name: file, line: Some(line) });
            finding.with_remedy(Remedy::TokenElsewhere { place: &place })
        }
        _ => {
            let subject = match found.line_of_variable(agent, env_file::TOKEN) {
                Some((name, line)) => Subject::File { name, line: Some(line) },
                None => Subject::service(agent),
            };
            finding.about(subject).with_remedy(Remedy::State(of_file(found, agent)))
        }
    }
}

/// What ends a value of its own that the compose file has in the token's place.
pub(super) fn of_file<'a>(found: &'a Found, service: &'a str) -> State<'a> {
    let file = found.file_of(service, &["environment"]);
    let line = found.line_of_variable(service, env_file::TOKEN).filter(|(name, _)| name == file).map(|(_, line)| line);
    if let Some(setting) = token::file_setting(found, service) {
        return State::TokenTwice { service, file, line, setting };
    }
    State::TokenWritten { service, file, line, has_token: has_token(found, env_file::TOKEN) }
}

/// Whether `.env` has a token in a variable.
pub(super) fn has_token(found: &Found, name: &str) -> bool {
    let own = found.env().and_then(|env| env.get(name));
    matches!(TokenState::of(own.as_deref()), TokenState::Set(_))
}

/// A token from a variable that the person named and that nothing sets.
fn unset(finding: Finding, name: &str) -> Finding {
    let finding = finding.about(Subject::Variable { name: name.to_owned() });
    let finding = finding
        .with(format!("the compose files take the token from `{name}`, which neither `.env` nor this shell sets"));
    if name == env_file::TOKEN {
        return finding;
    }
    finding.with_remedy(Remedy::UnsetVariable { name })
}

/// A secret from a file keeps the file's mode, as a bind mount does.
pub(super) fn unreadable(facts: &Facts) -> Option<Finding> {
    let TokenOrigin::File(place) = &facts.token.origin else { return None };
    let agent = facts.roles.agent.as_deref()?;
    let (path, said) = pair::closed(&facts.places, &facts.found, agent, place)?;
    let finding = rules::finding(RuleId::TokenFileUnreadable).about(Subject::file(path));
    Some(finding.with_remedy(Remedy::CLOSED_TOKEN).with(said))
}
