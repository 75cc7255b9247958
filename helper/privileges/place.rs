//! The line of a compose file that a fact comes from.

use super::privilege::Privilege;
use crate::config::yaml::below;

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
    let mut keys = fact.key.split(['.', '[']);
    let mut first = keys.next().unwrap_or_default();
    // What a whole file asks for begins a line.
    let is_top = |line: &&str| line.strip_prefix(first).is_some_and(|rest| rest.trim_start().starts_with(':'));
    if fact.service.is_none()
        && let Some(start) = lines.iter().position(is_top)
    {
        block = below(&lines, start..lines.len(), first)?;
        best = Some((1, block.start));
        first = keys.next().unwrap_or(first);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_found_in_its_file() {
        let main = "services:\n  a:\n    image: x\n  x:\n    image: y\n";
        let over = "# pid: host\nservices:\n  'x':\n    pid: host\n    volumes:\n    - ./a:/a\n    - /:/host\n  y: { privileged: true }\ninclude:\n  - ../z.yaml\n";
        let flow = "services: { z: { image: x, ipc: host } }\n";
        let volumes =
            "services:\n  v:\n    volumes:\n      - data:/d\nvolumes:\n  logs:\n  data:\n    external: true\n";
        let sources = [("main", main), ("over", over), ("flow", flow), ("volumes", volumes)];
        for (service, key, value, expected) in [
            (Some("x"), "pid", "host", Some(("over", 4))),
            (Some("x"), "volumes", "/", Some(("over", 6))),
            (Some("x"), "volumes", "/:/host", Some(("over", 7))),
            (Some("y"), "privileged", "true", Some(("over", 8))),
            (Some("a"), "pid", "host", Some(("main", 2))),
            (Some("z"), "ipc", "host", Some(("flow", 1))),
            (None, "include", "../z.yaml", Some(("over", 10))),
            (None, "volumes.data.external", "true", Some(("volumes", 8))),
            (Some("none"), "pid", "host", None),
        ] {
            let fact = Privilege { service: service.map(str::to_owned), key: key.into(), value: value.into() };
            let found = of(&sources, &fact);
            assert_eq!(found, expected.map(|(name, line)| (name.to_owned(), line)), "{service:?} {key}");
        }
    }
}
