//! A file that a program reads, and that its container does not have: why, and what to do about it.

use crate::redact::names::shown;

/// Why there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// What is wanted is in place of its path.
    InPlaceOfPath,
    /// An entry of `configs` or `secrets` is declared, and the service is not given it.
    NotGranted {
        /// Which of the two.
        kind: &'static str,
        name: String,
        /// Whether it shows at the path where it is granted without a target.
        is_at_path: bool,
    },
    /// What is wanted shows at another path in the container.
    Elsewhere {
        /// That path.
        at: String,
    },
    /// The source of the mount is not there, or is a directory.
    Source {
        /// Its path inside the directory.
        place: String,
        is_dir: bool,
        /// Whether it is mounted itself, and not in a folder.
        is_mount: bool,
        /// A file of the directory that is what is wanted.
        other: Option<String>,
    },
    /// Nothing is mounted there.
    Nothing {
        /// A file of the directory that is what is wanted.
        other: Option<String>,
    },
}

/// The case: whose file it is, and which setting names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absent<'a> {
    /// The service whose program reads it.
    pub(crate) service: &'a str,
    pub(crate) file: &'a str,
    /// What names the path; `None` where the program reads there by itself.
    pub(crate) setting: Option<&'a str>,
    /// File and line of the setting.
    pub(crate) line: Option<(&'a str, usize)>,
    pub(crate) path: &'a str,
    /// What is wanted, as the object of a sentence.
    pub(crate) what: &'a str,
    /// Another setting of which the same is true.
    pub(crate) also: Option<&'a str>,
    /// Whether its program reads a file that replaces it, which only a mount of its folder shows.
    pub(crate) is_reloaded: bool,
    /// A variable of `.env` that has what is wanted.
    pub(crate) variable: Option<&'a str>,
    pub(crate) why: &'a Absence,
}

/// A person's own path, in a form that may appear in an instruction.
pub(crate) fn path(text: &str) -> &str {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-@+~ ".contains(c);
    if text.len() <= 200 && text.chars().all(is_plain) { text } else { "PATH" }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Absent<'_> {
    /// What the files say.
    pub(super) fn said(&self) -> String {
        let Self { service, what, .. } = self;
        let setting = self.setting.unwrap_or("the path");
        let because = match self.why {
            Absence::InPlaceOfPath => None,
            Absence::NotGranted { kind, name, .. } => {
                Some(format!("`{kind}` declares `{}`, and `{service}` is not given it", shown(name)))
            }
            Absence::Elsewhere { at } => Some(format!("{what} shows at `{at}`")),
            Absence::Source { place, is_dir, other, .. } => {
                let state = if *is_dir { "is a directory" } else { "does not exist" };
                let other = other.as_ref().map(|other| format!("; `{other}` is there")).unwrap_or_default();
                Some(format!("`{place}`, which is mounted there, {state}{other}"))
            }
            Absence::Nothing { .. } => Some("nothing is mounted there".into()),
        };
        match (because, self.setting) {
            (None, _) => format!("{setting} of `{service}` holds {what} itself, and not the path of a file"),
            (Some(because), Some(setting)) => format!("{setting} of `{service}` is `{}`; {because}", self.path),
            (Some(because), None) => format!("`{service}` reads `{}`; {because}", self.path),
        }
    }

    pub(super) fn fix(&self) -> String {
        let Self { service, file, what, .. } = self;
        let wanted = path(self.path);
        let act = match self.why {
            Absence::InPlaceOfPath => format!(
                "take {what} out of `{file}`: write it into `.env`, hand it to `{service}` as a Compose secret, and let \
                 {} name the secret's path, `/run/secrets/NAME`",
                self.setting.unwrap_or("the setting")
            ),
            Absence::NotGranted { kind, name, is_at_path: true } => {
                format!("add `{kind}: [{}]` to the service `{service}` in `{file}`", shown(name))
            }
            Absence::NotGranted { kind, name, .. } => format!(
                "add `{kind}: [{{ source: {}, target: {wanted} }}]` to the service `{service}` in `{file}`",
                shown(name)
            ),
            Absence::Elsewhere { at } => self.moved(path(at), wanted),
            Absence::Source { place, is_dir, is_mount, other } => {
                let place = path(place);
                let clear = match is_dir {
                    true => format!("run `{{helper}} down --dir {{dir}}`, remove the directory `{place}`, then "),
                    false => String::new(),
                };
                match other.as_deref().map(path) {
                    Some(other) if *is_mount => {
                        format!("{clear}correct the source of the mount from `{place}` to `./{other}` in `{file}`")
                    }
                    // It is in another folder than the one that is mounted.
                    Some(other) if name(other) == name(place) && !is_dir => format!(
                        "correct the source of the mount from `./{}` to `./{}` in `{file}`",
                        folder(place),
                        folder(other)
                    ),
                    Some(other) => format!("{clear}copy `{other}` to `{place}`"),
                    None => format!("{clear}put {what} into the file `{place}`"),
                }
            }
            Absence::Nothing { other } => self.mounted(other.as_deref().map(path), wanted),
        };
        let also = self.also.map(|setting| format!("; do the same for {setting}")).unwrap_or_default();
        format!("{act}{also}; then `{{helper}} up --dir {{dir}}`")
    }

    /// Brings path and setting together.
    fn moved(&self, at: &str, wanted: &str) -> String {
        let Self { service, file, what, .. } = self;
        match self.setting {
            Some(setting) => {
                let of_setting = self.line.map_or(*file, |(file, _)| file);
                format!(
                    "set {setting} to `{at}` in `{of_setting}`, or mount {what} at `{wanted}` in the service `{service}`"
                )
            }
            None => format!("mount {what} at `{wanted}` in place of `{at}` in the service `{service}` in `{file}`"),
        }
    }

    /// Shows the file at the path: as a secret where that is the folder of secrets, otherwise as a mount.
    fn mounted(&self, other: Option<&str>, wanted: &str) -> String {
        let Self { service, file, what, .. } = self;
        if let Some(name) = wanted.strip_prefix("/run/secrets/").map(shown) {
            let source = match (other, self.variable) {
                (Some(other), _) => format!("file: ./{other}"),
                (None, Some(variable)) => format!("environment: {variable}"),
                (None, None) => "file: ./FILE".into(),
            };
            return format!(
                "declare `secrets: {{ {name}: {{ {source} }} }}` in `{file}`, and add `secrets: [{name}]` to the service \
                 `{service}`"
            );
        }
        let Some(source) = other else {
            let add = format!("`./FILE:{wanted}:ro` to `volumes:` of the service `{service}` in `{file}`");
            return format!("put {what} into a file of this directory, and add {add}");
        };
        let folders = || Some((source.rsplit_once('/')?, wanted.rsplit_once('/')?));
        let (source, target) = match folders() {
            Some(((from, name), (to, same))) if self.is_reloaded && name == same => (from, to),
            _ => (source, wanted),
        };
        format!("add `./{source}:{target}:ro` to `volumes:` of the service `{service}` in `{file}`")
    }
}
