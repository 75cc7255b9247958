//! `docs/reference.md`: every request and answer, from the schema that the helper prints.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::page_is;
use crate::support::helper;

const INTRODUCTION: &str = "\
# Reference

Generated from the types that the helper reads and writes (`mcp-tunnels-helper schema`).

```
mcp-tunnels-helper <command> [<verb>] [--dir DIR] [--json REQUEST]
```

`REQUEST` is one JSON object: the text itself, `@FILE`, or `-` for standard input; without it, every field has its
default. An unknown field is an error. `--dir` is the deployment directory, `~/mcp-tunnel` by default.

Every command prints one JSON object and ends with exit code 0 (`ok`: nothing above a warning), 1 (`problems`: at least
one finding of severity `error`) or 2 (`error`: no answer).
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

fn fields(out: &mut String, object: &Value, definitions: &Map<String, Value>, defaults: bool) {
    let Some(properties) = object["properties"].as_object().filter(|p| !p.is_empty()) else {
        out.push_str("\nNo fields.\n");
        return;
    };
    out.push_str(if defaults {
        "\n| field | type | default | |\n|---|---|---|---|\n"
    } else {
        "\n| field | type | |\n|---|---|---|\n"
    });
    for (name, field) in properties {
        let about = field["description"].as_str().or(resolve(field, definitions)["description"].as_str());
        let (kind, about) = (cell(&type_of(field, definitions)), cell(about.unwrap_or_default()));
        let default = field.get("default").filter(|value| !value.is_null()).map(|value| format!("`{value}`"));
        if defaults {
            writeln!(out, "| `{name}` | {kind} | {} | {about} |", default.unwrap_or_default()).unwrap();
        } else {
            writeln!(out, "| `{name}` | {kind} | {about} |").unwrap();
        }
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
    fields(&mut out, first, &definitions(first), false);
    for name in shared {
        writeln!(out, "\n### Type `{name}`").unwrap();
        fields(&mut out, &definitions(first)[name], &definitions(first), false);
    }
    out.push_str("\n## Error\n");
    let failure = &answer.data()["failure"];
    fields(&mut out, failure, &definitions(failure), false);
    fields(&mut out, &definitions(failure)["ErrorText"], &definitions(failure), false);
    let mut shown: Vec<String> = shared.map(str::to_owned).to_vec();
    for (name, schemas) in commands {
        writeln!(out, "\n## {name}\n\n**Request**").unwrap();
        let request = &schemas["request"];
        fields(&mut out, request, &definitions(request), true);
        let (known, answer) = (definitions(&schemas["answer"]), &schemas["answer"]);
        let data = resolve(&answer["properties"]["data"], &known);
        out.push_str("\n**`data` of the answer**\n");
        fields(&mut out, data, &known, false);
        for (schema, known) in [(request, &definitions(request)), (data, &known)] {
            let mut met = Vec::new();
            types(schema, known, &mut met);
            for kind in met {
                if !shown.iter().any(|seen| seen == kind) {
                    writeln!(out, "\n### Type `{kind}`").unwrap();
                    fields(&mut out, &known[kind], known, false);
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
