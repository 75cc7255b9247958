//! What the tests of the redactor's rooms say of lines.

use super::evidence;

/// The secret `s3cr3t` is gone from each line, and redacting twice changes nothing.
pub(super) fn hides(lines: &[&str]) {
    for line in lines {
        let shown = evidence(line);
        assert!(!shown.contains("s3cr3t"), "{line}: {shown}");
        assert_eq!(evidence(&shown), shown, "{line}");
    }
}

/// Each line stays as it is.
pub(super) fn keeps(lines: &[&str]) {
    for line in lines {
        assert_eq!(evidence(line), *line);
    }
}
