//! `docs/troubleshooting.md` is the rule table: one section a layer, one anchor an id.

use std::fmt::Write as _;

use super::page_is;
use crate::support::helper;

const INTRODUCTION: &str = "\
# Troubleshooting

Every finding that the helper can make, in the order in which to look: a fault of an earlier section explains those of
later ones. Generated from the rule table (`mcp-tunnels-helper rules`).

Start with `mcp-tunnels-helper diagnose`, which reads the deployment's files, containers and logs; for a log that was
saved elsewhere: `mcp-tunnels-helper diagnose --json '{\"logs\":\"stack.log\"}'`.
";

/// Headings, in the order in which to look.
const LAYERS: [(&str, &str); 6] = [
    ("host", "Docker, Compose and this host"),
    ("files", "Files of the deployment"),
    ("edge", "From cloudflared to the tunnel edge"),
    ("tls", "Certificates and the inner TLS"),
    ("routing", "From cloudflared to the proxy, and to a route"),
    ("upstream", "The servers behind the routes"),
];

fn page() -> String {
    let answer = helper(["rules"]).run().expect(0);
    let rules = answer.data()["rules"].as_array().unwrap().clone();
    let launcher = env!("CARGO_BIN_EXE_mcp-tunnels-helper");
    let mut out = INTRODUCTION.to_owned();
    let mut count = 0;
    for (layer, heading) in LAYERS {
        writeln!(out, "\n## {heading}").unwrap();
        for rule in rules.iter().filter(|rule| rule["layer"] == layer) {
            let text = |key: &str| rule[key].as_str().unwrap().replace(launcher, "mcp-tunnels-helper");
            let (id, title, severity) = (text("id"), text("title"), text("severity"));
            writeln!(out, "\n### {id}\n\n**{title}** ({severity})\n\n- Symptom: {}", text("symptom")).unwrap();
            let cause = text("cause");
            if !cause.is_empty() {
                writeln!(out, "- Cause: {cause}").unwrap();
            }
            writeln!(out, "- Fix: {}\n- More: <{}>", text("fix"), text("docs")).unwrap();
            for name in ["{helper}", "{dir}", "{domain}", "{proxy}", "{cloudflared}", "{subject"] {
                assert!(![&title, &cause, &text("fix")].iter().any(|text| text.contains(name)), "{id}");
            }
            count += 1;
        }
    }
    assert_eq!(count, rules.len(), "a layer has no heading");
    out
}

#[test]
fn the_troubleshooting_page_is_the_rule_table() {
    page_is("troubleshooting.md", &page());
}
