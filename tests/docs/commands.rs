//! README's table of commands and the launcher's list of words, from what `schema` says of the commands.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::support::{folder, helper, plain};

/// The commands in the order of `--help`, each with what it does.
fn commands() -> Vec<(String, String)> {
    let schema = helper(["schema"]).run().expect(0);
    let all = schema.data()["commands"].as_object().unwrap();
    let row = |(words, row): (&String, &Value)| (words.clone(), row["about"].as_str().unwrap().to_owned());
    let help = String::from_utf8(plain(folder().path()).arg("--help").output().unwrap().stdout).unwrap();
    let place = |words: &str| help.find(&format!("\n  {} ", words.split(' ').next().unwrap()));
    let mut rows: Vec<(String, String)> = all.iter().map(row).collect();
    rows.sort_by_key(|(words, _)| place(words));
    rows
}

/// Compares the part of a file between two markers, or writes it where `UPDATE` is set.
fn part_is(file: &str, begin: &str, end: &str, part: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{file} has no `{begin}`"));
    let (now, after) = rest.split_once(end).unwrap_or_else(|| panic!("{file} has no `{end}`"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, [before, begin, part, end, after].concat()).unwrap();
        return;
    }
    assert_eq!(now, part, "{file} differs; UPDATE=1 rewrites it");
}

#[test]
fn the_table_of_the_readme_is_the_commands() {
    let mut table = String::from("\n| command | does |\n|---|---|\n");
    for (words, about) in commands() {
        let about = about[..1].to_lowercase() + &about[1..];
        writeln!(table, "| `{words}` | {} |", about.replace('|', "\\|")).unwrap();
    }
    part_is("README.md", "<!-- commands: made by the tests -->", "<!-- end of commands -->", &table);
}

/// Words that the launcher may repeat in an error: any other one may be a secret.
#[test]
fn the_words_of_the_launcher_are_the_commands() {
    let all = commands();
    let words: BTreeSet<&str> = all.iter().flat_map(|(words, _)| words.split(' ')).collect();
    let mut pattern = String::from("\n");
    let mut line = String::from("   ");
    for (at, word) in words.iter().enumerate() {
        let more = if at + 1 < words.len() { " |" } else { ") words=\"$words${words:+ }$word\" ;;" };
        if line.len() + word.len() > 100 {
            writeln!(pattern, "{line} \\").unwrap();
            line = "       ".into();
        }
        write!(line, " {word}{more}").unwrap();
    }
    writeln!(pattern, "{line}").unwrap();
    part_is("bin/mcp-tunnels-helper", "    # commands: made by the tests", "    # end of commands", &pattern);
}
