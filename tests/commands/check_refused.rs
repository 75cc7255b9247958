//! `check`: what Compose refuses is found where there is no Compose, and what it takes is left alone.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::check::OVER;
use crate::support::engine::docker;
use crate::support::{Answer, deployment, folder, helper, skip};

/// What the override says, the finding with the line in it and words of its fix; without one, Compose takes it.
type Case = (&'static str, &'static [(&'static str, u64, &'static str)]);

const CONFIG: &str = "compose-config-invalid";
const SERVICE: &str = "compose-service-undefined";
const VARIABLE: &str = "compose-variable-missing";
const ENV_FILE: &str = "env-file-missing";

const CASES: &[Case] = &[
    // Names.
    ("  a:\n    image: x\n    networks: [backend]\n", &[(CONFIG, 4, "`backend: {}`")]),
    (
        "  a:\n    image: x\n    networks:\n      backnd: {}\nnetworks: { backend: {} }\n",
        &[(CONFIG, 5, "write `backend`")],
    ),
    ("  a:\n    image: x\n    networks: [default, backend]\nnetworks:\n  backend:\n", &[]),
    ("  a:\n    image: x\n    networks: [backend]\nnetworks: { backend: { external: true } }\n", &[]),
    ("  a: { image: x, networks: [default] }\n", &[]),
    ("  a:\n    image: x\n    volumes:\n      - docs:/srv\n", &[(CONFIG, 5, "`docs: {}`")]),
    ("  a:\n    image: x\n    volumes: ['docs/a:/srv']\n", &[(CONFIG, 4, "write `./docs/a`")]),
    ("  a:\n    image: x\n    volumes: [{ type: volume, source: docs, target: /srv }]\n", &[(CONFIG, 4, "docs")]),
    ("  a:\n    image: x\n    volumes: ['docs:/srv', /only, './data:/d']\nvolumes: { docs: }\n", &[]),
    ("  a:\n    image: x\n    secrets: [key]\n", &[(CONFIG, 4, "`key: { file: ./FILE }`")]),
    ("  a:\n    image: x\n    secrets: [{ source: key, target: k }]\nsecrets: { key: { file: ./k } }\n", &[]),
    ("  a:\n    image: x\n    configs:\n      - source: conf\n", &[(CONFIG, 5, "`conf: ")]),
    ("  a:\n    build: { context: ./data, dockerfile_inline: FROM x, secrets: [key] }\n", &[(CONFIG, 3, "key")]),
    ("  a:\n    image: x\n    depends_on: [db]\n", &[(SERVICE, 4, "define the service `db`")]),
    (
        "  a:\n    image: x\n    depends_on:\n      hello-mpc: { condition: service_started }\n",
        &[(SERVICE, 5, "`hello-mcp`")],
    ),
    ("  a:\n    image: x\n    depends_on: { hello-mcp: { condition: service_started } }\n", &[]),
    ("  a:\n    image: x\n    links: ['db:database']\n", &[(SERVICE, 4, "`links` of `a`")]),
    ("  a:\n    image: x\n    network_mode: service:db\n", &[(SERVICE, 4, "`network_mode` of `a`")]),
    ("  a:\n    image: x\n    pid: service:db\n", &[(SERVICE, 4, "`pid` of `a`")]),
    ("  a:\n    image: x\n    ipc: service:db\n", &[(SERVICE, 4, "`ipc` of `a`")]),
    ("  a:\n    image: x\n    volumes_from: ['db:ro']\n", &[(SERVICE, 4, "`volumes_from` of `a`")]),
    ("  a: { image: x, volumes_from: ['container:db'], links: ['hello-mcp:h'], network_mode: 'container:y' }\n", &[]),
    ("  a:\n    image: x\n    extends: base\n", &[(CONFIG, 4, "`base`")]),
    ("  a:\n    extends: { service: b }\n  b: { image: x }\n", &[]),
    ("  a:\n    extends: b\n  b:\n    extends: a\n", &[(CONFIG, 3, "one link of the circle")]),
    ("  a:\n    image: x\n    depends_on: [b]\n  b: { image: x, links: [a] }\n", &[(CONFIG, 4, "`depends_on` of `a`")]),
    ("  a: { image: x, depends_on: [b, c] }\n  b: { image: x, depends_on: [c] }\n  c: { image: x }\n", &[]),
    ("  a:\n    restart: always\n", &[(CONFIG, 2, "`image: NAME`")]),
    ("  a:\n    image: x\n    network_mode: host\n    networks: [default]\n", &[(CONFIG, 5, "remove `networks`")]),
    // Anchors, merge keys, extensions, tags.
    ("  a:\n    <<: *base\nx-base: &base\n  image: x\n", &[("compose-yaml-invalid", 0, "")]),
    ("  a: &base\n    image: x\n  b:\n    <<: *base\n    x-note: [any]\nx-more: { networks: [none] }\n", &[]),
    ("  a: &base\n    image: x\n    networks: [far]\n  b:\n    <<: *base\n", &[(CONFIG, 4, "`a`"), (CONFIG, 5, "`b`")]),
    ("  hello-mcp:\n    build: !reset null\n    image: x\n", &[]),
    // Variables.
    ("  a:\n    image: x\n    environment:\n      KEY: ${WIKI_KEY:?set it}\n", &[(VARIABLE, 5, "`WIKI_KEY=VALUE`")]),
    ("  a: { image: x, environment: ['KEY=${WIKI_KEY:-}', 'B=${WIKI_B}', 'C=$$WIKI_C'] }\n", &[]),
    ("  a:\n    image: ${WIKI_IMAGE}\n", &[(VARIABLE, 3, "${WIKI_IMAGE:-VALUE}")]),
    ("  a:\n    image: ${WIKI_IMAGE:-x}:${WIKI_TAG:-${TUNNEL_DOMAIN:+1}}\n", &[]),
    ("  a:\n    image: x\n    volumes: ['${DOCS}:/srv']\n", &[(VARIABLE, 4, "${DOCS:-VALUE}")]),
    ("  a:\n    image: x\n    ports: ['80:${PORT}']\n", &[(VARIABLE, 4, "PORT")]),
    ("  a:\n    image: x\n    env_file: ${ENV_NAME:-./.env}\n    command: a$$b\n", &[]),
    ("  a:\n    image: x\n    command: run ${\n", &[(CONFIG, 4, "`$$`")]),
    ("  a:\n    image: x\nx-note: ${NOTE:?no}\n", &[(VARIABLE, 4, "NOTE")]),
    // Files.
    ("  a:\n    image: x\n    env_file: [none.env]\n", &[(ENV_FILE, 4, "`none.env`")]),
    ("  a:\n    image: x\n    env_file: [{ path: none.env, required: false }]\n", &[]),
    // Keys and types.
    ("  a:\n    image: x\n    enviroment: { A: b }\n", &[(CONFIG, 4, "write `environment`")]),
    ("  a:\n    image: x\n    healthcheck: { tests: [CMD, x] }\n", &[(CONFIG, 4, "write `test`")]),
    ("  a: { image: x }\nvolume: { a: }\n", &[(CONFIG, 3, "write `volumes`")]),
    ("  a:\n    image: x\n    ports: 8000\n", &[(CONFIG, 4, "a list")]),
    (
        "  a:\n    image: x\n    ports: ['8000:8000', 9000, { target: 80 }]\n    user: '1000'\n    mem_limit: 1000000\n",
        &[],
    ),
    ("  a:\n    image: x\n    environment:\n      - KEY: b\n", &[(CONFIG, 5, "services.a.environment.0")]),
    ("  a:\n    image: x\n    user: 1000\n", &[(CONFIG, 4, "in quotes")]),
    ("  a:\n    image: x\n    volumes:\n", &[(CONFIG, 4, "a list")]),
    ("  cloudflared:\n    environment:\n", &[]),
    ("  a:\n", &[(CONFIG, 2, "a map")]),
];

/// Without a docker on PATH.
fn check(dir: &Path) -> Answer {
    helper(["check"]).dir(dir).path(&[dir]).changes_nothing().run()
}

fn laid(parent: &Path, text: &str) -> (std::path::PathBuf, Answer) {
    let dir = deployment(parent);
    fs::write(dir.join(OVER), format!("services:\n{text}")).unwrap();
    let answer = check(&dir);
    (dir, answer)
}

/// Findings about the compose files: their id, the line, and the fix.
fn refused(answer: &Answer) -> Vec<(&str, u64, &str)> {
    let all = answer.json["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note");
    all.map(|f| (f["id"].as_str().unwrap(), f["subject"]["line"].as_u64().unwrap_or(0), f["fix"].as_str().unwrap()))
        .filter(|(id, ..)| [CONFIG, SERVICE, VARIABLE, ENV_FILE, "compose-yaml-invalid"].contains(id))
        .collect()
}

/// Whether the real Compose accepts the files; `None` without Compose.
fn compose_takes(dir: &Path) -> Option<bool> {
    if !docker(["compose", "version"]).status.success() {
        return None;
    }
    let dir = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (root, main, over) = (dir(""), dir("docker-compose.yaml"), dir(OVER));
    Some(docker(["compose", "--project-directory", &root, "-f", &main, "-f", &over, "config", "-q"]).status.success())
}

#[test]
fn what_compose_refuses_is_found_without_it() {
    let mut wrong = Vec::new();
    let mut is_compared = true;
    for (text, expected) in CASES {
        let parent = folder();
        let (dir, answer) = laid(parent.path(), text);
        let found = refused(&answer);
        let is_it = |(id, line, fix): &(&str, u64, &str), (expected, at, words): &(&str, u64, &str)| {
            id == expected && line == at && fix.contains(words)
        };
        let fits = found.len() == expected.len()
            && expected.iter().all(|expected| found.iter().any(|found| is_it(found, expected)));
        if !fits {
            wrong.push(format!("{text}found {found:?}\nexpected {expected:?}"));
        }
        match compose_takes(&dir) {
            Some(takes) if takes != expected.is_empty() => wrong.push(format!("{text}Compose takes it: {takes}")),
            Some(_) => {}
            None => is_compared = false,
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    if !is_compared {
        skip("Compose itself", "docker compose is not installed");
    }
}

/// What Compose takes, and `up` cannot start.
#[test]
fn what_an_image_is_built_from_has_to_be_there() {
    for (build, line, words) in [
        ("    build: ./wiki\n", "line 3", "`wiki`"),
        ("    build: { context: ./data }\n", "line 3", "`data/Dockerfile`"),
        ("    build:\n      context: hello-mcp\n      dockerfile: Dockerfle\n", "line 5", "`dockerfile: Dockerfile`"),
        ("    build: ./.env\n", "line 3", "`.env`"),
        ("    build: { context: hello-mcp, additional_contexts: { more: ./more } }\n", "line 3", "`more`"),
        ("    build: hello-mcp\n", "", ""),
        ("    build: { context: ./data, dockerfile_inline: FROM x }\n", "", ""),
        // The folder of the build is the directory itself.
        ("    build: { context: ., dockerfile: hello-mcp/Dockerfile }\n", "line 18", "`requirements.txt`"),
        ("    build: { context: ., dockerfile_inline: \"FROM x\\nCOPY . hello-mcp/server.py ./\" }\n", "", ""),
        ("    build: https://github.com/acme/wiki.git#main\n", "", ""),
        ("    build: git@github.com:acme/wiki.git\n", "", ""),
        (
            "    build: { context: hello-mcp, additional_contexts: [base=docker-image://x, s=service:hello-mcp] }\n",
            "",
            "",
        ),
        ("    build: ./wiki\n    profiles: [dev]\n", "", ""),
    ] {
        let parent = folder();
        let (_, answer) = laid(parent.path(), &format!("  a:\n{build}"));
        let found: Vec<&Value> =
            answer.json["findings"].as_array().unwrap().iter().filter(|f| f["id"] == "build-failed").collect();
        match found.as_slice() {
            [] => assert!(words.is_empty(), "{build}"),
            [one] => {
                assert_eq!(one["subject"]["name"], "a", "{build}");
                let said = format!("{} {}", one["evidence"][0].as_str().unwrap(), one["fix"].as_str().unwrap());
                assert!(!words.is_empty() && said.contains(line) && said.contains(words), "{build}: {said}");
            }
            more => panic!("{build}: {more:?}"),
        }
    }
}

#[test]
fn a_service_that_waits_for_its_profile_is_no_error() {
    for (text, expected) in [
        ("  a: { image: x, networks: [far], profiles: [dev] }\n", &[("compose-config-invalid", "warning")][..]),
        (
            "  a: { image: x, depends_on: [b] }\n  b: { image: x, profiles: [dev] }\n",
            &[("compose-profile-inactive", "warning")],
        ),
        ("  a: { image: x, depends_on: [b], profiles: [dev] }\n  b: { image: x, profiles: [dev] }\n", &[]),
        (
            "  a: { image: x, depends_on: { b: { condition: service_started, required: false } } }\n  b: { image: x, profiles: [dev] }\n",
            &[],
        ),
        ("  a: { image: '${NONE}', profiles: [dev], env_file: none.env }\n", &[]),
    ] {
        let parent = folder();
        let (_, answer) = laid(parent.path(), text);
        let all = answer.json["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note");
        let found: Vec<_> = all.map(|f| (f["id"].as_str().unwrap(), f["severity"].as_str().unwrap())).collect();
        assert_eq!(found, expected, "{text}");
    }
}

/// Names may come from a file that was not read: that is said, and nothing is guessed.
#[test]
fn names_are_not_judged_where_a_file_is_outside() {
    let parent = folder();
    let dir = deployment(parent.path());
    let text = "include: [../more.yaml]\nservices:\n  a: { image: x, networks: [far], depends_on: [db] }\n";
    fs::write(dir.join(OVER), text).unwrap();
    let answer = check(&dir);
    assert!(answer.findings().contains(&"compose-files-outside"), "{:#}", answer.json);
    assert!(refused(&answer).is_empty(), "{:#}", answer.json);
    let skipped = answer.json["skipped"].as_array().unwrap();
    assert!(skipped.iter().any(|skipped| skipped["id"] == "compose-config-invalid"), "{skipped:?}");
}
