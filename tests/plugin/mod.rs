//! The plugin: its manifests, what its prompts say, and what the real Claude Code makes of both.

mod claude;
mod conversation;
mod endings;
mod guard;
mod guard_indirect;
mod guard_passes;
mod manifests;
mod prompts;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::helper;

/// How every call of the helper begins in a prompt.
const CALL: &str = "\"${CLAUDE_PLUGIN_ROOT}/bin/mcp-tunnels-helper\"";
/// What a prompt leaves to be filled in, and something that fits.
const PLACEHOLDERS: [(&str, &str); 8] = [
    ("SECONDS", "1"),
    ("STEP", "begin"),
    ("DOMAIN", "abcd1234.tunnel.anthropic.com"),
    ("UPSTREAM", "http://wiki:8000"),
    ("NETWORK", "backend"),
    ("NAME", "wiki"),
    ("FILE", "report.tar.gz"),
    ("PATH", "other/path"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn json_file(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn manifest() -> Value {
    json_file(&root().join(".claude-plugin/plugin.json"))
}

/// A slash command.
struct Prompt {
    name: String,
    text: String,
    /// The text between the two `---`.
    front: serde_yaml::Mapping,
    body: String,
}

/// A call of the helper as a prompt has it.
#[derive(Clone, Debug)]
struct Line {
    /// The whole line.
    text: String,
    /// The words before the first flag.
    command: String,
    /// What follows `--json`, without its quotes.
    json: Option<String>,
}

/// Both prompts.
fn prompts() -> Vec<Prompt> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("commands")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| Prompt::read(file)).collect()
}

fn prompt(name: &str) -> Prompt {
    Prompt::read(&root().join("commands").join(name).with_extension("md"))
}

impl Prompt {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let rest = text.strip_prefix("---\n").expect("front matter begins the file");
        let (front, body) = rest.split_once("\n---\n").expect("front matter ends");
        Self {
            name: file.file_stem().unwrap().to_str().unwrap().to_owned(),
            front: serde_yaml::from_str(front).unwrap(),
            body: body.to_owned(),
            text,
        }
    }

    /// Every call of the helper, in order.
    fn lines(&self) -> Vec<Line> {
        let (mut fenced, mut lines) = (false, Vec::new());
        for text in self.body.lines() {
            if text.starts_with("```") {
                fenced = !fenced;
            } else if fenced {
                let rest = text.strip_prefix(CALL).unwrap_or_else(|| panic!("no call of the helper: {text}"));
                let command: Vec<&str> = rest.split_whitespace().take_while(|word| !word.starts_with('-')).collect();
                let json = rest.split_once(" --json '").map(|(_, json)| json.strip_suffix('\'').unwrap().to_owned());
                lines.push(Line { text: text.to_owned(), command: command.join(" "), json });
            }
        }
        assert!(!fenced && !lines.is_empty());
        lines
    }

    /// The texts in single backquotes outside of blocks.
    fn quoted(&self) -> Vec<String> {
        let blocks: Vec<&str> = self.body.split("```").step_by(2).collect();
        blocks.iter().flat_map(|text| text.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
    }
}

/// A text with its placeholders filled in.
fn filled(text: &str) -> String {
    PLACEHOLDERS.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// What `schema` says about the helper.
struct Contract {
    commands: serde_json::Map<String, Value>,
}

impl Contract {
    fn load() -> Self {
        let schema = helper(["schema"]).run().expect(0);
        Self { commands: schema.data()["commands"].as_object().unwrap().clone() }
    }

    /// Whether a request is one of this command's.
    fn require_request(&self, command: &str, request: &str) {
        let both = self.commands.get(command).unwrap_or_else(|| panic!("there is no command `{command}`"));
        let value: Value = serde_json::from_str(request).unwrap_or_else(|e| panic!("{e}: {request}"));
        let validator = jsonschema::validator_for(&both["request"]).unwrap();
        let faults: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new(), "{command} {request}");
        // Unknown fields are refused by the reader, whatever the schema says of them.
        for key in value.as_object().unwrap().keys() {
            assert!(both["request"]["properties"].get(key).is_some(), "`{command}` takes no `{key}`");
        }
    }

    /// Whether the answer of one of these commands has such a field, as `data.ca.pem`.
    fn has_field(&self, commands: &BTreeSet<String>, path: &str) -> bool {
        commands.iter().any(|command| {
            let root = &self.commands[command]["answer"];
            let mut nodes = vec![root];
            for key in path.split('.') {
                nodes = nodes
                    .into_iter()
                    .flat_map(|node| resolved(root, node))
                    .filter_map(|n| n["properties"].get(key))
                    .collect();
            }
            !nodes.is_empty()
        })
    }

    /// Every name that a request, an answer or a value of them can have.
    fn words(&self) -> BTreeSet<String> {
        fn walk(value: &Value, into: &mut BTreeSet<String>) {
            match value {
                Value::Object(map) => {
                    for (key, value) in map {
                        match (key.as_str(), value) {
                            ("properties", Value::Object(fields)) => into.extend(fields.keys().cloned()),
                            ("const", Value::String(text)) => drop(into.insert(text.clone())),
                            ("enum", Value::Array(all)) => {
                                into.extend(all.iter().filter_map(Value::as_str).map(str::to_owned));
                            }
                            _ => {}
                        }
                        walk(value, into);
                    }
                }
                Value::Array(all) => all.iter().for_each(|value| walk(value, into)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let mut words = BTreeSet::new();
        for (command, both) in &self.commands {
            words.insert(command.clone());
            walk(both, &mut words);
        }
        words
    }
}

/// The schemas that a schema contains: itself, what it refers to, its alternatives, its items.
fn resolved<'a>(root: &'a Value, node: &'a Value) -> Vec<&'a Value> {
    let mut all = vec![node];
    if let Some(reference) = node["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        all.extend(resolved(root, target));
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for one in node[key].as_array().into_iter().flatten() {
            all.extend(resolved(root, one));
        }
    }
    for key in ["items", "additionalProperties"] {
        if node[key].is_object() {
            all.extend(resolved(root, &node[key]));
        }
    }
    all
}

/// Every row of the rule table.
fn rules() -> Vec<Value> {
    helper(["rules"]).json(json!({})).run().expect(0).data()["rules"].as_array().unwrap().clone()
}
