//! Advice is tried: what an answer tells a person to run is run as it is printed, in the state in which it is told, and
//! cures it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::tried::{Tried, tried};
use crate::certs::workshop::{Workshop, no_openssl};
use crate::engine::advice::{OF_THEIR_OWN, STATES};
use crate::support::pty::Terminal;
use crate::support::{Answer, Call, chmod, deployment, folder, helper, posix, posix_path, skip, token, which};

/// The texts in backticks of a finding's fix.
fn quoted<'a>(answer: &'a Answer, id: &str) -> impl Iterator<Item = &'a str> {
    answer.finding(id)["fix"].as_str().unwrap().split('`').skip(1).step_by(2)
}

/// The commands of the helper in a finding's fix, as they are printed.
pub(crate) fn commands(answer: &Answer, id: &str) -> Vec<String> {
    let ours = |text: &&str| text.starts_with(env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
    quoted(answer, id).filter(ours).map(str::to_owned).collect()
}

/// The first command of a finding's fix, as it is printed: of the shell where the fix begins with it, otherwise of the
/// helper.
pub(super) fn command(answer: &Answer, id: &str) -> String {
    let shell = |text: &&str| ["chmod ", "git "].iter().any(|tool| text.starts_with(tool));
    let first = quoted(answer, id).next().filter(shell).map(str::to_owned);
    let first = first.or_else(|| commands(answer, id).into_iter().next());
    first.unwrap_or_else(|| panic!("{id}: no command in {}", answer.finding(id)["fix"]))
}

/// A printed command of the helper, typed in another folder.
pub(crate) fn typed(command: &str, dir: &Path) -> Call {
    helper(Vec::<String>::new()).dir(dir).under(&["sh", "-c", command]).cwd("/")
}

/// Runs it. The answer keeps all promises of an answer.
pub(crate) fn run(command: &str, dir: &Path, stdin: &str) -> Answer {
    typed(command, dir).stdin(stdin).run()
}

/// Runs any other printed command from another folder.
pub(super) fn shell(command: &str) {
    let out = Command::new(posix("sh")).args(["-c", command]).current_dir("/").env("PATH", posix_path()).output();
    let out = out.unwrap();
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A path that every layer of quoting gets wrong where it can.
fn odd(parent: &Path) -> PathBuf {
    let parent = parent.join("it's a \"test\" of $HOME & co");
    std::fs::create_dir(&parent).unwrap();
    deployment(&parent)
}

/// Rows of the table, with what ends them.
fn rules() -> Vec<Value> {
    helper(["rules"]).run().expect(0).data()["rules"].as_array().unwrap().clone()
}

/// A new row with a command of the helper is tried, or the reason why not is given.
#[test]
fn every_cure_of_the_table_is_tried_or_has_its_reason() {
    let person = ["by-hand", "by-hand-then", "look"];
    let rows: BTreeSet<String> = rules()
        .iter()
        .filter(|rule| !person.contains(&rule["cure"].as_str().unwrap()))
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect();
    let listed: BTreeSet<String> = tried().iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(rows, listed);
    for (id, tried) in tried() {
        match tried {
            Tried::Elsewhere(reason) => assert!(!reason.is_empty(), "{id}: no reason"),
            Tried::Engine => {
                let is_shown = STATES.iter().any(|(state, _)| *state == id) || OF_THEIR_OWN.contains(&id);
                assert!(is_shown, "{id}: no state of a stack");
            }
            Tried::Files(_) => {}
        }
    }
}

#[test]
fn the_command_that_a_finding_names_cures_it() {
    let mut wrong = Vec::new();
    for (id, way) in tried() {
        let Tried::Files(breaks) = way else { continue };
        if id == "git-not-ignored" && which("git").is_none() {
            skip("the_command_that_a_finding_names_cures_it", "no git");
            continue;
        }
        let parent = folder();
        let dir = odd(parent.path());
        breaks(&dir);
        let answer = helper(["check"]).dir(&dir).changes_nothing().run();
        if !answer.findings().contains(&id) {
            wrong.push(format!("{id} is not raised: {:?}", answer.findings()));
            continue;
        }
        let command = command(&answer, id);
        let cured = run(&command, &dir, &token("healthy"));
        if cured.code == 2 {
            wrong.push(format!("{id}: {command}: {}", cured.json));
            continue;
        }
        if command.contains(" rotate-ca ") {
            for step in ["switch", "finish"] {
                helper(["certs", "rotate-ca"]).dir(&dir).json(json!({"step": step})).run();
            }
        }
        let after = helper(["check"]).dir(&dir).run();
        if after.findings().contains(&id) {
            wrong.push(format!("{id} is still there after {command}: {}", cured.json));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A person who follows `next`, command for command, arrives: no step is refused, and none leads back to itself.
#[test]
fn following_next_ends_what_was_found() {
    let mut wrong = Vec::new();
    for (id, way) in tried() {
        let Tried::Files(breaks) = way else { continue };
        if id == "git-not-ignored" && which("git").is_none() {
            skip("following_next_ends_what_was_found", "no git");
            continue;
        }
        let parent = folder();
        let dir = odd(parent.path());
        breaks(&dir);
        let mut answer = helper(["check"]).dir(&dir).run();
        let mut walked: Vec<String> = Vec::new();
        // A change of the CA is the longest way: begin, switch, finish.
        let mut goes_on = true;
        while (goes_on || answer.findings().contains(&id)) && walked.len() < 6 {
            let steps = answer.json["next"].as_array().unwrap().clone();
            let Some(command) = steps.iter().find_map(|step| step["command"].as_str()) else { break };
            walked.push(command.to_owned());
            let done = run(command, &dir, &token("healthy"));
            if done.code == 2 {
                wrong.push(format!("{id}: {command}: {}", done.json["error"]));
                break;
            }
            goes_on = done.json["next"].to_string().contains(" rotate-ca ");
            answer = if goes_on { done } else { helper(["check"]).dir(&dir).run() };
        }
        if helper(["check"]).dir(&dir).run().findings().contains(&id) {
            wrong.push(format!("{id} is still there after {walked:#?}: {:#}", answer.json["next"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A renewal keeps the key, so it is not a cure of a weak one.
#[test]
fn a_weak_certificate_is_renewed_and_a_weak_key_made_anew() {
    if no_openssl("a_weak_certificate_is_renewed_and_a_weak_key_made_anew") {
        return;
    }
    let w = Workshop::new();
    let sha1 = w.make(|p| (p.ca_key, p.options) = ("RSA 2048", "-sha1"));
    for (name, set, moves) in [("SHA-1", sha1, false), ("P-224", w.make(|p| p.key = "P-224"), true)] {
        let parent = folder();
        let dir = odd(parent.path());
        set.put(&dir.join("data"));
        let command = command(&helper(["check"]).dir(&dir).run(), "server-unfit");
        if moves {
            assert!(command.contains(" certs issue "), "{command}");
            for file in ["tls.crt", "tls.key"] {
                std::fs::remove_file(dir.join("data").join(file)).unwrap();
            }
        }
        run(&command, &dir, "").expect(0);
        assert!(!helper(["check"]).dir(&dir).run().findings().contains(&"server-unfit"), "{name}");
    }
}

/// A compose file that got lost is written again, for the routes that are there.
#[test]
fn a_lost_compose_file_is_written_again_by_the_command_of_its_finding() {
    let parent = folder();
    let dir = odd(parent.path());
    let before = std::fs::read_to_string(dir.join("docker-compose.yaml")).unwrap();
    std::fs::remove_file(dir.join("docker-compose.yaml")).unwrap();
    let answer = helper(["check"]).dir(&dir).run();
    run(&command(&answer, "compose-file-missing"), &dir, "").expect(0);
    assert_eq!(std::fs::read_to_string(dir.join("docker-compose.yaml")).unwrap(), before);
}

/// Modes are the person's, and the command names the file that has the wrong one.
#[test]
fn the_shell_command_of_a_finding_cures_it() {
    let cases: [(&str, &str, u32); 13] = [
        ("directory-open", "", 0o755),
        ("env-readable", ".env", 0o644),
        ("env-writable", ".env", 0o666),
        ("key-readable", "data/ca.key", 0o640),
        ("key-readable", "data/ca-next.key", 0o644),
        ("key-readable", "data/ca-old.key", 0o644),
        ("key-writable", "data/ca.key", 0o620),
        ("key-writable", "data/ca-next.key", 0o666),
        ("key-writable", "data/tls.key", 0o666),
        ("proxy-key-denied", "data/tls.key", 0o600),
        ("proxy-key-denied", "data/tls.crt", 0o600),
        ("proxy-key-denied", "data", 0o700),
        ("proxy-config-denied", "config/mcp-gateway.yaml", 0o600),
    ];
    for (id, inside, mode) in cases {
        let parent = folder();
        let dir = odd(parent.path());
        if !dir.join(inside).exists() {
            std::fs::copy(dir.join("data/ca.key"), dir.join(inside)).unwrap();
        }
        chmod(&dir.join(inside), mode);
        let answer = helper(["check"]).dir(&dir).run();
        if !inside.is_empty() {
            assert_eq!(answer.finding(id)["subject"]["name"], inside, "{id}");
        }
        let command = command(&answer, id);
        shell(&command);
        let after = helper(["check"]).dir(&dir).run();
        let gone =
            ["directory-open", "env-readable", "env-writable", "key-readable", "key-writable", "proxy-key-denied"];
        let left: Vec<&str> = after.findings().into_iter().filter(|f| gone.contains(f) || *f == id).collect();
        assert!(left.is_empty(), "{id} {inside}: {command}: {left:?}");
    }
}

/// `chmod` is advised to those who can do it: not on a read-only file system, and with `sudo` for another user's file.
#[test]
fn no_chmod_is_advised_that_would_be_refused() {
    const TEST: &str = "no_chmod_is_advised_that_would_be_refused";
    let allowed = Command::new("unshare").args(["--mount", "true"]).output();
    if !allowed.is_ok_and(|out| out.status.success()) || which("setpriv").is_none() {
        return skip(TEST, "no rights to mount, or no setpriv");
    }
    let parent = folder();
    let dir = odd(parent.path());
    for (inside, mode) in [(".env", 0o644), ("data/ca.key", 0o666), ("data/tls.key", 0o600), ("", 0o755)] {
        chmod(&dir.join(inside), mode);
    }
    let advised = |answer: &Answer| -> Vec<String> {
        let ids = ["env-readable", "key-writable", "proxy-key-denied", "directory-open"];
        ids.iter().map(|id| answer.finding(id)["fix"].as_str().unwrap().to_owned()).collect()
    };
    for fix in advised(&helper(["check"]).dir(&dir).run()) {
        assert!(fix.starts_with("run `chmod "), "{fix}");
    }
    let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    let at = dir.to_str().unwrap();
    let answer = helper(["check"]).dir(&dir).under(&["unshare", "--mount", "sh", "-c", mount, at]).run();
    for fix in advised(&answer) {
        assert!(!fix.contains("chmod") && fix.contains("read-only"), "{fix}");
    }
    // Another user who may read it all, and change nothing.
    let other = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all,+dac_read_search"];
    let other = [&other[..], &["--ambient-caps=-all,+dac_read_search"]].concat();
    for fix in advised(&helper(["check"]).dir(&dir).under(&other).run()) {
        assert!(fix.starts_with("run `sudo chmod "), "{fix}");
    }
}

#[test]
fn what_git_tracks_is_taken_out_of_its_index_by_the_command_of_its_finding() {
    if which("git").is_none() {
        return skip("what_git_tracks_is_taken_out_of_its_index_by_the_command_of_its_finding", "no git");
    }
    let parent = folder();
    let dir = odd(parent.path());
    let at = dir.to_str().unwrap().replace('\'', r"'\''");
    shell(&format!("cd '{at}' && git init -q . && git add -f .env && echo '# later' >>.env"));
    let answer = helper(["check"]).dir(&dir).run();
    shell(&command(&answer, "git-tracked"));
    assert!(dir.join(".env").exists());
    assert!(!helper(["check"]).dir(&dir).run().findings().contains(&"git-tracked"));
}

/// Both commands of the fix: the one that asks in a terminal, and the one that takes the digest without one.
#[test]
fn a_person_runs_the_command_that_allows_privileges() {
    for has_terminal in [true, false] {
        let parent = folder();
        let dir = odd(parent.path());
        let over = "services: { x: { image: busybox, pid: host } }\n";
        std::fs::write(dir.join("docker-compose.override.yaml"), over).unwrap();
        let state = parent.path().join("state");
        let check = || helper(["check"]).dir(&dir).env("XDG_STATE_HOME", &state).run();
        let answer = check().expect(1);
        let fix = answer.finding("compose-privileges")["fix"].as_str().unwrap();
        let commands: Vec<&str> = fix.split('`').filter(|text| text.contains(" allow ")).collect();
        let mut call = Command::new(posix("sh"));
        call.args(["-c", commands[usize::from(!has_terminal)]]).current_dir("/").env_clear();
        call.env("PATH", posix_path()).env("HOME", parent.path()).env("TERM", "xterm").env("XDG_STATE_HOME", &state);
        if has_terminal {
            let terminal = Terminal::open();
            let mut child = terminal.spawn(call);
            terminal.until("the question", |t| t.screen().contains("Type yes"));
            terminal.type_in("yes\n");
            assert!(child.wait().unwrap().success(), "{}", terminal.screen());
        } else {
            let out = call.stdin(Stdio::null()).output().unwrap();
            assert!(out.status.success(), "{}: {}", commands[1], String::from_utf8_lossy(&out.stdout));
        }
        assert_eq!(check().expect(0).finding("compose-privileges")["severity"], "note", "{fix}");
    }
}

/// Whatever the table names is understood: no typo, no field that a request does not have.
#[test]
fn every_command_of_the_table_is_one_of_the_helper() {
    let parent = folder();
    let dir = parent.path().join("none");
    let launcher = env!("CARGO_BIN_EXE_mcp-tunnels-helper");
    let mut count = 0;
    for rule in rules() {
        for text in [&rule["fix"], &rule["cause"]] {
            for command in text.as_str().unwrap().split('`').skip(1).step_by(2).filter(|c| c.starts_with(launcher)) {
                // The names that a person puts in.
                let command = command.replace("/PATH", "/mcp").replace("HOST:PORT", "host:80").replace("NAME", "name");
                let command = command.replace("ROUTE", "route").replace("--dir NEW", "--dir ~/mcp-tunnel");
                // `init` and `token set` would make the directory, the others need none.
                if [" token set ", " init ", " preflight", " probe "].iter().any(|words| command.contains(words)) {
                    continue;
                }
                let at = format!("--dir {}", dir.display());
                let command = command.replace("--dir ~/mcp-tunnel", &at).replace("--dir name", &at);
                let answer = helper(Vec::<String>::new()).under(&["sh", "-c", &command]).cwd("/").run();
                let code = answer.json["error"]["code"].as_str().unwrap_or("none");
                assert_eq!(code, "directory", "{}: {command}: {:#}", rule["id"], answer.json);
                count += 1;
            }
        }
    }
    assert!(count > 50, "{count}");
}
