//! The manifests, and the facts that stand in more than one file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{json_file, manifest, root};
use crate::support::edge::{REGIONS, SERVERS};

#[test]
fn the_version_is_one() {
    assert_eq!(manifest()["version"], env!("CARGO_PKG_VERSION"));
    let marketplace = fs::read_to_string(root().join(".claude-plugin/marketplace.json")).unwrap();
    assert!(!marketplace.contains("\"version\""), "an update would go by this one");
}

#[test]
fn the_repository_is_marketplace_and_plugin() {
    let plugin = manifest();
    let marketplace = json_file(&root().join(".claude-plugin/marketplace.json"));
    let entry = &marketplace["plugins"][0];
    assert_eq!(marketplace["plugins"].as_array().unwrap().len(), 1);
    assert_eq!((&entry["name"], &entry["source"]), (&plugin["name"], &"./".into()));
    assert_eq!(plugin["name"], "mcp-tunnels");
    assert_eq!(plugin["license"], "Apache-2.0");
    // A root that has these draws a warning, or an npm install.
    for file in ["CLAUDE.md", "package.json"] {
        assert!(!root().join(file).exists(), "{file}");
    }
}

/// What `preflight` probes, a release is fetched from, and a build takes its crates from.
#[test]
fn the_hosts_are_declared() {
    let declared: Vec<String> = serde_json::from_value(manifest()["network"]["hosts"].clone()).unwrap();
    let mut reached: Vec<&str> =
        [&REGIONS[..], &SERVERS[..], &["github.com", "index.crates.io", "static.crates.io"]].concat();
    reached.sort_unstable();
    assert_eq!(declared, reached);
}

#[test]
fn it_does_not_look_as_if_it_were_anthropics() {
    let marketplace = json_file(&root().join(".claude-plugin/marketplace.json"));
    for author in [&manifest()["author"], &marketplace["owner"], &marketplace["plugins"][0]["author"]] {
        assert_eq!(*author, serde_json::json!({"name": "mcp-tunnels contributors"}));
    }
    for name in [&manifest()["name"], &manifest()["displayName"], &marketplace["name"]] {
        let name = name.as_str().unwrap().to_lowercase();
        assert!(!name.contains("anthropic") && !name.contains("claude") && !name.contains("official"), "{name}");
    }
    assert!(manifest()["description"].as_str().unwrap().contains("Not made by Anthropic"));
}

#[test]
fn the_address_is_one() {
    let address = manifest()["repository"].as_str().unwrap().to_owned();
    assert_eq!(manifest()["homepage"], address.as_str());
    assert_eq!(env!("CARGO_PKG_REPOSITORY"), address);
    let launcher = fs::read_to_string(root().join("bin/mcp-tunnels-helper")).unwrap();
    assert!(!launcher.contains("github.com"), "the launcher reads it from the manifest");
    assert!(launcher.contains("*/OWNER/*"), "and downloads nothing while it is a placeholder");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("/plugin marketplace add {address}")), "README has the whole address");
    let owner = address.strip_prefix("https://github.com/").unwrap();
    for text in [readme, fs::read_to_string(root().join(".github/RELEASING.md")).unwrap()] {
        for (at, _) in text.match_indices("/mcp-tunnels") {
            let before = &text[..at];
            let begin = before.rfind(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).map_or(0, |i| i + 1);
            let (whole, who) = (&before[..begin], &before[begin..]);
            if whole.ends_with("github.com/") || whole.ends_with("marketplace add ") {
                assert_eq!(format!("{who}/mcp-tunnels"), owner, "another address than the manifest's");
            }
        }
    }
}

/// A copy of the plugin has the mode that git has.
#[test]
fn the_launcher_is_executable() {
    let mode = fs::metadata(root().join("bin/mcp-tunnels-helper")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "{mode:o}");
}
