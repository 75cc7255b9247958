//! The lines of a text that a key is in. YAML readers keep no lines; indentation finds them.

use std::ops::Range;

/// The line of a key, from 1, by its path.
pub(crate) fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let block = path.iter().try_fold(0..lines.len(), |block, key| below(&lines, block, key))?;
    Some(block.start + 1)
}

/// The lines of a key inside of a block, its own first.
pub(crate) fn below(lines: &[&str], block: Range<usize>, key: &str) -> Option<Range<usize>> {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_key = |line: &str| {
        let text = line.trim_start_matches([' ', '-', '{']).trim_start_matches(['"', '\'']);
        text.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    };
    let end = block.end;
    let start =
        block.clone().find(|line| is_key(lines[*line])).or_else(|| block.clone().find(|l| flows(lines[*l], key)))?;
    let depth = indent(lines[start]);
    let is_next = |line: &str| {
        let (text, at) = (line.trim_start(), indent(line));
        let is_nothing = text.is_empty() || text.starts_with('#');
        // A list may stand at its key's own depth.
        let is_entry = at == depth && text.starts_with("- ");
        at <= depth && !is_nothing && !is_entry
    };
    let stop = (start + 1..end).find(|line| is_next(lines[*line])).unwrap_or(end);
    Some(start..stop)
}

/// Whether a key is in the middle of a line: `{ a: { KEY: x } }`.
fn flows(line: &str, key: &str) -> bool {
    line.match_indices(key).any(|(at, _)| {
        let ends = |text: &str| text.trim_start_matches(['"', '\'', ' ']).starts_with(':');
        line[..at].ends_with(['{', ',', ' ', '"', '\'']) && ends(&line[at + key.len()..])
    })
}
