//! The step that ends a fault, where one command does.

use super::next::token_step;
use crate::answer::{Finding, Next, Severity};
use crate::caller::Caller;
use crate::rules::{self, Cure, RuleId};

/// The step to a CA that is valid for longer.
pub(crate) fn new_ca(caller: &Caller) -> Next {
    Next::helper(
        "rotate the CA: create a new one and keep the current one; no call is lost",
        caller.command(&["certs", "rotate-ca", "--json", "{\"step\":\"begin\"}"]),
    )
}

/// What an edited configuration, a new token or a lost network takes.
pub(crate) fn restart_step(caller: &Caller) -> Next {
    Next::helper("restart the stack, cloudflared included", caller.command(&["restart"]))
}

/// The person decides about the privileges that the stack asks for.
fn allow_step(caller: &Caller) -> Next {
    Next::person("read what the stack asks for, and allow it in your own terminal only if you want it")
        .running(caller.command(&["allow"]))
}

/// The command that ends a fault, where one does.
pub(crate) fn cure(finding: &Finding, caller: &Caller) -> Option<Next> {
    if finding.has_own_fix {
        return None;
    }
    let helper = |what: &str, words: &[&str]| Some(Next::helper(what, caller.command(words)));
    match finding.id.rule().cure {
        Cure::Up => helper("start the stack", &["up"]),
        Cure::Restart => Some(restart_step(caller)),
        Cure::Init => {
            let request = serde_json::json!({ "domain": caller.domain.as_deref()? }).to_string();
            helper("write the files that are missing; the others stay", &["init", "--json", &request])
        }
        Cure::Token => Some(token_step(caller)),
        Cure::Issue => helper("issue the missing certificates", &["certs", "issue"]),
        Cure::Renew => helper(
            "renew the server certificate: same CA, same key; the proxy reloads it by itself",
            &["certs", "renew"],
        ),
        Cure::RotateCa => Some(new_ca(caller)),
        Cure::Allow => Some(allow_step(caller)),
        Cure::Render | Cure::ByHandThen | Cure::Look | Cure::ByHand => None,
    }
}

/// What to do about the findings on a deployment's files, in order, each step once. `ends_with_ca`: the server certificate
/// lasts as long as its CA, so that a renewal gains nothing. `again` are the words of the command that found them.
pub(crate) fn cures(findings: &[Finding], ends_with_ca: bool, again: &[&str], caller: &Caller) -> Vec<Next> {
    let ordered = rules::order(findings.to_vec());
    let grave = |severity| ordered.iter().filter(move |f| f.severity == severity);
    let refused = grave(Severity::Error).any(|f| f.id.rule().blocks_signing || f.id == RuleId::TlsUnknownCa);
    let helps =
        |f: &&Finding| f.id.rule().cure != Cure::Renew || !refused && (f.id != RuleId::TlsExpiresSoon || !ends_with_ca);
    let all = grave(Severity::Error).chain(grave(Severity::Warning)).filter(helps);
    let mut steps: Vec<Next> = Vec::new();
    for step in all.filter_map(|f| cure(f, caller)) {
        if !steps.iter().any(|before| before.command == step.command) {
            steps.push(step);
        }
    }
    // The first fault decides; what cures another one comes later.
    if grave(Severity::Error).next().is_some_and(|f| cure(f, caller).is_none()) {
        let what = "follow the `fix` of the first finding, then run this again";
        steps.insert(0, Next::person(what).running(caller.command(again)));
    }
    steps
}
