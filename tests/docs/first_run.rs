//! README's picture of a first run, which `docs/first-run.py` draws from a real one, and its transcript.

use std::fs;
use std::path::Path;

use super::part_is;
use crate::support::{folder, plain};

#[test]
fn the_picture_of_a_first_run_is_real_and_of_no_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let svg = fs::read_to_string(root.join("docs/first-run.svg")).unwrap();
    assert!(fs::read_to_string(root.join("README.md")).unwrap().contains("](docs/first-run.svg)"));
    // Each word is on its own in the drawing, so that a renderer can place it.
    let text = svg.replace("&#160;", " ");
    for shown in ["mcp-tunnels-helper init", "token-placeholder", "~/mcp-tunnel"] {
        assert!(text.contains(shown), "{shown}");
    }
    for private in ["/home/", "/tmp/", "/root/", "/Users/", "-----BEGIN", "eyJ"] {
        assert!(!svg.contains(private), "{private}");
    }
    // Nothing is loaded when it is looked at.
    for outside in ["@font-face", "@import", "<image", "<script", "href="] {
        assert!(!svg.contains(outside), "{outside}");
    }
}

#[test]
fn the_transcript_of_the_readme_is_what_is_printed() {
    let call = ["diagnose", "--logs", "tests/logs/upstream-loopback-noreq.log"];
    let mut command = plain(folder().path());
    let printed =
        command.args(call).args(["--output", "text"]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let begin = format!("$ mcp-tunnels-helper {}\n", call.join(" "));
    part_is("README.md", &begin, "```", &String::from_utf8(printed.stdout).unwrap());
}
