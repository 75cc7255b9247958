//! `completions`: each shell loads them, and completes every command.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{folder, helper, plain, skip, which};

/// Lets `shell` read the completions and run `then`; gives back what it printed.
fn in_shell(shell: &str, arguments: &[&str], then: &str) -> Option<String> {
    let Some(program) = which(shell) else {
        skip("completions", &format!("{shell} is not installed"));
        return None;
    };
    let home = folder();
    let script = plain(home.path()).args(["completions", shell]).output().unwrap();
    assert!(script.status.success() && script.stderr.is_empty());
    let file = home.path().join("completions");
    fs::write(&file, script.stdout).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg("-c").arg(then.replace("FILE", file.to_str().unwrap()));
    command.env_clear().env("HOME", home.path()).env("PATH", std::env::var_os("PATH").unwrap());
    let out = command.current_dir(home.path()).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && said.is_empty(), "{shell}: {said}");
    Some(String::from_utf8(out.stdout).unwrap())
}

/// The first words of all commands.
fn commands() -> Vec<String> {
    let schema = helper(["schema"]).run().expect(0);
    let names = schema.data()["commands"].as_object().unwrap().keys();
    names.map(|name| name.split(' ').next().unwrap().to_owned()).collect()
}

fn completes_all(shell: &str, said: &str) {
    for command in commands() {
        assert!(said.split_whitespace().any(|word| word == command), "{shell} does not complete `{command}`: {said}");
    }
}

#[test]
fn bash_completes_commands_verbs_and_flags() {
    let complete = |words: &str, at: usize| {
        let line = format!(
            "source FILE; set -- $(complete -p mcp-tunnels-helper); while [ \"$1\" != -F ]; do shift; done; \
             COMP_WORDS=({words}); COMP_CWORD={at}; \"$2\" mcp-tunnels-helper \"${{COMP_WORDS[{at}]}}\" x; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        in_shell("bash", &["--noprofile", "--norc"], &line)
    };
    let Some(all) = complete("mcp-tunnels-helper ''", 1) else { return };
    completes_all("bash", &all);
    assert_eq!(complete("mcp-tunnels-helper certs re", 2).unwrap(), "renew\n");
    assert_eq!(complete("mcp-tunnels-helper up --d", 2).unwrap(), "--dir\n");
}

#[test]
fn fish_completes_commands_and_verbs() {
    let complete = |words: &str| in_shell("fish", &["--no-config"], &format!("source FILE; complete -C '{words}'"));
    let Some(all) = complete("mcp-tunnels-helper ") else { return };
    completes_all("fish", &all);
    assert!(complete("mcp-tunnels-helper token s").unwrap().starts_with("set\t"));
}

#[test]
fn zsh_takes_them() {
    let then = "autoload -U compinit; compinit -D; source FILE; print -r -- $_comps[mcp-tunnels-helper]; \
                functions _mcp-tunnels-helper_commands";
    let Some(said) = in_shell("zsh", &["--no-rcs"], then) else { return };
    assert!(said.starts_with("_mcp-tunnels-helper\n"), "{said}");
    for command in commands() {
        assert!(said.contains(&format!("'{command}:")), "zsh does not complete `{command}`: {said}");
    }
}
