//! Whether the instructions of a Dockerfile start a program at all: only what is sure.

use super::image::{self, Said};
use super::start::Start;
use crate::model::found::Found;
use crate::rules::{At, Unusable};

/// What is wrong with what the image of a service starts, and the line that says it.
pub(super) fn fault(start: &Start, found: &Found, service: &str) -> Option<(Unusable, Option<At>)> {
    let image = start.image.as_ref()?;
    let has = |key: &str| found.service(service, key).is_some();
    if has("entrypoint") {
        return None;
    }
    let (dockerfile, base) = (image.file.clone(), image::name_of(&image.base).to_owned());
    if start.words.is_empty() {
        // A language or a shell that has no terminal ends.
        let is_idle = image::AT_ROOT.contains(&base.as_str());
        let is_asked = ["command", "tty", "stdin_open"].into_iter().any(has);
        return (is_idle && !is_asked).then_some((Unusable::NoCommand { dockerfile, base }, None));
    }
    let counts = |said: &&Said| !said.words.is_empty();
    let of_command = Some(&image.command).filter(|_| !has("command"));
    let said = Some(&image.entrypoint).filter(counts).or(of_command).filter(counts)?;
    let [shell, option, text] = said.words.as_slice() else { return None };
    let at = Some((dockerfile.clone(), Some(said.line)));
    if (shell.as_str(), option.as_str()) != ("sh", "-c") || image.has_shell {
        None
    } else if is_nearly_list(text) {
        Some((Unusable::NoList { dockerfile }, at))
    } else {
        image.has_no_shell().then_some((Unusable::NoShell { dockerfile, base }, at))
    }
}

/// Whether a line for a shell was meant as a list: JSON has double quotes, and a comma between the words only
/// (https://docs.docker.com/reference/dockerfile/#shell-and-exec-form).
fn is_nearly_list(text: &str) -> bool {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| {
        let quotes = ['"', '\'', '\u{201c}', '\u{2018}'];
        inner.trim_start().starts_with(quotes) && !inner.contains(['[', ';', '&', '|'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_none_is_told_from_a_line_for_a_shell() {
        for text in ["['python', 'server.py']", "[\"python\", \"server.py\",]", "[ 'a' ]", "[\u{201c}a\u{201d}]"] {
            assert!(is_nearly_list(text), "{text}");
        }
        for text in
            ["[ -f x ] && exec python a.py", "[ \"$A\" ] && python a.py [1]", "python -c 'print([1])'", "[ -f x ]"]
        {
            assert!(!is_nearly_list(text), "{text}");
        }
    }
}
