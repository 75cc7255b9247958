//! The same YAML, read by us and by the library of Go that Compose and the proxy read it with.

use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use crate::config::yaml::{self, Value};

/// Forms that readers of YAML differ about.
const FORMS: &[&str] = &[
    "a: yes\nb: NO\nc: on\nd: ~\ne: null\nf:\ng: True\nh: y\n",
    "a: '8080'\nb: \"8080\"\nc: 8080\nd: :8080\ne: '010'\nf: 1.0.0\n",
    "a: |\n  x\n   y\nb: >-\n  x\n  y\nc: |+\n  x\n\nd: e\n",
    "a: &x {k: v}\nb: *x\nc: {<<: *x, l: 1}\nd: [*x, *x]\n",
    "a: {b: [c, d], e: {}}\nf: []\ng: [a, b,]\nh: {a, b: c}\n",
    "a:\n- b\n- c: d\n  e: f\n-\n  - g\n",
    "\"a b\": c\n'd': e\n? f\n: g\n",
    "a: x # c\nb: x#c\nc: 'x # c'\nd: http://h:80/#x\ne: a:b\n",
    "a: \"\\u00e4\\n\\x41\"\nb: 'it''s'\nc: plain\n  and on\n",
    "a: !!str 12\nb: !!int '12'\nc: ! x\n",
    "a: - b\n",
    "a: b\n  c: d\n",
    "a: [b\n",
    "a: @b\n",
    "a: `b`\n",
    "a: *none\n",
    "a: 1\na: 2\n",
];

fn inputs() -> Vec<String> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    let folders = ["gateway", "compose"].map(|target| std::fs::read_dir(seeds.join(target)).unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let texts = files.map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned());
    FORMS.iter().map(|form| (*form).to_owned()).chain(texts).collect()
}

/// What Compose reads in each of some documents; nothing where one of them is not to its taste.
fn compose_reads(folder: &Path, documents: &[&String]) -> Option<Vec<Json>> {
    let mut file = "services:\n  s:\n    image: x\n".to_owned();
    for (n, document) in documents.iter().enumerate() {
        file += &format!("x-{n}:\n");
        document.lines().for_each(|line| file += &format!("  {line}\n"));
    }
    std::fs::write(folder.join("compose.yaml"), file).unwrap();
    let mut command = Command::new("docker");
    command.args(["compose", "config", "--no-interpolate", "--format", "json"]).current_dir(folder).env_clear();
    command.envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    let output = command.output().unwrap();
    let mut read: Json = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())?;
    Some((0..documents.len()).map(|n| read[format!("x-{n}")].take()).collect())
}

/// Whether two readings have the same maps, lists and texts. What is a number to one of them is a scalar to both.
fn is_alike(ours: &Value, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Value::Mapping(ours), Json::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, value)| {
                    yaml::scalar(key).and_then(|key| theirs.get(&key)).is_some_and(|theirs| is_alike(value, theirs))
                })
        }
        (Value::Sequence(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_alike(ours, theirs))
        }
        // How Compose writes a list of nothing.
        (Value::Sequence(ours), Json::Null) => ours.is_empty(),
        (Value::String(ours), Json::String(theirs)) => ours == theirs,
        (Value::Null, theirs) => theirs.is_null(),
        (Value::Bool(ours), theirs) => theirs.as_bool() == Some(*ours),
        (Value::Tagged(tagged), theirs) => is_alike(&tagged.value, theirs),
        (Value::String(_) | Value::Number(_), theirs) => theirs.is_number() || theirs.is_string(),
        (Value::Mapping(_) | Value::Sequence(_), _) => false,
    }
}

#[test]
fn go_reads_yaml_in_the_same_way() {
    let version = Command::new("docker").args(["compose", "version"]).output();
    if !version.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("MCP_TUNNELS_REQUIRE_REAL").is_none(), "there is no docker compose");
        eprintln!("SKIPPED Go reads YAML in the same way: there is no docker compose");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let inputs = inputs();
    let (sound, broken): (Vec<_>, Vec<_>) =
        inputs.iter().partition(|text| yaml::from_text::<Value>(text).is_ok_and(|value| value.is_mapping()));
    assert!(sound.len() > 20 && broken.len() > 4, "{} and {}", sound.len(), broken.len());
    let all = compose_reads(folder.path(), &sound);
    for (n, text) in sound.into_iter().enumerate() {
        let theirs = match &all {
            Some(all) => all[n].clone(),
            // One by one, to say which.
            None => compose_reads(folder.path(), &[text]).unwrap_or_else(|| panic!("only we read {text:?}"))[0].take(),
        };
        let mut ours: Value = yaml::from_text(text).unwrap();
        ours.apply_merge().unwrap();
        assert!(is_alike(&ours, &theirs), "{text:?}: {ours:?} and {theirs}");
    }
    for text in broken {
        assert_eq!(compose_reads(folder.path(), &[text]), None, "only Go reads {text:?}");
    }
}
