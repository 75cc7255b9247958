//! The name that a misspelt one means.

/// The name that differs least, by at most two letters and not by half of them.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    let apart = known.into_iter().map(|other| (distance(&lower, &other.to_ascii_lowercase()), other));
    let (apart, other) = apart.min_by_key(|(apart, _)| *apart)?;
    (apart <= MOST && apart * 2 < name.len().max(2)).then_some(other)
}

/// Letters that differ at most.
const MOST: usize = 2;

/// Letters to add, remove or replace (Levenshtein); texts that are too long are far apart.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().max(other.len()) > 63 || one.len().abs_diff(other.len()) > MOST {
        return usize::MAX / 4;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (at, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let known = ["environment", "image", "mcp-proxy", "db", "backend"];
        for (name, meant) in [
            ("enviroment", Some("environment")),
            ("Image", Some("image")),
            ("mcp_proxy", Some("mcp-proxy")),
            ("backned", Some("backend")),
            ("d", None),
            ("pg", None),
            ("frontend", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }
}
