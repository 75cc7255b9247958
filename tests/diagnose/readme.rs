//! README's troubleshooting section is the rule table.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::support::helper;

const BEGIN: &str = "<!-- rules -->\n";
const END: &str = "<!-- /rules -->\n";

/// Headings, in the order in which to look.
const LAYERS: [(&str, &str); 6] = [
    ("host", "Docker, Compose and this host"),
    ("files", "Files of the deployment"),
    ("edge", "From cloudflared to the tunnel's edge"),
    ("tls", "Certificates and the inner TLS"),
    ("routing", "From cloudflared to the proxy, and to a route"),
    ("upstream", "The servers behind the routes"),
];

/// A bar would end the cell, also inside backticks.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn section() -> String {
    let answer = helper(["rules"]).run().expect(0);
    let rules = answer.data()["rules"].as_array().unwrap().clone();
    let launcher = env!("CARGO_BIN_EXE_mcp-tunnels-helper");
    let mut out = String::new();
    let mut count = 0;
    for (layer, heading) in LAYERS {
        writeln!(out, "\n### {heading}\n\n| what is wrong | what you see | why | what to do |\n|---|---|---|---|")
            .unwrap();
        for rule in rules.iter().filter(|rule| rule["layer"] == layer) {
            let text = |key: &str| cell(&rule[key].as_str().unwrap().replace(launcher, "mcp-tunnels-helper"));
            let (id, title, symptom) = (text("id"), text("title"), text("symptom"));
            writeln!(out, "| {title} (`{id}`) | {symptom} | {} | {} |", text("cause"), text("fix")).unwrap();
            count += 1;
        }
    }
    assert_eq!(count, rules.len(), "a layer has no heading");
    for rule in &rules {
        for key in ["cause", "fix"] {
            let text = rule[key].as_str().unwrap();
            for name in ["{helper}", "{dir}", "{domain}", "{proxy}", "{cloudflared}"] {
                assert!(!text.contains(name), "{}: {text}", rule["id"].as_str().map_or(Value::Null, Value::from));
            }
        }
    }
    out.push('\n');
    out
}

#[test]
fn the_troubleshooting_section_is_the_rule_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("README.md has `<!-- rules -->`");
    let (now, after) = rest.split_once(END).expect("README.md has `<!-- /rules -->`");
    let section = section();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{section}{END}{after}")).unwrap();
        return;
    }
    let differs = section.lines().zip(now.lines()).find(|(new, old)| new != old);
    assert!(now == section, "README.md differs from the rule table; UPDATE=1 rewrites it. First at: {differs:#?}");
}
