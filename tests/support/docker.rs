//! The docker client by hand; what tests leave on its engine is removed, also if they are killed.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

/// Runs docker by hand, in a shell without the variables that Compose listens to. Never longer than two minutes.
pub(crate) fn docker<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> Output {
    command(args).output().unwrap()
}

pub(super) fn command<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> Command {
    let mut command = Command::new("timeout");
    command.args(["120", "docker"]).args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("COMPOSE_") || text.starts_with("TUNNEL_") || text.starts_with("MCP_TUNNEL_") {
            command.env_remove(&name);
        }
    }
    command
}

/// What docker printed, which must have worked.
pub(crate) fn docker_says<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(args: I) -> String {
    let out = docker(args);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// Removes what stacks of this process left behind once it has ended, also if it was killed: their containers, networks
/// and the images that Compose built for them.
const CLEANER: &str = r#"read -r _
label=com.docker.compose.project
each() { # what lists, what shows the labels, what removes
    for id in $($1 --quiet --filter "label=$label"); do
        case $($2 --format "{{ index $3 \"$label\" }}" "$id") in
        *-"$run") $4 "$id" ;;
        esac
    done
}
each 'docker ps --all' 'docker inspect' .Config.Labels 'docker rm --force --volumes'
each 'docker network ls' 'docker network inspect' .Labels 'docker network rm'
each 'docker image ls' 'docker image inspect' .Config.Labels 'docker image rm --force'
"#;

pub(super) fn clean_up_at_the_end() -> std::io::Result<()> {
    static CLEANER_INPUT: Mutex<Option<std::process::ChildStdin>> = Mutex::new(None);
    let mut cleaner = Command::new("/bin/sh");
    cleaner.args(["-c", CLEANER]).env("run", std::process::id().to_string()).process_group(0);
    let mut child = cleaner.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    *CLEANER_INPUT.lock().unwrap() = child.stdin.take();
    Ok(())
}

/// A `container`, `network` or `image` of the test's own, or all images `built` for a project: gone at its end.
pub(crate) struct Removed(pub(crate) &'static str, pub(crate) String);

impl Drop for Removed {
    fn drop(&mut self) {
        match self.0 {
            "container" => {
                docker(["rm", "--force", "--volumes", &self.1]);
            }
            "built" => {
                let filter = format!("label=com.docker.compose.project={}", self.1);
                let list = docker(["image", "ls", "--quiet", "--filter", &filter]);
                for id in String::from_utf8_lossy(&list.stdout).split_whitespace() {
                    docker(["image", "rm", "--force", id]);
                }
            }
            kind => {
                docker([kind, "rm", &self.1]);
            }
        }
    }
}
