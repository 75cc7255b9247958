use super::*;

#[test]
fn a_cause_stands_before_its_consequence_whatever_their_severity() {
    let cause = finding(RuleId::ConfigNotApplied);
    let consequence = finding(RuleId::CrashLoop).caused_by(RuleId::ConfigNotApplied);
    let ids: Vec<_> = order(vec![consequence, cause]).iter().map(|f| f.id).collect();
    assert_eq!(ids, [RuleId::ConfigNotApplied, RuleId::CrashLoop]);
}

#[test]
fn findings_that_explain_each_other_are_all_kept() {
    let a = finding(RuleId::CrashLoop).caused_by(RuleId::ConfigNotApplied);
    let b = finding(RuleId::ConfigNotApplied).caused_by(RuleId::CrashLoop);
    let marks: Vec<_> = order(vec![a, b]).iter().map(|f| f.consequence_of).collect();
    assert_eq!(marks, [None, Some(RuleId::CrashLoop)]);
}

#[test]
fn a_cause_that_is_not_among_the_findings_explains_nothing() {
    let gone = finding(RuleId::CrashLoop).caused_by(RuleId::ConfigNotApplied);
    let own = finding(RuleId::UpstreamDown).caused_by(RuleId::UpstreamDown);
    let ordered = order(vec![gone, own]);
    assert!(ordered.len() == 2 && ordered.iter().all(|f| f.consequence_of.is_none()), "{ordered:?}");
}

#[test]
fn the_root_is_what_keeps_it_from_working_before_what_is_a_risk() {
    let risk = finding(RuleId::TokenInClear).with_severity(Severity::Error);
    let cause = finding(RuleId::ConfigNotApplied).with_severity(Severity::Warning);
    let consequence = finding(RuleId::NoRoute).caused_by(RuleId::ConfigNotApplied);
    let all = [risk, consequence, cause];
    assert_eq!(root(&all).map(|f| f.id), Some(RuleId::ConfigNotApplied));
}

#[test]
fn a_line_is_quoted_with_its_time_and_how_long_ago_that_is() {
    let now = time::macros::datetime!(2026-11-22 21:00 UTC);
    let mut line = Evidence { at: Some(now - time::Duration::minutes(3)), ..Evidence::of("own", "boom") };
    assert_eq!(line.to_string(), "own, 2026-11-22 20:57:00Z: boom");
    date([&mut line], now);
    assert_eq!(line.to_string(), "own, 2026-11-22 20:57:00Z (3 min ago): boom");
}

#[test]
fn the_same_finding_with_the_same_evidence_is_said_once() {
    let finding = finding(RuleId::CrashLoop).with("x");
    assert_eq!(order(vec![finding.clone(), finding.clone(), finding.with("y")]).len(), 2);
}
