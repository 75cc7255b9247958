//! What `next` says of the steps, the same in every command.

use super::facts::StepFacts;
use super::{Progress, StepId, pair};
use crate::answer::Next;
use crate::caller::Caller;
use crate::certs::Purpose;
use crate::deployment::{Deployment, path};
use crate::lint::tokens;
use crate::model::current::Current;
use crate::model::token::token_of;
use crate::rules::Cure;

/// The step to do now. A step that only the Console shows is followed by the next one.
pub(crate) fn next(progress: &Progress, current: &Current, deployment: &Deployment, caller: &Caller) -> Vec<Next> {
    let mut next = Vec::new();
    for id in progress.open() {
        next.push(of_step(id, current, deployment, caller));
        if id != StepId::RegisterCa {
            break;
        }
    }
    next
}

/// The same as far as the files tell.
pub(crate) fn of_files(current: &Current, deployment: &Deployment, caller: &Caller) -> Vec<Next> {
    next(&Progress::of(&StepFacts::of(current, deployment, caller)), current, deployment, caller)
}

/// The same on a host in which `preflight` has just found no fault.
pub(crate) fn after_preflight(current: &Current, deployment: &Deployment, caller: &Caller) -> Vec<Next> {
    let facts = StepFacts { is_host_checked: true, ..StepFacts::of(current, deployment, caller) };
    next(&Progress::of(&facts), current, deployment, caller)
}

/// The step without which `up` would refuse; `None` where it would not.
pub(crate) fn before_start(current: &Current, deployment: &Deployment, caller: &Caller) -> Option<Next> {
    let progress = Progress::of(&StepFacts::of(current, deployment, caller));
    let id = progress.open().find(|id| *id != StepId::RegisterCa)?;
    (id < StepId::Start).then(|| of_step(id, current, deployment, caller))
}

fn of_step(id: StepId, current: &Current, deployment: &Deployment, caller: &Caller) -> Next {
    match id {
        StepId::Preflight => Next::helper("check this host and its network", caller.command(&["preflight"])),
        StepId::CreateTunnel => Next::person(CREATE_TUNNEL),
        StepId::Directory => match init(current, caller) {
            Some(command) => Next::helper("make what is missing", command),
            None => Next::person(NAME_TUNNEL),
        },
        StepId::Token => of_token(current, deployment, caller),
        StepId::RegisterCa => register_step(deployment, &ca_place(current, deployment, caller)),
        StepId::Upstream => Next::person(format!(
            "choose what Claude may call: `{}` for the sample server, `{}` for your own server",
            caller.command(&["render", "--sample"]),
            caller.command(&["render", "--route", "NAME=http://HOST:PORT"])
        )),
        // An existing file is completed by its author; `render` writes missing ones.
        StepId::Configure if current.gateway.good().is_some() && current.found.main.is_some() => {
            Next::helper("find what the configuration lacks", caller.command(&["check"]))
        }
        StepId::Configure => Next::helper("write what is missing", caller.command(&["render"])),
        StepId::Start => start_step(caller),
        StepId::Call | StepId::Done => {
            Next::helper("show how to call the tunnel from Claude", caller.command(&["connect"]))
        }
    }
}

/// Where the CA is that a person registers.
fn ca_place(current: &Current, deployment: &Deployment, caller: &Caller) -> String {
    let place = current.checked_domain().ok().flatten().and_then(|domain| {
        let routes = current.labels(&domain);
        pair::ca_place(deployment, current, Purpose { domain: &domain, routes: &routes, now: caller.now })
    });
    place.unwrap_or_else(|| path::CA_CRT.to_owned())
}

/// The step to a token: `token set`, unless what is wrong with it is ended elsewhere.
fn of_token(current: &Current, deployment: &Deployment, caller: &Caller) -> Next {
    let agent = current.found.roles().agent;
    let token = token_of(&current.found, deployment, caller, agent.as_deref());
    match tokens::finding(&current.found, &token, agent.as_deref()) {
        Some(finding) if finding.cure != Cure::Token => {
            let what = format!("{}; then run this", caller.fill(&finding.fix));
            Next::person(what).running(caller.command(&["check"]))
        }
        _ => token_step(caller),
    }
}

const CREATE_TUNNEL: &str = "in the Console (https://platform.claude.com): Manage > MCP tunnels > New tunnel, name it, leave \"Set up programmatic access\" off; open it: Connection shows Domain and Token; then run `init --domain` with that domain";

const NAME_TUNNEL: &str = "run `init --domain` with the domain that the Console shows under Connection";

/// `init` for the tunnel that the directory names.
fn init(current: &Current, caller: &Caller) -> Option<String> {
    let domain = current.known_domain().ok()??;
    let request = serde_json::json!({ "domain": domain }).to_string();
    Some(caller.command(&["init", "--json", &request]))
}

/// Findings are fixed first; then `init` again.
pub(crate) fn again(current: &Current, caller: &Caller) -> Next {
    let command = init(current, caller).unwrap_or_else(|| caller.command(&["init"]));
    Next::person("fix the findings in order, then run this again").running(command)
}

/// `up`, once nothing else is to be done before.
pub(crate) fn start_step(caller: &Caller) -> Next {
    Next::helper("start the stack and wait until it is ready", caller.command(&["up"]))
}

/// The person sets the token.
pub(crate) fn token_step(caller: &Caller) -> Next {
    Next::person("set the token in your own terminal, never in a chat (Console: Connection > Token, eye icon, copy)")
        .running(caller.command(&["token", "set"]))
}

/// The person registers a CA, whether the tunnel is Active with another one or not; its fingerprint is in the same answer.
pub(crate) fn register_step(deployment: &Deployment, certificate: &str) -> Next {
    Next::person(format!(
        "unless the Console lists this CA's fingerprint under Certificates, add it there: Add certificate, choose or paste {}, compare the SHA-256 fingerprint",
        deployment.path(certificate).display()
    ))
}
