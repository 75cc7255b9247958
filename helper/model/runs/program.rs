//! Whether the container of a service has the script that it starts, and may run it: only what is sure.

use super::brought::makes_nothing;
use super::context::{Context, shown, text};
use super::image::{self, Image};
use super::instruction;
use super::shell::{self, Invocation, is_python};
use super::start::Start;
use crate::deployment::Deployment;
use crate::model::found::Found;
use crate::model::paths::below;
use crate::model::stack::FileIn;
use crate::near::nearest;
use crate::os::files::{self, inside};
use crate::rules::{At, Unusable};

/// Endings of what people write themselves.
const SCRIPTS: [&str; 7] = [".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".sh"];
/// Folders of what an image or its packages bring.
const OF_IMAGE: [&str; 8] =
    ["/usr/local/", "/usr/lib/", "/usr/bin/", "/usr/share/", "/lib/", "/bin/", "/sbin/", "/root/.local/"];
/// Folders that a build of a project writes.
const MADE: [&str; 6] = ["dist", "build", "out", "lib", "node_modules", ".venv"];
/// Names of one folder that are compared.
const MOST: usize = 256;
/// Options of interpreters that have no value.
const WITHOUT_VALUE: [&str; 14] = [
    "-u",
    "-O",
    "-OO",
    "-B",
    "-I",
    "-s",
    "-S",
    "-E",
    "-v",
    "-e",
    "-x",
    "--enable-source-maps",
    "--no-warnings",
    "--trace-warnings",
];

/// What keeps a service from starting its script, and the line of the Dockerfile that names it.
pub(crate) fn unusable(deployment: &Deployment, found: &Found, service: &str) -> Option<(Unusable, Option<At>)> {
    let adds = ["volumes_from", "develop", "tmpfs", "post_start", "pre_start", "extends"].into_iter();
    if { adds }.any(|key| found.service(service, key).is_some()) || has_contexts(found, service) {
        return None;
    }
    let start = Start::of(deployment, found, service);
    if let Some(fault) = instruction::fault(&start, found, service) {
        return Some(fault);
    }
    let is_shell = |word: &String| shell::SHELLS.contains(&word.rsplit('/').next().unwrap_or_default());
    if start.words.iter().any(is_shell) && !start.words.iter().all(|word| is_shell(word) || is_quiet(word)) {
        return None;
    }
    let invocation = start.program()?;
    let (script, is_direct) = script(&invocation)?;
    let place = Places { deployment, found, service, start: &start };
    let why = place.judge(&script, &invocation, is_direct)?;
    Some((why, start.at))
}

/// Whether a word of a command line makes no file before the last command of it.
fn is_quiet(word: &str) -> bool {
    let before = word.rsplit_once(['&', ';', '\n']).map_or("", |(before, _)| before);
    makes_nothing(before)
}

fn has_contexts(found: &Found, service: &str) -> bool {
    let build = found.service(service, "build");
    build.is_some_and(|build| crate::config::yaml::at(build, &["additional_contexts"]).is_some())
}

/// The script that a command line carries out, and whether it is run as a program itself.
fn script(invocation: &Invocation) -> Option<(String, bool)> {
    let Invocation { program, path, args, .. } = invocation;
    let is_script = |word: &str| SCRIPTS.iter().any(|ending| word.ends_with(ending)) && !word.contains(['$', '*', '{']);
    let behind = |args: &[String]| {
        let at = args.iter().position(|arg| !arg.starts_with('-'))?;
        let is_plain = |option: &String| WITHOUT_VALUE.contains(&option.as_str()) || option.contains('=');
        args[..at].iter().all(is_plain).then(|| args[at].clone())
    };
    let found = match program.as_str() {
        name if is_python(name) || name == "node" || shell::SHELLS.contains(&name) => (behind(args)?, false),
        "fastmcp" | "mcp" if args.first().is_some_and(|word| word == "run") => {
            (behind(&args[1..])?.split(':').next()?.to_owned(), false)
        }
        // `uv run SCRIPT` has an interpreter for it.
        _ if path.ends_with(".py") && invocation.by == shell::By::Python => (path.clone(), false),
        _ if path.contains('/') && invocation.by == shell::By::Other => (path.clone(), true),
        _ => return None,
    };
    is_script(&found.0).then_some(found)
}

/// Where a container may have a file from.
struct Places<'a> {
    deployment: &'a Deployment,
    found: &'a Found,
    service: &'a str,
    start: &'a Start,
}

impl Places<'_> {
    fn judge(&self, script: &str, invocation: &Invocation, is_direct: bool) -> Option<Unusable> {
        let folder = self.folder(invocation)?;
        let path = normal(&shell::joined(Some(&folder), script))?;
        let name = path.rsplit('/').next().unwrap_or_default();
        match self.found.file_in(self.service, &path) {
            FileIn::Host(place) => {
                let place = inside(&place)?;
                let look = std::fs::symlink_metadata(self.deployment.path(&place));
                if look.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
                    return self.not_mounted(path.clone(), place, name);
                }
                is_direct.then(|| self.mode(&place, None))?
            }
            FileIn::Image => self.of_image(&path, name, is_direct),
            FileIn::Text(_) | FileIn::Variable(_) | FileIn::Volume(_) => None,
        }
    }

    /// A file that a mounted folder lacks; a folder that is missing has its own finding.
    fn not_mounted(&self, path: String, place: String, name: &str) -> Option<Unusable> {
        let folder = place.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_whole_mount = self.found.mounts(self.service).iter().any(|mount| mount.target == path);
        if is_whole_mount || !self.deployment.path(folder).is_dir() {
            return None;
        }
        let names = files::names(self.deployment, folder, MOST).ok()?;
        let near = nearest(name, names.iter().map(String::as_str));
        let near = near.map(|near| below(folder, near));
        Some(Unusable::NotMounted { path, place, near })
    }

    /// The folder that the program starts in, where it is known.
    fn folder(&self, invocation: &Invocation) -> Option<String> {
        let base = match &self.start.image {
            Some(image) => image.base.clone(),
            None if self.start.is_built => return invocation.folder.clone().filter(|folder| folder.starts_with('/')),
            None => self.found.text(self.service, "image")?,
        };
        let moves = ["cd ", "--directory", "--project", "--chdir"];
        let stays = !self.start.words.iter().any(|word| moves.iter().any(|option| word.contains(option)));
        let usual = (stays && image::AT_ROOT.contains(&image::name_of(&base))).then(|| "/".to_owned());
        let is_known = |folder: &String| folder.starts_with('/') && !folder.contains('$');
        invocation.folder.clone().or(usual).filter(is_known)
    }

    fn of_image(&self, path: &str, name: &str, is_direct: bool) -> Option<Unusable> {
        let is_of_image =
            OF_IMAGE.iter().any(|folder| path.starts_with(folder)) || path.split('/').any(|part| MADE.contains(&part));
        let Some(image) = &self.start.image else {
            let image = self.found.text(self.service, "image").filter(|_| !self.start.is_built)?;
            let is_bare = image::is_plain(&image) && !is_of_image;
            let path = path.to_owned();
            return is_bare.then(|| Unusable::NotInImage { path, image, other: self.elsewhere(name) });
        };
        let context = Context::of(self.deployment, self.found, self.service)?;
        let sources = image.expanded(&|source| context.fits(source)).sources(path);
        let there: Vec<String> = sources.into_iter().filter(|source| context.has(source)).collect();
        if let Some(source) = there.iter().find(|source| !context.ignores(source)) {
            let place = context.place(source).filter(|_| is_direct && !image.is_open(path))?;
            return self.mode(&place, Some(image));
        }
        if image.is_open(path) || is_of_image {
            return None;
        }
        if let Some(source) = there.first() {
            let (path, source) = (path.to_owned(), source.trim_start_matches("./").to_owned());
            return Some(Unusable::Ignored { path, source, folder: shown(&context.folder) });
        }
        Some(self.not_copied(path, name, image, &context))
    }

    /// A file that is in the folder of the build, or is not.
    fn not_copied(&self, path: &str, name: &str, image: &Image, context: &Context<'_>) -> Unusable {
        let below = image.folder.as_deref().and_then(|folder| path.strip_prefix(folder.trim_end_matches('/')));
        let own = [below.map_or(name, |below| below.trim_start_matches('/')), name];
        let source = own.into_iter().find(|own| context.has(own) && !context.ignores(own)).map(str::to_owned);
        let names = context.names("");
        let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        let near = near.filter(|_| source.is_none());
        let (dockerfile, folder) = (image.file.clone(), shown(&context.folder));
        Unusable::NotCopied { path: path.to_owned(), dockerfile, folder, source, near }
    }

    /// Where a mounted folder has a file of this name.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let mounts = self.found.mounts(self.service);
        let has = |source: &str| self.deployment.path(&format!("{source}/{name}")).is_file();
        mounts
            .iter()
            .find_map(|mount| mount.bind().filter(|source| has(source)).map(|_| format!("{}/{name}", mount.target)))
    }

    /// What is wrong with a file that is run as it is: mounted, or copied into an image.
    fn mode(&self, place: &str, image: Option<&Image>) -> Option<Unusable> {
        let is_mounted = image.is_none();
        let of = place.to_owned();
        let text = text(self.deployment, place)?;
        let first = text.split('\n').next().unwrap_or_default();
        if first.starts_with("#!") && first.ends_with('\r') && !image.is_some_and(|image| image.has_edits) {
            return Some(Unusable::Crlf { place: of, is_mounted });
        }
        let meta = files::metadata(self.deployment, place).ok().flatten()?;
        let is_closed = meta.mode() & 0o111 == 0 && !image.is_some_and(|image| image.has_modes);
        is_closed.then_some(Unusable::NotExecutable { place: of, is_mounted })
    }
}

/// An absolute path without `.`; `None` where it goes up.
fn normal(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (path.starts_with('/') && !parts.contains(&"..")).then(|| format!("/{}", parts.join("/")))
}
