//! Whatever is waited for has an end. All of them wait at once: what is promised is that each ends, and how.

use std::fs::File;
use std::time::Duration;

use super::campaign::{chosen, each_at_once};
use super::surroundings::{CANARY, answer, call, commands, end};
use crate::support::{Laid, deployment, folder, helper, is_long, posix_path, script};

#[test]
fn whatever_is_waited_for_has_an_end() {
    std::thread::scope(|scope| {
        scope.spawn(a_lock_that_another_process_holds);
        scope.spawn(|| a_docker_that_hangs("up"));
        scope.spawn(|| a_docker_that_hangs("diagnose"));
        scope.spawn(dockers_that_do_harm);
    });
}

/// The answer names that process and its command.
fn a_lock_that_another_process_holds() {
    let parent = folder();
    let dir = deployment(parent.path());
    let held = File::open(&dir).unwrap();
    held.lock().unwrap();
    let answer = helper(["render"]).dir(&dir).changes_nothing().run().expect(2);
    assert_eq!(answer.json["error"]["code"], "busy");
    if cfg!(target_os = "linux") {
        let (id, program) = (std::process::id().to_string(), std::env::current_exe().unwrap());
        let program = program.file_name().unwrap().to_str().unwrap();
        assert!(answer.message().contains(&id) && answer.message().contains(program), "{}", answer.message());
    }
    drop(held);
    helper(["render"]).dir(&dir).run().expect(0);
}

fn a_docker_that_hangs(word: &str) {
    let parent = folder();
    let (dir, bin) = (deployment(parent.path()), parent.path().join("bin"));
    std::fs::create_dir(&bin).unwrap();
    script(&bin, "docker", "#!/bin/sh\nexec /bin/sleep 300\n");
    let answer = helper([word]).dir(&dir).path(&[&bin]).bounded().run().expect(1);
    assert_eq!(answer.findings().first(), Some(&"docker-daemon-down"), "{word}: {:#}", answer.json);
    assert!(answer.evidence("docker-daemon-down").contains("did not answer"), "{word}: {:#}", answer.json);
    assert_ne!(answer.data()["ready"], true);
}

/// Dockers that do harm. Each ends by itself after a while, should the helper leave it behind.
const DOCKERS: [(&str, &str); 7] = [
    ("prints without end", "exec timeout 40 yes 'Error response from daemon: boom'"),
    (
        "prints much, then slowly",
        "yes 'Error response from daemon: boom' | head -c 100000000; exec timeout 40 sh -c 'while sleep 0.1; do echo boom; done'",
    ),
    ("prints a gigabyte and fails", "yes 'level=error msg=boom' | head -c 1000000000; exit 1"),
    ("never ends", "exec sleep 40"),
    ("forks", "for n in 1 2 3 4 5 6 7 8; do (trap '' TERM HUP; sleep 40) & done; sleep 40"),
    ("prints secrets", "echo 'Bearer CANARY password=CANARY' >&2; echo '{\"Env\":[\"SECRET_TOKEN=CANARY\"]}'; exit 1"),
    ("ends at once", "kill -9 $$"),
];

fn dockers_that_do_harm() {
    let parent = folder();
    let commands = commands(parent.path());
    let mut cases = Vec::new();
    for docker in DOCKERS {
        cases.extend(commands.iter().map(|(name, request)| (docker, name, request)));
    }
    let mut cases = chosen("dockers_that_do_harm", cases);
    if !is_long() {
        cases.truncate(8);
    }
    deployment(parent.path());
    let ready = Laid::of(parent.path());
    each_at_once(&cases, 12, |((docker, text), name, request)| {
        let parent = folder();
        let dir = ready.lay_out(parent.path());
        let bin = parent.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let path = posix_path().into_string().unwrap();
        script(&bin, "docker", &format!("#!/bin/sh\nPATH='{path}'\n{}\n", text.replace("CANARY", CANARY)));
        let what = format!("a docker that {docker}, {name}");
        let said = answer(&end(call(name, request, &dir, Some(&bin)), Duration::from_secs(150), &what), name, &what);
        let starts = ["up", "restart"].contains(&name.as_str());
        assert!(!starts || said["status"] != "ok", "{what}: {said}");
    });
}
