//! Every command reads a file of the deployment once: all that an answer says is of one state.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::support::edge::fake_docker;
use crate::support::{deployment, folder, helper, script, skip, token, which};

/// Commands with what they are asked, those that write among them.
const COMMANDS: [&[&str]; 18] = [
    &["init"],
    &["init", "--domain", "abcd1234.tunnel.anthropic.com"],
    &["token", "check"],
    &["token", "set"],
    &["certs", "issue"],
    &["certs", "check"],
    &["certs", "renew"],
    &["certs", "rotate-ca"],
    &["render", "--dry-run"],
    &["render", "--route", "notes=http://notes:8000"],
    &["check"],
    &["connect"],
    &["status"],
    &["down"],
    &["up", "--wait-seconds", "0"],
    &["diagnose"],
    &["probe"],
    &["preflight", "--offline"],
];

/// The paths that a call names: strace shows the folder behind a descriptor as `5</folder>`.
fn paths(call: &str) -> Vec<String> {
    let arguments = call.split_once('(').map_or("", |(_, rest)| rest);
    let mut found = Vec::new();
    let mut folder = None;
    for argument in arguments.split(", ") {
        if let Some(name) = argument.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
            let base = folder.take().filter(|_| !name.starts_with('/'));
            found.push(base.map_or_else(|| name.to_owned(), |base: String| format!("{base}/{name}")));
        } else {
            folder = argument.split_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0.to_owned()));
        }
    }
    found
}

/// Files below `dir` that the traced process opened for reading more than once; what it writes itself it may read back.
fn read_again(trace: &str, dir: &Path) -> BTreeSet<String> {
    let calls: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    let helper = calls.first().map_or("", |(process, _)| process);
    // Programs that the helper starts read for themselves.
    let started = calls.iter().skip(1).filter(|(_, call)| call.trim().starts_with("execve"));
    let programs: BTreeSet<&str> = started.map(|(process, _)| *process).collect();
    let root = format!("{}/", dir.display());
    let mut opened: BTreeSet<String> = BTreeSet::new();
    let mut again = BTreeSet::new();
    for (process, call) in calls {
        if process != helper && programs.contains(process) {
            continue;
        }
        let named = paths(call);
        let reads = !call.contains(") = -1") && !call.contains("O_CREAT") && !call.contains("O_DIRECTORY");
        match call.trim().split('(').next() {
            Some("rename" | "renameat" | "renameat2" | "linkat") => opened.retain(|path| !named.contains(path)),
            Some("openat") if reads => {
                let files = named.into_iter().filter(|path| path.starts_with(&root) && !Path::new(path).is_dir());
                again.extend(files.filter(|path| !opened.insert(path.clone())));
            }
            _ => {}
        }
    }
    again
}

#[test]
fn no_command_reads_a_file_of_the_deployment_twice() {
    let test = "contract::reads::no_command_reads_a_file_of_the_deployment_twice";
    let Some(strace) = which("strace") else { return skip(test, "strace is not installed") };
    let parent = folder();
    let tools = parent.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    script(&tools, "docker", &fake_docker("compose*) exit 1 ;;"));
    let log = parent.path().join("trace");
    let wrapper = [
        strace.to_str().unwrap(),
        "-f",
        "-qq",
        "-y",
        "-e",
        "trace=openat,rename,renameat,renameat2,linkat,execve",
        "-e",
        "signal=none",
        "-o",
        log.to_str().unwrap(),
    ];
    let dir = deployment(parent.path());
    helper(["render", "--sample", "--route", "wiki=http://wiki:8000"]).dir(&dir).run().expect(0);
    std::fs::write(
        dir.join("docker-compose.override.yaml"),
        "include: [more.yaml]\nservices: { wiki: { image: x, env_file: [wiki.env] } }\n",
    )
    .unwrap();
    std::fs::write(dir.join("more.yaml"), "services: { notes: { image: y } }\n").unwrap();
    std::fs::write(dir.join("wiki.env"), "A=b\n").unwrap();
    for words in COMMANDS {
        // Each on its own: what one writes the next one reads. What was written a moment ago is read again under the lock.
        std::thread::sleep(Duration::from_millis(50));
        let call = helper(words.iter().copied()).dir(&dir).stdin(token("healthy")).path(&[&tools]).under(&wrapper);
        call.run();
        let trace = std::fs::read_to_string(&log).unwrap();
        assert!(trace.contains("docker-compose.yaml"), "{words:?}: nothing was traced");
        assert_eq!(read_again(&trace, &dir), BTreeSet::new(), "{words:?}");
    }
}

#[test]
fn a_second_reading_is_seen_and_a_reading_back_is_none() {
    let open = |what: &str| format!("1 openat(3</d>, \".env\", {what}\n");
    let (read, created) = (open("O_RDONLY|O_NOFOLLOW) = 4</d/.env>"), open("O_RDWR|O_CREAT|O_EXCL, 0600) = 4"));
    let execve = "1 execve(\"/helper\", [\"helper\"], 0x1) = 0\n".to_owned();
    for (between, is_seen) in [
        ("", true),
        ("2 execve(\"/bin/git\", [\"git\"], 0x1) = 0\n", true),
        ("1 flock(3</d>, LOCK_EX|LOCK_NB) = 0\n", true),
        ("1 renameat(3</d>, \"..env.a1b2c3.tmp\", 3</d>, \".env\") = 0\n", false),
    ] {
        let trace = [&execve, &read, &created, between, &read].concat();
        assert_eq!(!read_again(&trace, Path::new("/d")).is_empty(), is_seen, "{between}");
    }
    let of_git = read.replacen('1', "2", 1);
    let by_git = format!("{execve}2 execve(\"/bin/git\", [\"git\"], 0x1) = 0\n{of_git}{of_git}");
    assert_eq!(read_again(&by_git, Path::new("/d")), BTreeSet::new());
}
