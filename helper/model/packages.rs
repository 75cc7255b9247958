//! Which version of the MCP package the image of a service may install, and which its script needs: `mcp` without an upper
//! bound gets 2.x, which has no `mcp.server.fastmcp` (seen with 2.3.0).

mod commands;
mod lists;

use commands::Install;
use lists::{Line, Says};

use super::found::Found;
use super::paths::below;
use super::runs::{self, Sdk};
use super::stack::FileIn;
use crate::deployment::Deployment;
use crate::os::files::{self, inside};

/// Files of one folder that are looked at.
const MOST: usize = 32;
/// Lists that lists name are read to this depth.
const DEEPEST: u8 = 4;
/// Files that say what a project needs.
const PROJECTS: [&str; 4] = ["pyproject.toml", "setup.cfg", "setup.py", "Pipfile"];
/// What a build that is not understood may install: in this order.
const USUAL: [&str; 2] = ["requirements.txt", "requirements.lock"];
const LOCKS: &[&str] = &["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"];

/// A service that may install version 2 of `mcp` for a script of version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unbounded {
    pub(crate) service: String,
    /// What lets version 2 in: a file inside the directory, or a part of the compose file.
    pub(crate) installed_by: String,
    /// What that file asks for, and in which line, from 1, where it is a file.
    pub(crate) asked: Option<(String, usize)>,
    /// The script that imports what version 2 no longer has: its path inside the directory.
    pub(crate) script: String,
}

impl Unbounded {
    /// Reads the lists of packages and the scripts of a service.
    pub(crate) fn of(deployment: &Deployment, found: &Found, service: &str) -> Option<Self> {
        let installed_by = Installer::of(deployment, found, service).lets_in()?;
        let script = old_script(deployment, found, service)?;
        let asked = text(deployment, &installed_by).and_then(|text| lists::asked(&text));
        Some(Self { service: service.to_owned(), installed_by, asked, script })
    }
}

/// Which version of the SDK a service installs, as far as its files bound it.
pub(crate) fn sdk_of(deployment: &Deployment, found: &Found, service: &str) -> Sdk {
    let said = Installer::of(deployment, found, service).said();
    let has = |what: Says| said.iter().any(|(_, says)| *says == what);
    match (has(Says::Old), said.is_empty()) {
        (true, _) => Sdk::Unguarded,
        (false, false) => Sdk::Guarded,
        (false, true) => Sdk::Unknown,
    }
}

/// What a service is built from.
struct Installer<'a> {
    deployment: &'a Deployment,
    found: &'a Found,
    service: &'a str,
    context: Option<runs::Context<'a>>,
    build: Option<runs::Build>,
}

/// An install of the build or of the command: the line of its instruction, its place, what it is.
type Numbered = (usize, String, Install);

/// A place that says something of `mcp`.
type Said = (String, Says);

impl<'a> Installer<'a> {
    fn of(deployment: &'a Deployment, found: &'a Found, service: &'a str) -> Self {
        let context = runs::Context::of(deployment, found, service);
        Self { deployment, found, service, context, build: runs::build(deployment, found, service) }
    }

    fn installs(&self) -> Vec<Numbered> {
        let of_build = self.build.iter().flat_map(|build| build.steps.iter().map(|step| (step, &build.file)));
        let of_build = of_build.map(|(step, file)| {
            // The first word of a heredoc's line is a command's.
            (step.line, file.clone(), format!("{} {}", step.word.to_ascii_lowercase(), step.rest))
        });
        let command = (usize::MAX, "its command".to_owned(), self.found.command(self.service).join(" "));
        let each = |(at, place, line): (usize, String, String)| {
            commands::installs(&line).into_iter().map(move |one| (at, place.clone(), one))
        };
        of_build.chain([command]).flat_map(each).collect()
    }

    /// The place that lets version 2 in, if one does.
    fn lets_in(&self) -> Option<String> {
        let all = self.installs();
        if all.is_empty() {
            return loose(&self.usual());
        }
        let said = all.iter().map(|(at, place, one)| (one.is_apart, self.of_install(*at, place, one)));
        let (apart, shared): (Vec<_>, Vec<_>) = said.partition(|(is_apart, _)| *is_apart);
        // What one command has bounded, the next one takes as it is.
        let shared: Vec<Said> = shared.into_iter().flat_map(|(_, said)| said).collect();
        loose(&shared).or_else(|| apart.iter().find_map(|(_, said)| loose(said)))
    }

    /// All that the installs say.
    fn said(&self) -> Vec<Said> {
        let all = self.installs();
        match all.is_empty() {
            true => self.usual(),
            false => all.iter().flat_map(|(at, place, one)| self.of_install(*at, place, one)).collect(),
        }
    }

    /// What may be installed where no command says it.
    fn usual(&self) -> Vec<Said> {
        let lists = USUAL.iter().flat_map(|list| self.of_list(usize::MAX, list, DEEPEST));
        lists.chain(self.of_project(usize::MAX, ".", LOCKS)).collect()
    }

    fn of_install(&self, at: usize, place: &str, one: &Install) -> Vec<Said> {
        let words = one.words.iter().filter_map(|word| Some((place.to_owned(), lists::of_word(word)?)));
        let mut said: Vec<Said> = words.collect();
        for list in &one.lists {
            said.extend(self.of_list(at, list, DEEPEST));
        }
        if let Some((folder, locks)) = &one.project {
            said.extend(self.of_project(at, folder, locks));
        }
        let bounds = one.bounds.iter().flat_map(|list| self.of_list(at, list, DEEPEST));
        let bounds: Vec<Said> = bounds.filter(|(_, says)| *says != Says::Loose).collect();
        said.into_iter().chain(bounds).collect()
    }

    /// What a list says, with those that it names. One that the build itself makes is made of a lock.
    fn of_list(&self, at: usize, list: &str, left: u8) -> Vec<Said> {
        let Some((place, text)) = self.read(at, list).filter(|_| left > 0) else {
            let is_made = self.build.is_some() && left == DEEPEST && at != usize::MAX;
            return if is_made { self.of_lock(at, LOCKS).into_iter().collect() } else { Vec::new() };
        };
        if PROJECTS.iter().any(|name| list.ends_with(name)) {
            return lists::of_project(list, &text).into_iter().map(|says| (place.clone(), says)).collect();
        }
        if let Some(says) = lists::of_lock(&text) {
            return vec![(place, says)];
        }
        let folder = list.rsplit_once('/').map_or("", |(folder, _)| folder);
        let one = |line: Line| match line {
            Line::Requirement(says) => vec![(place.clone(), says)],
            Line::List(name) => self.of_list(at, &below(folder, &name), left - 1),
            Line::Project(name) => self.of_project(at, &below(folder, &name), &[]),
        };
        lists::of_requirements(&text).into_iter().flat_map(one).collect()
    }

    fn of_project(&self, at: usize, folder: &str, locks: &[&str]) -> Vec<Said> {
        if let Some(said) = self.of_lock(at, locks) {
            return vec![said];
        }
        let path = |name: &str| if folder == "." { name.to_owned() } else { format!("{folder}/{name}") };
        let read = PROJECTS.iter().filter_map(|name| Some((*name, self.read(usize::MAX, &path(name))?)));
        let said = read.flat_map(|(name, (place, text))| {
            lists::of_project(name, &text).into_iter().map(move |says| (place.clone(), says))
        });
        said.collect()
    }

    /// What a lock file says that is in the image when the command runs.
    fn of_lock(&self, at: usize, locks: &[&str]) -> Option<Said> {
        locks.iter().find_map(|lock| {
            let (place, text) = self.read(at, lock)?;
            Some((place, lists::of_lock(&text)?))
        })
    }

    /// Path inside the directory and text of a file that a command names: mounted, or copied before it runs.
    fn read(&self, at: usize, path: &str) -> Option<(String, String)> {
        if let FileIn::Host(place) = self.found.file_in(self.service, path) {
            return self.open(&inside(&place)?);
        }
        let (context, build) = (self.context.as_ref()?, &self.build);
        let name = path.rsplit('/').next().unwrap_or(path);
        let copied = build.iter().flat_map(|build| build.sources(at, path));
        // Without a line, a file counts wherever it is in the folder.
        let direct = [path.trim_start_matches("./"), name].map(str::to_owned);
        let all = copied.chain(direct.into_iter().filter(|_| at == usize::MAX || build.is_none()));
        { all }.filter(|source| !context.ignores(source)).find_map(|source| self.open(&context.place(&source)?))
    }

    fn open(&self, path: &str) -> Option<(String, String)> {
        Some((path.to_owned(), text(self.deployment, path)?))
    }
}

/// The place that lets version 2 in where nothing bounds it.
fn loose(said: &[Said]) -> Option<String> {
    let is_bounded = said.iter().any(|(_, says)| *says != Says::Loose);
    said.first().filter(|_| !is_bounded).map(|(place, _)| place.clone())
}

fn text(deployment: &Deployment, path: &str) -> Option<String> {
    files::read_text(deployment, &inside(path)?).ok().flatten()
}

/// The first script of a service that imports the old module: one that is mounted, or is in the folder of its build.
fn old_script(deployment: &Deployment, found: &Found, service: &str) -> Option<String> {
    let mounts = found.mounts(service);
    let mounted = mounts.iter().filter_map(|mount| mount.bind()).map(str::to_owned);
    let paths = mounted.chain(runs::context(found, service)).flat_map(|path| {
        let names = files::names(deployment, &path, MOST).unwrap_or_default();
        let mut below: Vec<String> = names.iter().map(|name| below(&path, name)).collect();
        below.sort();
        std::iter::once(path).chain(below)
    });
    let is_old = |path: &String| path.ends_with(".py") && text(deployment, path).is_some_and(|text| needs_old(&text));
    paths.into_iter().find(is_old)
}

/// Whether a script imports what version 2 no longer has, and nothing in its place where that fails.
fn needs_old(text: &str) -> bool {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let lines: Vec<&str> = lines.collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let module = |line: &str| {
        let mut words = line.split_whitespace();
        let is_import = matches!(words.next()?, "from" | "import");
        words.next().filter(|_| is_import).map(str::to_owned)
    };
    let opener =
        |at: usize| lines[..at].iter().rev().find(|line| depth(line) < depth(lines[at])).map(|line| line.trim());
    let chooses = |at: usize| {
        opener(at)
            .is_some_and(|line| ["try", "except", "if ", "elif", "else"].iter().any(|word| line.starts_with(word)))
    };
    let is_old = |module: &str| module.starts_with("mcp.server.fastmcp");
    let of = |is_wanted: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..lines.len()).filter(|at| module(lines[*at]).is_some_and(|module| is_wanted(&module))).collect()
    };
    let (old, other) = (
        of(&is_old),
        of(&|module| ["mcp", "fastmcp"].contains(&module.split('.').next().unwrap_or_default()) && !is_old(module)),
    );
    let has_other = other.iter().any(|at| chooses(*at));
    old.iter()
        .any(|at| !(chooses(*at) && (has_other || opener(*at).is_some_and(|line| line.contains("TYPE_CHECKING")))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_takes_either_version_needs_none() {
        for (text, needs) in [
            ("from mcp.server.fastmcp import FastMCP\n", true),
            ("# from mcp.server.fastmcp import FastMCP\nfrom mcp.server import MCPServer\n", false),
            (
                "try:\n    from mcp.server import MCPServer\nexcept ImportError:\n    from mcp.server.fastmcp import FastMCP as MCPServer\n",
                false,
            ),
            (
                "try:\n    from mcp.server.fastmcp import FastMCP\nexcept ModuleNotFoundError:\n    from mcp.server import MCPServer as FastMCP\n",
                false,
            ),
            (
                "try:\n    from mcp.server.fastmcp import FastMCP\nexcept ImportError:\n    import sys\n    sys.exit('pip install mcp')\n",
                true,
            ),
            ("if TYPE_CHECKING:\n    from mcp.server.fastmcp import Context\n", false),
            ("def main():\n    from mcp.server.fastmcp import FastMCP\n", true),
        ] {
            assert_eq!(needs_old(text), needs, "{text}");
        }
    }
}
