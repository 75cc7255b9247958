//! Secrets in the paths and queries of URLs: of links that log in, reset a password or accept an invitation, of
//! webhooks, and the signatures of links that expire.

use super::letters::{LONGEST, name_before};
use super::said::{is_drawn, is_made, is_one_of, is_part};
use super::text::{Range, head};
use crate::list::list;

/// Words in a part of a path behind which nothing but a secret is drawn by chance.
const LINKS: [&str; 24] = list(
    "webhook webhooks hook hooks reset invite invites invitation invitations verify verification confirm \
     confirmation activate activation magic magiclink join share unsubscribe recover recovery unlock accept",
);
/// The same in queries.
const ONCE: [&str; 7] = list("invite invitation ticket activation confirmation magic oobcode");
/// Until when a signed link is good.
const EXPIRIES: [&str; 7] = list("e exp expires expiry se ttl auth_date");
/// What its signature is called.
const SIGNATURES: [&str; 12] = list("st md5 hash s h sign sig signature hmac mac verify token");
/// Such a secret is no shorter, in bytes, and a signature no shorter than the second.
const SHORTEST: [usize; 2] = [12, 16];

/// The secrets.
pub(super) fn ranges(text: &str) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for (at, _) in text.match_indices('/') {
        if ranges.last().is_none_or(|(_, end)| at >= *end) {
            ranges.extend(linked(text, at));
        }
    }
    let mut over = 0;
    for (at, _) in text.match_indices('?') {
        if at >= over {
            let query = head(&text[at + 1..], LONGEST);
            let query = &query[..query.find(ends).unwrap_or(query.len())];
            over = at + 1 + query.len();
            queried(query, at + 1, &mut ranges);
        }
    }
    ranges
}

fn ends(c: char) -> bool {
    c.is_whitespace() || "\"'<>)]}|,".contains(c)
}

/// What is behind a slash, if the part of the path in front of it says that it is a secret.
fn linked(text: &str, at: usize) -> Option<Range> {
    let name = name_before(&text[..at]);
    let is_link = || name.split(['-', '_']).any(|word| is_one_of(word, &LINKS));
    if !text[..at - name.len()].ends_with('/') || !is_link() {
        return None;
    }
    let read = head(&text[at + 1..], LONGEST);
    let ends = |c: char| ends(c) || matches!(c, '?' | '&' | ';' | '#');
    let is_secret = |part: &str| is_token(part.split(ends).next().unwrap_or_default());
    // The number of an account may come first.
    read.split('/').take(2).any(is_secret).then(|| (at + 1, at + 1 + read.find(ends).unwrap_or(read.len())))
}

/// Whether a part of a path was drawn by chance. `useAuth.js:12:5` is a place in a file.
fn is_token(part: &str) -> bool {
    let part = part.split(':').next().unwrap_or_default();
    let is_mixed = |run: &str| {
        run.len() >= 6
            && !is_part(run)
            && run.bytes().any(|b| b.is_ascii_digit())
            && run.bytes().any(|b| b.is_ascii_alphabetic())
    };
    part.len() >= SHORTEST[0] && is_made(part, false) && part.split(|c: char| !c.is_ascii_alphanumeric()).any(is_mixed)
}

/// What is given once, and the signatures of a link that expires, in a query that begins at a place.
fn queried(query: &str, start: usize, ranges: &mut Vec<Range>) {
    let mut over = start;
    let mut pairs = Vec::new();
    for pair in query.split('&') {
        over += pair.len();
        if let Some((name, value)) = pair.split_once('=') {
            pairs.push((name.strip_prefix("amp;").unwrap_or(name), value, over));
        }
        over += 1;
    }
    let is_digit = |c: char| c.is_ascii_digit();
    let expires = pairs.iter().any(|(name, value, _)| is_one_of(name, &EXPIRIES) && value.starts_with(is_digit));
    for (name, value, end) in pairs {
        let is_time = value.as_bytes().get(4) == Some(&b'-') && value[..4].bytes().all(|b| b.is_ascii_digit());
        let goes = is_one_of(name, &ONCE) && is_token(value)
            || expires && is_one_of(name, &SIGNATURES) && is_drawn(value, SHORTEST[1]) && !is_time;
        if goes {
            ranges.push((end - value.len(), end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate::evidence;
    use crate::redact::expect::keeps;

    #[test]
    fn the_secrets_of_links_go_and_other_parts_stay() {
        for (said, shown) in [
            ("https://x/magic/a1s3cr3tabcd", "https://x/magic/[redacted]"),
            ("GET /reset-password/MQ/c9x2ab-s3cr3t1ab99 302", "GET /reset-password/[redacted] 302"),
            ("https://x/invitations/a1s3cr3tabcd/accept", "https://x/invitations/[redacted]"),
            ("/verify/3f2a9b1c-7d4e-4b1a-9c3f-2a1b3c4d5e6f", "/verify/[redacted]"),
            ("/v.mp4?st=a1s3cr3tabcdef9x&e=1700000000", "/v.mp4?st=[redacted]&e=1700000000"),
            (
                "/v.mp4?expires=1700000000&md5=d41d8cd98f00b204e9800998ecf8427e",
                "/v.mp4?expires=1700000000&md5=[redacted]",
            ),
            ("/signup?invite=a1s3cr3tabcd&x=1", "/signup?invite=[redacted]&x=1"),
        ] {
            assert_eq!(evidence(said), shown);
            assert_eq!(evidence(shown), shown);
        }
        keeps(&[
            "GET /reset/password HTTP/1.1 200",
            "GET /invite/new HTTP/1.1",
            "GET /confirm/order-12345 200",
            "at useAuth (/app/src/hooks/useAuth2.test.js:12:5)",
            "GET /join/index-BxK9d2Fq.js 200",
            "GET /share/2026/report-20261126.pdf 200",
            "GET /x?st=running&e=1",
            "GET /x.css?md5=d41d8cd98f00b204e9800998ecf8427e",
            "https://x/c/b?st=2026-11-26T10:00:00Z&se=2026-11-27&sr=b",
            "POST /api/webhooks/stripe 200",
            "GET /x?ticket=OPS-1234 200",
        ]);
    }
}
