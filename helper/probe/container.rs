//! Runs the probe in the proxy's network namespace: a one-shot container whose only program is this helper.
//!
//! Tried on engine 20.10: an image made with `docker import` (0.1 s, once a version of the helper) needs no bind mount,
//! so local, remote, rootless and snap engines, SELinux and `noexec` are all served alike; `docker run` of it takes
//! 0.2 s. Without `--interactive` standard input never arrives. A killed `docker run` leaves its container running,
//! therefore the program inside has its own deadline and ends with its standard input.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

use super::inside;
use super::wire::{Ask, Told};
use crate::answer::Error;
use crate::engine::client::{Docker, Input, Output};
use crate::hash::sha256_hex;
use crate::os::process;
use crate::redact;

/// Unix time in seconds after which a leftover container or network of ours is removed.
const DEADLINE: &str = "org.mcp-tunnels.probe.deadline";
/// Unix time in seconds at which an image of ours was made.
const MADE: &str = "org.mcp-tunnels.probe.made";
/// Repository of the image: a registry to which nothing can be pushed, so that it is never pulled.
const REPOSITORY: &str = "localhost/mcp-tunnels-probe";
/// Name of the program in the image.
const PROGRAM: &str = "/mcp-tunnels-helper";
/// Probes that one sweep removes.
const MOST_SWEPT: usize = 100;
/// Folder of its shared libraries in the image, if it has any.
const LIBRARIES: &str = "/lib";
/// Labels of Compose, emptied: an image that Compose built hands its own on, and a container with them counts as one of
/// the project's.
const NOT_COMPOSE: [&str; 3] =
    ["com.docker.compose.project=", "com.docker.compose.service=", "com.docker.compose.oneoff="];

/// Time for docker's own work around the program.
const OVERHEAD: Duration = Duration::from_secs(20);
/// A container that outlives its program this long is removed by the next command.
const GRACE: u64 = 30;
/// Images of other versions that are older than this are removed when a new one is made, in seconds.
const STALE_IMAGE: u64 = 3600;
/// For short questions.
const QUICK: Duration = Duration::from_secs(20);
/// `docker run` when docker itself failed.
const DOCKER_FAILED: i32 = 125;

/// Where the program runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// In the network namespace of a container, by its id.
    Namespace(&'a str),
    /// On a network made for it and removed afterwards, as no container of the project.
    OwnNetwork,
}

/// Runs the program at the given place and returns its answer.
pub(crate) fn run(docker: &Docker, place: Place<'_>, ask: &Ask) -> Result<Result<Told, String>, Error> {
    let program = match Program::find() {
        Ok(program) => program,
        Err(why) => return Ok(Err(why)),
    };
    let name = format!("mcp-tunnels-probe-{}", random());
    let deadline = unix_now() + ask.deadline_ms.div_ceil(1000) + GRACE;
    let network = match place {
        Place::Namespace(id) => format!("container:{id}"),
        Place::OwnNetwork => {
            let label = format!("{DEADLINE}={deadline}");
            let made = docker.ask(&["network", "create", "--label", &label, &name], QUICK)?;
            if !made.success {
                return Ok(Err(format!("no network can be made for the probe: {}", last_line(&made.text()))));
            }
            name.clone()
        }
    };
    let outcome = run_in(docker, &program, &name, &network, deadline, ask);
    if matches!(place, Place::OwnNetwork) {
        docker.ask(&["network", "rm", &name], QUICK)?;
    }
    outcome
}

fn run_in(
    docker: &Docker,
    program: &Program,
    name: &str,
    network: &str,
    deadline: u64,
    ask: &Ask,
) -> Result<Result<Told, String>, Error> {
    let label = format!("{DEADLINE}={deadline}");
    let mut args = vec!["run", "--rm", "--interactive", "--name", name, "--label", &label, "--network", network];
    for label in NOT_COMPOSE {
        args.extend(["--label", label]);
    }
    if !network.starts_with("container:") {
        args.extend(["--add-host", "host.docker.internal:host-gateway"]);
    }
    args.extend(["--user", "65532:65532", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]);
    args.extend(["--memory", "128m", "--pids-limit", "256", "--log-driver", "none", "--pull", "never"]);
    args.push(&program.image);
    let mut line = serde_json::to_vec(ask).map_err(|e| Error::Internal(e.to_string()))?;
    line.push(b'\n');
    let limit = Duration::from_millis(ask.deadline_ms) + OVERHEAD;
    let run = || docker.fed(&args, Input { bytes: line.clone(), held: true }, limit);
    let mut output = run()?;
    // Another helper may have removed the image between the two; three times is not chance.
    for _ in 0..3 {
        if output.code != Some(DOCKER_FAILED) || has_image(docker, &program.image)? {
            break;
        }
        if let Err(why) = make_image(docker, program)? {
            return Ok(Err(why));
        }
        output = run()?;
    }
    if !output.success {
        // Also after a client that was ended because it took too long.
        docker.ask(&["rm", "--force", "--volumes", name], QUICK)?;
        return Ok(Err(refusal(&output, limit)));
    }
    let told = serde_json::from_slice(&output.stdout);
    Ok(told.map_err(|_| "the probe's answer is not readable".to_owned()))
}

fn refusal(output: &Output, limit: Duration) -> String {
    if output.timed_out {
        return format!("the probe's container did not answer within {} s", limit.as_secs());
    }
    match output.code {
        Some(126 | 127) => "the engine cannot run this helper: it is of another architecture".to_owned(),
        _ => format!("the probe's container cannot be run: {}", last_line(&output.text())),
    }
}

fn last_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("See 'docker"));
    redact::evidence(lines.next_back().unwrap_or("docker gives no reason").trim_start_matches("docker: "))
}

fn has_image(docker: &Docker, image: &str) -> Result<bool, Error> {
    Ok(docker.ask(&["image", "inspect", "--format", "{{.Id}}", image], QUICK)?.success)
}

/// Makes the image, and removes those of other versions of the helper.
fn make_image(docker: &Docker, program: &Program) -> Result<Result<(), String>, Error> {
    let bytes = match program.archive() {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(format!("this helper's own program cannot be read: {error}"))),
    };
    let entrypoint = format!("ENTRYPOINT {}", serde_json::json!(program.command()));
    let made = format!("LABEL {MADE}={}", unix_now());
    let args = ["import", "--change", &entrypoint, "--change", &made, "-", &program.image];
    let output = docker.fed(&args, Input { bytes, held: false }, OVERHEAD * 3)?;
    if !output.success {
        return Ok(Err(format!("no image can be made for the probe: {}", last_line(&output.text()))));
    }
    let filter = format!("label={MADE}");
    let format = "{{.Repository}}:{{.Tag}} {{.ID}}".to_owned();
    let all = docker.ask(&["image", "ls", "--filter", &filter, "--format", &format], QUICK)?;
    for line in String::from_utf8_lossy(&all.stdout).lines() {
        let Some((image, id)) = line.split_once(' ') else { continue };
        if image == program.image {
            continue;
        }
        let format = format!("{{{{index .Config.Labels \"{MADE}\"}}}}");
        let made = docker.ask(&["image", "inspect", "--format", &format, id], QUICK)?;
        let made = String::from_utf8_lossy(&made.stdout).trim().parse::<u64>();
        if made.is_ok_and(|made| made + STALE_IMAGE < unix_now()) {
            // One that is in use stays.
            docker.ask(&["image", "rm", id], QUICK)?;
        }
    }
    Ok(Ok(()))
}

/// Removes containers and networks of probes whose deadline has passed: what a killed helper left. Returns how many.
pub(crate) fn sweep(docker: &Docker) -> Result<usize, Error> {
    let filter = format!("label={DEADLINE}");
    let format = format!("{{{{.ID}}}} {{{{.Label \"{DEADLINE}\"}}}}");
    let list = |of: &[&str]| {
        let mut args = of.to_vec();
        args.extend(["--no-trunc", "--filter", &filter, "--format", &format]);
        let seen = |output: Output| match output.success {
            true => expired(&String::from_utf8_lossy(&output.stdout), unix_now()),
            false => Vec::new(),
        };
        docker.ask(&args, QUICK).map(seen)
    };
    // Both at once: each takes tens of milliseconds.
    let (networks, containers) = process::both(|| list(&["network", "ls"]), || list(&["ps", "--all"]));
    let (networks, containers) = (networks?, containers?);
    let remove = |how: &[&str], ids: &[String]| {
        let words: Vec<&str> = how.iter().copied().chain(ids.iter().map(String::as_str)).collect();
        if ids.is_empty() { Ok(()) } else { docker.ask(&words, QUICK).map(drop) }
    };
    remove(&["rm", "--force", "--volumes"], &containers)?;
    remove(&["network", "rm"], &networks)?;
    Ok(containers.len() + networks.len())
}

/// Ids of the lines `ID DEADLINE` whose deadline has passed, or cannot be read: so many as one command may name.
fn expired(list: &str, now: u64) -> Vec<String> {
    let lines = list.lines().filter_map(|line| line.split_once(' '));
    let is_id = |id: &str| id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let over = |at: &str| at.trim().parse::<u64>().map_or(true, |at| at < now);
    let past = lines.filter(|(id, at)| is_id(id) && over(at)).map(|(id, _)| id.to_owned());
    past.take(MOST_SWEPT).collect()
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn random() -> String {
    let mut bytes = [0; 8];
    // Without randomness the process id still tells two helpers of one machine apart.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        bytes = u64::from(std::process::id()).to_be_bytes();
    }
    sha256_hex(&bytes)[..12].to_owned()
}

/// The Linux program that goes into the image.
struct Program {
    bytes: Vec<u8>,
    /// Loader and shared libraries, for a program that is linked dynamically: file names and contents.
    libraries: Vec<(String, Vec<u8>)>,
    image: String,
}

impl Program {
    /// This very program. Where it does not run on Linux, the one that the launcher names.
    fn find() -> Result<Self, String> {
        let given = std::env::var_os(LINUX_PROGRAM).filter(|path| Path::new(path).is_absolute());
        let (bytes, libraries) = match given {
            Some(path) => (fs::read(path), Ok(Vec::new())),
            None if cfg!(target_os = "linux") => (fs::read("/proc/self/exe"), libraries()),
            None => return Err(format!("there is no Linux build of the helper on this machine: {}", missing())),
        };
        let unreadable = |error: io::Error| format!("this helper's own program cannot be read: {error}");
        let (bytes, libraries) = (bytes.map_err(unreadable)?, libraries.map_err(unreadable)?);
        let image = format!("{REPOSITORY}:{}", &sha256_hex(&bytes)[..16]);
        Ok(Self { bytes, libraries, image })
    }

    /// What the container runs. A loader is called by name, because the program looks for it where it was linked.
    fn command(&self) -> Vec<String> {
        let loader = self.libraries.iter().find(|(name, _)| name.starts_with("ld-") || name.starts_with("ld."));
        let mut command = match loader {
            Some((name, _)) => {
                vec![format!("{LIBRARIES}/{name}"), "--library-path".to_owned(), LIBRARIES.to_owned()]
            }
            None => Vec::new(),
        };
        command.extend([PROGRAM.to_owned(), inside::WORD.to_owned()]);
        command
    }

    fn archive(&self) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::with_capacity(self.bytes.len() + (4 << 20)));
        let mut add = |path: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o755);
            archive.append_data(&mut header, path.trim_start_matches('/'), bytes)
        };
        add(PROGRAM, &self.bytes)?;
        for (name, bytes) in &self.libraries {
            add(&format!("{LIBRARIES}/{name}"), bytes)?;
        }
        archive.into_inner()
    }
}

/// Names a Linux program of the same release, for a helper of another system (macOS). Set by the launcher.
const LINUX_PROGRAM: &str = "MCP_TUNNELS_LINUX_PROGRAM";
/// Why it is missing, in the launcher's words.
const LINUX_MISSING: &str = "MCP_TUNNELS_LINUX_MISSING";

fn missing() -> String {
    let said = std::env::var(LINUX_MISSING).unwrap_or_default();
    let advice = format!("call `bin/mcp-tunnels-helper`, which gets it, or set {LINUX_PROGRAM} to its absolute path");
    if said.is_empty() { advice } else { redact::evidence(&said) }
}

/// The loader and the libraries that this process runs with; none where it is linked statically.
fn libraries() -> io::Result<Vec<(String, Vec<u8>)>> {
    let own = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    // proc_pid_maps(5): address, permissions, offset, device, inode, path.
    let mapped = maps.lines().filter_map(|line| {
        let at = line.find('/')?;
        line.split_whitespace().nth(1)?.contains('x').then(|| Path::new(&line[at..]))
    });
    let paths: BTreeSet<&Path> = mapped.filter(|path| *path != own && path.is_file()).collect();
    let mut libraries = Vec::new();
    for path in paths {
        let Some(name) = path.file_name() else { continue };
        libraries.push((name.to_string_lossy().into_owned(), fs::read(path)?));
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_past_its_deadline_is_removed() {
        let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(|letter| letter.repeat(12));
        let list = format!("{a} 100\n{b} 200\n{c} \n{d} x\n\n{e}\nlevel=error msg=boom");
        assert_eq!(expired(&list, 150), [a, c, d]);
        assert_eq!(expired(&format!("{} 1\n", "a".repeat(64)).repeat(1000), 150).len(), MOST_SWEPT);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_image_holds_this_program_and_what_it_is_linked_with() {
        let program = Program::find().unwrap();
        assert!(program.bytes.starts_with(b"\x7fELF"));
        let archive = program.archive().unwrap();
        let mut names: Vec<String> = Vec::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
            names.push(entry.unwrap().path().unwrap().to_string_lossy().into_owned());
        }
        assert_eq!(names.len(), 1 + program.libraries.len());
        let command = program.command();
        assert!(command.iter().all(|word| !word.starts_with("/lib/") || names.contains(&word[1..].to_owned())));
        assert_eq!(command.last().map(String::as_str), Some(inside::WORD));
    }
}
