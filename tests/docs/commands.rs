//! README's table of commands and the launcher's list of words, from what `schema` says of the commands.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::part_is;
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
