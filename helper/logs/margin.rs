//! What a mail's quote or an indented block puts in front of every line.

use super::kind;

/// The quote's signs or the blanks in front of the first line, as long as every line has them.
#[derive(Clone, Debug, Default)]
pub(super) enum Margin {
    /// No line was read.
    #[default]
    Unread,
    /// All lines so far have it.
    Of(Vec<u8>),
    /// Not all lines have one.
    None,
}

impl Margin {
    /// Takes it off a line.
    pub(super) fn off<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        if line.trim_ascii().is_empty() {
            return line;
        }
        if matches!(self, Self::Unread) {
            let width = line.iter().take_while(|b| b" \t>".contains(b)).count();
            *self = if width == 0 || is_of_build(line) { Self::None } else { Self::Of(line[..width].to_vec()) };
        }
        let Self::Of(margin) = self else { return line };
        match line.strip_prefix(margin.as_slice()) {
            Some(rest) => rest,
            // An empty line of a quote has no blank behind its sign.
            None if line.trim_ascii() == margin.trim_ascii() => &[],
            None => {
                *self = Self::None;
                line
            }
        }
    }
}

/// BuildKit itself marks the step that failed: ` > [wiki 2/3] RUN …`.
fn is_of_build(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| kind::is_build(text) && !text.contains("[pod/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(lines: &[&'static str]) -> Vec<&'static str> {
        let mut margin = Margin::default();
        lines.iter().map(|line| std::str::from_utf8(margin.off(line.as_bytes())).unwrap()).collect()
    }

    #[test]
    fn what_every_line_has_goes() {
        assert_eq!(without(&["", "> a", ">", ">   b", "> c"]), ["", "a", "", "  b", "c"]);
        assert_eq!(without(&["    a", "", "      b", "    c"]), ["a", "", "  b", "c"]);
        assert_eq!(without(&[" > [2/3] RUN x:", "0.5 y"]), [" > [2/3] RUN x:", "0.5 y"]);
        assert_eq!(without(&["a", "  b"]), ["a", "  b"]);
        assert_eq!(without(&["  b", "a", "  b"]), ["b", "a", "  b"]);
    }
}
