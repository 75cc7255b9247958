//! Lists of packages: requirements, projects, and what a lock file has settled.

use crate::config::sample;

/// What a text says of the package `mcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Version 2 is shut out.
    Bounded,
    /// So is 1.23, the first that accepts local host names only.
    Old,
    /// Version 2 may be installed.
    Loose,
}

/// What a requirement says of `mcp`, where it is of this package.
pub(super) fn of_word(requirement: &str) -> Option<Says> {
    let word: String = requirement.chars().filter(|c| !matches!(c, ' ' | '\t' | '(' | ')')).collect();
    let rest = word.strip_prefix("mcp")?;
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let is_other = rest.starts_with(|c: char| !matches!(c, '=' | '>' | '<' | '~' | '!' | ',' | '\\' | ';'));
    let is_loose = sample::pinned_sdk(&word).is_none_or(|newest| newest >= 2);
    let is_old = rest.split([';', '\\']).next().unwrap_or_default().split(',').any(is_old);
    let says = match (is_loose, is_old) {
        (true, _) => Says::Loose,
        (false, true) => Says::Old,
        (false, false) => Says::Bounded,
    };
    (!is_other).then_some(says)
}

/// Whether one clause of a version specifier allows no version from 1.23 on.
fn is_old(clause: &str) -> bool {
    let operator: String = clause.chars().take_while(|c| "=<>~!".contains(*c)).collect();
    let mut numbers = clause[operator.len()..].split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor, patch) = (numbers.next().flatten(), numbers.next().flatten(), numbers.next());
    match (operator.as_str(), major, minor) {
        ("==" | "===" | "<=", Some(1), Some(minor)) => minor < 23,
        ("<", Some(1), Some(minor)) => minor <= 23,
        // `~=1.9` allows 1.30, `~=1.9.4` does not.
        ("~=", Some(1), Some(minor)) => patch.is_some() && minor < 23,
        _ => false,
    }
}

/// A line of a list of requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Requirement(Says),
    /// Another list, as it is written.
    List(String),
    /// The project of a folder.
    Project(String),
}

/// The lines of `requirements.txt` and its kind (https://pip.pypa.io/en/stable/reference/requirements-file-format/).
pub(super) fn of_requirements(text: &str) -> Vec<Line> {
    let one = |line: &str| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let option = |names: &[&str]| {
            let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
            Some(rest.trim_start_matches(['=', ' ', '\t']).to_owned())
        };
        option(&["--requirement", "-r", "--constraint", "-c"])
            .map(Line::List)
            .or_else(|| option(&["--editable", "-e"]).map(Line::Project))
            .or_else(|| (line == ".").then(|| Line::Project(".".into())))
            .or_else(|| of_word(line).map(Line::Requirement))
    };
    text.lines().filter_map(one).collect()
}

/// What `pyproject.toml`, `setup.cfg`, `setup.py` or `Pipfile` says of `mcp`.
pub(super) fn of_project(name: &str, text: &str) -> Vec<Says> {
    let mut is_in_table = false;
    let mut all = Vec::new();
    for line in text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim()) {
        if line.starts_with('[') && !line.contains(['"', '\'']) {
            is_in_table = ["dependencies]", "packages]"].iter().any(|ending| line.ends_with(ending));
        }
        let table = line.split_once('=').filter(|(key, _)| is_in_table && key.trim() == "mcp");
        match table {
            Some((_, value)) => all.extend(of_table(value)),
            None if name.ends_with(".cfg") => all.extend(of_word(line)),
            None => all.extend(line.split(['"', '\'']).skip(1).step_by(2).filter_map(of_word)),
        }
    }
    all
}

/// The version in a table of dependencies: `"^1.9"`, `"*"`, `{ version = "^1.9", extras = ["cli"] }`.
fn of_table(value: &str) -> Option<Says> {
    let version = match value.split_once("version") {
        Some((_, rest)) => rest,
        None if value.contains('{') => return None,
        None => value,
    };
    let version = version.split(['"', '\'']).nth(1)?;
    // Poetry's caret and a bare number keep the major version.
    let is_caret = version.starts_with(|c: char| c == '^' || c.is_ascii_digit());
    let major = version.trim_start_matches('^').split('.').next().unwrap_or_default();
    let version = if is_caret { format!("~={major}.0") } else { version.to_owned() };
    of_word(&format!("mcp{}", version.trim_matches('*')))
}

/// What a lock file has settled for `mcp`; `None` where it does not have the package.
pub(super) fn of_lock(text: &str) -> Option<Says> {
    let of_version = |version: &str| of_word(&format!("mcp=={}", version.trim_start_matches('=')));
    if let Ok(lock) = serde_json::from_str::<serde_json::Value>(text) {
        return of_version(lock["default"]["mcp"]["version"].as_str()?);
    }
    let lines = text.lines().map(str::trim).skip_while(|line| line.replace(' ', "") != "name=\"mcp\"");
    let version = lines.take_while(|line| !line.starts_with("[[")).find_map(|line| line.strip_prefix("version"))?;
    of_version(version.split('"').nth(1)?)
}

/// What a text asks for of `mcp`, `mcp>=1.2` as it is written, and in which line.
pub(super) fn asked(text: &str) -> Option<(String, usize)> {
    let is_it = |word: &&str| {
        let name = word.strip_prefix("mcp");
        name.is_some_and(|rest| rest.is_empty() || rest.starts_with(['=', '<', '>', '~', '!', '[', ';']))
    };
    text.lines().enumerate().find_map(|(at, line)| {
        let code = line.split('#').next()?;
        let mut words = code.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')'));
        Some((words.find(is_it)?.trim_end_matches([',', ';']).to_owned(), at + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements() {
        for loose in ["mcp", "mcp[cli]>=1.2", "mcp==2.3.0", "mcp (>=1.9)", "mcp; python_version > '3.9'", "mcp \\"] {
            assert_eq!(of_word(loose), Some(Says::Loose), "{loose}");
        }
        for bounded in ["mcp>=1.9,<2", "mcp~=1.9", "mcp [cli] >= 1.2, < 2", "mcp==1.30.0 \\"] {
            assert_eq!(of_word(bounded), Some(Says::Bounded), "{bounded}");
        }
        for old in ["mcp==1.9.4", "mcp~=1.9.2", "mcp>=1.2,<1.20", "mcp[cli]<=1.22.0; python_version > '3'"] {
            assert_eq!(of_word(old), Some(Says::Old), "{old}");
        }
        for other in ["mcp-proxy", "fastmcp", "mcp_server", "mcp @ https://pypi.corp.example/mcp.whl", "#mcp", "/mcp"] {
            assert_eq!(of_word(other), None, "{other}");
        }
        let text = "# packages\n-r base.txt\n--constraint=c.txt\n-e .\nmcp~=1.9  # the SDK\n    # via mcp\n";
        let expected = [
            Line::List("base.txt".into()),
            Line::List("c.txt".into()),
            Line::Project(".".into()),
            Line::Requirement(Says::Bounded),
        ];
        assert_eq!(of_requirements(text), expected);
    }

    #[test]
    fn projects() {
        for (name, text, says) in [
            (
                "pyproject.toml",
                "[project]\ndependencies = [\n  \"httpx\",\n  \"mcp[cli]>=1.9.0\",\n]\n",
                Some(Says::Loose),
            ),
            ("pyproject.toml", "dependencies = [\"mcp (>=1.2,<2.0)\"]", Some(Says::Bounded)),
            ("pyproject.toml", "[tool.poetry.dependencies]\nmcp = \"^1.9\"\n", Some(Says::Bounded)),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\nmcp = {version = \">=1.9\", extras = [\"cli\"]}\n",
                Some(Says::Loose),
            ),
            ("pyproject.toml", "[tool.uv.sources]\nmcp = { path = \"../mcp\" }\n", None),
            ("pyproject.toml", "[project]\nname = \"mcp-wiki\"\n", None),
            ("Pipfile", "[packages]\nmcp = \"*\"\n", Some(Says::Loose)),
            ("setup.py", "setup(install_requires=['mcp<2', 'httpx'])\n", Some(Says::Bounded)),
            ("setup.cfg", "[options]\ninstall_requires =\n    mcp\n", Some(Says::Loose)),
        ] {
            assert_eq!(of_project(name, text).first().copied(), says, "{text}");
        }
    }

    #[test]
    fn locks() {
        let toml = |version: &str| {
            format!(
                "version = 1\n\n[[package]]\nname = \"mcp\"\nversion = \"{version}\"\n\n[[package]]\nname = \"x\"\nversion = \"2.0\"\n"
            )
        };
        assert_eq!(of_lock(&toml("1.30.0")), Some(Says::Bounded));
        assert_eq!(of_lock(&toml("2.3.0")), Some(Says::Loose));
        assert_eq!(of_lock("[[package]]\nname = \"mcp-proxy\"\nversion = \"1.0\"\n"), None);
        assert_eq!(of_lock("{\"default\": {\"mcp\": {\"version\": \"==1.30.0\"}}}"), Some(Says::Bounded));
    }
}
