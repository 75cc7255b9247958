//! The course of a call from counters and lines, without Docker.

use std::time::Duration;

use time::OffsetDateTime;

use super::data::{Reached, Suspect};
use super::judge::{CallFacts, Course, Line, judge};
use crate::probe::wire::Metrics;
use crate::rules::RuleId;

const SENT: &str = "{\"level\":\"INFO\",\"msg\":\"request started\",\"host\":\"own.abcd1234.tunnel.anthropic.com\"}";
const DONE: &str =
    "{\"level\":\"INFO\",\"msg\":\"request completed\",\"host\":\"own.abcd1234.tunnel.anthropic.com\",\"status\":200}";
const NO_ROUTE: &str = "level=WARN msg=\"no route for host\" host=echo.abcd1234.tunnel.anthropic.com";
const BAD_CERT: &str = "level=ERROR msg=\"tls handshake failed\" error=\"remote error: tls: bad certificate\"";
const REFUSED: &str = "level=ERROR msg=\"upstream request failed\" host=own.abcd1234.tunnel.anthropic.com error=\"dial tcp4 172.18.0.3:9000: connect: connection refused\"";
const NO_PROXY: &str = "2026-11-22T20:50:01Z ERR  error=\"Unable to reach the origin service. The service may be down or it may not be responding to traffic from cloudflared: dial tcp 127.0.0.1:8080: connect: connection refused\" connIndex=0 event=1 originService=http://localhost:8080";
const HUNG_UP: &str = "2026-11-22T20:50:01Z ERR  error=\"Incoming request ended abruptly: context canceled\" connIndex=0 event=1 originService=http://localhost:8080";

fn access(from: &str, method: &str, status: &str) -> String {
    format!("INFO:     {from}:40102 - \"{method} /mcp HTTP/1.1\" {status}")
}

/// Numbers of cloudflared: requests, errors, and those that are not over.
fn numbers(requests: u64, errors: u64, open: u64) -> Option<Metrics> {
    Some(Metrics {
        connections: Some(4),
        requests: Some(requests),
        errors: Some(errors),
        open: Some(open),
        responses: Vec::new(),
    })
}

fn seen(before: Option<Metrics>, now: Option<Metrics>, lines: &[(&str, &str)]) -> CallFacts {
    let line = |(service, text): &(&str, &str)| Line {
        service: (*service).to_owned(),
        at: OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000),
        text: (*text).to_owned(),
    };
    let proxy_addresses = vec!["172.18.0.2".parse().unwrap()];
    CallFacts { proxy_addresses, before, now, lines: lines.iter().map(line).collect(), ..CallFacts::default() }
}

fn course(now: Option<Metrics>, lines: &[(&str, &str)]) -> Course {
    judge(&seen(numbers(7, 2, 1), now, lines)).unwrap()
}

fn ids(course: &Course) -> Vec<RuleId> {
    course.findings().into_iter().map(|f| f.id).collect()
}

#[test]
fn each_stage_is_told_by_what_proves_it() {
    use Reached::{Answered, NotToCloudflared, ToCloudflared, ToProxy, ToServer};
    let (proxy, agent, own) = ("mcp-gateway", "cloudflared", "own");
    let passed = access("172.18.0.2", "POST", "200 OK");
    let refused = access("172.18.0.2", "POST", "421 Misdirected Request");
    let unauthorized = access("172.18.0.2", "POST", "401 Unauthorized");
    let more = numbers(8, 2, 2);
    for (now, lines, reached, found) in [
        (numbers(7, 2, 1), vec![], NotToCloudflared, vec![RuleId::CallNotReceived]),
        // A request that is not over may be on its way to the proxy still.
        (more.clone(), vec![], ToCloudflared, vec![RuleId::CallNotAnswered]),
        // One that ended without an error was answered by the proxy, also where a WebSocket has no response code.
        (numbers(8, 2, 1), vec![], ToProxy, vec![RuleId::CallNotAnswered]),
        (numbers(8, 3, 1), vec![], ToCloudflared, vec![RuleId::CallNotAnswered]),
        (numbers(8, 3, 1), vec![(agent, NO_PROXY)], ToCloudflared, vec![RuleId::ProxyUnreachable]),
        // That the caller hung up proves nothing of the proxy.
        (numbers(8, 3, 1), vec![(agent, HUNG_UP)], ToCloudflared, vec![RuleId::CallNotAnswered]),
        (more.clone(), vec![(proxy, BAD_CERT)], ToProxy, vec![RuleId::TlsBadCert]),
        (more.clone(), vec![(proxy, NO_ROUTE)], ToProxy, vec![RuleId::NoRoute]),
        (more.clone(), vec![(proxy, SENT), (proxy, REFUSED)], ToProxy, vec![RuleId::UpstreamRefused]),
        (more.clone(), vec![(proxy, SENT)], ToProxy, vec![RuleId::CallNotAnswered]),
        (more.clone(), vec![(own, &refused)], ToServer, vec![RuleId::UpstreamHostRejected]),
        (more.clone(), vec![(own, &unauthorized)], ToServer, vec![RuleId::UpstreamNeedsCredential]),
        (more.clone(), vec![(own, &passed)], Answered, vec![]),
        (more.clone(), vec![(proxy, SENT), (proxy, DONE)], Answered, vec![]),
        // A line counts also where the call came over a connection that cloudflared had counted before.
        (numbers(7, 2, 1), vec![(own, &passed)], Answered, vec![]),
    ] {
        let course = course(now, &lines);
        assert_eq!(course.data.reached, Some(reached), "{lines:?} {course:#?}");
        assert_eq!(ids(&course), found, "{lines:?}");
        assert_eq!(course.data.seen.is_empty(), reached == NotToCloudflared, "{lines:?}");
    }
}

#[test]
fn calls_of_others_are_not_claudes() {
    let own =
        |from: &str, method: &str| course(numbers(7, 2, 1), &[("own", &access(from, method, "200 OK"))]).data.reached;
    for other in ["172.18.0.9", "127.0.0.1", "192.168.1.5"] {
        assert_eq!(own(other, "POST"), Some(Reached::NotToCloudflared), "{other}");
    }
    // A server that trusts `X-Forwarded-For` names the caller's own address.
    assert_eq!(own("203.0.113.7", "POST"), Some(Reached::Answered));
    assert_eq!(own("172.18.0.2", "HEAD"), Some(Reached::NotToCloudflared), "a monitor");
}

#[test]
fn counters_that_began_anew_and_those_that_are_missing() {
    let restarted = judge(&seen(numbers(70, 2, 1), numbers(1, 0, 1), &[])).unwrap();
    assert_eq!((restarted.data.requests, restarted.data.reached), (Some(1), Some(Reached::ToCloudflared)));
    let unknown = judge(&seen(None, None, &[])).unwrap();
    assert_eq!((unknown.data.reached, unknown.findings().len()), (None, 0), "not known is not: did not arrive");
    assert_eq!(unknown.suspects(), Suspect::ALL);
    let told = judge(&seen(None, None, &[("mcp-gateway", NO_ROUTE)])).unwrap();
    assert_eq!((told.data.reached, told.data.requests), (Some(Reached::ToProxy), None));
    // An older cloudflared without the gauge of open requests.
    let old = |requests, codes: &[(u16, u64)]| {
        Some(Metrics { open: None, responses: codes.to_vec(), ..numbers(requests, 0, 0).unwrap() })
    };
    let answered = judge(&seen(old(1, &[]), old(2, &[(200, 1)]), &[])).unwrap();
    assert_eq!(answered.data.reached, Some(Reached::ToProxy));
}

#[test]
fn what_is_not_proven_is_a_possibility_in_the_order_in_which_to_check() {
    use Suspect::{Address, Ca, Console, Route, Subdomain, Tls, Workspace};
    let suspects = |now, lines: &[(&str, &str)]| course(now, lines).suspects();
    assert_eq!(suspects(numbers(7, 2, 1), &[]), [Console, Ca, Workspace, Subdomain]);
    assert_eq!(suspects(numbers(8, 2, 2), &[]), [Tls, Route, Address]);
    assert_eq!(suspects(numbers(8, 2, 1), &[]), [Tls, Route, Address]);
    assert_eq!(suspects(numbers(8, 2, 2), &[("mcp-gateway", SENT)]), [Address]);
    assert_eq!(suspects(numbers(8, 2, 2), &[("mcp-gateway", BAD_CERT)]), [], "a line proves the reason");
    assert_eq!(suspects(numbers(8, 2, 2), &[("own", &access("172.18.0.2", "POST", "200 OK"))]), []);
}

#[test]
fn the_wait_ends_once_more_time_changes_nothing() {
    let (short, long) = (Duration::from_secs(2), Duration::from_secs(11));
    let none = course(numbers(7, 2, 1), &[]);
    assert!(!none.is_over(long), "a call may still come");
    let passed = course(numbers(8, 2, 1), &[("own", &access("172.18.0.2", "POST", "200 OK"))]);
    assert!(!passed.is_over(Duration::ZERO) && passed.is_over(short), "a client asks several times in a row");
    let refused = course(numbers(8, 2, 2), &[("mcp-gateway", SENT), ("mcp-gateway", REFUSED)]);
    assert!(refused.is_over(short));
    let silent = course(numbers(8, 2, 2), &[]);
    assert!(!silent.is_over(short) && silent.is_over(long));
}
