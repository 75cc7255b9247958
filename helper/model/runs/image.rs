//! What the image of a service starts, as its Dockerfile says, and files that are mounted or copied into it.

use std::collections::BTreeMap;

use super::super::stack::FileIn;
use super::brought;
use super::context::{Context, context, text};
use super::shell::{self, Invocation};
use crate::config::yaml;
use crate::deployment::Deployment;
use crate::model::found::Found;
use crate::os::files::inside;

/// Images that hold a language or a system and no settings of servers.
const PLAIN: [&str; 12] = [
    "python",
    "node",
    "php",
    "ruby",
    "golang",
    "eclipse-temurin",
    "oven/bun",
    "denoland/deno",
    "ghcr.io/astral-sh/uv",
    "debian",
    "ubuntu",
    "alpine",
];
/// Images whose folder is `/` and whose command a language or a shell, unless something names another one.
pub(super) const AT_ROOT: [&str; 8] =
    ["python", "node", "debian", "ubuntu", "alpine", "ruby", "eclipse-temurin", "ghcr.io/astral-sh/uv"];
/// Folders of programs.
const PATH: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin"];

/// A stage of a Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    /// Its path inside the directory.
    pub(super) file: String,
    /// The image that it begins with.
    pub(super) base: String,
    pub(super) entrypoint: Said,
    pub(super) command: Said,
    pub(super) env: BTreeMap<String, String>,
    pub(super) folder: Option<String>,
    /// What is copied from the folder of the build: sources, and the path in the image.
    copies: Vec<(Vec<String>, String)>,
    /// Paths below which anything may be: of another stage, of an archive, of a command.
    open: Vec<String>,
    /// Whether it names a shell of its own.
    pub(super) has_shell: bool,
    /// Whether it changes modes.
    pub(super) has_modes: bool,
    /// Whether it changes what is in files.
    pub(super) has_edits: bool,
}

/// The words of an instruction, and its line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) words: Vec<String>,
    pub(super) line: usize,
}

impl Image {
    /// That of a service, if it is built in the directory.
    pub(super) fn of(deployment: &Deployment, found: &Found, service: &str) -> Option<Self> {
        let (file, text, target) = dockerfile(deployment, found, service)?;
        Some(Self { file, ..Self::read(&text, target.as_deref())? })
    }

    /// The stage of this name or number, or the last one.
    fn read(text: &str, target: Option<&str>) -> Option<Self> {
        let mut stages: Vec<(String, Self)> = Vec::new();
        let mut has_command = false;
        for Instruction { line, word, rest } in instructions(text) {
            let rest = rest.as_str();
            if word == "FROM" {
                let mut names = rest.split_whitespace().filter(|name| !name.starts_with("--"));
                let base = names.next().unwrap_or_default();
                let name = names.nth(1).unwrap_or_default().to_owned();
                let earlier = stages.iter().find(|(name, _)| name.eq_ignore_ascii_case(base)).map(|(_, stage)| stage);
                let fresh = || Self { base: base.to_owned(), ..Self::default() };
                let stage = earlier.cloned().unwrap_or_else(fresh);
                stages.push((name, stage));
                has_command = false;
                continue;
            }
            let Some((_, image)) = stages.last_mut() else { continue };
            match word.as_str() {
                "WORKDIR" => image.folder = Some(shell::joined(image.folder.as_deref().or(Some("/")), rest)),
                "ENTRYPOINT" => {
                    image.entrypoint = Said { words: words(rest), line };
                    // That of an earlier stage belongs to another entry point.
                    if !has_command {
                        image.command = Said::default();
                    }
                }
                "CMD" => (image.command, has_command) = (Said { words: words(rest), line }, true),
                "COPY" | "ADD" => {
                    image.has_modes |= rest.contains("--chmod");
                    let known = copied(rest, image.folder.as_deref());
                    image.open.extend(brought::open_by_copy(&word, rest, known.as_ref(), image.folder.as_deref()));
                    image.copies.extend(known);
                }
                "RUN" => {
                    let (has_modes, has_edits) = changed(rest);
                    image.has_modes |= has_modes;
                    image.has_edits |= has_edits;
                    image.open.extend((!brought::makes_nothing(rest)).then(|| "/".to_owned()));
                }
                "ENV" => {
                    let pairs = shlex::split(rest).unwrap_or_default();
                    match pairs.first().filter(|first| !first.contains('=')) {
                        Some(name) => drop(image.env.insert(name.clone(), pairs[1..].join(" "))),
                        None => image.env.extend(pairs.iter().filter_map(|pair| {
                            pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
                        })),
                    }
                }
                "SHELL" => image.has_shell = true,
                _ => {}
            }
        }
        let named = |target: &str| {
            let by_name = stages.iter().position(|(name, _)| name.eq_ignore_ascii_case(target));
            by_name.or_else(|| target.parse().ok())
        };
        let at = target.map_or_else(|| stages.len().checked_sub(1), named)?;
        stages.into_iter().nth(at).map(|(_, stage)| stage)
    }

    /// Whether what is at a path may come from somewhere else than the folder of the build.
    pub(super) fn is_open(&self, path: &str) -> bool {
        !is_plain(&self.base) || self.is_brought(path)
    }

    /// The same without what its base may have.
    fn is_brought(&self, path: &str) -> bool {
        self.open.iter().any(|open| path.starts_with(open.trim_end_matches('/')))
    }

    /// Whether it has no shell: https://github.com/GoogleContainerTools/distroless#debug-images.
    pub(super) fn has_no_shell(&self) -> bool {
        let is_bare = self.base == "scratch"
            || self.base.starts_with("gcr.io/distroless/")
                && !self.base.contains(['$', '@'])
                && !self.base.contains("debug");
        is_bare && !self.is_brought("/bin/sh") && self.sources("/bin/sh").is_empty()
    }

    /// The same with each pattern of file names replaced by the files that fit.
    pub(super) fn expanded(&self, fits: &dyn Fn(&str) -> Vec<String>) -> Self {
        let all = |sources: &Vec<String>| sources.iter().flat_map(|source| fits(source)).collect();
        let copies = self.copies.iter().map(|(sources, to)| (all(sources), to.clone())).collect();
        Self { copies, ..self.clone() }
    }

    /// What may have been copied to a path, in the folder of the build; the last one first.
    pub(super) fn sources(&self, path: &str) -> Vec<String> {
        let one = |source: &String, to: &str| {
            let folder = to.trim_end_matches('/');
            if !to.ends_with('/') && path == folder {
                return Some(source.clone());
            }
            let below = path.strip_prefix(folder)?.strip_prefix('/')?;
            // A file in a folder keeps its name; of a folder, what is in it is copied.
            let is_file = source.rsplit('/').next() == Some(below);
            Some(if is_file { source.clone() } else { format!("{}/{below}", source.trim_end_matches('/')) })
        };
        let copies = self.copies.iter().rev();
        copies.flat_map(|(sources, to)| sources.iter().filter_map(move |source| one(source, to))).collect()
    }
}

/// Whether a command may change modes of files, and what is in them.
fn changed(command: &str) -> (bool, bool) {
    let has = |words: &[&str]| words.iter().any(|word| command.contains(word));
    // `pip install` changes no mode.
    let installs = command.split([';', '&', '|']).any(|one| one.trim().starts_with("install "));
    (installs || has(&["chmod"]), has(&["dos2unix", "sed", "tr ", "perl", "awk"]))
}

/// The Dockerfile of a service, its text, and the stage that is built.
pub(super) fn dockerfile(
    deployment: &Deployment,
    found: &Found,
    service: &str,
) -> Option<(String, String, Option<String>)> {
    let build = found.service(service, "build")?;
    let said = |key: &str| yaml::text(build, &[key]);
    let (place, text) = match said("dockerfile_inline") {
        Some(text) => ("dockerfile_inline".to_owned(), text),
        None => {
            let name = said("dockerfile").unwrap_or_else(|| "Dockerfile".into());
            let place = inside(&format!("{}/{name}", context(found, service)?)).unwrap_or(name);
            let text = text(deployment, &place)?;
            (place, text)
        }
    };
    Some((place, text, said("target")))
}

/// An instruction of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Its line, from 1.
    pub(crate) line: usize,
    /// `RUN`, in capital letters.
    pub(crate) word: String,
    pub(crate) rest: String,
}

impl Instruction {
    pub(super) fn is_copy(&self) -> bool {
        matches!(self.word.as_str(), "COPY" | "ADD")
    }
}

/// The instructions of a Dockerfile; one goes on where a line ends with a backslash.
pub(super) fn instructions(text: &str) -> Vec<Instruction> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (at, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.starts_with('#')) {
        match all.last_mut().filter(|_| goes_on) {
            Some((_, last)) => last.extend([" ", line.trim_end_matches('\\')]),
            None => all.push((at + 1, line.trim_end_matches('\\').to_owned())),
        }
        goes_on = line.ends_with('\\');
    }
    let instruction = |(line, text): (usize, String)| {
        let (word, rest) = text.split_once(char::is_whitespace)?;
        Some(Instruction { line, word: word.to_ascii_uppercase(), rest: rest.trim().to_owned() })
    };
    all.into_iter().filter_map(instruction).collect()
}

/// Sources and target of a COPY, unless they are of another stage.
pub(super) fn copied(rest: &str, folder: Option<&str>) -> Option<(Vec<String>, String)> {
    // Options go before a list, too.
    let list = rest.split_whitespace().find(|word| !word.starts_with("--")).filter(|word| word.starts_with('['));
    let list = list.and_then(|first| serde_json::from_str::<Vec<String>>(&rest[rest.find(first)?..]).ok());
    let options = rest.split_whitespace().take_while(|word| word.starts_with("--")).map(str::to_owned);
    let mut words = match list {
        Some(list) => options.chain(list).collect(),
        None => shlex::split(rest)?,
    };
    let is_flag = |word: &String| word.starts_with("--");
    if words.iter().any(|word| word.starts_with("--from") || word.starts_with("<<")) {
        return None;
    }
    words.retain(|word| !is_flag(word));
    let to = words.pop()?;
    let to = if matches!(to.as_str(), "." | "./") { "./".to_owned() } else { to };
    let place = shell::joined(folder.or(Some("/")), &to);
    let sources = words.iter().map(|source| source.trim_start_matches("./").trim_start_matches('/').to_owned());
    Some((sources.map(|source| if source.is_empty() { ".".to_owned() } else { source }).collect(), place))
}

/// The words of an instruction: a list, or a line for a shell.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str::<Vec<String>>(text)
        .unwrap_or_else(|_| vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

/// The name of an image, without its tag and without the registry that is Docker's own.
pub(super) fn name_of(image: &str) -> &str {
    let name = image.strip_prefix("docker.io/").unwrap_or(image);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let end = name.rfind('/').unwrap_or_default();
    &name[..name[end..].find([':', '@']).map_or(name.len(), |at| end + at)]
}

/// Whether an image holds no settings of servers.
pub(super) fn is_plain(image: &str) -> bool {
    PLAIN.contains(&name_of(image))
}

/// The files of a container that are in the directory.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) found: &'a Found,
    pub(super) service: &'a str,
    pub(super) image: Option<&'a Image>,
    /// The port that a route names.
    pub(super) port: u16,
}

impl Files<'_> {
    /// Path inside the directory and text of a file of the container, from this folder: mounted, or copied by a build.
    pub(super) fn read(&self, folder: Option<&str>, path: &str) -> Option<(String, String)> {
        let whole = shell::joined(folder, path);
        let mounted = match self.found.file_in(self.service, &whole) {
            FileIn::Host(place) => inside(&place),
            _ if folder.is_none() && !path.starts_with('/') => self.by_name(path),
            _ => None,
        };
        let built = || {
            let whole = if whole.starts_with('/') { whole.clone() } else { format!("/{whole}") };
            let context = Context::of(self.deployment, self.found, self.service)?;
            let sources = self.image?.sources(&whole).into_iter().filter(|source| !context.ignores(source));
            Some(sources.filter_map(|source| context.place(&source)).collect::<Vec<_>>())
        };
        let places = mounted.map(|place| vec![place]).or_else(built)?;
        places.into_iter().find_map(|place| text(self.deployment, &place).map(|text| (place, text)))
    }

    /// The same for a program.
    pub(super) fn program(&self, folder: Option<&str>, path: &str) -> Option<(String, String)> {
        match path.contains('/') {
            true => self.read(folder, path),
            false => PATH.iter().find_map(|of| self.read(Some(of), path)),
        }
    }

    /// A mount of a file of this name, where the folder of the image is not known.
    fn by_name(&self, path: &str) -> Option<String> {
        let ending = format!("/{}", path.trim_start_matches("./"));
        let mounts = self.found.mounts(self.service);
        let mut places = mounts.iter().filter(|mount| mount.target.ends_with(&ending)).filter_map(|mount| mount.bind());
        places.next().and_then(inside)
    }
}

/// The command line that a file has in place of a program: the file, its line, and the words.
pub(super) type Behind = (String, Option<usize>, Vec<String>);

/// The line that `npm start` and its kind run.
pub(super) fn script_of_package(files: &Files<'_>, invocation: &Invocation) -> Option<Behind> {
    if !["npm", "yarn", "pnpm", "bun"].contains(&invocation.program.as_str()) {
        return None;
    }
    let mut words = invocation.args.iter().filter(|word| !word.starts_with('-'));
    let name = match words.next()?.as_str() {
        "run" | "run-script" => words.next()?,
        word => word,
    };
    let (file, text) = files.read(invocation.folder.as_deref(), "package.json")?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    let mut line = package["scripts"][name].as_str()?.to_owned();
    // npm keeps options for itself, the others hand them on.
    let end = if invocation.program == "npm" { "--" } else { name };
    if let Some(at) = invocation.args.iter().rposition(|word| word == end) {
        let more = invocation.args[at + 1..].iter().map(String::as_str).filter(|word| *word != "--");
        line.extend([" ", shlex::try_join(more).ok()?.as_str()]);
    }
    let key = format!("\"{name}\"");
    let at = text.lines().position(|line| line.trim_start().starts_with(&key)).map(|at| at + 1);
    Some((file, at, vec!["sh".into(), "-c".into(), line]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "FROM python:3.13 AS base\nWORKDIR /srv\nWORKDIR app\nENV A=1 B=\"2 3\"\nENV C 4\nCOPY . .\nCOPY docker/start.sh /usr/local/bin/\nCOPY --chown=1:1 [\"stop.sh\", \"/opt/bin/\"]\nCMD [\"fastmcp\", \\\n  \"run\"]\nFROM base AS dev\n# x\nCMD uvicorn a:app\nFROM base AS prod\nENTRYPOINT [\"uv\", \"run\"]\nCOPY --from=dev /x /srv/app/x\n";

    #[test]
    fn a_stage_has_what_those_before_it_leave() {
        let last = Image::read(TEXT, None).unwrap();
        assert_eq!(last.folder.as_deref(), Some("/srv/app"));
        assert_eq!((last.entrypoint.words.join(" "), last.entrypoint.line), ("uv run".into(), 15));
        assert_eq!(last.command, Said::default());
        let env = [("A", "1"), ("B", "2 3"), ("C", "4")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(last.env, BTreeMap::from(env));
        let dev = Image::read(TEXT, Some("dev")).unwrap();
        assert_eq!((dev.command.words.join(" "), dev.command.line), ("sh -c uvicorn a:app".into(), 13));
        let base = Image::read(TEXT, Some("0")).unwrap();
        assert_eq!((base.command.words.join(" "), base.command.line), ("fastmcp run".into(), 9));
        assert_eq!(Image::read(TEXT, Some("other")), None);
    }

    #[test]
    fn what_was_copied_is_found_in_the_folder_of_the_build() {
        let image = Image::read(TEXT, None).unwrap();
        for (path, source) in [
            ("/srv/app/server.py", Some("./server.py")),
            ("/srv/app/a/b.py", Some("./a/b.py")),
            ("/usr/local/bin/start.sh", Some("docker/start.sh")),
            ("/opt/bin/stop.sh", Some("stop.sh")),
            ("/elsewhere", None),
        ] {
            assert_eq!(image.sources(path).first().map(String::as_str), source, "{path}");
        }
    }
}
