//! The line of a compose file that a fact comes from. YAML readers keep no lines; indentation finds them.

use super::privilege::Privilege;

/// File and line, from 1: of the value, otherwise of the key, otherwise of the service.
pub(super) fn of(sources: &[(&str, &str)], fact: &Privilege) -> Option<(String, usize)> {
    let found = sources.iter().filter_map(|(name, text)| Some((*name, in_text(text, fact)?)));
    // The most precise one counts; of two the later file, because it overrides.
    found.max_by_key(|(_, (precision, _))| *precision).map(|(name, (_, line))| (name.to_owned(), line))
}

fn in_text(text: &str, fact: &Privilege) -> Option<(u8, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut block = 0..lines.len();
    let mut best = None;
    if let Some(service) = &fact.service {
        let services = below(&lines, block, "services")?;
        block = below(&lines, services, service)?;
        best = Some((1, block.start));
    }
    let value = fact.value.trim_matches(['"', '\'']);
    let first = fact.key.split(['.', '[']).next().unwrap_or_default();
    if let Some(of_key) = below(&lines, block.clone(), first) {
        best = Some((2, of_key.start));
        let shows = |line: &usize| lines[*line].split('#').next().is_some_and(|text| text.contains(value));
        if let Some(line) = of_key.into_iter().find(shows) {
            best = Some((3, line));
        }
    } else if let Some(line) = block.into_iter().find(|line| lines[*line].contains(value)) {
        best = Some((2, line));
    }
    best.map(|(precision, line)| (precision, line + 1))
}

/// The lines of a key inside of a block, its own first.
fn below(lines: &[&str], block: std::ops::Range<usize>, key: &str) -> Option<std::ops::Range<usize>> {
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
        // A list may be at the indentation of its key.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_found_in_its_file() {
        let main = "services:\n  a:\n    image: x\n  x:\n    image: y\n";
        let over = "# pid: host\nservices:\n  'x':\n    pid: host\n    volumes:\n    - ./a:/a\n    - /:/host\n  y: { privileged: true }\ninclude:\n  - ../z.yaml\n";
        let flow = "services: { z: { image: x, ipc: host } }\n";
        let sources = [("main", main), ("over", over), ("flow", flow)];
        for (service, key, value, expected) in [
            (Some("x"), "pid", "host", Some(("over", 4))),
            (Some("x"), "volumes", "/", Some(("over", 6))),
            (Some("x"), "volumes", "/:/host", Some(("over", 7))),
            (Some("y"), "privileged", "true", Some(("over", 8))),
            (Some("a"), "pid", "host", Some(("main", 2))),
            (Some("z"), "ipc", "host", Some(("flow", 1))),
            (None, "include", "../z.yaml", Some(("over", 10))),
            (Some("none"), "pid", "host", None),
        ] {
            let fact = Privilege { service: service.map(str::to_owned), key: key.into(), value: value.into() };
            let found = of(&sources, &fact);
            assert_eq!(found, expected.map(|(name, line)| (name.to_owned(), line)), "{service:?} {key}");
        }
    }
}
