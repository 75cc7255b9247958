//! The header of every file that `render` writes: what made it, that editing is allowed, and a hash that tells an edit.

use crate::hash::sha256_hex;

const MADE_BY: &str = "# Written by mcp-tunnels-helper. You may edit this file: your version is then kept.\n";
const HASH: &str = "# content-sha256: ";

/// Who wrote the present content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authorship {
    /// The helper, unchanged since.
    Ours,
    /// The helper, edited since.
    Edited,
    /// Another program, or a person.
    Foreign,
}

/// Puts the header in front of a text whose comments begin with `#`. `about` is one more comment line, or empty.
pub(crate) fn stamp(about: &str, body: &str) -> String {
    stamp_below("", about, body)
}

/// The same below the first lines of a file, which must stay first: `#!/bin/sh`, the beginning of a comment.
pub(crate) fn stamp_below(first: &str, about: &str, body: &str) -> String {
    let about = if about.is_empty() { String::new() } else { format!("# {about}\n") };
    let rest = format!("{first}{MADE_BY}{about}{body}");
    format!("{first}{MADE_BY}{about}{HASH}{}\n{body}", content_hash(&rest))
}

/// Line endings do not count: an editor or git may change them without an edit.
fn content_hash(text: &str) -> String {
    sha256_hex(text.replace("\r\n", "\n").as_bytes())
}

/// Tells who wrote a text.
pub(crate) fn origin(text: &str) -> Authorship {
    let Some(line) = text.lines().take(10).find(|line| line.starts_with(HASH)) else { return Authorship::Foreign };
    let rest: String = text.split_inclusive('\n').filter(|l| l.trim_end() != line.trim_end()).collect();
    if line.trim_end().strip_prefix(HASH) == Some(&content_hash(&rest)) { Authorship::Ours } else { Authorship::Edited }
}

/// The text of an unedited file after a change of the helper's own, with the hash of what it is now.
pub(crate) fn restamp(text: &str) -> String {
    let rest: String = text.split_inclusive('\n').filter(|line| !line.starts_with(HASH)).collect();
    let fresh = |line: &str| match line.starts_with(HASH) {
        true => format!("{HASH}{}\n", content_hash(&rest)),
        false => line.to_owned(),
    };
    text.split_inclusive('\n').map(fresh).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_anywhere_is_seen_and_line_endings_are_not() {
        let text = stamp("About.", "a: 1\nb: 2\n");
        assert_eq!(origin(&text), Authorship::Ours);
        assert_eq!(origin(&text.replace('\n', "\r\n")), Authorship::Ours);
        assert_eq!(origin(&text.replace("b: 2", "b: 3")), Authorship::Edited);
        assert_eq!(origin(&text.replace("About", "Mine")), Authorship::Edited);
        assert_eq!(origin(&format!("# mine\n{text}")), Authorship::Edited);
        assert_eq!(origin("a: 1\n"), Authorship::Foreign);
        assert_eq!(restamp(&text), text);
        assert_eq!(origin(&restamp(&text.replace("b: 2", "b: 3"))), Authorship::Ours);
        let script = stamp_below("#!/bin/sh\n", "", "exit 0\n");
        assert!(script.starts_with("#!/bin/sh\n# ") && origin(&script) == Authorship::Ours, "{script}");
        assert_eq!(origin(&script.replace("exit 0", "exit 1")), Authorship::Edited);
    }
}
