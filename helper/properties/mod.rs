//! Properties of everything that reads free text, thousands of cases each, in the process. Those of `.env` that need its
//! grammar are in `deployment/env_file/tests.rs`.

mod compose;
mod nasty;
mod targets;

use std::net::Ipv4Addr;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use self::nasty::nasty;
use self::targets::{CANARY, FORMS, Property, TARGETS, is_label};
use crate::config::settings::{AllowedIp, may_dial};
use crate::config::yaml::{self, Value};
use crate::deployment::route::RouteName;
use crate::deployment::{Domain, Token, Upstream};
use crate::redact;

/// A host name label, by the letters of RFC 1123.
const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

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

/// So many cases, and ten times as many in `.ci/run --long`.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let cases = if std::env::var_os("MCP_TUNNELS_LONG").is_some() { cases * 10 } else { cases };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Those that can be fed in one process with other tests: every token that was read is a secret from then on.
fn targets() -> impl Iterator<Item = &'static Property> {
    TARGETS.iter().filter(|target| target.name != "token")
}

/// What the fuzzer found once, and what it begins with.
#[test]
fn every_input_of_the_fuzzer_holds() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    for target in targets() {
        let folder = seeds.join(target.name);
        let inputs: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!inputs.is_empty(), "{}", folder.display());
        for input in inputs {
            eprintln!("{}: {}", target.name, input.display());
            (target.holds)(&std::fs::read(input).unwrap());
        }
    }
}

/// A line may be redacted on its way in, and again on its way out.
#[test]
fn what_is_redacted_is_redacted_to_the_same_again() {
    let once = |form: &&str| redact::foreign(&format!("msg=\"x\" {} error=\"y\"", form.replace("{S}", CANARY)));
    let all: Vec<String> = FORMS.iter().map(once).collect();
    let again: Vec<String> = all.iter().map(|once| redact::foreign(once)).collect();
    assert_eq!(all, again);
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn every_target_holds_for_any_text(text in nasty()) {
        for target in targets() {
            eprintln!("{}", target.name);
            (target.holds)(text.as_bytes());
        }
    }
}

proptest! {
    #![proptest_config(config(10_000))]

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
    fn a_route_is_one_label_and_nothing_else(text in prop_oneof![LABEL.prop_map(String::from), "[a-zA-Z0-9._-]{0,70}"]) {
        prop_assert_eq!(RouteName::parse(&text).is_ok(), is_label(&text));
    }

    #[test]
    fn an_upstream_is_a_scheme_a_host_and_a_port(host in LABEL, port in 0_u32..70_000, tls in any::<bool>()) {
        let text = format!("http{}://{host}:{port}", if tls { "s" } else { "" });
        // A host of digits is an address, or none.
        let is_name = host.bytes().any(|b| b.is_ascii_alphabetic());
        if let Ok(upstream) = Upstream::parse(&text) {
            prop_assert_eq!(upstream.to_string(), text);
        } else {
            prop_assert!(!(1..=65_535).contains(&port) || !is_name, "{}", text);
        }
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
