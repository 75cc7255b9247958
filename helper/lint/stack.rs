//! Checks of the compose files, and of what the services get from them.

use super::facts::Facts;
use super::place::in_line;
use super::{reach, secrets, tokens};
use crate::answer::{Finding, Severity, Subject, count};
use crate::check::{Outcome, capped};
use crate::config::yaml::{self, Value};
use crate::config::{images, sample};
use crate::deployment::{Token, TokenState, env_file};
use crate::model::compose::Asked;
use crate::model::current;
use crate::model::environment;
use crate::model::packages::Unbounded;
use crate::model::sources::{ComposeFile, Unusable};
use crate::model::token::TokenOrigin;
use crate::redact::names;
use crate::rules::{self, Remedy, RuleId, State, Written};

pub(super) fn files_are_readable(facts: &Facts) -> Outcome {
    let found = &facts.found;
    let Some(main) = &found.main else { return current::compose_file_missing(facts.gateway.good()).into() };
    let mut findings = Vec::new();
    if let Some(hidden) = found.shadowed.first() {
        let said = format!("`{}` hides `{hidden}`", main.name);
        findings.push(rules::finding(RuleId::ComposeFileShadowed).about(Subject::file(*hidden)).with(said));
    }
    findings.extend(found.files().filter_map(|file| Some(asked_for(facts, file, file.fault()?))));
    if !found.outside.is_empty() {
        let named = found.outside.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        findings.push(rules::finding(RuleId::ComposeFilesOutside).with(named));
    }
    findings.into()
}

/// The finding about a file, with the line that asks for it where it is not there.
fn asked_for(facts: &Facts, file: &ComposeFile, fault: Finding) -> Finding {
    let name = file.name.rsplit('/').next().unwrap_or(&file.name);
    let lines = facts.found.files().flat_map(|by| by.text.lines().enumerate().map(move |line| (&by.name, line)));
    let asks = |line: &str| line.split('#').next().is_some_and(|code| code.contains(name));
    let asking = { lines }.find(|(_, (_, line))| asks(line)).filter(|_| file.value == Err(Unusable::Missing));
    let Some((by, (at, _))) = asking else { return fault };
    let at = in_line(&(by.clone(), Some(at + 1)));
    let remedy = Remedy::State(State::Written(Written::AskedFor { file: &file.name, at: &at }));
    fault.with_remedy(remedy).with(format!("{at} names it"))
}

pub(super) fn privileges_are_wanted(facts: &Facts) -> Outcome {
    capped(facts.privileges.findings(facts.is_allowed).into_iter())
}

/// Compose refuses any other name of a service, and a container's host name has no other letters.
pub(super) fn names_are_names(facts: &Facts) -> Outcome {
    capped(facts.found.invalid_names().into_iter().map(|(file, name)| {
        let said = format!("{} of {}", names::shown(&name), count(name.chars().count(), "character"));
        rules::finding(RuleId::ComposeNameInvalid).about(Subject::file(file)).with(said)
    }))
}

pub(super) fn proxy_is_there(facts: &Facts) -> Outcome {
    if !facts.lacks_proxy() || reach::undefined_owner(facts).is_some() {
        return Outcome::Pass;
    }
    let finding = rules::finding(RuleId::ProxyMissing);
    let finding = match &facts.roles.agent {
        Some(agent) => {
            let dials = facts.found.url(agent).map_or_else(|| "nothing by `--url`".into(), |url| format!("`{url}`"));
            finding.about(Subject::service(agent)).with(format!("cloudflared is `{agent}` and dials {dials}"))
        }
        None => finding.with("no service is cloudflared, either"),
    };
    let images = facts.found.service_names().into_iter().filter_map(|name| {
        let image = facts.found.text(&name, "image")?;
        Some(format!("`{name}` runs {image}"))
    });
    finding.with(images.take(4).collect::<Vec<_>>().join(", ")).into()
}

pub(super) fn services_are_there(facts: &Facts) -> Outcome {
    if !facts.found.is_known() || facts.found.includes_others() {
        return Outcome::Pass;
    }
    let missing = facts.roles.agent.is_none() && facts.roles.proxy.is_some();
    let said = || format!("there is no service `{}`", facts.services.cloudflared);
    missing.then(|| rules::finding(RuleId::ComposeServiceUndefined).with(said())).into()
}

pub(super) fn token_is_there(facts: &Facts) -> Outcome {
    let token = &facts.token;
    let mut findings = Vec::new();
    match (&token.state, &token.origin) {
        (_, TokenOrigin::Unseen(why)) => return Outcome::Skip(why.clone()),
        (TokenState::Set(_), TokenOrigin::SetUp) => {
            let finding = rules::finding(RuleId::TokenShellOnly).with("`data/tunnel-token` holds it");
            findings.push(finding);
        }
        (_, TokenOrigin::Nowhere) if matches!(facts.asked, Asked::Refused(_)) || facts.has_unknown_setting() => {
            return Outcome::Skip("Compose refuses the files, which name no token as they are".into());
        }
        // Without `.env` there is one finding, and that is it.
        (_, TokenOrigin::Env(_) | TokenOrigin::Unset(_) | TokenOrigin::Nowhere) if facts.env().is_none() => {}
        _ => findings.extend(tokens::finding(&facts.found, token, facts.roles.agent.as_deref())),
    }
    if token.origin == TokenOrigin::Written && facts.found.files().any(|file| holds_token(facts, &file.text)) {
        let cause = RuleId::TokenInFile;
        let follows = |finding: Finding| finding.with_remedy(Remedy::CauseFirst { cause }).caused_by(cause);
        findings = findings.into_iter().map(follows).collect();
    }
    if let (TokenState::Set(set), TokenOrigin::Env(_)) = (&token.state, &token.origin) {
        findings.extend(secrets::shadow(set, &facts.caller));
    }
    findings.extend(tokens::unreadable(facts));
    findings.into()
}

/// A value that only this shell has is gone after a reboot, and for cron.
pub(super) fn variables_stay(facts: &Facts) -> Outcome {
    environment::finding(&facts.passed).into()
}

/// Whether a file has a token in it, that of `.env` or another one.
fn holds_token(facts: &Facts, text: &str) -> bool {
    let in_env = facts.env().and_then(|env| env.get(env_file::TOKEN)).filter(|token| token.starts_with("eyJ"));
    Token::is_within(text) || in_env.is_some_and(|token| text.contains(token.trim()))
}

pub(super) fn token_is_hidden(facts: &Facts) -> Outcome {
    let mut findings = Vec::new();
    let agent = facts.roles.agent.as_deref().filter(|_| facts.token.origin == TokenOrigin::Written);
    for file in facts.found.files().filter(|file| holds_token(facts, &file.text)) {
        let finding = rules::finding(RuleId::TokenInFile).about(Subject::file(&file.name));
        let finding = finding.with(format!("`{}`", file.name));
        let own = agent.filter(|agent| facts.found.file_of(agent, &["environment"]) == file.name);
        findings.push(match own {
            Some(agent) => finding.with_remedy(Remedy::State(tokens::of_file(&facts.found, agent))),
            None => finding,
        });
    }
    if let Some(agent) = &facts.roles.agent {
        let place = match facts.found.flag(agent, "token") {
            Some(_) => Some("command"),
            None => facts.found.environment(agent).contains_key(env_file::TOKEN).then_some("environment"),
        };
        findings.extend(place.map(|place| {
            let finding = rules::finding(RuleId::TokenInClear).about(Subject::service(agent));
            let own = |(file, line): &(String, Option<usize>)| Some((file.clone(), (*line)?));
            match facts.found.place_of_variable(agent, env_file::TOKEN).as_ref().and_then(own) {
                Some((file, line)) if place == "environment" => {
                    let file = rules::shown_path(&file);
                    let finding = finding.with_remedy(Remedy::TokenInFileOfVariables { file, line });
                    finding.with(format!("`env_file` of the service `{agent}`: `{file}`, line {line}"))
                }
                _ => finding.with(format!("`{place}` of the service `{agent}`")),
            }
        }));
    }
    findings.into()
}

pub(super) fn ports_stay_closed(facts: &Facts) -> Outcome {
    let Some((_, proxy)) = reach::both(facts) else { return Outcome::Pass };
    // Only this host gets to a port of its loopback.
    let is_loopback = |entry: &Value| {
        let address = yaml::text(entry, &["host_ip"]);
        let short = yaml::scalar(entry).is_some_and(|text| text.starts_with("127.") || text.starts_with("[::1]"));
        short || address.is_some_and(|address| address.starts_with("127.") || address == "::1")
    };
    let is_open = |name: &&str| !facts.found.ports(name).iter().all(is_loopback);
    let open: Vec<&str> = [proxy, sample::SERVICE].into_iter().filter(is_open).collect();
    (!open.is_empty()).then(|| rules::finding(RuleId::PortsPublished).with(open.join(", "))).into()
}

pub(super) fn packages_are_bounded(facts: &Facts) -> Outcome {
    capped(facts.unbounded.iter().map(|Unbounded { service, installed_by, asked, script }| {
        let said = format!(
            "`{service}` may install version 2 of `mcp` ({installed_by}), and `{script}` imports mcp.server.fastmcp, which mcp 2 no longer has"
        );
        let finding = rules::finding(RuleId::McpSdkV2).with_severity(Severity::Warning).about(Subject::service(service));
        let Some((asked, line)) = asked else { return finding.with(said) };
        let at = in_line(&(installed_by.clone(), Some(*line)));
        let remedy = Remedy::State(State::Written(Written::Package { said: asked, at: &at }));
        finding.with_remedy(remedy).with(said).with(format!("{at}: `{asked}`"))
    }))
}

pub(super) fn images_are_pinned(facts: &Facts) -> Outcome {
    let roles = [&facts.roles.proxy, &facts.roles.agent].into_iter().flatten();
    let images = roles.filter_map(|name| Some((name, facts.found.text(name, "image")?)));
    let loose = images.filter(|(_, image)| !images::is_pinned(image)).map(|(name, image)| format!("{name}: {image}"));
    rules::finding(RuleId::ImageUnpinned).with_each(loose).into()
}
