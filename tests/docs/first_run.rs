//! README's picture of a first run, which `docs/first-run.py` draws from a real one.

use std::fs;
use std::path::Path;

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
