//! The order of steps over every state.

use std::path::Path;

use super::*;
use crate::answer::Next;
use crate::caller::Caller;
use crate::deployment::Deployment;
use crate::model::current::Current;

/// Every combination of what can be seen.
fn all() -> Vec<StepFacts> {
    let (both, three) = ([false, true], [None, Some(false), Some(true)]);
    let live = [Live::Unknown, Live::Down, Live::Ready { answered: false }, Live::Ready { answered: true }];
    let mut all = vec![StepFacts::default()];
    let mut vary = |values: &[&dyn Fn(&mut StepFacts)]| {
        let each = |facts: &StepFacts| values.iter().map(|set| with(*facts, set)).collect::<Vec<_>>();
        all = all.iter().flat_map(each).collect();
    };
    fn with(mut facts: StepFacts, set: &dyn Fn(&mut StepFacts)) -> StepFacts {
        set(&mut facts);
        facts
    }
    vary(
        &both.map(|v| move |f: &mut StepFacts| f.is_host_checked = v).each_ref().map(|f| f as &dyn Fn(&mut StepFacts)),
    );
    vary(&both.map(|v| move |f: &mut StepFacts| f.names_tunnel = v).each_ref().map(|f| f as &dyn Fn(&mut StepFacts)));
    vary(&three.map(|v| move |f: &mut StepFacts| f.has_token = v).each_ref().map(|f| f as &dyn Fn(&mut StepFacts)));
    vary(
        &three
            .map(|v| move |f: &mut StepFacts| f.has_certificates = v)
            .each_ref()
            .map(|f| f as &dyn Fn(&mut StepFacts)),
    );
    vary(&both.map(|v| move |f: &mut StepFacts| f.has_routes = v).each_ref().map(|f| f as &dyn Fn(&mut StepFacts)));
    vary(&both.map(|v| move |f: &mut StepFacts| f.has_stack = v).each_ref().map(|f| f as &dyn Fn(&mut StepFacts)));
    vary(&both.map(|v| move |f: &mut StepFacts| f.is_broken = v).each_ref().map(|f| f as &dyn Fn(&mut StepFacts)));
    vary(&live.map(|v| move |f: &mut StepFacts| f.live = v).each_ref().map(|f| f as &dyn Fn(&mut StepFacts)));
    assert_eq!(all.len(), 2_usize.pow(5) * 9 * 4);
    all
}

/// A deployment of which all but the last part is done.
fn made() -> StepFacts {
    StepFacts {
        names_tunnel: true,
        has_token: Some(true),
        has_certificates: Some(true),
        has_routes: true,
        has_stack: true,
        ..StepFacts::default()
    }
}

#[test]
fn each_resume_point_has_its_step() {
    let begun = StepFacts { has_token: Some(false), has_certificates: Some(false), ..StepFacts::default() };
    let down = Live::Down;
    for (facts, step) in [
        (begun, StepId::Preflight),
        (StepFacts { is_host_checked: true, ..begun }, StepId::CreateTunnel),
        (StepFacts { names_tunnel: true, ..begun }, StepId::Directory),
        // The token came first.
        (StepFacts { has_token: Some(true), ..begun }, StepId::Directory),
        (StepFacts { has_token: Some(false), has_routes: false, ..made() }, StepId::Token),
        (StepFacts { has_token: Some(false), ..made() }, StepId::Token),
        (StepFacts { has_routes: false, live: down, ..made() }, StepId::RegisterCa),
        (StepFacts { live: down, ..made() }, StepId::RegisterCa),
        (made(), StepId::RegisterCa),
        (StepFacts { has_certificates: Some(false), ..made() }, StepId::Directory),
        (StepFacts { is_broken: true, ..made() }, StepId::Directory),
        (StepFacts { live: Live::Ready { answered: false }, ..made() }, StepId::Call),
        (StepFacts { live: Live::Ready { answered: true }, ..made() }, StepId::Done),
        // A file that cannot be seen is not a missing one.
        (
            StepFacts { has_token: None, has_certificates: None, live: Live::Ready { answered: true }, ..made() },
            StepId::Done,
        ),
    ] {
        assert_eq!(Progress::of(&facts).step(), step, "{facts:?}");
    }
    // What follows the question whether the CA is registered.
    for (facts, step) in [
        (StepFacts { has_routes: false, has_stack: false, ..made() }, StepId::Upstream),
        (StepFacts { has_stack: false, ..made() }, StepId::Configure),
        (made(), StepId::Start),
    ] {
        assert_eq!(Progress::of(&facts).open().nth(1), Some(step), "{facts:?}");
    }
}

#[test]
fn the_step_is_the_first_that_is_open_and_the_order_is_one() {
    for facts in all() {
        let progress = Progress::of(&facts);
        let (step, steps) = (progress.step(), progress.steps(false));
        assert!(steps.windows(2).all(|pair| pair[0].id < pair[1].id) && steps.len() == ORDER.len());
        for one in &steps {
            match one.state {
                StepState::Todo => assert!(step <= one.id, "{facts:?}"),
                StepState::Done => assert_ne!(step, one.id, "{facts:?}"),
                StepState::Unknown => {}
            }
        }
        let is_answered = facts.live == Live::Ready { answered: true };
        assert_eq!(progress.state(StepId::Call) == StepState::Done, is_answered);
        assert!(progress.in_words().starts_with(&format!("{} of 9", progress.done())) || step == StepId::Done);
    }
}

#[test]
fn next_names_the_step_and_nothing_that_must_wait_or_was_made_up() {
    let caller = Caller::with_env(&[]);
    let deployment = Deployment::at(Path::new("/nowhere/mcp-tunnel"));
    let current = Current::read(&deployment);
    let runs = |step: &Next, word: &str| step.command.as_ref().is_some_and(|c| c.split(' ').any(|w| w == word));
    for facts in all() {
        let progress = Progress::of(&facts);
        let next = next(&progress, &current, &deployment, &caller);
        let what = next.iter().map(|step| step.command.as_deref().unwrap_or_default()).collect::<Vec<_>>().join("\n");
        assert!(!what.contains("abcd1234") && !what.contains("sample"), "{facts:?}: {what}");
        assert_eq!(next.is_empty(), progress.step() == StepId::Done, "{facts:?}");
        let starts = next.iter().position(|step| runs(step, "up"));
        assert!(matches!(progress.step(), StepId::RegisterCa | StepId::Start) || starts.is_none(), "{facts:?}: {what}");
        if starts.is_some() {
            assert!(facts.has_routes && facts.has_stack && !facts.is_broken, "{facts:?}");
            assert!(facts.has_token != Some(false) && facts.has_certificates != Some(false), "{facts:?}");
        }
        // Only the question about the CA has a step behind it.
        assert_eq!(next.len() == 2, progress.step() == StepId::RegisterCa, "{facts:?}");
        let Some(first) = next.first() else { continue };
        let who = ORDER.iter().find(|(id, ..)| *id == progress.step()).map(|(_, who, _)| *who);
        let is_only_shown = matches!(progress.step(), StepId::Call | StepId::Directory | StepId::Done);
        assert!(is_only_shown || who == Some(first.who), "{facts:?}");
    }
}
