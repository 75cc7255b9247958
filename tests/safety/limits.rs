//! What the system does not give: threads and memory, and folders and logs of any size.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use serde_json::Value;

use crate::support::{DOMAIN, deployment, edit, folder, helper, is_long, posix, posix_path, script};

/// The helper's answer with so many KiB of address space; `None` where it was ended for want of memory.
fn with_memory(kib: u32, words: &[&str], dir: &Path, bin: &Path) -> Option<Value> {
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

/// What a hostile folder may contain: its name, and what it does to a sound deployment.
type Surroundings = (&'static str, fn(&Path));

const HOSTILE: &[Surroundings] = &[
    ("1,000 routes and services", |dir| {
        let (mut routes, mut services) = (String::new(), String::from("services:\n"));
        for n in 0..1000 {
            routes += &format!("  route-{n}: http://server-{n}.internal.example:8000\n");
            services += &format!("  s{n}: {{image: 'x:1', privileged: true, volumes: ['./a{n}:/b', '/:/host']}}\n");
        }
        edit(&dir.join("config/mcp-gateway.yaml"), "routes:\n", &format!("routes:\n{routes}"));
        write(dir, "docker-compose.override.yaml", &services);
    }),
    ("an alias bomb", |dir| {
        let mut bomb = String::from("x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        (1..30).for_each(|n| bomb += &format!("x-a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
        write(dir, "docker-compose.override.yaml", &bomb);
    }),
    ("an alias for each of 1,000 services", |dir| {
        let shared = format!("x-l: &l [{}]\nservices:\n", "'0123456789012345678901234567890123456789', ".repeat(100));
        let services: String = (0..1000).map(|n| format!("  s{n}: {{image: x, labels: *l, volumes: *l}}\n")).collect();
        write(dir, "docker-compose.override.yaml", &(shared + &services));
    }),
    ("variables that double", |dir| {
        let env: String = (0..60).map(|n| format!("V{}=${{V{n}}}${{V{n}}}\n", n + 1)).collect();
        write(dir, ".env", &format!("TUNNEL_DOMAIN={DOMAIN}\nV0=0123456789\n{env}"));
        let services: String = (0..300).map(|n| format!("  s{n}: {{image: 'x$V15', env_file: .env}}\n")).collect();
        write(dir, "docker-compose.override.yaml", &format!("services:\n{services}"));
    }),
    ("tens of thousands of secrets", |dir| {
        let two = |n| format!("KEY_{n}_TOKEN=aB{n}xyzaB3xyzaB3xyz\nDB_{n}_PASSWORD=correct horse {n} &<x>\n");
        let env: String = (0..if is_long() { 20_000 } else { 10_000 }).map(two).collect();
        write(dir, ".env", &format!("TUNNEL_DOMAIN={DOMAIN}\n{env}"));
    }),
    ("deep nesting", |dir| {
        write(dir, "docker-compose.override.yaml", &(0..700).map(|n| " ".repeat(n) + "a:\n").collect::<String>());
        write(dir, "config/mcp-gateway.yaml", &"[{".repeat(100_000));
    }),
    ("absurd certificates", |dir| {
        let der = [&[0x30, 0x83, 0x08, 0xff, 0xfb][..], &[0x30, 0x80].repeat(294_908)].concat();
        let pem = base64::engine::general_purpose::STANDARD.encode(der);
        write(dir, "data/tls.crt", &format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n"));
        let ca = std::fs::read_to_string(dir.join("data/ca.crt")).unwrap();
        write(dir, "data/ca.crt", &ca.repeat(1000));
    }),
];

fn write(dir: &Path, inside: &str, text: &str) {
    std::fs::write(dir.join(inside), text).unwrap();
}

/// What reads everything, on each of them; every other command on what is large and sound. Each ends in time, with an answer
/// and memory of an ordinary size.
#[test]
fn nothing_in_a_folder_takes_much_memory_or_time() {
    let parent = folder();
    let sound = deployment(parent.path());
    let nothing = parent.path().join("nothing");
    std::fs::create_dir(&nothing).unwrap();
    for (name, plant) in HOSTILE {
        let dir = parent.path().join(name.replace([' ', ','], "-"));
        assert!(Command::new(posix("cp")).arg("-Rp").args([&sound, &dir]).status().unwrap().success());
        plant(&dir);
        let all: &[&str] =
            &["connect", "probe", "status", "token check", "certs check", "down", "allow", "up", "render"];
        let others = if name.contains("routes") { all } else { &[] };
        for words in ["check", "diagnose", "init"].iter().chain(others) {
            let call = helper(words.split(' ')).dir(&dir).path(&[&nothing]).within(Duration::from_secs(100));
            let answer = call.run();
            assert!(answer.length < 64_000, "{name}, {words}: {} bytes", answer.length);
            assert!(answer.peak < 64 << 10, "{name}, {words}: {} KiB", answer.peak);
            eprintln!("{name}, {words}: {} KiB", answer.peak);
        }
    }
}

/// Logs of any shape take no more memory than their beginning.
#[test]
fn no_log_takes_much_memory() {
    let logs: [(&str, Vec<u8>); 4] = [
        ("one line", [b"cloudflared-1 | ERR ".to_vec(), vec![b'x'; 20 << 20]].concat()),
        ("NUL", vec![0; 20 << 20]),
        ("names of secrets", b"ERR connection refused password=\"".repeat(600_000)),
        (
            "thousands of programs",
            (0..200_000).flat_map(|n| format!("s{n}-1 | ERR dial tcp: connection refused\n").into_bytes()).collect(),
        ),
    ];
    for (name, log) in logs {
        let call = helper(["diagnose", "--json", "{\"logs\":\"-\"}"]).stdin(log).within(Duration::from_secs(300));
        let answer = call.run();
        assert!(answer.code < 2 && answer.length < 64_000, "{name}: {} bytes", answer.length);
        assert!(answer.peak < 64 << 10, "{name}: {} KiB", answer.peak);
    }
}
