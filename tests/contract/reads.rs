//! Every command reads a file of the deployment once: all that an answer says is of one state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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

/// Files below `dir` that the traced process opened for reading more than once in one state: the lock, and what the
/// process itself writes, begin a new one.
fn read_again(trace: &str, dir: &Path) -> BTreeSet<String> {
    let calls: Vec<(&str, &str)> = trace.lines().filter_map(|line| line.split_once(' ')).collect();
    let helper = calls.first().map_or("", |(process, _)| process);
    // Programs that the helper starts read for themselves.
    let programs: BTreeSet<&str> =
        calls.iter().skip(1).filter(|(_, call)| call.trim().starts_with("execve")).map(|c| c.0).collect();
    let root = format!("{}/", dir.display());
    let mut opened: BTreeMap<String, usize> = BTreeMap::new();
    let mut again = BTreeSet::new();
    for (process, call) in calls {
        if process != helper && programs.contains(process) {
            continue;
        }
        let paths: Vec<&str> = call.split('"').skip(1).step_by(2).collect();
        let is_refused = call.contains(") = -1");
        match call.trim().split('(').next() {
            Some("flock") => opened.clear(),
            Some("rename" | "renameat" | "renameat2" | "linkat") => {
                opened.retain(|path, _| !paths.contains(&path.as_str()));
            }
            Some("openat") if !is_refused && !call.contains("O_CREAT") => {
                let file = paths.first().filter(|path| path.starts_with(&root) && !Path::new(path).is_dir());
                let times = file.map(|path| opened.entry((*path).to_owned()).or_default());
                if let (Some(file), Some(times)) = (file, times) {
                    *times += 1;
                    if *times > 1 {
                        again.insert((*file).to_owned());
                    }
                }
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
        "-e",
        "trace=openat,rename,renameat,renameat2,linkat,flock,execve",
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
        // Each on its own: what one writes the next one reads.
        let call = helper(words.iter().copied()).dir(&dir).stdin(token("healthy")).path(&[&tools]).under(&wrapper);
        call.run();
        let trace = std::fs::read_to_string(&log).unwrap();
        assert!(trace.contains("docker-compose.yaml"), "{words:?}: nothing was traced");
        assert_eq!(read_again(&trace, &dir), BTreeSet::new(), "{words:?}");
    }
}

#[test]
fn a_second_reading_is_seen_and_a_reading_back_is_none() {
    let open = |what: &str| format!("1 openat(AT_FDCWD, \"/d/.env\", {what}\n");
    let (read, created) = (open("O_RDONLY|O_NOFOLLOW) = 3"), open("O_RDWR|O_CREAT|O_EXCL, 0600) = 3"));
    let execve = "1 execve(\"/helper\", [\"helper\"], 0x1) = 0\n".to_owned();
    for (between, is_seen) in [
        ("", true),
        ("2 execve(\"/bin/git\", [\"git\"], 0x1) = 0\n", true),
        ("1 flock(3, LOCK_EX|LOCK_NB) = 0\n", false),
        ("1 rename(\"/d/..env.a1b2c3.tmp\", \"/d/.env\") = 0\n", false),
    ] {
        let trace = [&execve, &read, &created, between, &read].concat();
        assert_eq!(!read_again(&trace, Path::new("/d")).is_empty(), is_seen, "{between}");
    }
    let by_git = format!("{execve}2 execve(\"/bin/git\", [\"git\"], 0x1) = 0\n{0}{0}", read.replacen('1', "2", 1));
    assert_eq!(read_again(&by_git, Path::new("/d")), BTreeSet::new());
}
