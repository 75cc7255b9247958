//! What docker and Compose mean when they fail.

use crate::answer::Finding;
use crate::logs::patterns::{Effect, Pattern, engine_patterns};
use crate::redact;
use crate::rules::{self, RuleId};

/// The finding for what docker or Compose printed when it failed; `otherwise` where the message is not a known one.
pub(crate) fn finding(printed: &str, otherwise: RuleId) -> Finding {
    let lines: Vec<&str> = ends(printed)
        .into_iter()
        .flat_map(str::lines)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains("level=warning"))
        .collect();
    // The first wording of the table that fits any line: what explains the others is further up in it.
    let meant: Vec<Option<Pattern>> =
        lines.iter().map(|line| engine_patterns().find(|pattern| pattern.fits(line))).collect();
    let known = engine_patterns().find_map(|pattern| {
        let at = meant.iter().rposition(|found| *found == Some(pattern))?;
        Some((pattern, lines[at]))
    });
    match known {
        Some((Pattern { rule: Some(rule), effect: Effect::Fatal, .. }, line)) => rules::finding(rule).with(line),
        _ => {
            let last = lines.len().saturating_sub(2);
            rules::finding(otherwise).with_all(&lines[last..])
        }
    }
}

/// Bytes of an output that are read from each of its ends: the fault is at one of them, and millions of lines cost time.
const END: usize = 16 << 10;

/// A text without its middle, where it is long.
fn ends(text: &str) -> Vec<&str> {
    if text.len() <= 2 * END {
        return vec![text];
    }
    vec![redact::head(text, END), redact::tail(text, END)]
}

/// Whether `docker image inspect` says that the image is not on the engine.
pub(crate) fn is_no_such_image(printed: &str) -> bool {
    printed.to_ascii_lowercase().contains("no such image")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_fault_is_not_taken_for_an_image_fault() {
        let said = "unable to get image 'x': permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
        assert_eq!(finding(said, RuleId::ComposeFailed).id, RuleId::DockerPermission);
    }

    #[test]
    fn a_token_in_an_error_is_not_quoted() {
        let said = "failed to read /x/.env: line 3: unterminated quoted value \"eyJhIjoiYWNjb3VudCIsInQiOiJ0dW5uZWwiLCJzIjoiYyJ9";
        let finding = finding(said, RuleId::ComposeFailed);
        assert_eq!(finding.id, RuleId::ComposeEnvInvalid);
        assert!(!finding.evidence[0].text.contains("eyJ"), "{:?}", finding.evidence);
    }

    #[test]
    fn the_fault_is_found_at_either_end_of_a_long_output() {
        let noise = "é\n".repeat(END);
        for printed in [format!("no space left on device\n{noise}"), format!("{noise}no space left on device\n")] {
            assert_eq!(finding(&printed, RuleId::ComposeFailed).id, RuleId::DiskFull);
        }
    }

    #[test]
    fn unknown_words_are_quoted() {
        let finding = finding("a\n\nb\nError: something new\n", RuleId::ComposeFailed);
        assert_eq!(
            (finding.id, finding.evidence),
            (RuleId::ComposeFailed, vec!["b".into(), "Error: something new".into()])
        );
    }
}
