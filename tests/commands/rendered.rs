//! `render`: what other programs read in the files that it writes.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::render::{COMPOSE, GATEWAY, compose, everything, read, render};
use crate::support::{DOMAIN, deployment, edit, folder, helper, skip, which};

#[test]
fn the_sample_image_is_called_after_what_it_is_built_of() {
    let parent = folder();
    let dir = deployment(parent.path());
    let image = || compose(&dir)["services"]["hello-mcp"]["image"].as_str().unwrap().to_owned();
    let first = image();
    // The server is mounted, not built in.
    edit(&dir.join("hello-mcp/server.py"), "Hello", "Howdy");
    render(&dir, json!({})).expect(0);
    assert_eq!(image(), first);
    let requirements = read(&dir, "hello-mcp/requirements.txt");
    std::fs::write(dir.join("hello-mcp/requirements.txt"), format!("{requirements}httpx\n")).unwrap();
    render(&dir, json!({})).expect(0);
    assert_ne!(image(), first);
    assert!(read(&dir, "hello-mcp/server.py").contains("Howdy"));
}

#[test]
fn another_yaml_reader_reads_the_same() {
    let Some(python) = which("python3") else { return skip("another_yaml_reader_reads_the_same", "no python3") };
    let has = Command::new(&python).args(["-c", "import yaml"]).stderr(Stdio::null()).status().unwrap();
    if !has.success() {
        return skip("another_yaml_reader_reads_the_same", "no PyYAML");
    }
    let parent = folder();
    let dir = deployment(parent.path());
    // Names that a careless writer would turn into numbers, booleans and nothing.
    // (`no`, `on` and the like are text to the proxy's reader, Go's yaml.v3, and are not to PyYAML.)
    let names = ["y", "n", "true", "false", "null", "123", "0123", "0x1f", "0b1", "1e3", "0o7", "12e03", "nan", "inf"];
    let routes: serde_json::Map<String, Value> = names
        .iter()
        .enumerate()
        .map(|(i, name)| ((*name).to_owned(), json!(format!("http://10.0.0.{i}:80"))))
        .collect();
    let answer = render(&dir, json!({"routes": routes, "profile": "hardened", "shutdown_timeout": "1m"})).expect(0);
    for file in [GATEWAY, COMPOSE] {
        let out = Command::new(&python)
            .args(["-c", "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"])
            .arg(dir.join(file))
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let theirs: Value = serde_json::from_slice(&out.stdout).unwrap();
        let ours: serde_yaml::Value = serde_yaml::from_str(&read(&dir, file)).unwrap();
        assert_eq!(theirs, serde_json::to_value(ours).unwrap(), "{file}");
        if file == GATEWAY {
            assert_eq!(theirs["routes"], answer.data()["routes"]);
        }
    }
}

#[test]
fn compose_takes_what_is_rendered() {
    let works = Command::new("docker").args(["compose", "version"]).output().is_ok_and(|out| out.status.success());
    if !works {
        return skip("compose_takes_what_is_rendered", "no docker compose");
    }
    for request in [json!({"sample": true}), everything()] {
        let parent = folder();
        let dir = parent.path().join("it's \"a\" $HOME ä");
        helper(["init"]).dir(&dir).json(json!({"domain": DOMAIN})).run().expect(0);
        std::fs::write(dir.join("data/upstream-ca.pem"), "x").unwrap();
        render(&dir, request).expect(0);
        let out = Command::new("docker").args(["compose", "config", "-q"]).current_dir(&dir).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(String::from_utf8_lossy(&out.stderr), "", "no warning either");
    }
}
