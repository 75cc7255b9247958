//! Links, pipes, folders and odd files in the place of a file of the deployment.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::bad_input::{calls, files};
use crate::support::{DOMAIN, deployment, folder, helper, posix, sha256, snapshot, token};

/// Everything that some command reads or writes.
const FILES: [&str; 12] = [
    ".env",
    ".gitignore",
    "config/mcp-gateway.yaml",
    "docker-compose.yaml",
    "compose.yaml",
    "docker-compose.override.yaml",
    "data/ca.crt",
    "data/ca.key",
    "data/tls.crt",
    "data/tls.key",
    "hello-mcp/server.py",
    "hello-mcp/Dockerfile",
];

const FOLDERS: [&str; 3] = ["config", "data", "hello-mcp"];

/// Runs every command where something odd is at `inside`; nothing outside may change, nothing of a key be lost.
pub(super) fn all_commands_beside(inside: &str, plant: &dyn Fn(&Path), fresh: bool) -> Vec<(&'static str, i32)> {
    let parent = folder();
    let dir = parent.path().join("mcp-tunnel");
    if fresh {
        std::fs::create_dir(&dir).unwrap();
        std::fs::create_dir_all(dir.join(inside).parent().unwrap()).unwrap();
    } else {
        deployment(parent.path());
        let at = dir.join(inside);
        if at.is_dir() {
            std::fs::rename(&at, parent.path().join("aside")).unwrap()
        } else {
            let _ = std::fs::remove_file(&at);
        }
    }
    let at = dir.join(inside);
    plant(&at);
    let kind = |path: &Path| path.symlink_metadata().map(|meta| meta.file_type()).ok();
    let planted = kind(&at);
    let mut codes = Vec::new();
    for (name, call) in calls(&dir) {
        let keys: Vec<_> = files(&dir).into_iter().filter(|(path, _)| path.starts_with(dir.join("data"))).collect();
        codes.push((name, call.run().code));
        // A compose file that would hide ours is moved aside where that was asked for.
        let aside = snapshot(&dir).iter().any(|(path, ..)| path.to_string_lossy().contains("/compose.yaml.bak-"));
        assert!(aside || kind(&at) == planted, "{name}: `{inside}` was replaced");
        let after = files(&dir);
        for (path, content) in keys {
            assert_eq!(Some(&content), after.get(&path), "{name}: {}", path.display());
        }
        for path in after.keys() {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!file.starts_with(".tmp") && !file.ends_with(".tmp"), "{name}: {file} was left behind");
        }
    }
    codes
}

#[test]
fn a_symlink_in_place_of_a_file_is_not_followed() {
    for inside in FILES {
        for target in ["there", "not-there"] {
            let outside = folder();
            std::fs::write(outside.path().join("there"), "TUNNEL_DOMAIN=x.example.com\nprecious: 1\n").unwrap();
            let before = snapshot(outside.path());
            // A link that leads nowhere is the trap for what creates, one that leads somewhere for what replaces.
            all_commands_beside(inside, &|at| symlink(outside.path().join(target), at).unwrap(), target == "not-there");
            assert_eq!(snapshot(outside.path()), before, "{inside} -> {target}");
        }
    }
}

#[test]
fn a_symlink_in_place_of_a_folder_is_not_followed() {
    for inside in FOLDERS {
        let outside = folder();
        std::fs::write(outside.path().join("precious"), "x").unwrap();
        let before = snapshot(outside.path());
        for fresh in [true, false] {
            let codes = all_commands_beside(inside, &|at| symlink(outside.path(), at).unwrap(), fresh);
            assert_eq!(snapshot(outside.path()), before, "{inside}");
            let init = codes.iter().find(|(name, _)| *name == "init").unwrap().1;
            assert_eq!(init, 2, "{inside}: {codes:?}");
        }
    }
}

#[test]
fn a_symlink_as_the_deployment_directory_itself_is_the_persons_choice() {
    let parent = folder();
    std::fs::create_dir(parent.path().join("real")).unwrap();
    symlink(parent.path().join("real"), parent.path().join("link")).unwrap();
    helper(["init"]).dir(parent.path().join("link")).json(json!({"domain": DOMAIN})).run().expect(0);
    assert!(parent.path().join("real/data/ca.key").is_file());
    // One that leads nowhere makes nothing there.
    symlink(parent.path().join("gone"), parent.path().join("dead")).unwrap();
    helper(["init"]).dir(parent.path().join("dead")).json(json!({"domain": DOMAIN})).run().expect(2);
    assert!(!parent.path().join("gone").exists());
}

#[test]
fn a_pipe_in_place_of_a_file_hangs_nothing() {
    let plant = |at: &Path| assert!(Command::new(posix("mkfifo")).arg(at).status().unwrap().success());
    for inside in FILES {
        all_commands_beside(inside, &plant, false);
    }
    for inside in FOLDERS {
        all_commands_beside(inside, &plant, true);
    }
}

#[test]
fn a_directory_in_place_of_a_file_is_said_so() {
    for inside in FILES {
        let codes = all_commands_beside(inside, &|at| std::fs::create_dir_all(at.join("full")).unwrap(), false);
        assert!(codes.iter().any(|(_, code)| *code != 0), "{inside}: {codes:?}");
    }
    let parent = folder();
    let dir = deployment(parent.path());
    std::fs::remove_file(dir.join("docker-compose.yaml")).unwrap();
    std::fs::create_dir(dir.join("docker-compose.yaml")).unwrap();
    let refused = helper(["render"]).dir(&dir).json(json!({"log_level": "warn"})).changes_nothing().run().expect(2);
    assert_eq!(refused.json["error"]["code"], "unexpected-file");
    assert!(refused.message().contains("is a directory"), "{}", refused.message());
}

#[test]
fn a_file_in_place_of_a_folder_is_kept() {
    for inside in FOLDERS {
        for fresh in [true, false] {
            let codes = all_commands_beside(inside, &|at| std::fs::write(at, "mine").unwrap(), fresh);
            assert_eq!(codes.iter().find(|(name, _)| *name == "init").unwrap().1, 2, "{inside}: {codes:?}");
        }
    }
}

#[test]
fn empty_and_odd_files_are_no_panic() {
    let contents: [&[u8]; 3] = [b"", b"\xff\xfe\0\xd8", b"&a [*a, *a]\n<<: x\n- {[("];
    for inside in FILES {
        for content in contents {
            all_commands_beside(inside, &|at| std::fs::write(at, content).unwrap(), false);
        }
    }
}

#[test]
fn a_file_that_is_too_large_to_be_what_it_is_called_is_left_alone() {
    let parent = folder();
    let dir = deployment(parent.path());
    let huge = format!("# {}\nTUNNEL_DOMAIN={DOMAIN}\n", "x".repeat(5 << 20));
    std::fs::write(dir.join(".env"), &huge).unwrap();
    let before = sha256(huge.as_bytes());
    for (name, call) in calls(&dir) {
        let answer = call.run();
        // The certificates need no `.env`: the proxy's configuration names the domain, too.
        assert!(answer.code != 0 || name.starts_with("certs"), "{name}");
        if answer.code == 2 {
            assert_eq!(answer.json["error"]["code"], "unexpected-file", "{name}");
        } else if ["init, report", "check", "token check", "render"].contains(&name) {
            assert!(answer.findings().contains(&"env-unreadable"), "{name}: {:#}", answer.json);
        }
        assert!(answer.json.to_string().contains("larger than 4 MiB") || answer.code != 2, "{name}: {:#}", answer.json);
        assert_eq!(sha256(&std::fs::read(dir.join(".env")).unwrap()), before, "{name}");
    }
    // Just below, it works.
    std::fs::write(dir.join(".env"), format!("# {}\nTUNNEL_DOMAIN={DOMAIN}\n", "x".repeat(4_000_000))).unwrap();
    helper(["token", "set"]).dir(&dir).stdin(token("x")).bounded().run().expect(0);
}
