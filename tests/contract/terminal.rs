//! What a person sees at a terminal, and who still gets JSON.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::edge::fake_docker;
use crate::support::pty::Terminal;
use crate::support::{DOMAIN, deployment, folder, helper, plain, script};

/// What is on the screen after the helper has ended, and its exit code.
fn at_a_terminal(home: &Path, args: &[&str], env: &[(&str, &str)]) -> (String, Option<i32>) {
    let terminal = Terminal::open();
    let mut command = plain(home);
    command.args(args).env("TERM", "xterm").envs(env.iter().copied());
    let code = terminal.spawn(command).wait().unwrap().code();
    terminal.type_in("end\n");
    terminal.until("the end", |t| t.screen().contains("end\r\n"));
    let screen = terminal.screen().replace("\r\n", "\n");
    (screen.split("end\n").next().unwrap().to_owned(), code)
}

/// A deployment that has no token yet.
fn unfinished(parent: &Path) -> PathBuf {
    let dir = parent.join("mcp-tunnel");
    helper(["init", "--sample", "--domain", DOMAIN]).dir(&dir).run().expect(0);
    dir
}

#[test]
fn a_person_gets_text_and_everybody_else_json() {
    let parent = folder();
    let dir = unfinished(parent.path());
    let dir = dir.to_str().unwrap();
    let (text, code) = at_a_terminal(parent.path(), &["token", "check", "--dir", dir], &[]);
    assert_eq!(code, Some(1));
    assert!(text.contains("error:") && text.contains("[token-placeholder]"), "{text}");
    assert!(serde_json::from_str::<Value>(&text).is_err());
    assert!(text.contains("\u{1b}[31m"), "{text:?}");
    let is_json = |args: &[&str], env: &[(&str, &str)]| {
        let args = [&["token", "check", "--dir", dir], args].concat();
        let (screen, code) = at_a_terminal(parent.path(), &args, env);
        assert_eq!(code, Some(1), "{args:?}");
        serde_json::from_str::<Value>(&screen).is_ok_and(|answer| answer["data"]["state"] == "placeholder")
    };
    for env in [("CI", "true"), ("CLAUDECODE", "1"), ("MCP_TUNNEL_OUTPUT", "json"), ("TERM", "dumb"), ("TERM", "")] {
        assert!(is_json(&[], &[env]), "{env:?}");
        assert!(!is_json(&["--output", "text"], &[env]), "{env:?}");
    }
    for args in [&["--json"][..], &["--json", "{}"], &["--pretty"], &["--output", "json"]] {
        assert!(is_json(args, &[]), "{args:?}");
    }
    let (plain, _) = at_a_terminal(parent.path(), &["token", "check", "--dir", dir], &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}') && plain.contains("error:"), "{plain:?}");
}

/// One of the streams at a terminal is not a person who reads.
#[test]
fn a_pipe_on_either_stream_gets_json() {
    let parent = folder();
    let dir = unfinished(parent.path());
    let terminal = Terminal::open();
    let mut command = plain(parent.path());
    command.args(["token", "check", "--dir"]).arg(&dir).env("TERM", "xterm");
    let piped = terminal.spawn_with_stderr(command, Stdio::piped());
    assert_eq!(piped.wait_with_output().unwrap().status.code(), Some(1));
    terminal.until("JSON", |t| t.screen().contains("}\r\n"));
    assert!(serde_json::from_str::<Value>(terminal.screen().trim()).is_ok(), "{}", terminal.screen());
}

#[test]
fn status_is_watched_at_a_terminal_and_nowhere_else() {
    let parent = folder();
    let dir = unfinished(parent.path());
    for args in [&["--watch"][..], &["--watch", "--output", "text"], &["--json", "{\"watch\":true}"]] {
        let answer = plain(parent.path()).arg("status").args(args).arg("--dir").arg(&dir).output().unwrap();
        assert_eq!(answer.status.code(), Some(2), "{args:?}");
        let text = String::from_utf8(answer.stdout).unwrap();
        assert!(text.contains("terminal"), "{args:?}: {text}");
    }
    let bin = folder();
    let docker = "#!/bin/sh\ncase \"$*\" in\n\"version --format {{.Server.Version}}\") echo 28.2.2 ;;\n\
                  \"compose version --short\") echo 2.40.3 ;;\nesac\n";
    script(bin.path(), "docker", docker);
    let terminal = Terminal::open();
    let mut command = plain(parent.path());
    command.args(["status", "--watch", "--dir"]).arg(&dir).env("TERM", "xterm").env("PATH", bin.path());
    let mut child = terminal.spawn(command);
    terminal.until("three pictures", |t| t.screen().matches("\u{1b}[H\u{1b}[J").count() >= 3);
    assert!(child.try_wait().unwrap().is_none(), "it continues until it is interrupted");
    child.kill().unwrap();
    child.wait().unwrap();
    let screen = terminal.screen();
    let pictures: Vec<&str> = screen.split("\u{1b}[H\u{1b}[J").skip(1).take(2).collect();
    assert!(pictures.iter().all(|picture| picture.contains("not ready")), "{screen:?}");
}

/// Text on a pipe, where it is asked for: 80 columns, no colour.
#[test]
fn text_can_be_asked_for() {
    let parent = folder();
    let dir = unfinished(parent.path());
    let run = |args: &[&str]| {
        let out = plain(parent.path()).args(args).arg("--dir").arg(&dir).output().unwrap();
        (String::from_utf8(out.stdout).unwrap(), out.status.code())
    };
    let (text, code) = run(&["token", "check", "--output", "text"]);
    assert!(code == Some(1) && text.contains("error:") && !text.contains('\u{1b}'), "{text:?}");
    let (text, code) = run(&["nonsense", "--output=text"]);
    assert!(code == Some(2) && text.starts_with("error: "), "{text:?}");
    for command in ["init", "connect", "check", "rules", "schema", "render"] {
        let (text, _) = run(&[command, "--output", "text"]);
        assert!(!text.is_empty() && (command == "schema" || !text.starts_with('{')), "{command}: {text}");
    }
}

#[test]
fn the_help_of_a_command_lists_fields_types_and_an_example() {
    let home = folder();
    let help = |words: &[&str]| {
        let out = plain(home.path()).args(words).arg("--help").output().unwrap();
        assert_eq!(out.status.code(), Some(0));
        String::from_utf8(out.stdout).unwrap()
    };
    let text = help(&["init"]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/text/init-help.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap_or_default(), "UPDATE=1 rewrites it");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for words in [&["certs", "check"][..], &["render"], &["up"], &["token", "set"]] {
        let text = help(words);
        assert!(text.contains("Example:\n  mcp-tunnels-helper") && text.contains("in `data`"), "{text}");
    }
}

/// The example in the help of each command is a line that the parser takes.
#[test]
fn examples_are_understood() {
    let home = folder();
    let all = String::from_utf8(plain(home.path()).arg("schema").output().unwrap().stdout).unwrap();
    let all: Value = serde_json::from_str(&all).unwrap();
    for words in all["data"]["commands"].as_object().unwrap().keys() {
        let mut args: Vec<&str> = words.split(' ').collect();
        let help = plain(home.path()).args(&args).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let example = help.lines().last().unwrap().trim();
        let words = shell_words(example);
        args = words.iter().skip(1).map(String::as_str).collect();
        // An unknown flag at its end is the only thing that is wrong with it.
        let out = plain(home.path()).args(&args).arg("--nonsense").stdin(Stdio::null()).output().unwrap();
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("--nonsense"), "{example}: {message}");
    }
}

fn shell_words(line: &str) -> Vec<String> {
    let script = format!("printf '%s\\n' {line}");
    let out = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// On a pipe progress is told to those who ask for it, and never with `--quiet`.
#[test]
fn progress_on_a_pipe_is_asked_for() {
    let home = folder();
    let dir = deployment(home.path());
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    script(&bin, "docker", &fake_docker("\"compose down\"*) ;;"));
    let said = |words: &[&str]| {
        let mut command = plain(home.path());
        command.env("PATH", &bin).args(["status", "--wait-seconds", "1"]).args(words).arg("--dir").arg(&dir);
        let out = command.output().unwrap();
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(answer["command"], "status", "the answer is as ever");
        String::from_utf8(out.stderr).unwrap()
    };
    assert_eq!(said(&[]), "");
    assert_eq!(said(&["--progress", "auto"]), "");
    let progress = said(&["--progress", "plain"]);
    assert!(progress.lines().count() >= 1 && progress.contains("containers 0/"), "{progress:?}");
    assert_eq!(said(&["--progress", "plain", "--quiet"]), "");
    assert_eq!(said(&["--quiet"]), "");
}
