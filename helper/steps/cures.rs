//! The step that ends a fault. It is made of what the finding's `fix` is, so that the two never disagree.

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

/// The command that ends a fault, where one does. `open` is the first step of the order that is not done.
pub(crate) fn cure(finding: &Finding, open: Option<&Next>, caller: &Caller) -> Option<Next> {
    let helper = |what: &str, words: &[&str]| Some(Next::helper(what, caller.command(words)));
    match finding.cure {
        Cure::Up => helper("start the stack", &["up"]),
        Cure::Restart => Some(restart_step(caller)),
        Cure::Init => {
            let Some(domain) = &caller.domain else { return open.cloned() };
            let request = serde_json::json!({ "domain": domain }).to_string();
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
        Cure::Look => open.cloned(),
        Cure::Render | Cure::ByHandThen | Cure::ByHand => None,
    }
}

/// What to do about the findings on a deployment's files, in order, each step once. `ends_with_ca`: the server certificate
/// lasts as long as its CA, so that a renewal gains nothing. `open` is the first step of the order that is not done;
/// `again` are the words of the command that found them.
pub(crate) fn cures(
    findings: &[Finding],
    ends_with_ca: bool,
    open: Option<&Next>,
    again: &[&str],
    caller: &Caller,
) -> Vec<Next> {
    let ordered = rules::order(findings.to_vec());
    let blocks = |f: &Finding| f.severity == Severity::Error && f.id.rule().blocks_signing;
    let is_blocked = ordered.iter().any(blocks);
    let is_other_ca = ordered.iter().any(|f| f.severity == Severity::Error && f.id == RuleId::TlsUnknownCa);
    let helps = |f: &&Finding| match f.cure {
        Cure::Issue => !is_blocked,
        Cure::Renew => !is_blocked && !is_other_ca && (f.id != RuleId::TlsExpiresSoon || !ends_with_ca),
        _ => true,
    };
    // What follows from another fault is gone with it.
    let causes =
        || ordered.iter().filter(|f| f.consequence_of.is_none() && rules::weight(f, &ordered) < Severity::Note);
    let mut steps: Vec<Next> = Vec::new();
    for step in causes().filter(helps).filter_map(|f| cure(f, open, caller)) {
        if !steps.iter().any(|before| before.command == step.command) {
            steps.push(step);
        }
    }
    // The first fault decides; what cures another one comes later.
    let is_by_hand = |f: &Finding| !helps(&f) || cure(f, open, caller).is_none();
    if causes().next().is_some_and(|f| rules::weight(f, &ordered) == Severity::Error && is_by_hand(f)) {
        let what = "follow the `fix` of the first finding, then run this again";
        steps.insert(0, Next::person(what).running(caller.command(again)));
    }
    steps
}

/// What the first finding says, where a person does it: none where one of the steps that `follow` ends it.
pub(crate) fn by_hand(findings: &[Finding], follow: &[Next], caller: &Caller) -> Option<Next> {
    let ordered = rules::order(findings.to_vec());
    let first = ordered.iter().find(|f| f.severity < Severity::Note)?;
    let is_done = |step: &Next| follow.iter().any(|other| other.command == step.command);
    let step = cure(first, None, caller);
    step.is_none_or(|step| !is_done(&step)).then(|| Next::person(caller.fill(&first.fix)))
}
