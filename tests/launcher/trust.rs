//! What is in the data folder runs only if others cannot have put it there, and is used where it is enough.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use super::{HERE, Plugin, Run, VERSION, shells, standin};
use crate::support::{chmod, is_root, script};

/// A stranger.
const NOBODY: u32 = 65534;

#[test]
fn a_program_that_others_can_have_put_there_is_refused() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("0", &standin(VERSION));
        let binary = plugin.installed(&format!("mcp-tunnels-helper-{VERSION}-{}", HERE.1), VERSION);
        let (data, cache) = (plugin.data(), plugin.home().join(".cache"));
        for mode in [0o755, 0o700] {
            chmod(&data, mode);
            plugin.run_in(&shell, &["up"]).ran();
        }
        let refused = |what: &PathBuf| {
            let error = plugin.run_in(&shell, &["up"]).failed("directory");
            let named = what.canonicalize().unwrap();
            assert!(error["message"].as_str().unwrap().contains(named.to_str().unwrap()), "{error}");
            let error = plugin.run_in(&shell, &["--version"]).failed("directory");
            assert!(error["hint"].as_str().unwrap().contains("chmod go-w"), "{error}");
        };
        for (path, modes) in
            [(&data, &[0o777, 0o757, 0o703][..]), (&cache, &[0o777]), (&binary, &[0o777, 0o757, 0o702 | 0o055])]
        {
            for mode in modes {
                chmod(path, *mode);
                refused(path);
                chmod(path, 0o755);
            }
        }
        // Sticky saves a folder above, not the data folder: who made a file in it can change it.
        chmod(&cache, 0o1777);
        plugin.run_in(&shell, &["up"]).ran();
        chmod(&cache, 0o755);
        if is_root() {
            for path in [&binary, &data, &cache] {
                chown(path, Some(NOBODY), None).unwrap();
                refused(path);
                // The user who called sudo is not a stranger.
                let mut command = plugin.command(&shell);
                Run::of(command.env("SUDO_UID", NOBODY.to_string()).arg("up").output().unwrap()).ran();
                chown(path, Some(0), None).unwrap();
            }
            // A group that is not root's own.
            chown(&data, None, Some(NOBODY)).unwrap();
            chmod(&data, 0o775);
            refused(&data);
            chown(&data, None, Some(0)).unwrap();
            plugin.run_in(&shell, &["up"]).ran();
        }
        assert_eq!(plugin.builds(), 0, "it never falls through");
        // Where nothing is yet, nothing is put there.
        fs::remove_file(&binary).unwrap();
        chmod(&data, 0o777);
        plugin.run_in(&shell, &["up"]).failed("directory");
        assert_eq!((plugin.builds(), fs::read_dir(&data).unwrap().count()), (0, 0));
    }
}

#[test]
fn help_and_version_need_no_build_while_another_helper_is_there() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("0", &standin(VERSION));
        let stable = plugin.installed("mcp-tunnels-helper", "0.0.9");
        let said = |args: &[&str]| plugin.run_in(&shell, args);
        assert_eq!(said(&["--version"]).out, "mcp-tunnels-helper 0.0.9\n");
        for args in [&["--help"][..], &["-h"], &["certs", "renew", "--help"]] {
            said(args).ran();
        }
        fs::rename(stable, plugin.data().join(format!("mcp-tunnels-helper-0.0.8-{}", HERE.1))).unwrap();
        said(&["--help"]).ran();
        assert_eq!(plugin.builds(), 0);
        said(&["up"]).ran();
        assert_eq!(said(&["--version"]).out, format!("mcp-tunnels-helper {VERSION}\n"));
        assert_eq!(plugin.builds(), 1);
    }
}

#[test]
fn a_relative_entry_of_path_runs_nothing() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("0", &standin(VERSION));
        let trap = plugin.home().join("trapped");
        for tool in ["uname", "ls", "id", "mkdir", "ln", "cargo", "curl"] {
            script(&plugin.home(), tool, &format!("#!/bin/sh\n: >\"{}\"\n", trap.display()));
        }
        for path in [".:{}", ":{}", "{}:", "./:{}:."] {
            let mut command = plugin.command(&shell);
            let _ = fs::remove_dir_all(plugin.data());
            command.env("PATH", path.replace("{}", plugin.path().to_str().unwrap())).arg("init");
            Run::of(command.output().unwrap()).ran();
        }
        assert!(!trap.exists());
    }
}

#[test]
fn bytes_that_are_no_text_still_make_an_answer() {
    for shell in shells() {
        let plugin = Plugin::new();
        let mut command = plugin.command(&shell);
        command.env("MCP_TUNNELS_HELPER", OsStr::from_bytes(b"/no\xff\xfe\"such\x01\\h\xc3\xbcelper"));
        Run::of(command.arg("up").output().unwrap()).failed("io");
    }
}
