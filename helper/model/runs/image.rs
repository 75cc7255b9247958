//! What the image of a service starts, as its Dockerfile says, and files that are mounted or copied into it.

use std::collections::BTreeMap;

use super::super::stack::FileIn;
use super::shell::{self, Invocation};
use crate::config::yaml;
use crate::deployment::Deployment;
use crate::model::found::Found;
use crate::os::files::{self, inside};

/// Longest file that is read, in bytes: what people write is shorter, what tools make is not.
const LONGEST: usize = 256 << 10;

/// The last stage of a Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    /// Its path inside the directory.
    pub(super) file: String,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) folder: Option<String>,
}

impl Image {
    /// That of a service, if it is built in the directory.
    pub(super) fn of(deployment: &Deployment, found: &Found, service: &str) -> Option<Self> {
        let build = found.service(service, "build")?;
        let said = |key: &str| yaml::at(build, &[key]).and_then(yaml::scalar);
        if said("target").is_some() {
            return None;
        }
        let inline = said("dockerfile_inline").map(|text| ("dockerfile_inline".to_owned(), text));
        let (file, text) = inline.or_else(|| {
            let context = context(found, service)?;
            let name = said("dockerfile").unwrap_or_else(|| "Dockerfile".into());
            let place = inside(&format!("{context}/{name}")).unwrap_or(name);
            let text = text(deployment, &place)?;
            Some((place, text))
        })?;
        Some(Self { file, ..Self::read(&text) })
    }

    fn read(text: &str) -> Self {
        let mut image = Self::default();
        // A line ends with a backslash where it goes on.
        let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
        for line in text.lines().map(str::trim) {
            let Some((word, rest)) = line.split_once(char::is_whitespace) else { continue };
            let rest = rest.trim();
            match word.to_ascii_uppercase().as_str() {
                "FROM" => image = Self::default(),
                "WORKDIR" => image.folder = Some(shell::joined(image.folder.as_deref().or(Some("/")), rest)),
                "ENTRYPOINT" => (image.entrypoint, image.command) = (words(rest), Vec::new()),
                "CMD" => image.command = words(rest),
                "ENV" => {
                    let pairs = shlex::split(rest).unwrap_or_default();
                    match pairs.first().filter(|first| !first.contains('=')) {
                        Some(name) => drop(image.env.insert(name.clone(), pairs[1..].join(" "))),
                        None => image.env.extend(pairs.iter().filter_map(|pair| {
                            pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
                        })),
                    }
                }
                _ => {}
            }
        }
        image
    }
}

/// The words of an instruction: a list, or a line for a shell.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str::<Vec<String>>(text)
        .unwrap_or_else(|_| vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

/// The folder that a service is built from, inside the directory.
pub(crate) fn context(found: &Found, service: &str) -> Option<String> {
    let build = found.service(service, "build")?;
    let said = yaml::scalar(build).or_else(|| yaml::at(build, &["context"]).and_then(yaml::scalar))?;
    inside(&super::super::mounts::within(&said, found.roots()))
}

fn text(deployment: &Deployment, place: &str) -> Option<String> {
    files::read_text(deployment, place).ok().flatten().filter(|text| text.len() <= LONGEST)
}

/// The files of a container that are in the directory.
pub(super) struct Files<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) found: &'a Found,
    pub(super) service: &'a str,
    /// The folder in which its program starts.
    pub(super) folder: Option<&'a str>,
}

impl Files<'_> {
    /// Path inside the directory and text of a file of the container: mounted, or copied by a build.
    pub(super) fn read(&self, path: &str) -> Option<(String, String)> {
        let whole = shell::joined(self.folder, path);
        let mounted = match self.found.file_in(self.service, &whole) {
            FileIn::Host(place) => inside(&place),
            _ if self.folder.is_none() && !path.starts_with('/') => self.by_name(path),
            _ => None,
        };
        let built = || {
            let relative = self.folder.and_then(|folder| whole.strip_prefix(folder)).unwrap_or(&whole);
            inside(&format!("{}/{}", context(self.found, self.service)?, relative.trim_start_matches('/')))
        };
        let place = mounted.or_else(built)?;
        let text = text(self.deployment, &place)?;
        Some((place, text))
    }

    /// A mount of a file of this name, where the folder of the image is not known.
    fn by_name(&self, path: &str) -> Option<String> {
        let ending = format!("/{}", path.trim_start_matches("./"));
        let mounts = self.found.mounts(self.service);
        let mut places = mounts.iter().filter(|mount| mount.target.ends_with(&ending)).filter_map(|mount| mount.bind());
        places.next().and_then(inside)
    }
}

/// The line that `npm start` and its kind run: the file that has it, and its words.
pub(super) fn script_of_package(files: &Files<'_>, invocation: &Invocation) -> Option<(String, Vec<String>)> {
    if !["npm", "yarn", "pnpm", "bun"].contains(&invocation.program.as_str()) {
        return None;
    }
    let mut words = invocation.args.iter().map(String::as_str).filter(|word| !word.starts_with('-'));
    let name = match words.next()? {
        "run" | "run-script" => words.next()?,
        word => word,
    };
    let (file, text) = files.read("package.json")?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    let line = package["scripts"][name].as_str()?.to_owned();
    Some((file, vec!["sh".into(), "-c".into(), line]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_of_a_dockerfile_counts() {
        let image = Image::read(
            "FROM a AS build\nCMD x\nFROM python:3.13\nWORKDIR /srv\nWORKDIR app\nENV A=1 B=\"2 3\"\nENV C 4\nENTRYPOINT [\"uv\", \"run\"]\nCMD [\"fastmcp\", \\\n  \"run\"]\n",
        );
        assert_eq!(image.folder.as_deref(), Some("/srv/app"));
        assert_eq!(image.entrypoint, ["uv", "run"]);
        assert_eq!(image.command, ["fastmcp", "run"]);
        let env = [("A", "1"), ("B", "2 3"), ("C", "4")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(image.env, BTreeMap::from(env));
        assert_eq!(Image::read("FROM x\nCMD uvicorn a:app\n").command, ["sh", "-c", "uvicorn a:app"]);
    }
}
