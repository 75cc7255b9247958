//! A script that a service starts and its container cannot run: why, and what to do.

use super::absence::path as shown;
use super::table::RuleId;

/// One reason. `path` is the script's in the container, every other one is inside the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// What is mounted there does not have it; a file with a name that is alike.
    NotMounted { path: String, place: String, near: Option<String> },
    /// The Dockerfile does not copy it; where the folder of the build has it, or a file with a name that is alike.
    NotCopied { path: String, dockerfile: String, folder: String, source: Option<String>, near: Option<String> },
    /// `.dockerignore` keeps it out of the build.
    Ignored { path: String, source: String, folder: String },
    /// The image is that of a language, and nothing is mounted there; where else the container has a file of this name.
    NotInImage { path: String, image: String, other: Option<String> },
    /// It is to be run as it is, and its mode says that it is no program.
    NotExecutable { place: String, is_mounted: bool },
    /// Its first line ends with CR, so that its interpreter has another name.
    Crlf { place: String, is_mounted: bool },
    /// Its command looks like a list and is a line for a shell.
    NoList { dockerfile: String },
    /// Its command is a line for a shell, which its image does not have.
    NoShell { dockerfile: String, base: String },
    /// Nothing says what to start, and its image starts a language or a shell.
    NoCommand { dockerfile: String, base: String },
}

/// A path in two parts, the first one with its slash.
fn parts(path: &str) -> (&str, &str) {
    path.rfind('/').map_or(("", path), |at| path.split_at(at + 1))
}

impl Unusable {
    pub(crate) fn rule(&self) -> RuleId {
        match self {
            Self::NotExecutable { .. }
            | Self::Crlf { .. }
            | Self::NoList { .. }
            | Self::NoShell { .. }
            | Self::NoCommand { .. } => RuleId::EntrypointUnusable,
            _ => RuleId::UpstreamScriptMissing,
        }
    }

    /// What the files say.
    pub(crate) fn said(&self, service: &str) -> String {
        let alike = |near: &Option<String>| match near {
            Some(near) => format!("; `{}` is there", shown(near)),
            None => String::new(),
        };
        match self {
            Self::NotMounted { path, place, near } => {
                format!(
                    "`{service}` starts `{}`, which is `{}` here and not there{}",
                    shown(path),
                    shown(place),
                    alike(near)
                )
            }
            Self::NotCopied { path, dockerfile, source, near, .. } => {
                let near = alike(&source.clone().or_else(|| near.clone()));
                format!(
                    "`{service}` starts `{}`, and no line of `{}` copies it there{near}",
                    shown(path),
                    shown(dockerfile)
                )
            }
            Self::Ignored { path, source, folder } => format!(
                "`{service}` starts `{}`, and `.dockerignore` of `{}` keeps `{}` out of the build",
                shown(path),
                shown(folder),
                shown(source)
            ),
            Self::NotInImage { path, image, other } => {
                let image = image.split('@').next().unwrap_or_default();
                let other = other.as_ref().map(|other| format!("; `{}` is mounted", shown(other))).unwrap_or_default();
                format!(
                    "`{service}` starts `{}`, and nothing is mounted there; its image is {image}{other}",
                    shown(path)
                )
            }
            Self::NotExecutable { place, .. } => {
                format!("`{service}` runs `{}` as a program, and it is not executable", shown(place))
            }
            Self::Crlf { place, .. } => format!(
                "`{service}` runs `{}` as a program, and its first line ends with CR (Windows line endings)",
                shown(place)
            ),
            Self::NoList { dockerfile } => {
                format!("the command of `{service}` in `{}` begins like a list, and is not JSON", shown(dockerfile))
            }
            Self::NoShell { dockerfile, base } => format!(
                "the command of `{service}` in `{}` is a line for `/bin/sh`, which `{}` does not have",
                shown(dockerfile),
                base
            ),
            Self::NoCommand { dockerfile, base } => format!(
                "neither `{}` nor the compose files say what `{service}` starts; `{}` alone starts no server, and ends",
                shown(dockerfile),
                base
            ),
        }
    }

    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::NotMounted { .. } => {
                "the program ends at once where its script is missing, and the restart policy starts it again"
            }
            Self::NotCopied { .. } => "an image has only the files that its Dockerfile copies or makes",
            Self::Ignored { .. } => "a build does not see what `.dockerignore` names, although the file is there",
            Self::NotInImage { .. } => "the image of a language contains none of your scripts",
            Self::NotExecutable { .. } => {
                "a file that a command names in place of a program needs the execute permission, which a mount and a copy keep"
            }
            Self::Crlf { .. } => "with CR at its end the first line names an interpreter that does not exist",
            Self::NoList { .. } => {
                "Docker passes what is not JSON to a shell, which takes the bracket for the name of a program"
            }
            Self::NoShell { .. } => "an image without a shell starts only what is written as a list",
            Self::NoCommand { .. } => {
                "the image of a language or a system starts its own shell, which exits without a terminal"
            }
        }
    }

    /// The fix, up to the start of the stack; `at` is where the command is written.
    fn act(&self, at: &str) -> String {
        match self {
            Self::NotMounted { place, near: Some(near), .. } => format!(
                "write `{}` in place of `{}` in {at}, or put the script at `{}` in {{dir}}",
                shown(parts(near).1),
                shown(parts(place).1),
                shown(place)
            ),
            Self::NotMounted { place, .. } => {
                format!("put the script at `{}` in {{dir}}, or correct its name in {at}", shown(place))
            }
            Self::NotCopied { path, dockerfile, source: Some(source), .. } => format!(
                "add `COPY {} {}` to `{}`, behind its other COPY lines",
                shown(source),
                shown(parts(path).0),
                shown(dockerfile)
            ),
            Self::NotCopied { path, near: Some(near), .. } => {
                format!("write `{}` in place of `{}` in {at}", shown(near), shown(parts(path).1))
            }
            Self::NotCopied { path, dockerfile, folder, .. } => {
                let (to, name) = parts(path);
                format!(
                    "put `{0}` into `{1}` and add `COPY {0} {2}` to `{3}`, or correct the name in {at}",
                    shown(name),
                    shown(folder),
                    shown(to),
                    shown(dockerfile)
                )
            }
            Self::Ignored { source, folder, .. } => format!(
                "remove what keeps `{0}` out from `.dockerignore` of `{1}`, or add `!{0}` at its end",
                shown(source),
                shown(folder)
            ),
            Self::NotInImage { path, other: Some(other), .. } => {
                format!("write `{}` in place of `{}` in {at}", shown(other), shown(path))
            }
            Self::NotInImage { path, .. } => {
                format!(
                    "mount the script (`volumes: [\"./{}:{}:ro\"]`), or correct its path in {at}",
                    shown(parts(path).1),
                    shown(path)
                )
            }
            Self::NotExecutable { place, .. } => format!("run `chmod +x {}` in {{dir}}", shown(place)),
            Self::Crlf { place, .. } => format!("run `sed -i 's/\\r$//' {}` in {{dir}}", shown(place)),
            Self::NoList { .. } | Self::NoShell { .. } => format!(
                "write it as JSON in {at}: double quotes, and commas only between the words (`[\"PROGRAM\", \"ARGUMENT\"]`)"
            ),
            Self::NoCommand { dockerfile, .. } => {
                format!(
                    "add `CMD [\"PROGRAM\", \"ARGUMENT\"]` with your program as the last line of `{}`",
                    shown(dockerfile)
                )
            }
        }
    }

    pub(super) fn fix(&self, service: &str, at: &str) -> String {
        let is_built = match self {
            Self::NotMounted { .. } | Self::NotInImage { .. } => false,
            Self::NotCopied { .. }
            | Self::Ignored { .. }
            | Self::NoList { .. }
            | Self::NoShell { .. }
            | Self::NoCommand { .. } => true,
            Self::NotExecutable { is_mounted, .. } | Self::Crlf { is_mounted, .. } => !is_mounted,
        };
        // Compose builds no image again because a file changed.
        let build = if is_built { format!("`docker compose build {service}` in {{dir}}, and ") } else { String::new() };
        format!("{}; then {build}`{{helper}} up --dir {{dir}}`", self.act(at))
    }
}
