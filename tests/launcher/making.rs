//! A program in the making: interrupted, at the same time as another, by cargo.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::{HERE, Plugin, Run, VERSION, nothing_trusted, shells, standin};
use crate::diagnose::each;
use crate::support::http::{Reply, Server};
use crate::support::{HANG, edit, posix, skip, which};

/// Starts it in a process group of its own, kills that whole group as soon as `begun`, and waits for its end.
fn killed(mut command: Command, begun: impl Fn() -> bool) {
    let mut child = command.process_group(0).spawn().unwrap();
    until(begun);
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    child.wait().unwrap();
}

fn until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < HANG, "it never came to that");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_does_not_answer_as_this_version_is_not_kept() {
    for program in [standin("0.0.7"), "#!/bin/sh\nexit 3\n".into(), "\u{7f}ELF nonsense".into()] {
        let plugin = Plugin::new();
        plugin.cargo("0", &program);
        plugin.run(&["init"]).failed("tool");
        nothing_trusted(&plugin.data());
    }
}

#[test]
fn an_interrupted_download_is_not_trusted_and_blocks_nobody() {
    for shell in shells() {
        let plugin = Plugin::new();
        if !plugin.downloads() {
            return;
        }
        plugin.machine(HERE.0);
        // More than curl keeps to itself before it writes.
        let body = format!("{}{}", standin(VERSION), "# filler\n".repeat(20_000)).into_bytes();
        let stalled = Server::start({
            let body = body.clone();
            move |_| Reply::Stalled(body.clone())
        });
        plugin.release(&stalled, HERE.1, &body);
        let mut command = plugin.command(&shell);
        command.arg("init");
        let half = |entry: fs::DirEntry| {
            entry.file_name().to_string_lossy().contains("-musl.") && entry.metadata().is_ok_and(|m| m.len() > 0)
        };
        killed(command, || fs::read_dir(plugin.data()).is_ok_and(|all| all.flatten().any(half)));
        assert!(!plugin.binary(HERE.1).exists());
        assert!(fs::symlink_metadata(plugin.data().join("lock")).is_ok(), "it was killed with the lock in its hands");
        let good = Server::start({
            let body = body.clone();
            move |_| Reply::Body(body.clone())
        });
        edit(&plugin.manifest(), &stalled.url(), &good.url());
        plugin.run_in(&shell, &["init"]).ran();
        assert_eq!(fs::read(plugin.binary(HERE.1)).unwrap(), body);
        assert!(fs::symlink_metadata(plugin.data().join("lock")).is_err());
    }
}

#[test]
fn an_interrupted_build_is_not_trusted_and_blocks_nobody() {
    for shell in shells() {
        let plugin = Plugin::new();
        plugin.cargo("30", &standin(VERSION));
        let mut command = plugin.command(&shell);
        command.arg("init");
        let half = plugin.data().join("build/some-host/release/mcp-tunnels-helper");
        killed(command, || half.is_file());
        // A build that fails right away: what the first one left must not be run.
        plugin.fake("cargo", "#!/bin/sh\n[ \"$1\" != -vV ] || { echo 'host: some-host'; exit; }\necho 'error: linker `cc` not found' >&2; exit 101\n");
        let error = plugin.run_in(&shell, &["init"]).failed("tool");
        assert!(error["message"].as_str().unwrap().contains("linker `cc` not found"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("build.log"), "{error}");
        nothing_trusted(&plugin.data());
        plugin.cargo("0", &standin(VERSION));
        plugin.run_in(&shell, &["init"]).ran();
        assert!(!plugin.data().join("build").exists(), "hundreds of megabytes are not kept");
    }
}

#[test]
fn a_signal_leaves_no_lock_and_no_half_file() {
    let plugin = Plugin::new();
    if !plugin.downloads() {
        return;
    }
    plugin.machine(HERE.0);
    let body = standin(VERSION).into_bytes();
    let sent = body.clone();
    let stalled = Server::start(move |_| Reply::Stalled(sent.clone()));
    plugin.release(&stalled, HERE.1, &body);
    let mut child = plugin.command(&shells()[0]).arg("init").process_group(0).spawn().unwrap();
    until(|| !stalled.asked().is_empty());
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::TERM).unwrap();
    assert_ne!(child.wait().unwrap().code(), Some(0));
    let left = fs::read_dir(plugin.data()).unwrap().flatten().map(|e| e.file_name()).collect::<Vec<_>>();
    assert!(left.iter().all(|name| name == "fetch.log"), "{left:?}");
}

#[test]
fn three_at_once_build_once() {
    each(&shells(), |shell| {
        let plugin = Plugin::new();
        plugin.cargo("1", &standin(VERSION));
        let start = || -> Child { plugin.command(shell).arg("init").spawn().unwrap() };
        for child in [start(), start(), start()] {
            Run::of(child.wait_with_output().unwrap()).ran();
        }
        assert_eq!(plugin.builds(), 1);
    });
}

/// A program that needs this machine's libc must not have the name of one that runs everywhere.
#[test]
fn what_is_built_here_is_not_filed_as_a_static_program() {
    let plugin = Plugin::new();
    plugin.machine("Linux x86_64");
    plugin.cargo("0", &standin(VERSION));
    let built = plugin.run_in(&shells()[0], &["init"]);
    assert_eq!(built.said.len(), 2, "{:?}", built.said);
    built.ran();
    let names: Vec<String> =
        fs::read_dir(plugin.data()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.contains("musl")), "{names:?}");
    let cached = plugin.run(&["init"]);
    assert_eq!(cached.said, Vec::<String>::new());
    cached.ran();
    assert_eq!(plugin.builds(), 1);
}

/// One line when it begins, one a minute afterwards; here the minutes are short.
#[test]
fn a_build_says_that_it_goes_on() {
    let plugin = Plugin::new();
    plugin.cargo("2", &standin(VERSION));
    let real = posix("sleep");
    plugin.fake("sleep", &format!("#!/bin/sh\n[ \"$1\" = 2 ] && exec {} 0.02\n", real.display()));
    // The build itself takes its two seconds.
    let text = fs::read_to_string(plugin.path().join("cargo")).unwrap();
    plugin.fake("cargo", &text.replace("sleep 2", &format!("{} 2", real.display())));
    let run = plugin.run_in(&shells()[0], &["init"]);
    let minutes = run.said.iter().filter(|line| line.contains("still building")).count();
    assert!(minutes >= 1 && run.said[1].contains("1 min"), "{:?}", run.said);
    // Where it is in the end, and how it is run by its name.
    let place = plugin.data().join("mcp-tunnels-helper");
    let end = run.said.last().unwrap();
    let link = shlex::split(end.split("name: ").nth(1).unwrap()).unwrap();
    assert_eq!(link[..3], ["ln", "-s", place.to_str().unwrap()], "{end}");
    assert!(place.exists());
    run.ran();
}

/// A checkout's build knows its commit; what is not a checkout of its own does not take that of a folder above it.
#[test]
fn a_build_knows_its_commit() {
    if which("git").is_none() {
        return skip("a_build_knows_its_commit", "git is not installed");
    }
    for is_checkout in [true, false] {
        let plugin = Plugin::new();
        plugin.cargo("0", &standin(VERSION));
        let text = fs::read_to_string(plugin.path().join("cargo")).unwrap();
        let (head, rest) = text.split_once('\n').unwrap();
        let seen = plugin.data().parent().unwrap().join("seen");
        plugin.fake(
            "cargo",
            &format!(
                "{head}\necho \"${{MCP_TUNNELS_COMMIT-none}}\" >'{}'\n{rest}",
                seen.display().to_string().replace('\'', r"'\''")
            ),
        );
        symlink(which("git").unwrap(), plugin.path().join("git")).unwrap();
        let git = |args: &[&str]| {
            let mut command = Command::new("git");
            command.arg("-C").arg(plugin.root()).args(["-c", "user.name=t", "-c", "user.email=t@example.com"]);
            let out = command.args(args).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8(out.stdout).unwrap().trim().to_owned()
        };
        let mut expected = "none".to_owned();
        if is_checkout {
            git(&["init", "-q"]);
            git(&["commit", "-q", "--allow-empty", "-m", "x"]);
            expected = git(&["rev-parse", "--short=12", "HEAD"]);
        }
        plugin.run(&["up"]).ran();
        assert_eq!(fs::read_to_string(seen).unwrap().trim(), expected);
    }
}

/// The real cargo with the launcher's own arguments, on a crate that is built in a second.
#[test]
fn cargo_builds_it_whatever_its_configuration_says() {
    let Some(cargo) = which("cargo") else { return skip("cargo_builds_it", "cargo is not installed") };
    let plugin = Plugin::new();
    symlink(cargo, plugin.path().join("cargo")).unwrap();
    let manifest = format!(
        "[package]\nname = \"mcp-tunnels-helper\"\nversion = \"{VERSION}\"\nedition = \"2024\"\n[[bin]]\nname = \"mcp-tunnels-helper\"\npath = \"main.rs\"\n"
    );
    fs::write(plugin.root().join("Cargo.toml"), manifest).unwrap();
    let lock = format!("version = 4\n\n[[package]]\nname = \"mcp-tunnels-helper\"\nversion = \"{VERSION}\"\n");
    fs::write(plugin.root().join("Cargo.lock"), lock).unwrap();
    let main = "fn main() { match std::env::args().nth(1).as_deref() { Some(\"--version\") => println!(\"mcp-tunnels-helper {}\", env!(\"CARGO_PKG_VERSION\")), _ => println!(\"args built\") } }";
    fs::write(plugin.root().join("main.rs"), main).unwrap();
    let run = |name: &str, value: &str| {
        let mut command = plugin.command(&shells()[0]);
        // The compiler and what it needs are this machine's.
        let own = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(plugin.path()).chain(std::env::split_paths(&own))).unwrap();
        command.env("PATH", path);
        for name in ["HOME", "RUSTUP_HOME", "CARGO_HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("CLAUDE_PLUGIN_DATA", plugin.data()).env(name, value).arg("up");
        Run::of(command.output().unwrap())
    };
    run("CARGO_BUILD_TARGET", "no-such-target").ran();
    fs::remove_dir_all(plugin.data()).unwrap();
    run("CARGO_TARGET_DIR", "/nonexistent/target").ran();
    // A lock file that would have to change is refused, not changed.
    fs::remove_dir_all(plugin.data()).unwrap();
    fs::write(plugin.root().join("Cargo.lock"), "version = 4\n").unwrap();
    let error = run("CARGO_TARGET_DIR", "").failed("tool");
    assert!(error["message"].as_str().unwrap().contains("lock file"), "{error}");
}
