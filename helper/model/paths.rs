//! Paths in compose files: those of a file from another folder, as they are from the directory.

use crate::config::yaml::{Value, at};

/// Whether Compose fetches it: a Git repository, an archive, an artifact of a registry.
pub(crate) fn is_remote(path: &str) -> bool {
    path.contains("://") || ["git@", "github.com/", "gitlab.com/", "oci:"].iter().any(|start| path.starts_with(start))
}

/// Folder of a path; empty for the directory itself.
pub(super) fn folder_of(path: &str) -> String {
    path.rsplit_once('/')
        .map_or(String::new(), |(folder, _)| if folder.is_empty() { "/".into() } else { folder.into() })
}

/// A path in a folder of the directory; an empty one is the directory itself.
pub(crate) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A path of a file in `folder`, as it is from the directory. Compose resolves `..` textually, without following links.
pub(super) fn joined(folder: &str, path: &str) -> String {
    if path.starts_with(['/', '~', '$']) || is_remote(path) {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    match parts.first() {
        _ if folder.starts_with('/') => format!("/{path}"),
        Some(&"..") => path,
        Some(first) if first.starts_with(['~', '$']) => path,
        _ => format!("./{path}"),
    }
}

/// What a file says, its paths as they are from the directory. `folder` is where its relative paths start.
pub(super) fn moved(mut tree: Value, folder: &str) -> Value {
    if matches!(folder.trim_end_matches('/'), "" | ".") && !folder.starts_with('/') {
        return tree;
    }
    let put = |slot: &mut Value| {
        if let Some(text) = slot.as_str() {
            *slot = joined(folder, text).into();
        }
    };
    // A volume that begins with a letter is a name.
    let put_volume = |slot: &mut Value| {
        if let Some(text) = slot.as_str().filter(|text| text.starts_with('.')) {
            let (path, target) = text.split_at(text.find(':').unwrap_or(text.len()));
            *slot = format!("{}{target}", joined(folder, path)).into();
        }
    };
    for include in tree.get_mut("include").and_then(Value::as_sequence_mut).into_iter().flatten() {
        put(include);
        for key in ["path", "project_directory", "env_file"] {
            include.get_mut(key).into_iter().for_each(|value| each(value, &put));
        }
    }
    for service in values(&mut tree, "services") {
        for entry in service.get_mut("volumes").and_then(Value::as_sequence_mut).into_iter().flatten() {
            put_volume(entry);
            entry.get_mut("source").into_iter().for_each(put_volume);
        }
        for key in ["env_file", "label_file"] {
            service.get_mut(key).into_iter().for_each(|value| each(value, &put));
        }
        service.get_mut("extends").and_then(|extends| extends.get_mut("file")).into_iter().for_each(put);
        service.get_mut("build").into_iter().for_each(|build| move_build(build, &put));
    }
    for kind in ["configs", "secrets"] {
        values(&mut tree, kind).filter_map(|entry| entry.get_mut("file")).for_each(put);
    }
    let options = values(&mut tree, "volumes").filter_map(|volume| volume.get_mut("driver_opts"));
    options.filter_map(|options| options.get_mut("device")).for_each(put_volume);
    tree
}

/// The build context (the directory of the file where it names none) and its additional contexts.
fn move_build(build: &mut Value, put: &dyn Fn(&mut Value)) {
    put(build);
    let Some(map) = build.as_mapping_mut() else { return };
    put(map.entry("context".into()).or_insert_with(|| ".".into()));
    let is_path = |text: &str| !["docker-image://", "service:", "target:"].iter().any(|start| text.starts_with(start));
    match map.get_mut("additional_contexts") {
        Some(Value::Mapping(more)) => {
            more.values_mut().filter(|value| value.as_str().is_some_and(is_path)).for_each(put);
        }
        Some(Value::Sequence(list)) => {
            for entry in list {
                let Some((name, path)) = entry.as_str().and_then(|text| text.split_once('=')) else { continue };
                let mut path = Value::from(path);
                if path.as_str().is_some_and(is_path) {
                    put(&mut path);
                }
                *entry = format!("{name}={}", path.as_str().unwrap_or_default()).into();
            }
        }
        _ => {}
    }
}

/// A text, each of a list, or the `path` of each map in it.
fn each(value: &mut Value, put: &dyn Fn(&mut Value)) {
    put(value);
    for entry in value.as_sequence_mut().into_iter().flatten() {
        put(entry);
        entry.get_mut("path").into_iter().for_each(put);
    }
}

/// The entries of a top-level map; tags change how an entry is merged, not what it says.
fn values<'a>(tree: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    let map = tree.get_mut(key).and_then(Value::as_mapping_mut);
    map.into_iter().flat_map(|map| map.values_mut()).map(|value| match value {
        Value::Tagged(tagged) => &mut tagged.value,
        value => value,
    })
}

/// Where the relative paths of an included file start: in `project_directory`, otherwise in the folder of the first file.
pub(super) fn start_of(include: &Value, paths: &[String]) -> String {
    let said = at(include, &["project_directory"]).and_then(crate::config::yaml::scalar);
    said.unwrap_or_else(|| paths.first().map(|path| folder_of(path)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    #[test]
    fn a_path_of_another_folder_is_cleaned_by_its_words() {
        for (folder, path, expected) in [
            ("sub", "x", "./sub/x"),
            ("./sub/", "./x", "./sub/x"),
            ("sub", "../x", "./x"),
            ("sub", "..", "./"),
            ("sub", "../../x", "../x"),
            ("../up", "x", "../up/x"),
            ("..", "../x", "../../x"),
            ("/abs", "../x", "/x"),
            ("sub", "/x", "/x"),
            ("sub", "~/x", "~/x"),
            ("~/sub", "x", "~/sub/x"),
            ("$D", "x", "$D/x"),
            ("sub", "${D}/x", "${D}/x"),
            ("sub", "https://example.com/a", "https://example.com/a"),
            ("sub", "git@github.com:a/b", "git@github.com:a/b"),
        ] {
            assert_eq!(joined(folder, path), expected, "{folder} {path}");
        }
    }

    #[test]
    fn paths_of_another_folder_are_moved() {
        let tree: Value = yaml::from_text(
            "
include: [more.yaml, { path: [a.yaml, ../b.yaml], project_directory: ., env_file: x.env }]
services:
  a:
    volumes: ['../d:/d', '..:/e', 'v:/v', { type: bind, source: ./e, target: /e }]
    env_file: ./x.env
    build: { context: ., additional_contexts: { i: 'docker-image://i', c: ../c } }
  b: { build: { dockerfile: ../D, additional_contexts: [c=../c, s=service:a] }, extends: { file: ../base.yaml, service: x } }
  c: { build: ./c, env_file: [y.env, { path: ../z.env }], extends: a }
secrets: { s: { file: ./s } }
volumes: { v: { driver_opts: { device: ../v } }, n: }
",
        )
        .unwrap();
        let expected = "
include: [./sub/more.yaml, { path: [./sub/a.yaml, ./b.yaml], project_directory: ./sub, env_file: ./sub/x.env }]
services:
  a:
    volumes: ['./d:/d', './:/e', 'v:/v', { type: bind, source: ./sub/e, target: /e }]
    env_file: ./sub/x.env
    build: { context: ./sub, additional_contexts: { i: 'docker-image://i', c: ./c } }
  b: { build: { dockerfile: ../D, additional_contexts: [c=./c, s=service:a], context: ./sub }, extends: { file: ./base.yaml, service: x } }
  c: { build: ./sub/c, env_file: [./sub/y.env, { path: ./z.env }], extends: a }
secrets: { s: { file: ./sub/s } }
volumes: { v: { driver_opts: { device: ./v } }, n: }
";
        assert_eq!(moved(tree.clone(), "./sub/"), yaml::from_text::<Value>(expected).unwrap());
        assert_eq!(moved(tree.clone(), "."), tree);
    }
}
