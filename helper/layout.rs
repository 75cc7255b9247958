//! The layout of `helper/`, held against CONTRIBUTING.md: no circle between files, no arrow that runs up.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module by its names from the crate's root; the root itself is empty.
type Module = Vec<String>;

/// Every module of the crate, and the paths that its file takes from others.
struct House {
    files: BTreeMap<Module, String>,
    /// What a module hands on by `pub use`: name, and whose it is.
    faces: BTreeMap<Module, BTreeMap<String, Module>>,
    uses: BTreeMap<Module, Vec<Module>>,
}

fn sources(folder: &Path, above: &[String], into: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut module = above.to_vec();
        if path.is_dir() {
            if matches!(stem.as_str(), "properties" | "tests") {
                continue;
            }
            module.push(stem);
            sources(&path, &module, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            if path.ends_with("helper/layout.rs") || stem == "tests" {
                continue;
            }
            if !matches!(stem.as_str(), "mod" | "main") {
                module.push(stem);
            }
            into.insert(module, without_tests(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The code without comments and without its unit tests, which may look anywhere.
fn without_tests(text: &str) -> String {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).fold(String::new(), |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        });
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// `a::{b::c, d as e}` as paths.
fn expand(tree: &str, above: &[String], into: &mut Vec<Module>) {
    let tree = tree.trim();
    let (head, group) = tree.split_once('{').map_or((tree, None), |(head, rest)| (head, rest.strip_suffix('}')));
    let head = head.split(" as ").next().unwrap_or_default();
    let mut path = above.to_vec();
    path.extend(head.split("::").map(str::trim).filter(|s| !matches!(*s, "" | "self" | "*")).map(str::to_owned));
    if head.starts_with("self") && above.is_empty() {
        path.insert(0, "self".into());
    }
    let Some(group) = group else { return into.push(path) };
    let (mut depth, mut begin) = (0_u32, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[begin..at].trim().is_empty() {
                    expand(&group[begin..at], &path, into);
                }
                begin = at + 1;
            }
            _ => {}
        }
    }
}

impl House {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("helper"), &[], &mut files);
        let mut house = Self { files, faces: BTreeMap::new(), uses: BTreeMap::new() };
        for (module, code) in &house.files {
            let (mut face, mut uses) = (BTreeMap::new(), Vec::new());
            let mut body = String::new();
            let mut rest = code.as_str();
            while let Some((before, statement, after)) = next_use(rest) {
                body.push_str(before);
                let public = before.ends_with("pub(crate) ") || before.ends_with("pub(super) ");
                let mut paths = Vec::new();
                expand(statement, &[], &mut paths);
                for path in paths.iter().filter_map(|path| house.absolute(path, module)) {
                    match path.last() {
                        Some(name) if public => drop(face.insert(name.clone(), path.clone())),
                        _ => uses.push(path),
                    }
                }
                rest = after;
            }
            body.push_str(rest);
            uses.extend(inline(&body).iter().filter_map(|path| house.absolute(path, module)));
            house.faces.insert(module.clone(), face);
            house.uses.insert(module.clone(), uses);
        }
        house
    }

    /// A path from the crate's root; `None` for what is not of this crate.
    fn absolute(&self, path: &[String], from: &[String]) -> Option<Module> {
        let mut at = from.to_vec();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "super" | "self" => {
                let mut path = path;
                while let Some(word @ ("super" | "self")) = path.first().map(String::as_str) {
                    if word == "super" {
                        at.pop();
                    }
                    path = &path[1..];
                }
                at.extend_from_slice(path);
                Some(at)
            }
            child => {
                at.push(child.to_owned());
                self.files.contains_key(&at).then(|| [from, path].concat())
            }
        }
    }

    /// The module that a path is defined in, through what other modules hand on.
    fn home(&self, path: &[String], depth: u32) -> Option<Module> {
        (0..=path.len()).rev().map(|n| path.split_at(n)).find_map(|(module, rest)| {
            let face = self.faces.get(module)?;
            match rest.first().and_then(|name| face.get(name)) {
                Some(other) if depth < 5 => self.home(other, depth + 1),
                _ => Some(module.to_vec()),
            }
        })
    }

    fn arrows(&self) -> BTreeSet<(Module, Module)> {
        let arrow = |from: &Module, path: &Module| self.home(path, 0).map(|to| (from.clone(), to));
        let all = self.uses.iter().flat_map(|(from, paths)| paths.iter().filter_map(move |path| arrow(from, path)));
        all.filter(|(from, to)| from != to).collect()
    }
}

/// The next `use …;`: the text before it, its tree, the text behind it.
fn next_use(code: &str) -> Option<(&str, &str, &str)> {
    let at = code.match_indices("use ").find(|(at, _)| {
        let line = code[..*at].rsplit('\n').next().unwrap_or_default().trim_start();
        matches!(line, "" | "pub(crate) " | "pub(super) ")
    });
    let (at, _) = at?;
    let end = code[at..].find(';')? + at;
    Some((&code[..at], &code[at + 4..end], &code[end + 1..]))
}

/// Paths like `crate::a::b` and `child::f` in the middle of the code.
fn inline(code: &str) -> Vec<Module> {
    let code = code.replace("(in crate::", "(");
    let words = code.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':')));
    let ours = words.filter(|word| word.contains("::") && word.starts_with(|c: char| c.is_lowercase()));
    ours.map(|word| word.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect()).collect()
}

/// A file for people.
fn shown(module: &[String]) -> String {
    if module.is_empty() { "main".into() } else { module.join("/") }
}

/// The floors of CONTRIBUTING.md, from the top down: a room is a folder or a file directly under `helper/`.
fn floors() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md")).unwrap();
    let block = text.split("```floors\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let lines = block.lines().map(|line| line.split("  ").next().unwrap_or_default());
    lines.enumerate().flat_map(|(floor, line)| line.split(' ').map(move |room| (room.to_owned(), floor))).collect()
}

#[test]
fn no_circle_between_files() {
    let mut arrows = House::read().arrows();
    // Takes away, again and again, what imports nothing that is left or is imported by nothing: circles remain.
    loop {
        let (from, to): (BTreeSet<Module>, BTreeSet<Module>) = arrows.iter().cloned().unzip();
        let before = arrows.len();
        arrows.retain(|(a, b)| from.contains(b) && to.contains(a));
        if arrows.len() == before {
            break;
        }
    }
    let left: Vec<String> = arrows.iter().map(|(from, to)| format!("{} -> {}", shown(from), shown(to))).collect();
    assert!(left.is_empty(), "files that import each other, or what does: {left:#?}");
}

#[test]
fn no_arrow_runs_up() {
    let floors = floors();
    let room = |module: &Module| module.first().cloned().unwrap_or_else(|| "main".into());
    let mut wrong = Vec::new();
    for (from, to) in House::read().arrows() {
        let (above, below) = (room(&from), room(&to));
        let place =
            |room: &str| *floors.get(room).unwrap_or_else(|| panic!("`{room}` has no floor in CONTRIBUTING.md"));
        if above != below && place(&above) >= place(&below) {
            wrong.push(format!("{} -> {}", shown(&from), shown(&to)));
        }
    }
    assert!(wrong.is_empty(), "arrows that run up, or along a floor: {wrong:#?}");
}

#[test]
fn the_fuzzer_compiles_in_what_its_rooms_import() {
    let fuzzer = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/main.rs")).unwrap();
    let declared: BTreeSet<&str> =
        fuzzer.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    let arrows = House::read().arrows();
    let rooms = arrows.iter().filter_map(|(from, to)| Some((from.first()?.as_str(), to.first()?.as_str())));
    let missing: BTreeSet<_> = rooms.filter(|(from, to)| declared.contains(from) && !declared.contains(to)).collect();
    assert!(
        declared.contains("redact") && missing.is_empty(),
        "tests/fuzz/main.rs lacks what is imported: {missing:?}"
    );
}

#[test]
fn paths_are_read_in_all_their_spellings() {
    let mut paths = Vec::new();
    expand("crate::a::{b::{self, C}, d as e}", &[], &mut paths);
    let joined: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(joined, ["crate::a::b", "crate::a::b::C", "crate::a::d"]);
    assert_eq!(inline("x(crate::a::b(), super::c::D, child::f(E::F))").len(), 3);
    let (before, tree, after) = next_use("pub(crate) use a::b;\nfn f() {}").unwrap();
    assert_eq!((before, tree, after), ("pub(crate) ", "a::b", "\nfn f() {}"));
}
