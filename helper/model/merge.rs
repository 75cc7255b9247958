//! The compose files as one tree, as far as that is possible without Compose: its rules of merging, `extends` within
//! the files that were read, and the variables of `.env`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::config::yaml::{self, Value, at};
use crate::deployment::env_file::{Room, Variables};
use crate::os::files::inside;

/// Lists of a service that Compose replaces as a whole.
const REPLACED: [&str; 3] = ["command", "entrypoint", "test"];
/// Lists that are maps in another spelling: `NAME=value`, or a name alone.
const ASSIGNMENTS: [&str; 6] = ["environment", "labels", "args", "annotations", "sysctls", "extra_hosts"];
/// Lists of names that are maps in another spelling.
const NAMES: [&str; 2] = ["networks", "depends_on"];
/// How long a chain of `extends` is followed.
const LONGEST_CHAIN: usize = 8;

/// Merges `over` into `base`, as Compose merges an override file into the main one.
pub(super) fn merge(base: Value, over: Value) -> Value {
    merge_at("", base, over)
}

fn merge_at(key: &str, base: Value, over: Value) -> Value {
    match over {
        Value::Tagged(tagged) if tagged.tag == "!override" => tagged.value,
        Value::Tagged(tagged) if tagged.tag == "!reset" => Value::Null,
        over => match (spelt_out(key, base), spelt_out(key, over)) {
            (base, Value::Null) => base,
            (Value::Mapping(mut base), Value::Mapping(over)) => {
                for (name, value) in over {
                    let text = yaml::scalar(&name).unwrap_or_default();
                    let merged = merge_at(&text, base.remove(&name).unwrap_or(Value::Null), value);
                    base.insert(name, merged);
                }
                Value::Mapping(base)
            }
            (Value::Sequence(mut base), Value::Sequence(over)) if !REPLACED.contains(&key) => {
                // What goes to the same place replaces what went there.
                base.retain(|old| {
                    place(key, old).is_none_or(|p| !over.iter().any(|new| place(key, new) == Some(p.clone())))
                });
                base.extend(over);
                Value::Sequence(base)
            }
            (_, over) => over,
        },
    }
}

/// Where in the container an entry of a list shows, where that is what it is known by.
fn place(key: &str, entry: &Value) -> Option<String> {
    match (key, entry) {
        ("volumes", Value::String(text)) => super::mounts::short(text).map(|mount| mount.target),
        ("volumes" | "secrets" | "configs", map) => yaml::text(map, &["target"]),
        _ => None,
    }
}

/// The longer of two spellings, so that maps are merged with maps.
fn spelt_out(key: &str, value: Value) -> Value {
    let Value::Sequence(list) = value else { return value };
    let entry = |text: String| {
        let separator = if key == "extra_hosts" && !text.contains('=') { ':' } else { '=' };
        match text.split_once(separator) {
            Some((name, value)) => (Value::from(name), Value::from(value)),
            None => (Value::from(text), Value::Null),
        }
    };
    if ASSIGNMENTS.contains(&key) {
        Value::Mapping(list.iter().filter_map(yaml::scalar).map(entry).collect())
    } else if NAMES.contains(&key) {
        Value::Mapping(list.iter().filter_map(yaml::scalar).map(|name| (Value::from(name), Value::Null)).collect())
    } else {
        Value::Sequence(list)
    }
}

/// Puts what a service extends under it. `file` finds another file's tree by the path that names it.
pub(super) fn extend(tree: &mut Value, file: &dyn Fn(&str) -> Option<Value>) {
    let names: Vec<String> = super::stack::names(tree);
    for name in names {
        let Some(service) = at(tree, &["services", &name]).cloned() else { continue };
        let whole = extended(tree, &service, file, LONGEST_CHAIN);
        if let Some(slot) = service_mut(tree, &name) {
            *slot = whole;
        }
    }
}

fn extended(tree: &Value, service: &Value, file: &dyn Fn(&str) -> Option<Value>, left: usize) -> Value {
    let named = match at(service, &["extends"]) {
        Some(Value::String(name)) => Some((None, name.clone())),
        Some(map) => yaml::text(map, &["service"]).map(|name| (yaml::text(map, &["file"]), name)),
        None => None,
    };
    let Some((path, name)) = named.filter(|_| left > 0) else { return service.clone() };
    let other = path.as_deref().map_or_else(|| Some(tree.clone()), file);
    let base = other.as_ref().and_then(|other| Some((other, at(other, &["services", &name])?)));
    let mut own = service.clone();
    if let Some(map) = own.as_mapping_mut() {
        map.remove("extends");
    }
    match base {
        Some((other, base)) => merge(extended(other, base, file, left - 1), own),
        None => service.clone(),
    }
}

fn service_mut<'a>(tree: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    tree.get_mut("services")?.get_mut(name)
}

/// Replaces variables in every text, as Compose does: `None` where it would refuse one.
pub(super) fn interpolate(value: Value, fill: &dyn Fn(&str) -> Option<String>) -> Value {
    match value {
        Value::String(text) if text.contains('$') => Value::String(fill(&text).unwrap_or(text)),
        Value::Sequence(list) => Value::Sequence(list.into_iter().map(|item| interpolate(item, fill)).collect()),
        Value::Mapping(map) => {
            Value::Mapping(map.into_iter().map(|(key, value)| (key, interpolate(value, fill))).collect())
        }
        Value::Tagged(mut tagged) => {
            tagged.value = interpolate(tagged.value, fill);
            Value::Tagged(tagged)
        }
        other => other,
    }
}

/// Gives variables that an `environment:` only names the values that they have outside.
pub(super) fn named_variables(mut tree: Value, lookup: &dyn Fn(&str) -> Option<String>, room: &Room) -> Value {
    for name in super::stack::names(&tree) {
        let environment = service_mut(&mut tree, &name).and_then(|service| service.get_mut("environment"));
        let Some(slot) = environment else { continue };
        let mut spelt = spelt_out("environment", std::mem::replace(slot, Value::Null));
        if let Some(map) = spelt.as_mapping_mut() {
            for (key, value) in map.iter_mut().filter(|(_, value)| value.is_null()) {
                let given = yaml::scalar(key).filter(|_| !room.is_empty()).and_then(|key| lookup(&key));
                *value = given.filter(|given| room.take(given.len())).map_or(Value::Null, Value::from);
            }
        }
        *slot = spelt;
    }
    tree
}

/// Files that the services of a tree take variables from, and whether they must be there.
pub(super) fn env_files(tree: &Value) -> Vec<(String, bool)> {
    let names = super::stack::names(tree);
    names.iter().filter_map(|name| at(tree, &["services", name, "env_file"])).flat_map(listed).collect()
}

/// Those of them that are taken as they are written.
pub(super) fn raw_files(tree: &Value) -> Vec<String> {
    let names = super::stack::names(tree);
    let lists = names.iter().filter_map(|name| at(tree, &["services", name, "env_file"])?.as_sequence());
    let is_raw = |file: &&Value| yaml::text(file, &["format"]).as_deref() == Some("raw");
    lists.flatten().filter(is_raw).filter_map(|file| yaml::text(file, &["path"])).collect()
}

/// The paths of one `env_file:`, in its three spellings.
pub(super) fn listed(files: &Value) -> Vec<(String, bool)> {
    let one = |file: &Value| match yaml::scalar(file) {
        Some(path) => Some((path, true)),
        None => Some((yaml::text(file, &["path"])?, at(file, &["required"]) != Some(&Value::Bool(false)))),
    };
    match files {
        Value::Sequence(list) => list.iter().filter_map(one).collect(),
        file => one(file).into_iter().collect(),
    }
}

/// Puts the variables of `env_file:` under those of `environment:`; of several files the last one wins.
pub(super) fn add_variables(tree: &mut Value, files: &BTreeMap<String, Variables<'_>>, room: &Room) {
    for name in super::stack::names(tree) {
        let Some(named) = at(tree, &["services", &name, "env_file"]) else { continue };
        let mut variables = BTreeMap::new();
        for values in listed(named).iter().filter_map(|(path, _)| files.get(&inside(path)?)) {
            // Each service has its own copy.
            let fits = |(name, value): &(&Cow<'_, str>, &Cow<'_, str>)| room.take(name.len() + value.len() + VARIABLE);
            variables.extend(values.iter().take_while(fits).map(|(name, value)| (name.to_string(), value.to_string())));
        }
        let Some(service) = service_mut(tree, &name) else { continue };
        let own = at(service, &["environment"]).cloned().unwrap_or(Value::Null);
        let below: yaml::Mapping = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        if let Some(service) = service.as_mapping_mut() {
            service.insert("environment".into(), merge_at("environment", Value::Mapping(below), own));
        }
    }
}

/// Overhead of a variable in addition to its letters, in bytes.
const VARIABLE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, over: &str) -> Value {
        merge(yaml::from_text(base).unwrap(), yaml::from_text(over).unwrap())
    }

    #[test]
    fn an_override_is_merged_as_compose_merges_it() {
        let tree = merged(
            "services: { a: { image: x, command: [one], environment: [A=1, B=2], ports: ['1:1'], volumes: ['./a:/a', './b:/b'] } }",
            "services: { a: { command: [two], environment: { B: 3 }, ports: ['2:2'], volumes: ['./c:/b:ro'] }, b: { image: y } }",
        );
        let a = |key: &str| at(&tree, &["services", "a", key]).unwrap();
        assert_eq!(yaml::scalar(a("image")).as_deref(), Some("x"));
        assert_eq!(yaml::texts(a("command")), ["two"]);
        assert_eq!(a("environment"), &yaml::from_text::<Value>("{ A: '1', B: 3 }").unwrap());
        assert_eq!(yaml::texts(a("ports")), ["1:1", "2:2"]);
        assert_eq!(yaml::texts(a("volumes")), ["./a:/a", "./c:/b:ro"]);
        assert!(at(&tree, &["services", "b"]).is_some());
    }

    #[test]
    fn tags_replace_and_remove() {
        let tree = merged(
            "services: { a: { ports: ['1:1'], dns: [1.1.1.1], image: x } }",
            "services: { a: { ports: !override ['2:2'], dns: !reset null } }",
        );
        assert_eq!(yaml::texts(at(&tree, &["services", "a", "ports"]).unwrap()), ["2:2"]);
        assert!(at(&tree, &["services", "a", "dns"]).unwrap().is_null());
    }

    #[test]
    fn what_is_extended_lies_under_the_service() {
        let mut tree: Value = yaml::from_text(
            "services: { a: { extends: { service: b }, image: own }, b: { extends: { file: x.yaml, service: c }, user: '1' }, r: { extends: r } }",
        )
        .unwrap();
        let other = "services: { c: { image: far, volumes: ['./d:/data'] } }";
        extend(&mut tree, &|path| (path == "x.yaml").then(|| yaml::from_text(other).unwrap()));
        let a = |key: &str| at(&tree, &["services", "a", key]).cloned();
        assert_eq!(a("image"), Some(Value::from("own")));
        assert_eq!(a("user"), Some(Value::from("1")));
        assert_eq!(a("volumes").map(|v| yaml::texts(&v)), Some(vec!["./d:/data".to_owned()]));
    }
}
