//! What the system does not give: threads and memory, and a lock that another process holds.

use std::fs::File;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{deployment, folder, helper, posix, posix_path, script};

/// The helper's answer with so many KiB of address space; `None` where it was ended for want of memory.
fn with_memory(kib: u32, words: &[&str], dir: &std::path::Path, bin: &std::path::Path) -> Option<Value> {
    let path = std::env::join_paths([bin.to_path_buf()].into_iter().chain(std::env::split_paths(&posix_path())));
    let out = Command::new(posix("sh"))
        .args(["-c", &format!("ulimit -v {kib}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_mcp-tunnels-helper")])
        .args(words)
        .arg("--dir")
        .arg(dir)
        .env("PATH", path.unwrap())
        .env("HOME", dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    serde_json::from_slice(&out.stdout).ok()
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_thread_it_answers_or_says_why() {
    let parent = folder();
    let dir = deployment(parent.path());
    let bin = parent.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    script(&bin, "docker", "#!/bin/sh\ncase \"$1\" in version) echo 28.2.2 ;; compose) echo 2.40.3 ;; esac\n");
    let (mut starved, mut answered) = (0, 0);
    // From too little to start to enough for everything: somewhere between the stack of a thread does not fit.
    for kib in (8 << 10..64 << 10).step_by(2 << 10) {
        for words in [&["status"][..], &["diagnose"], &["preflight", "--json", "{\"offline\":true,\"timeout_ms\":300}"]]
        {
            let Some(answer) = with_memory(kib, words, &dir, &bin) else { continue };
            answered += 1;
            assert_ne!(answer["error"]["code"], "internal", "{kib} KiB, {words:?}: {answer}");
            starved += u32::from(answer["error"]["message"].as_str().is_some_and(|text| text.contains("thread")));
        }
    }
    // Whether the address space ends between two threads, and how often, hangs on the machine: it is only reported.
    eprintln!("{answered} answers, {starved} without a thread");
    assert!(answered > 0);
}

#[test]
fn a_held_lock_names_the_process_and_its_command() {
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

/// Whatever the files of a deployment contain, a model can read the answer.
#[test]
fn thousands_of_routes_and_services_make_no_long_answer() {
    let parent = folder();
    let dir = deployment(parent.path());
    let (mut routes, mut services) = (String::new(), String::from("services:\n"));
    for n in 0..1000 {
        routes += &format!("  route-with-a-long-name-{n}: http://server-{n}.internal.example:8000\n");
        services += &format!("  s{n}: {{image: 'x:1', privileged: true, volumes: ['./a{n}:/b', '/:/host']}}\n");
    }
    let config = dir.join("config/mcp-gateway.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("routes:\n", &format!("routes:\n{routes}"))).unwrap();
    std::fs::write(dir.join("docker-compose.override.yaml"), services).unwrap();
    let nothing = parent.path().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    for words in ["check", "init", "connect", "render", "probe", "status", "up", "diagnose", "certs check", "allow"] {
        let answer = helper(words.split(' ')).dir(&dir).path(&[&nothing]).run();
        assert!(answer.length < 64_000, "{words}: {} bytes", answer.length);
        let left_out = answer.json["skipped"].as_array().into_iter().flatten().any(|s| s["id"] == "data");
        assert_eq!(left_out, ["check", "init", "connect", "render"].contains(&words), "{words}");
    }
}
