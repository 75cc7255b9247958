//! Which files a `.dockerignore` keeps out of a build.

/// Wildcards of one pattern that are followed.
const MOST_WILD: usize = 6;

/// Whether a `.dockerignore` keeps a path out of the build (https://docs.docker.com/build/concepts/context/#dockerignore-files).
pub(super) fn is_ignored(rules: &str, path: &str) -> bool {
    let path = path.trim_start_matches("./");
    let parts = || path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]);
    let rules = rules.lines().map(str::trim).filter(|rule| !rule.is_empty() && !rule.starts_with('#'));
    rules.fold(false, |ignored, rule| {
        let (rule, ignores) = rule.strip_prefix('!').map_or((rule, true), |rule| (rule, false));
        let rule = rule.trim_start_matches("./").trim_matches('/');
        if parts().any(|part| globs(rule, part)) { ignores } else { ignored }
    })
}

/// Whether a pattern of file names fits: `*` and `?` within a name, `**` across folders.
pub(super) fn globs(pattern: &str, text: &str) -> bool {
    fn fits(pattern: &str, text: &str) -> bool {
        if pattern == "**" {
            return true;
        }
        if let Some(rest) = pattern.strip_prefix("**/") {
            return fits(rest, text) || text.match_indices('/').any(|(at, _)| fits(rest, &text[at + 1..]));
        }
        let mut letters = pattern.chars();
        let first = text.chars().next();
        let rest = |text: &'_ str| text.chars().next().map_or(0, char::len_utf8);
        match (letters.next(), first) {
            (None, None) => true,
            (Some('*'), Some(letter)) if letter != '/' => {
                fits(letters.as_str(), text) || fits(pattern, &text[rest(text)..])
            }
            (Some('*'), _) => fits(letters.as_str(), text),
            (Some('?'), Some(letter)) if letter != '/' => fits(letters.as_str(), &text[rest(text)..]),
            (Some(own), Some(letter)) if own == letter => fits(letters.as_str(), &text[rest(text)..]),
            _ => false,
        }
    }
    pattern.matches('*').count() <= MOST_WILD && fits(pattern, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_kept_out_by_the_last_rule_that_fits() {
        for (rules, path, is_out) in [
            (".env\n", ".env", true),
            ("**/.env\n", "wiki/.env", true),
            ("*.env\n", "prod.env", true),
            (".env*\n!.env\n", ".env", false),
            ("*\n!uv.lock\n", "uv.lock", false),
            ("# .env\nnode_modules\n", ".env", false),
            ("config/\n", "config/.env", true),
            ("*\n", "a/b", true),
        ] {
            assert_eq!(is_ignored(rules, path), is_out, "{rules:?} {path}");
        }
    }
}
