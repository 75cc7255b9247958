//! What the launcher hands over, where it finds itself and its data, and how it says that it cannot.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Plugin, Run, VERSION, shells, standin};
use crate::support::{chmod, folder, helper, plain, posix, script};

#[test]
fn the_override_comes_first() {
    for shell in shells() {
        let plugin = Plugin::new();
        let own = plugin.home().join("my helper");
        script(&plugin.home(), "my helper", &standin("0.0.0"));
        let run =
            |value: &Path| Run::of(plugin.command(&shell).env("MCP_TUNNELS_HELPER", value).arg("up").output().unwrap());
        let said = run(&own).ran().out;
        assert!(
            said.contains(&format!("launcher {}\n", plugin.launcher().canonicalize().unwrap().display())),
            "{said}"
        );
        assert!(said.contains(&format!("stable {}\n", own.display())) && said.contains("override none"), "{said}");
        assert!(run(Path::new("my helper")).failed("request")["message"].as_str().unwrap().contains("absolute"));
        run(&plugin.home().join("missing")).failed("io");
        run(&plugin.home()).failed("io");
        assert!(!plugin.data().exists(), "nothing was fetched");
        // It points at the launcher itself: not round in circles.
        run(&plugin.launcher()).failed("tool");
    }
}

#[test]
fn arguments_input_and_umask_arrive_as_they_were() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("0", &standin(VERSION));
        for _ in ["built", "cached"] {
            let mut command = Command::new(posix("sh"));
            command.args(["-c", "umask 027; exec \"$@\"", "sh"]).args(&shell).arg(plugin.launcher());
            command.args(["read", "", "two words", "a\nb", "$x `y` \"z\" 'q' \\"]);
            plugin.prepare(&mut command);
            command.stdin(Stdio::piped());
            let mut child = command.spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"from standard input").unwrap();
            let said = Run::of(child.wait_with_output().unwrap()).ran().out;
            assert!(said.starts_with("args <read> <> <two words> <a\nb> <$x `y` \"z\" 'q' \\>\n"), "{said}");
            assert!(said.contains("umask 0027") && said.ends_with("from standard input"), "{said}");
        }
    }
}

#[test]
fn it_finds_itself_however_it_is_called() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("0", &standin(VERSION));
        let real = plugin.launcher().canonicalize().unwrap();
        let expect = |command: &mut Command| {
            plugin.prepare(command);
            let said = Run::of(command.arg("up").output().unwrap()).ran().out;
            assert!(said.contains(&format!("launcher {}\n", real.display())), "{said}");
        };
        expect(Command::new(&shell[0]).args(&shell[1..]).arg(plugin.launcher()));
        expect(&mut Command::new(plugin.launcher()));
        // Links, relative and absolute, one behind the other, through a folder that is a link itself.
        let far = plugin.home().join("bin");
        fs::create_dir(&far).unwrap();
        symlink("../../the plugin/bin/mcp-tunnels-helper", far.join("one")).unwrap();
        symlink(far.join("one"), plugin.home().join("two")).unwrap();
        symlink(&far, plugin.folder.path().join("deep")).unwrap();
        fs::create_dir(plugin.folder.path().join("other")).unwrap();
        for link in [plugin.home().join("two"), plugin.folder.path().join("deep/one")] {
            expect(Command::new(&shell[0]).args(&shell[1..]).arg(link));
        }
        // From its own folder, by its bare name, and from PATH.
        let mut bare = Command::new(&shell[0]);
        bare.args(&shell[1..]).arg("mcp-tunnels-helper");
        plugin.prepare(&mut bare);
        let said = Run::of(bare.arg("up").current_dir(real.parent().unwrap()).output().unwrap()).ran().out;
        assert!(said.contains(&format!("launcher {}\n", real.display())), "{said}");
        let mut path = Command::new(posix("sh"));
        plugin.prepare(&mut path);
        let folders = std::env::join_paths([plugin.path(), plugin.root().join("bin")]).unwrap();
        let said = Run::of(path.args(["-c", "mcp-tunnels-helper up"]).env("PATH", folders).output().unwrap()).ran().out;
        assert!(said.contains(&format!("launcher {}\n", real.display())), "{said}");
        // A copy without execute bits: what is to be pasted names the program itself.
        chmod(&plugin.launcher(), 0o644);
        let said = plugin.run_in(&shell, &["up"]).ran().out;
        let line = said.lines().find_map(|l| l.strip_prefix("launcher ")).unwrap();
        assert!(line.contains(&format!("mcp-tunnels-helper-{VERSION}-")) && Path::new(line).is_file(), "{said}");
    }
}

#[test]
fn the_data_folder_is_where_claude_code_keeps_it() {
    let plugin = Plugin::new();
    plugin.cargo("0", &standin(VERSION));
    let at = |command: &mut Command| {
        let said = Run::of(command.arg("up").output().unwrap()).ran().out;
        let stable = said.lines().find_map(|l| l.strip_prefix("stable ")).unwrap().to_owned();
        assert!(Path::new(&stable).is_file(), "{stable}");
        PathBuf::from(stable).parent().unwrap().to_path_buf()
    };
    let shell = &shells()[0];
    let given = plugin.home().join("given data");
    assert_eq!(at(plugin.command(shell).env("CLAUDE_PLUGIN_DATA", &given)), given);
    assert_eq!(at(&mut plugin.command(shell)), plugin.data());
    let xdg = plugin.home().join("xdg");
    assert_eq!(at(plugin.command(shell).env("XDG_CACHE_HOME", &xdg)), xdg.join("mcp-tunnels"));
    // As installed from a marketplace.
    let claude = plugin.home().canonicalize().unwrap().join(".claude/plugins");
    let installed = claude.join("cache/some-market/mcp-tunnels").join(VERSION);
    fs::create_dir_all(installed.parent().unwrap()).unwrap();
    fs::rename(plugin.root(), &installed).unwrap();
    let mut command = Command::new(installed.join("bin/mcp-tunnels-helper"));
    plugin.prepare(&mut command);
    assert_eq!(at(&mut command), claude.join("data/mcp-tunnels-some-market"));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let plugin = Plugin::new();
    plugin.cargo("0", &standin(VERSION));
    let shell = &shells()[0];
    fs::write(plugin.home().join("a \"file\\"), "").unwrap();
    let data = plugin.home().join("a \"file\\/data");
    let error =
        Run::of(plugin.command(shell).env("CLAUDE_PLUGIN_DATA", &data).arg("up").output().unwrap()).failed("io");
    assert!(error["message"].as_str().unwrap().contains(&data.display().to_string()), "{error}");
    let error = Run::of(plugin.command(shell).env_remove("HOME").output().unwrap()).failed("io");
    assert!(error["message"].as_str().unwrap().contains("HOME"), "{error}");
    // Nothing is put into whatever folder one happens to be in.
    for name in ["HOME", "XDG_CACHE_HOME", "CLAUDE_PLUGIN_DATA"] {
        let error = Run::of(plugin.command(shell).env(name, "relative").output().unwrap()).failed("io");
        assert!(error["message"].as_str().unwrap().contains("not an absolute path"), "{error}");
        assert!(!plugin.home().join("relative").exists());
    }
    fs::remove_file(plugin.manifest()).unwrap();
    plugin.run(&["up"]).failed("io");
}

#[test]
fn an_error_names_the_command_and_nothing_else_that_was_typed() {
    let plugin = Plugin::new();
    let schema = helper(["schema"]).run().expect(0);
    for name in schema.data()["commands"].as_object().unwrap().keys() {
        let words: Vec<&str> = name.split(' ').collect();
        let run = plugin.run(&[&words[..], &["eyJhIjoi", "--dir", "x"]].concat());
        let answer: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(answer["command"], json!(name));
        assert!(!run.out.contains("eyJ"), "{}", run.out);
    }
    let run = plugin.run(&["eyJhIjoi", "init"]);
    assert!(!run.out.contains("eyJ"), "{}", run.out);
    run.failed("tool");
}

/// What a timer runs for months is not in a folder that goes with the next update.
#[test]
fn what_is_scheduled_survives_an_update() {
    let parent = folder();
    let dir = crate::support::deployment(parent.path());
    let renew = helper(["certs", "renew"])
        .dir(&dir)
        .env("MCP_TUNNELS_LAUNCHER", "/cache/0.1.0/bin/mcp-tunnels-helper")
        .env("MCP_TUNNELS_STABLE", "/data/mcp-tunnels-helper")
        .json(json!({"force": true, "verbose": true}))
        .run()
        .expect(0);
    let commands: Vec<&str> =
        renew.json["next"].as_array().unwrap().iter().filter_map(|n| n["command"].as_str()).collect();
    assert!(commands.len() > 1, "{commands:?}");
    for command in commands {
        assert!(command.contains("/data/mcp-tunnels-helper certs renew") && !command.contains("/cache/"), "{command}");
    }
    // Without a launcher the program itself is named.
    let out = plain(parent.path()).args(["certs", "renew", "--dir"]).arg(&dir).output().unwrap();
    assert!(String::from_utf8(out.stdout).unwrap().contains(env!("CARGO_BIN_EXE_mcp-tunnels-helper")));
}
