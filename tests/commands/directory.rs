//! Where `init` makes the deployment, and that every command it prints works there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::init::{layout, whole};
use crate::support::{DOMAIN, folder, helper, posix, script, snapshot, token, tree};

#[test]
fn a_tilde_is_the_home_directory_wherever_it_came_from() {
    let home = folder();
    let answer = helper(["init", "--dir=~/tunnels/a"]).env("HOME", home.path()).json(whole()).run().expect(0);
    let dir = home.path().join("tunnels/a");
    assert_eq!(answer.data()["dir"], dir.to_str().unwrap());
    assert_eq!(tree(&dir), layout());
    let answer = helper(["init"]).env("HOME", home.path()).json(whole()).run().expect(0);
    assert_eq!(answer.data()["dir"], home.path().join("mcp-tunnel").to_str().unwrap(), "the default");
    let refused = helper(["init"]).env("HOME", "").json(whole()).run().expect(2);
    assert_eq!(refused.json["error"]["code"], "directory");
    let refused = helper(["init", "--dir", "~/x"]).env("HOME", "not/absolute").json(whole()).run().expect(2);
    assert!(refused.message().contains("HOME"), "{}", refused.message());
}

#[test]
fn a_relative_directory_is_below_the_current_one() {
    let cwd = folder();
    let answer = helper(["init", "--dir", "./a/../b/"]).cwd(cwd.path()).json(whole()).run().expect(0);
    assert_eq!(tree(&cwd.path().join("b")), layout(), "{:#}", answer.json);
}

#[test]
fn with_sudo_and_no_directory_both_candidates_are_named() {
    let home = folder();
    let refused = helper(["init"]).env("HOME", home.path()).env("SUDO_USER", "daemon").json(whole()).run().expect(2);
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let theirs = passwd.lines().find(|line| line.starts_with("daemon:")).unwrap().split(':').nth(5).unwrap();
    assert_eq!(
        refused.message(),
        format!(
            "run with sudo, so `~/mcp-tunnel` could be `{theirs}/mcp-tunnel` or `{}/mcp-tunnel`",
            home.path().display()
        )
    );
    assert!(refused.json["error"]["hint"].as_str().unwrap().contains("--dir"));
    assert!(!home.path().join("mcp-tunnel").exists());
    let dir = home.path().join("named");
    helper(["init"]).dir(&dir).env("SUDO_USER", "daemon").json(whole()).run().expect(0);
}

/// Runs a command of an answer as a person would who pastes it, from another folder.
fn pasted(command: &str, stdin: &str) -> Value {
    let mut child = Command::new(posix("sh"))
        .args(["-c", command])
        .current_dir("/")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    // A command that reports a problem was still understood.
    assert!(
        matches!(out.status.code(), Some(0 | 1)),
        "{command}\n{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

fn command(answer: &Value, words: &str) -> String {
    let next = answer["next"].as_array().unwrap();
    let commands = next.iter().filter_map(|next| next["command"].as_str());
    let found = commands.into_iter().find(|command| command.contains(words));
    found.unwrap_or_else(|| panic!("no `{words}` in {next:#?}")).to_owned()
}

#[test]
fn every_path_works_and_every_command_works_as_pasted() {
    for name in [
        "two words",
        "it's",
        "say \"hi\"",
        "$HOME",
        "`id`",
        "new\nline",
        "tab\there",
        "zürich—名",
        "-x",
        "a*?[b]",
        "back\\slash",
        "#hash",
        "semi;colon&and",
        "(brackets)",
        "trailing ",
        "!bang",
        "~tilde",
        "%25",
        "{braces}",
    ] {
        let parent = folder();
        let dir = parent.path().join(name);
        let first = helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run().expect(0);
        assert_eq!(first.data()["dir"], dir.to_str().unwrap());
        let set = pasted(&command(&first.json, " token set "), &token("x"));
        assert_eq!(set["data"]["state"], "set", "{name:?}");
        std::fs::remove_file(dir.join("data/tls.crt")).unwrap();
        let broken = helper(["init"]).dir(&dir).run().json;
        let fixed = pasted(&command(&broken, " init "), "");
        assert_eq!(fixed["data"]["dir"], dir.to_str().unwrap(), "{name:?}");
        helper(["render"]).dir(&dir).json(json!({"sample": true})).run().expect(0);
        assert_eq!(tree(&dir), layout(), "{name:?}");
    }
}

#[test]
fn a_directory_that_begins_with_a_dash_is_no_option() {
    let cwd = folder();
    let answer = helper(["init", "--dir=-x"]).cwd(cwd.path()).json(whole()).run().expect(0);
    assert_eq!(tree(&cwd.path().join("-x")), layout(), "{:#}", answer.json);
    pasted(&command(&answer.json, " token set "), &token("x"));
}

#[test]
fn a_directory_whose_name_is_no_utf8_works() {
    let parent = folder();
    let dir = parent.path().join(OsStr::from_bytes(b"caf\xe9"));
    helper(["init"]).dir(&dir).json(whole()).run().expect(0);
    assert_eq!(tree(&dir), layout());
    helper(["check"]).dir(&dir).changes_nothing().run();
}

#[test]
fn a_directory_that_docker_could_not_mount_is_refused() {
    let parent = folder();
    for dir in ["a:b", "a:b/c"] {
        let refused = helper(["init"]).dir(parent.path().join(dir)).json(whole()).run().expect(2);
        assert_eq!(refused.json["error"]["code"], "directory", "{dir}");
    }
    // However it is spelled. Only a report is asked for: a helper that took it would not write there.
    for root in ["/", "//", "/.", "/tmp/..", "/tmp/../"] {
        let refused = helper(["init"]).dir(root).run().expect(2);
        assert_eq!(refused.json["error"]["code"], "directory", "{root}");
    }
    helper(["init", "--dir="]).json(whole()).run().expect(2);
    assert_eq!(snapshot(parent.path()), []);
}

#[test]
fn commands_name_the_launcher_that_handed_itself_over() {
    let parent = folder();
    let bin = parent.path().join("my bin");
    std::fs::create_dir(&bin).unwrap();
    script(&bin, "launch it", &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_mcp-tunnels-helper")));
    let launcher = bin.join("launch it");
    let dir = parent.path().join("mcp-tunnel");
    let answer = helper(["init"]).dir(&dir).env("MCP_TUNNELS_LAUNCHER", &launcher).json(whole()).run().expect(0);
    for next in answer.json["next"].as_array().unwrap() {
        if let Some(command) = next["command"].as_str() {
            let words = shlex::split(command).unwrap();
            assert_eq!(words[0], launcher.to_str().unwrap(), "{command}");
            assert_eq!(&words[words.len() - 2..], ["--dir", dir.to_str().unwrap()], "{command}");
        }
    }
    pasted(&command(&answer.json, " token set "), &token("x"));
    // A relative one would not work from any folder.
    let answer = helper(["init"]).dir(&dir).env("MCP_TUNNELS_LAUNCHER", "./launch").json(whole()).run().expect(0);
    assert!(command(&answer.json, " up ").starts_with('/'), "{:#}", answer.json["next"]);
}
