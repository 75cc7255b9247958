//! The name that a misspelt one means.

/// Longer than any name: comparing takes time.
const LONGEST: usize = 64;
/// How alike two names must be, 1 for the same.
const ALIKE: f32 = 0.6;

/// The known name that is most alike, if one is.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    similar::get_close_matches(name, &known.into_iter().collect::<Vec<_>>(), 1, ALIKE).pop()
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
            ("enviro", Some("environment")),
            ("mcp_proxy", Some("mcp-proxy")),
            ("backned", Some("backend")),
            ("pg", None),
            ("frontend", None),
            ("", None),
            (&"image".repeat(20), None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }
}
