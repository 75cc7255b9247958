//! Which version of the MCP package the image of a service may install, and which its script needs: `mcp` without an upper
//! bound gets 2.x, which has no `mcp.server.fastmcp` (seen with 2.3.0).

use super::found::Found;
use super::runs;
use crate::config::{sample, yaml};
use crate::deployment::Deployment;
use crate::os::files::{self, inside};

/// Files of one folder that are looked at.
const MOST: usize = 32;
/// Where a build lists its packages.
const LISTS: [&str; 5] = ["Dockerfile", "requirements.txt", "requirements.in", "pyproject.toml", "setup.cfg"];

/// A service that may install version 2 of `mcp` for a script of version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unbounded {
    pub(crate) service: String,
    /// What lets version 2 in: a file inside the directory, or a part of the compose file.
    pub(crate) installed_by: String,
    /// The script that imports what version 2 no longer has: its path inside the directory.
    pub(crate) script: String,
}

impl Unbounded {
    /// Reads the lists of packages and the scripts of a service.
    pub(crate) fn of(deployment: &Deployment, found: &Found, service: &str) -> Option<Self> {
        let context = runs::context(found, service);
        let command = found.command(service).join(" ");
        let lists = context.iter().flat_map(|folder| LISTS.map(|file| format!("{folder}/{file}")));
        let lists = lists.filter_map(|path| Some((inside(&path)?, text(deployment, &path)?)));
        let inline = found.service(service, "build").and_then(|build| yaml::at(build, &["dockerfile_inline"]));
        let inline = inline.and_then(yaml::scalar).map(|text| ("`dockerfile_inline`".to_owned(), text));
        let installs = std::iter::once(("its command".to_owned(), command)).chain(inline).chain(lists);
        let (installed_by, _) = installs.into_iter().find(|(place, text)| is_loose(place, text))?;
        let script = old_script(deployment, found, service, context)?;
        Some(Self { service: service.to_owned(), installed_by, script })
    }
}

fn text(deployment: &Deployment, path: &str) -> Option<String> {
    files::read_text(deployment, &inside(path)?).ok().flatten()
}

/// The first script of a service that imports the old module: one that is mounted, or is in the folder of its build.
fn old_script(deployment: &Deployment, found: &Found, service: &str, context: Option<String>) -> Option<String> {
    let mounts = found.mounts(service);
    let mounted = mounts.iter().filter_map(|mount| mount.bind()).map(str::to_owned);
    let paths = mounted.chain(context).flat_map(|path| {
        let names = files::names(deployment, &path, MOST).unwrap_or_default();
        let mut below: Vec<String> = names.into_iter().map(|name| format!("{path}/{name}")).collect();
        below.sort();
        std::iter::once(path).chain(below)
    });
    let is_old = |path: &String| {
        path.ends_with(".py") && text(deployment, path).is_some_and(|text| sample::sdk_of(path, &text) == Some(1))
    };
    paths.into_iter().find(is_old)
}

/// Whether a text installs `mcp` in a version that may be 2: a command line with an installer, or a list of packages.
fn is_loose(place: &str, text: &str) -> bool {
    const INSTALLERS: [&str; 7] = ["pip install", "pip3 install", "uv add", "--with", "uvx", "uv tool", "pip download"];
    let bare = |text: &str| text.replace([' ', '\t', '(', ')'], "");
    text.lines().map(|line| line.split(" #").next().unwrap_or_default()).any(|line| {
        if place.ends_with(".toml") {
            // `mcp = "^1.9"` of Poetry has its bounds in the string, and lets no other major version in.
            return line.split('"').skip(1).step_by(2).any(|quoted| may_be_two(&bare(quoted)));
        }
        if place.contains("requirements") || place.ends_with(".cfg") {
            return may_be_two(&bare(line));
        }
        let words = line.split(|c: char| matches!(c, '"' | '\'' | ';' | '&' | ')') || c.is_whitespace());
        INSTALLERS.iter().any(|installer| line.contains(installer)) && words.into_iter().any(may_be_two)
    })
}

/// Whether a requirement is of the package `mcp` and lets version 2 in.
fn may_be_two(requirement: &str) -> bool {
    let word = requirement.trim_matches(',');
    let Some(rest) = word.strip_prefix("mcp") else { return false };
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let is_other = rest.starts_with(|c: char| !matches!(c, '=' | '>' | '<' | '~' | '!' | ',' | '\\'));
    !is_other && sample::pinned_sdk(word).is_none_or(|newest| newest >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_install_version_two() {
        for (place, text) in [
            ("its command", "sh -c pip install --quiet mcp && python hello.py"),
            ("its command", "uv run --with mcp /server.py"),
            ("its command", "pip install mcp==2.3.0"),
            ("wiki/Dockerfile", "FROM x\nRUN pip install --no-cache-dir 'mcp[cli]>=1.2' uvicorn\n"),
            ("wiki/requirements.txt", "# packages\nmcp\n"),
            ("wiki/pyproject.toml", "dependencies = [\n  \"httpx\",\n  \"mcp[cli]>=1.9.0\",\n]\n"),
        ] {
            assert!(is_loose(place, text), "{text}");
        }
    }

    #[test]
    fn what_may_not() {
        for (place, text) in [
            ("its command", "sh -c pip install mcp==1.30.0 && python hello.py"),
            ("its command", "python /mcp"),
            ("wiki/Dockerfile", "RUN pip install 'mcp>=1.9,<2'\nCOPY mcp /mcp\n"),
            ("wiki/Dockerfile", "RUN pip install mcp-proxy fastmcp mcp_server\n"),
            ("wiki/requirements.txt", "mcp~=1.9\nfastmcp\nmcp-client\nmcp >= 1.2, < 2\n"),
            ("wiki/pyproject.toml", "[tool.poetry.dependencies]\nmcp = \"^1.9\"\n"),
            ("wiki/pyproject.toml", "dependencies = [\"mcp (>=1.2,<2.0)\"]"),
            ("wiki/pyproject.toml", "name = \"mcp-wiki\"\n\"mcp>=1.9,<2\""),
        ] {
            assert!(!is_loose(place, text), "{text}");
        }
    }
}
