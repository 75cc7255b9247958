//! `docs/reference.md`: every request and answer, from the schema that the helper prints.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::page_is;
use crate::support::{folder, helper, plain};

const INTRODUCTION: &str = "\
# Reference

Generated from the types that the helper reads and writes (`mcp-tunnels-helper schema`).

```
mcp-tunnels-helper <command> [<verb>] [--dir DIR] [--json REQUEST | FLAGS]
```

Every field of a request is also a flag; the same field in both is an error. An empty value is `null`: `--route wiki=`
removes the route. Lists and maps repeat their flag.

`REQUEST` is one JSON object: the text itself, `@FILE`, or `-` for standard input; without it, every field has its
default. An unknown field is an error. `--dir` is the deployment directory, `~/mcp-tunnel` by default.

Every command prints one JSON object (at a terminal the same as text; `logs` prints lines) and ends with exit code 0 (`ok`:
nothing above a warning), 1 (`problems`: at least one finding of severity `error`) or 2 (`error`: no answer).
";

/// The definition that a `$ref` of the document names, or the schema itself.
fn resolve<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next());
    name.map_or(schema, |name| &definitions[name])
}

/// A type in words, such as `list of text` or `one of "http", "https"`.
fn type_of(schema: &Value, definitions: &Map<String, Value>) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
        let target = &definitions[name];
        return if target["type"] == "object" && target["properties"].is_object() {
            format!("[`{name}`](#type-{})", name.to_lowercase())
        } else {
            type_of(target, definitions)
        };
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(variants) = schema[key].as_array() {
            let mut names: Vec<String> = variants.iter().map(|variant| type_of(variant, definitions)).collect();
            names.dedup();
            return names.join(" or ");
        }
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    }
    let one = |name: &str| match name {
        "string" => "text".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => format!("list of {}", type_of(&schema["items"], definitions)),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map to {}", type_of(&schema["additionalProperties"], definitions))
        }
        other => other.to_owned(),
    };
    match &schema["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => names.iter().map(|n| one(n.as_str().unwrap())).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The flags of a command's request, each with what it takes, from its help.
fn flags(words: &str) -> Vec<(String, String)> {
    let home = folder();
    let out = plain(home.path()).args(words.split(' ')).arg("--help").output().unwrap();
    let help = String::from_utf8(out.stdout).unwrap();
    let own = help.split("Fields of the request:\n").nth(1).unwrap_or_default();
    let own = own.split("\n\n").next().unwrap_or_default();
    own.lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"))
        .map(|line| {
            let end = line.find([' ', '[']).unwrap_or(line.len());
            (line[..end].to_owned(), line.split("  ").next().unwrap_or_default().trim_end().to_owned())
        })
        .collect()
}

/// The flags of a field: its own, its singular's, or those of the fields in it.
fn flags_of(field: &str, all: &[(String, String)]) -> String {
    let own = field.replace('_', "-");
    let singular = own
        .strip_suffix("ies")
        .map_or_else(|| own.strip_suffix('s').unwrap_or(&own).to_owned(), |stem| format!("{stem}y"));
    let is_own = |flag: &str| flag == own || flag == singular;
    let mut found: Vec<&(String, String)> = all.iter().filter(|(flag, _)| is_own(flag)).collect();
    if found.is_empty() {
        found = all.iter().filter(|(flag, _)| flag.starts_with(&format!("{own}-"))).collect();
    }
    assert!(!found.is_empty(), "the field `{field}` has no flag among {all:?}");
    found.iter().map(|(_, shown)| format!("`--{}`", cell(shown))).collect::<Vec<_>>().join(", ")
}

/// A request: its fields, and the flag of each.
fn request_fields(out: &mut String, words: &str, request: &Value, definitions: &Map<String, Value>) {
    let Some(properties) = request["properties"].as_object().filter(|p| !p.is_empty()) else {
        out.push_str("\nNo fields.\n");
        return;
    };
    let all = flags(words);
    out.push_str("\n| field | flag | type | default | |\n|---|---|---|---|---|\n");
    for (name, field) in properties {
        let about = field["description"].as_str().or(resolve(field, definitions)["description"].as_str());
        let (kind, about) = (cell(&type_of(field, definitions)), cell(about.unwrap_or_default()));
        let default = field.get("default").filter(|value| !value.is_null()).map(|value| format!("`{value}`"));
        let (flag, default) = (flags_of(name, &all), default.unwrap_or_default());
        writeln!(out, "| `{name}` | {flag} | {kind} | {default} | {about} |").unwrap();
    }
}

fn fields(out: &mut String, object: &Value, definitions: &Map<String, Value>) {
    let Some(properties) = object["properties"].as_object().filter(|p| !p.is_empty()) else {
        out.push_str("\nNo fields.\n");
        return;
    };
    out.push_str("\n| field | type | |\n|---|---|---|\n");
    for (name, field) in properties {
        let about = field["description"].as_str().or(resolve(field, definitions)["description"].as_str());
        let (kind, about) = (cell(&type_of(field, definitions)), cell(about.unwrap_or_default()));
        writeln!(out, "| `{name}` | {kind} | {about} |").unwrap();
    }
}

/// Object types that a definition leads to, in the order in which they are met.
fn types<'a>(schema: &'a Value, definitions: &'a Map<String, Value>, met: &mut Vec<&'a str>) {
    match schema {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|at| at.rsplit('/').next()) {
                let (name, target) = definitions.get_key_value(name).unwrap();
                if !met.contains(&name.as_str()) {
                    if target["properties"].is_object() {
                        met.push(name);
                    }
                    types(target, definitions, met);
                }
            }
            for value in map.iter().filter(|(key, _)| *key != "$defs").map(|(_, value)| value) {
                types(value, definitions, met);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| types(value, definitions, met)),
        _ => {}
    }
}

fn page() -> String {
    let answer = helper(["schema"]).run().expect(0);
    let none = Map::new();
    let definitions = |schema: &Value| schema["$defs"].as_object().unwrap_or(&none).clone();
    let commands = answer.data()["commands"].as_object().unwrap();
    let mut out = INTRODUCTION.to_owned();
    let shared = ["Finding", "Skipped", "Next"];
    // `data` is each command's own.
    let mut first = commands.values().next().unwrap()["answer"].clone();
    first["properties"]["data"] =
        serde_json::json!({"type": "object", "description": "The command's own facts, below."});
    let first = &first;
    out.push_str("\n## Answer\n");
    fields(&mut out, first, &definitions(first));
    for name in shared {
        writeln!(out, "\n### Type `{name}`").unwrap();
        fields(&mut out, &definitions(first)[name], &definitions(first));
    }
    out.push_str("\n## Error\n");
    let failure = &answer.data()["failure"];
    fields(&mut out, failure, &definitions(failure));
    fields(&mut out, &definitions(failure)["ErrorText"], &definitions(failure));
    let mut shown: Vec<String> = shared.map(str::to_owned).to_vec();
    for (name, schemas) in commands {
        writeln!(out, "\n## {name}\n\n**Request**").unwrap();
        let request = &schemas["request"];
        request_fields(&mut out, name, request, &definitions(request));
        let (known, answer) = (definitions(&schemas["answer"]), &schemas["answer"]);
        let data = resolve(&answer["properties"]["data"], &known);
        out.push_str("\n**`data` of the answer**\n");
        fields(&mut out, data, &known);
        for (schema, known) in [(request, &definitions(request)), (data, &known)] {
            let mut met = Vec::new();
            types(schema, known, &mut met);
            for kind in met {
                if !shown.iter().any(|seen| seen == kind) {
                    writeln!(out, "\n### Type `{kind}`").unwrap();
                    fields(&mut out, &known[kind], known);
                    shown.push(kind.to_owned());
                }
            }
        }
    }
    out
}

#[test]
fn the_reference_is_the_schema() {
    page_is("reference.md", &page());
}
