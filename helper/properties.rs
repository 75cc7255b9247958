//! Properties of everything that reads free text, ten thousand cases each, in the process. Those of `.env` are in
//! `deployment/env_file/tests.rs`.

use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use crate::config::settings::{AllowedIp, may_dial};
use crate::config::yaml::{self, Value};
use crate::deployment::route::RouteName;
use crate::deployment::{Domain, Token, Upstream};

/// Pieces of text that break readers.
const HARD: &[&str] = &[
    "\n",
    "\r\n",
    "\0",
    "\"",
    "'",
    "`",
    "${X}",
    "\\",
    "#",
    " ",
    "\t",
    ":",
    "=",
    "/",
    "..",
    "[::1]",
    "@",
    "*",
    "-",
    "_",
    "\u{feff}",
    "\u{202e}",
    "ä",
    "💥",
    "http://",
    "https://",
    "HTTPS://",
    "eyJ",
    ".",
    ":80",
    ":0",
    ":65536",
    "10.0.0.1",
    "/33",
    "/8",
    "anthropic.com",
    "&a ",
    "*a",
    "<<",
    "!!",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "|",
    ">",
    "%",
    "? ",
];

/// Text with what tends to break things in it.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[a-z0-9.-]{0,12}",
        prop::sample::select(HARD).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

/// A host name label, by the letters of RFC 1123.
const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

fn is_label(text: &str) -> bool {
    let (first, last) = (text.bytes().next(), text.bytes().last());
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| is_plain(b) || b == b'-')
        && first.is_some_and(is_plain)
        && last.is_some_and(is_plain)
}

/// A tunnel token that no other test knows.
fn token() -> String {
    let secret = STANDARD.encode("the secret of the property tests");
    STANDARD.encode(format!(
        "{{\"a\":\"0123456789abcdef0123456789abcdef\",\"t\":\"5d5a1f4e-1111-4222-8333-444455556666\",\"s\":\"{secret}\"}}"
    ))
}

/// Whether an address is in a range, by arithmetic.
fn is_in(address: u32, base: u32, prefix: u8) -> bool {
    prefix == 0 || address >> (32 - u32::from(prefix)) == base >> (32 - u32::from(prefix))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_domain_is_lower_case_labels_and_stays_what_it_is(text in nasty()) {
        if let Ok(domain) = Domain::parse(&text) {
            prop_assert!(domain.as_str().len() <= 189 && domain.as_str().split('.').all(is_label), "{:?}", text);
            prop_assert_eq!(Domain::parse(domain.as_str()), Ok(domain));
        }
    }

    #[test]
    fn labels_with_dots_between_them_are_a_domain(labels in prop::collection::vec(LABEL, 2..4), upper in any::<bool>()) {
        let text = labels.join(".");
        let is_domain = text.len() <= 189
            && !labels.iter().all(|label| label.bytes().all(|b| b.is_ascii_digit()))
            && !(text.starts_with("eyj") && text.len() > 60);
        let given = if upper { format!(" {}. ", text.to_ascii_uppercase()) } else { text.clone() };
        prop_assert_eq!(Domain::parse(&given).ok().map(|d| d.as_str().to_owned()), is_domain.then_some(text));
    }

    #[test]
    fn a_route_is_one_label_and_nothing_else(text in prop_oneof![nasty(), LABEL.prop_map(String::from), "[a-zA-Z0-9._-]{0,70}"]) {
        prop_assert_eq!(RouteName::parse(&text).is_ok(), is_label(&text));
    }

    #[test]
    fn an_upstream_is_read_back_as_it_is_written(text in prop_oneof![
        nasty(),
        (LABEL, 0_u32..70_000, any::<bool>()).prop_map(|(host, port, tls)| format!("http{}://{host}:{port}", if tls { "s" } else { "" })),
    ]) {
        if let Ok(upstream) = Upstream::parse(&text) {
            prop_assert!(upstream.port() > 0 && !upstream.host_text().is_empty());
            prop_assert_eq!(Upstream::parse(&upstream.to_string()), Ok(upstream));
        }
        // What is shown of it keeps no login.
        let secret = format!("http://me:hunter2hunter2@{text}");
        prop_assert!(!Upstream::shown(&secret).contains("hunter2hunter2"), "{}", Upstream::shown(&secret));
    }

    #[test]
    fn a_token_is_found_whole_and_only_whole(front in "[^A-Za-z0-9+/=]{0,8}", behind in "[^A-Za-z0-9+/=]{0,8}", cut in 1_usize..150, text in nasty()) {
        let token = token();
        let whole = format!("{front}{token}{behind}");
        prop_assert!(Token::is_within(&whole), "{}", whole);
        let cut = cut.min(token.len() - 1);
        let start = format!("{front}{}", &token[..cut]);
        prop_assert!(!Token::is_within(&start), "{}", start);
        // Anything in the middle of it is read without a panic.
        let _ = Token::is_within(&format!("{}{text}{}", &token[..cut], &token[cut..]));
    }

    #[test]
    fn a_range_allows_what_arithmetic_says(address in any::<u32>(), base in any::<u32>(), prefix in 0_u8..=32, near in any::<bool>(), text in nasty()) {
        let range = format!("{}/{prefix}", Ipv4Addr::from(base));
        prop_assert!(AllowedIp::parse(&range).is_ok());
        let address = if near { base ^ (address >> prefix.min(31)) } else { address };
        prop_assert_eq!(may_dial(address.into(), Some(&[range])), is_in(address, base, prefix));
        // What is not a range allows nothing.
        let is_range = AllowedIp::parse(&text).is_ok();
        prop_assert!(is_range || !may_dial(address.into(), Some(&[text])));
    }

    #[test]
    fn yaml_is_read_without_a_panic_and_faults_quote_nothing(text in nasty(), keys in prop::collection::vec("[a-z]{1,6}", 0..4)) {
        let text = format!("{}\n{text}", keys.iter().map(|key| format!("{key}: hunter2hunter2")).collect::<Vec<_>>().join("\n"));
        match yaml::from_text::<Value>(&text) {
            Ok(value) => {
                if let Ok(written) = yaml::to_text(&value) {
                    prop_assert_eq!(yaml::from_text::<Value>(&written), Ok(value), "{}", text);
                }
            }
            Err(fault) => prop_assert!(!fault.0.contains("hunter2hunter2"), "{}", fault.0),
        }
    }
}
