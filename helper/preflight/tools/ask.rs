//! Asks the programs, each in its own thread.

use std::path::{Path, PathBuf};
use std::time::Instant;

use time::OffsetDateTime;

use super::{Program, Questions, SOCKET, client, clock_offset, json, ranges};
use crate::engine::client::Docker;
use crate::os::process::{self, Output};
use crate::preflight::disk;
use crate::preflight::facts::HostFacts;
use crate::preflight::parallel::{Tasks, remaining};

type Question = Box<dyn FnOnce(&Docker, &Tasks<HostFacts>, Instant) + Send>;

/// Starts every question at once.
pub(in crate::preflight) fn start(
    tasks: &Tasks<HostFacts>,
    docker: Option<Docker>,
    questions: Questions,
    deadline: Instant,
) {
    tasks.spawn(move |tasks| {
        let Some(found) = program("git", "--version", deadline) else { return };
        tasks.send(|facts| facts.tools.git = Some(found));
    });
    tasks.spawn(move |tasks| {
        let Some(found) = program("openssl", "version", deadline) else { return };
        tasks.send(|facts| facts.tools.openssl = Some(found));
    });
    let Some(docker) = docker else { return };
    let run = |job: Question| {
        let docker = docker.clone();
        tasks.spawn(move |tasks| job(&docker, tasks, deadline));
    };
    let Questions { project, images, wants_networks, has_host } = questions;
    run(Box::new(move |docker, tasks, deadline| client_and_endpoint(docker, tasks, deadline, has_host)));
    run(Box::new(engine));
    run(Box::new(|docker, tasks, deadline| {
        let said = ask(docker, &["compose", "version", "--short"], deadline);
        tasks.send(|facts| facts.tools.compose = Some(said));
    }));
    if wants_networks {
        run(Box::new(bridge_networks));
    }
    if let Some((project, folder)) = project {
        run(Box::new(move |docker, tasks, deadline| {
            let found = containers_of_others(docker, &project, &folder, deadline);
            tasks.send(|facts| facts.tools.containers = found);
        }));
    }
    run(Box::new(move |docker, tasks, deadline| {
        let mut args = vec!["image", "inspect"];
        args.extend(images.iter().map(String::as_str));
        // Images that are missing make the exit code 1; the others are still printed.
        let found = super::images(&ask(docker, &args, deadline).stdout, &images);
        tasks.send(|facts| facts.tools.images = found);
    }));
}

/// What docker prints; empty when it does not answer in time.
fn ask(docker: &Docker, args: &[&str], deadline: Instant) -> Output {
    docker.ask(args, remaining(deadline)).unwrap_or_default()
}

/// A program's path and the first line that it prints: `Some(None)` where it is missing, `None` where it does not end in
/// time.
fn program(name: &str, words: &str, deadline: Instant) -> Option<Program> {
    let Some(path) = process::find(name) else { return Some(None) };
    let line = first_line(&path, words, deadline)?;
    Some(Some((path, line)))
}

/// The client, and where it looks for the engine.
fn client_and_endpoint(docker: &Docker, tasks: &Tasks<HostFacts>, deadline: Instant, has_host: bool) {
    let said = ask(docker, &["version", "--format", "{{json .}}"], deadline);
    let context = client(&said, "Context");
    tasks.send(|facts| facts.tools.version = Some(said));
    // The default context is the usual socket, and DOCKER_HOST wins over every context: nothing to ask then.
    let endpoint = if has_host {
        None
    } else if context.as_deref() == Some("default") {
        Some(SOCKET.to_owned())
    } else {
        let said = ask(docker, &["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], deadline);
        said.success.then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    if let Some(endpoint) = endpoint.filter(|text| text.contains("://")) {
        tasks.send(|facts| facts.tools.endpoint = Some(endpoint));
    }
}

/// The engine, its clock and its disk.
fn engine(docker: &Docker, tasks: &Tasks<HostFacts>, deadline: Instant) {
    let before = OffsetDateTime::now_utc();
    let said = ask(docker, &["info", "--format", "{{json .}}"], deadline);
    let offset = clock_offset(&said, before, OffsetDateTime::now_utc());
    // A disk that hangs takes this thread along, and no more.
    let disk = json(&said).and_then(|info| disk::of_engine(&info));
    tasks.send(move |HostFacts { tools, .. }| {
        (tools.info, tools.clock_offset, tools.disk) = (Some(said), offset, disk);
    });
}

fn bridge_networks(docker: &Docker, tasks: &Tasks<HostFacts>, deadline: Instant) {
    let list = ask(docker, &["network", "ls", "--quiet", "--filter", "driver=bridge"], deadline);
    let ids = String::from_utf8_lossy(&list.stdout).into_owned();
    let mut args = vec!["network", "inspect"];
    args.extend(ids.split_whitespace());
    if list.success && args.len() > 2 {
        let found = ranges(&ask(docker, &args, deadline).stdout);
        tasks.send(|facts| facts.tools.networks = found);
    }
}

/// Containers of a project of this name in another folder: name and folder.
fn containers_of_others(
    docker: &Docker,
    project: &str,
    folder: &Path,
    deadline: Instant,
) -> Option<Vec<(String, PathBuf)>> {
    let filter = format!("label=com.docker.compose.project={project}");
    let format = r#"{{.Names}}|{{.Label "com.docker.compose.project.working_dir"}}"#;
    let said = ask(docker, &["ps", "--all", "--filter", &filter, "--format", format], deadline);
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let own = real(folder);
    let found = String::from_utf8_lossy(&said.stdout)
        .lines()
        .filter_map(|line| line.split_once('|'))
        .filter(|(_, folder)| !folder.is_empty() && real(Path::new(folder)) != own)
        .map(|(name, folder)| (name.to_owned(), PathBuf::from(folder)))
        .collect();
    said.success.then_some(found)
}

/// The first line that a program prints; `None` when it does not end in time.
fn first_line(program: &Path, argument: &str, deadline: Instant) -> Option<String> {
    let mut command = process::command(program);
    command.arg(argument);
    let said = process::run(command, remaining(deadline), false).unwrap_or_default();
    let text = String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().trim().to_owned();
    (!said.timed_out).then_some(text)
}
