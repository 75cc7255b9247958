//! The shape of `helper/` and `tests/`: how long a file may be; of `helper/`, how long a function, that what judges reads
//! nothing, that no sentence of ours is read back as data, and that prose is plain.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

/// Longest file, in lines.
const FILE: usize = 400;
/// Longest function, in lines.
const FUNCTION: usize = 60;

/// The table of rules: rows, not logic.
const TABLE: &str = "rules/table.rs";

/// A file under `helper/`: its path from there, its length in lines, its code without unit tests, and all of it.
struct Source {
    path: String,
    lines: usize,
    code: String,
    text: String,
}

fn sources() -> Vec<Source> {
    read_all("helper")
}

fn read_all(folder: &str) -> Vec<Source> {
    fn walk(folder: &Path, root: &Path, into: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            if file.join("Cargo.toml").exists() {
                // Another crate: a stand-in or a fuzz target.
            } else if file.is_dir() {
                walk(&file, root, into);
            } else if file.extension().is_some_and(|ending| ending == "rs") {
                let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let text = fs::read_to_string(&file).unwrap();
                let is_test = path.split(['/', '.']).any(|part| matches!(part, "tests" | "properties"))
                    || matches!(path.as_str(), "layout.rs" | "shape.rs");
                let code = if is_test { "" } else { text.split("\n#[cfg(test)]\nmod tests {").next().unwrap() };
                into.push(Source { path, lines: text.lines().count(), code: code.to_owned(), text });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all = Vec::new();
    walk(&root, &root, &mut all);
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// Name and length in lines of every function, as rustfmt lays it out: it ends where its brace is as deep as its `fn`.
fn functions(code: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let is_end = |line: &&str| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}'));
        let one_line = line.ends_with('}') || line.ends_with(';');
        let length = if one_line { 1 } else { lines[at + 1..].iter().position(is_end).map_or(1, |end| end + 2) };
        found.push((name, length));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    if let Some(public) = rest.strip_prefix("pub") {
        rest = public.strip_prefix('(').and_then(|inner| inner.split_once(')')).map_or(public, |(_, rest)| rest);
    }
    while let Some(next) = ["const ", "unsafe ", "async "].iter().find_map(|word| rest.trim_start().strip_prefix(word))
    {
        rest = next;
    }
    let name = rest.trim_start().strip_prefix("fn ")?;
    Some(name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default().to_owned())
}

#[test]
fn no_file_is_too_long() {
    let all = sources().into_iter().chain(read_all("tests"));
    let long = all.filter(|source| source.lines > FILE && source.path != TABLE);
    let long: Vec<String> = long.map(|source| format!("{}: {}", source.path, source.lines)).collect();
    assert!(long.is_empty(), "files that are too long: {long:#?}");
}

#[test]
fn no_function_is_too_long() {
    let mut long = Vec::new();
    for source in sources() {
        let functions = functions(&source.code).into_iter().filter(|(_, length)| *length > FUNCTION);
        long.extend(functions.map(|(name, length)| format!("{}::{name}: {length}", source.path)));
    }
    assert!(long.is_empty(), "functions that are too long: {long:#?}");
}

/// Fields of a finding that hold sentences, and what errors are called.
const PROSE: &[&str] = &[".fix", ".cause", ".title", ".summary", "evidence", "error", "err", "fault", ".message"];

/// Logs are other programs' sentences, read for their words.
const FOREIGN: &str = "logs/";

/// Reading a text for words.
const READING: &[&str] = &[
    ".contains(\"",
    ".starts_with(\"",
    ".ends_with(\"",
    ".find(\"",
    ".matches(\"",
    ".split_once(\"",
    ".rsplit_once(\"",
    ".strip_prefix(\"",
    ".strip_suffix(\"",
];

/// Statements that read our own sentences: the receiver of a reading, or what it was bound from in the same function.
fn readings(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in READING.iter().flat_map(|word| code.match_indices(word)) {
        let statement = code[..at].rfind([';', '{', '}', ',', '=', '|', '&']).map_or(0, |begin| begin + 1);
        let receiver = code[statement..at].trim_start_matches([' ', '(', '!', '\n']).trim();
        let words = |text: &str| {
            let named = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).any(|word| {
                PROSE.iter().any(|prose| word == *prose || prose.starts_with('.') && word.ends_with(prose))
                    || word.split('.').any(|part| PROSE.contains(&part))
            });
            named && !text.contains('"')
        };
        let function = code[..at].rfind("\nfn ").max(code[..at].rfind(" fn ")).unwrap_or(0);
        let bound = format!("let {} = ", receiver.split_whitespace().next_back().unwrap_or_default());
        let source = code[function..at].rfind(&bound).map(|begin| {
            let rest = &code[function + begin + bound.len()..];
            rest.split(';').next().unwrap_or_default()
        });
        if words(receiver) || source.is_some_and(words) {
            found.push(code[statement..].lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim());
        }
    }
    found
}

#[test]
fn no_sentence_is_read_back() {
    let all = sources();
    let all = all
        .iter()
        .filter(|source| !source.path.starts_with(FOREIGN))
        .flat_map(|source| readings(&source.code).into_iter().map(|line| (&source.path, line)));
    let wrong: Vec<String> = all.map(|(path, line)| format!("{path}: {line}")).collect();
    assert!(wrong.is_empty(), "carry the fact in a field, a kind or an id instead: {wrong:#?}");
}

/// What judges facts: where it is, and what it may not name, because it leads to the disk, to the engine or to the clock.
const JUDGES: &[&str] = &[
    "certs/judge.rs",
    "certs/rows.rs",
    "diagnose/call/judge.rs",
    "diagnose/judge.rs",
    "lint/",
    "preflight/host/checks.rs",
    "preflight/network/judge.rs",
    "preflight/tools/checks.rs",
    "probe/answers.rs",
    "probe/judge.rs",
    "stack/judge/",
];
const OUTSIDE: &[&str] =
    &["Deployment", ".deployment", "std::fs", "os::process", "engine::client", "now_utc", "File::read"];
/// Gathers the facts of the checks.
const GATHERS: &str = "lint/facts.rs";

#[test]
fn what_judges_facts_reads_nothing() {
    let is_judge = |path: &str| path != GATHERS && JUDGES.iter().any(|judge| path.starts_with(judge));
    let all: Vec<Source> = sources().into_iter().filter(|source| is_judge(&source.path)).collect();
    assert!(JUDGES.iter().all(|judge| all.iter().any(|source| source.path.starts_with(judge))));
    let named = |source: &Source| OUTSIDE.iter().find(|word| source.code.contains(**word)).copied();
    let wrong: Vec<String> =
        all.iter().filter_map(|source| Some(format!("{}: {}", source.path, named(source)?))).collect();
    assert!(wrong.is_empty(), "gather it before: {wrong:#?}");
}

/// Where a code writes its own fix: a row of a table, or `rules::Remedy`, has the sentence.
fn own_fixes(code: &str) -> Vec<&str> {
    let assigned = code.match_indices(".fix =").map(|(at, _)| &code[at + ".fix =".len()..]);
    assigned.map(str::trim_start).filter(|rest| rest.starts_with('"') || rest.starts_with("format!")).collect()
}

#[test]
fn every_fix_is_in_a_table() {
    let all = sources();
    let wrong: Vec<&str> =
        all.iter().filter(|source| !own_fixes(&source.code).is_empty()).map(|source| source.path.as_str()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(own_fixes("a.fix =\n    format!(\"x\"); b.fix = row.fix; c.fix = \"y\".into();").len(), 2);
}

/// Words that are archaic, translated or riddles, each with the plain one.
const WORDS: &[(&str, &str)] = &[
    ("anew", "again"),
    ("beside", "next to, in addition to"),
    ("hence", "so"),
    ("in clear", "in plain text"),
    ("lies", "is"),
    ("lives in", "runs in"),
    ("lives on", "runs on"),
    ("lives with", "runs with"),
    ("mend", "fix"),
    ("nobody", "name the program"),
    ("somebody", "name the program or the person"),
    ("thereof", "of it"),
    ("thus", "so"),
    ("upon", "on"),
    ("whence", "from where"),
    ("whichever", "which"),
    ("whoever", "name the person"),
    ("belong into", "belong in"),
    ("belongs into", "belongs in"),
    (", else ", ", otherwise"),
    (", else.", ", otherwise"),
];
/// What other programs print, and texts that break readers.
const FOREIGN_WORDS: &[&str] = &["logs/patterns/", "properties/", "shape.rs"];

/// The prose of a source: its comments and what is between quotes, with the number of the line where each begins.
fn prose(code: &str) -> Vec<(usize, &str)> {
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < code.len() {
        let rest = &code[at..];
        let starts = ["//", "r#\"", "'\"'", "\\\"", "\\\\", "\""].into_iter().find(|start| rest.starts_with(start));
        let begin = starts.map_or(rest.chars().next().map_or(1, char::len_utf8), str::len);
        let is_escape = |end: usize| rest[..end].bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
        let end = match starts {
            Some("//") => rest.find('\n'),
            Some("r#\"") => rest.find("\"#").map(|end| end + 2),
            Some("\"") => rest.match_indices('"').skip(1).find(|(end, _)| !is_escape(*end)).map(|(end, _)| end + 1),
            _ => Some(begin),
        };
        let end = end.unwrap_or(rest.len());
        if end > begin {
            found.push((line, &rest[..end]));
        }
        line += rest[..end].matches('\n').count();
        at += end;
    }
    found
}

fn odd_words(text: &str) -> Vec<&'static str> {
    let lower = text.to_lowercase();
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let is_word = |at: usize, word: &str| {
        let (before, after) = (lower[..at].chars().next_back(), lower[at + word.len()..].chars().next());
        !(is_letter(before) && is_letter(word.chars().next())
            || is_letter(after) && is_letter(word.chars().next_back()))
    };
    let has = |word: &str| lower.match_indices(word).any(|(at, _)| is_word(at, word));
    WORDS.iter().map(|(word, _)| *word).filter(|word| has(word)).collect()
}

#[test]
fn prose_is_plain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut read = |name: &str, first: usize, text: &str| {
        for (at, line) in text.lines().enumerate() {
            let plain = |word: &str| WORDS.iter().find(|(odd, _)| *odd == word).map_or("", |(_, plain)| plain);
            let odd = odd_words(line).into_iter();
            wrong.extend(odd.map(|word| format!("{name}:{}: {word}: {}", first + at, plain(word))));
        }
    };
    for source in sources().iter().filter(|source| !FOREIGN_WORDS.iter().any(|path| source.path.starts_with(path))) {
        for (line, text) in prose(&source.code) {
            read(&format!("helper/{}", source.path), line, text);
        }
    }
    // Tests hold the words of others, too, outside of their comments.
    for source in read_all("tests") {
        for (line, text) in prose(&source.text).into_iter().filter(|(_, text)| text.starts_with("//")) {
            read(&format!("tests/{}", source.path), line, text);
        }
    }
    for folder in ["", "docs", "commands", "helper/config/sample", "helper/export/helm"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ["md", "py", "txt", "sh"].iter().any(|known| ending == *known)) {
                read(path.strip_prefix(root).unwrap().to_str().unwrap(), 1, &fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(wrong.is_empty(), "say it plainly: {wrong:#?}");
    let code = "let a = '\"'; // one\nlet b = \"two \\\" \\\n  three\";\nr#\"four\"#";
    let texts: Vec<(usize, &str)> = prose(code);
    assert_eq!(texts, [(1, "// one"), (2, "\"two \\\" \\\n  three\""), (4, "r#\"four\"#")]);
    assert_eq!(odd_words("// Made anew, else it hangs; a recommended thusness."), ["anew", ", else "]);
}

#[test]
fn the_shape_is_read_as_it_is_written() {
    let code = "fn a() {\n    x();\n}\n\nimpl B {\n    pub(crate) const fn c(\n        d: u8,\n    ) -> u8 {\n        d\n    }\n}\nfn e() {}\n";
    let found: Vec<(String, usize)> = [("a", 3), ("c", 5), ("e", 1)].map(|(n, l)| (n.to_owned(), l)).into();
    assert_eq!(functions(code), found);
    for wrong in [
        "fn f() { if finding.fix.contains(\"x\") {} }",
        "fn f() {\n    let text = error.to_string();\n    if text.starts_with(\"x\") {}\n}",
        "fn f() { f.evidence.iter().any(|e| e.text.contains(\"x\")) || finding.evidence[0].text.contains(\"x\") }",
    ] {
        assert!(!readings(wrong).is_empty(), "{wrong}");
    }
    assert!(readings("fn f() { let text = line.text(); text.contains(\"error\"); }").is_empty());
}
