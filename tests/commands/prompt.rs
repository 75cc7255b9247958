//! The hidden prompt of `token set`, on a terminal of its own.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::pty::Terminal;
use crate::support::{deployment, folder, plain, skip, token, which};

const PROMPT: &str = "Tunnel token (hidden";

/// `token set`, as a person's shell runs it: the terminal is its session's, so that Ctrl-C is a signal.
fn prompt_under(program: &[&str], home: &Path, dir: &Path) -> Option<Command> {
    let Some(setsid) = which("setsid") else {
        skip("prompt", "setsid is not installed");
        return None;
    };
    let mut command = Command::new(setsid);
    let env = plain(home);
    command.env_clear().envs(env.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.arg("--ctty").args(program).arg(env.get_program()).args(["token", "set", "--dir"]).arg(dir);
    Some(command)
}

fn env_file(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(".env")).unwrap()
}

fn hidden(terminal: &Terminal) {
    terminal.until("the prompt", |t| t.screen().contains(PROMPT));
    assert!(!terminal.echoes(), "before the prompt is there the echo is off");
}

/// Ctrl-C and Ctrl-\ in shells that are not line editors: nothing puts the terminal right after them.
#[test]
fn a_key_that_ends_the_prompt_restores_the_echo_in_every_shell() {
    let shells = [("dash", None), ("bash", None), ("busybox", Some("sh"))];
    for (program, applet) in shells {
        let Some(shell) = which(program) else {
            skip("prompt", &format!("{program} is not installed"));
            continue;
        };
        for (key, code) in [("\u{3}", 130), ("\u{1c}", 131)] {
            let home = folder();
            let dir = deployment(home.path());
            let before = env_file(&dir);
            let script = "trap : INT QUIT; \"$0\" \"$@\"; echo \"ended with $?\"; exec cat";
            let words: Vec<&str> =
                std::iter::once(shell.to_str().unwrap()).chain(applet).chain(["-c", script]).collect();
            let Some(command) = prompt_under(&words, home.path(), &dir) else { return };
            let terminal = Terminal::open();
            let mut child = terminal.spawn(command);
            hidden(&terminal);
            terminal.type_in("eyJhIjoi");
            terminal.type_in(key);
            terminal.until("the shell continues", |t| t.screen().contains("ended with"));
            assert!(terminal.echoes(), "{program}: {}", terminal.screen());
            let screen = terminal.screen();
            assert!(screen.contains(&format!("ended with {code}")) && !screen.contains("eyJ"), "{program}: {screen}");
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(env_file(&dir), before);
        }
    }
}

#[test]
fn a_signal_at_the_prompt_restores_the_echo() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let home = folder();
        let dir = deployment(home.path());
        let Some(command) = prompt_under(&[], home.path(), &dir) else { return };
        let terminal = Terminal::open();
        let mut child = terminal.spawn(command);
        hidden(&terminal);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        assert!(terminal.echoes(), "{signal:?}");
    }
}

#[test]
fn a_prompt_that_was_stopped_is_hidden_again_when_it_goes_on() {
    let home = folder();
    let dir = deployment(home.path());
    let Some(command) = prompt_under(&[], home.path(), &dir) else { return };
    let terminal = Terminal::open();
    let mut child = terminal.spawn(command);
    hidden(&terminal);
    terminal.type_in("\u{1a}");
    terminal.until("the echo is back", Terminal::echoes);
    let stopped = PathBuf::from(format!("/proc/{}/stat", child.id()));
    if stopped.exists() {
        terminal.until("it stops", |_| std::fs::read_to_string(&stopped).unwrap().contains(") T "));
    }
    kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    terminal.until("a second prompt", |t| t.screen().matches(PROMPT).count() == 2);
    assert!(!terminal.echoes());
    let typed = token("typed-by-hand");
    terminal.type_in(&format!("{typed}\n"));
    assert!(child.wait().unwrap().success());
    assert!(terminal.echoes() && env_file(&dir).contains(&typed) && !terminal.screen().contains(&typed));
}

#[test]
fn what_is_typed_is_set_and_not_shown() {
    let home = folder();
    let dir = deployment(home.path());
    let Some(command) = prompt_under(&[], home.path(), &dir) else { return };
    let terminal = Terminal::open();
    let mut child = terminal.spawn(command);
    hidden(&terminal);
    let typed = token("typed-by-hand");
    // A paste of more than a line: the rest is not a command for the shell.
    terminal.type_in(&format!("{typed}\nrest-of-the-paste\n"));
    assert!(child.wait().unwrap().success());
    terminal.until("the answer", |t| t.screen().contains("\"schema\"") || t.screen().contains("fingerprint"));
    let screen = terminal.screen();
    assert!(!screen.contains(&typed) && !screen.contains("rest-of"), "{screen}");
    assert!(terminal.echoes() && env_file(&dir).contains(&typed));
}

/// Ctrl-D and an empty line are not a token.
#[test]
fn nothing_typed_is_a_missing_token() {
    for key in ["\u{4}", "\n"] {
        let home = folder();
        let dir = deployment(home.path());
        let before = env_file(&dir);
        let Some(mut command) = prompt_under(&[], home.path(), &dir) else { return };
        command.env("MCP_TUNNEL_OUTPUT", "json");
        let terminal = Terminal::open();
        let mut child = terminal.spawn(command);
        hidden(&terminal);
        terminal.type_in(key);
        assert_eq!(child.wait().unwrap().code(), Some(1));
        terminal.until("the answer", |t| t.screen().contains("}\r\n"));
        let screen = terminal.screen();
        let line = screen.lines().find(|line| line.starts_with('{')).unwrap();
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["data"]["state"], "missing");
        assert_eq!(env_file(&dir), before);
    }
}
