//! Process inputs, read once by `main`: launcher path, environment, current time.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use crate::redact;

/// What the process got from outside.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Now, read once.
    pub(crate) now: OffsetDateTime,
    /// Absolute path of the launcher, or of the running executable.
    launcher: PathBuf,
    /// Absolute path that an update of the plugin leaves in place, where the launcher knows one.
    stable: Option<PathBuf>,
    /// The environment as it was at the start.
    env: BTreeMap<OsString, OsString>,
    /// Deployment directory that the command works on, once it is known.
    pub(crate) dir: Option<PathBuf>,
    /// The tunnel's domain, once it is known.
    pub(crate) domain: Option<String>,
    /// Names of the services in fixes.
    pub(crate) services: Services,
    /// Whether long work may report on standard error.
    pub(crate) progress: bool,
    /// The terminal, where a person reads the answer as text on one.
    pub(crate) screen: Option<Screen>,
}

/// A terminal that can be drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) width: usize,
    pub(crate) colour: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Services {
    /// The proxy: the service that cloudflared's `network_mode` points to.
    pub(crate) proxy: String,
    /// The tunnel agent.
    pub(crate) cloudflared: String,
}

impl Default for Services {
    fn default() -> Self {
        Self { proxy: "mcp-gateway".into(), cloudflared: "cloudflared".into() }
    }
}

impl Caller {
    /// Reads clock, environment and own path of the running process.
    pub(crate) fn from_process() -> Self {
        let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        // A program that prints its environment shows no secret of this shell.
        for (name, value) in &env {
            if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
                && redact::is_secret(name)
                && !value.starts_with('/')
            {
                redact::guard_named(value);
            }
        }
        let absolute = |name: &str| env.get(OsStr::new(name)).map(PathBuf::from).filter(|path| path.is_absolute());
        let stable = absolute("MCP_TUNNELS_STABLE");
        let launcher = absolute("MCP_TUNNELS_LAUNCHER")
            .or_else(|| std::env::current_exe().ok())
            .unwrap_or_else(|| PathBuf::from("mcp-tunnels-helper"));
        Self {
            now: OffsetDateTime::now_utc(),
            launcher,
            stable,
            env,
            dir: None,
            domain: None,
            services: Services::default(),
            progress: std::io::stderr().is_terminal(),
            screen: None,
        }
    }

    /// A caller with these variables and no others.
    #[cfg(test)]
    pub(crate) fn with_env(env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Self { env, ..Self::from_process() }
    }

    /// A variable of the calling shell; an empty one counts as unset.
    pub(crate) fn var(&self, name: &str) -> Option<&OsStr> {
        self.env.get(OsStr::new(name)).map(OsString::as_os_str).filter(|v| !v.is_empty())
    }

    /// Whether Claude Code's shell runs this, not a person; an empty mark is one too.
    pub(crate) fn is_claude_code(&self) -> bool {
        self.env.contains_key(OsStr::new("CLAUDECODE"))
    }

    /// A helper command on this deployment that works as pasted, from any POSIX shell and folder.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        self.line(&self.launcher, words)
    }

    /// The same for what runs unattended for months: Claude Code deletes the launcher of a version some time after
    /// the plugin was updated.
    pub(crate) fn scheduled_command(&self, words: &[&str]) -> String {
        self.line(self.stable.as_deref().unwrap_or(&self.launcher), words)
    }

    fn line(&self, program: &Path, words: &[&str]) -> String {
        format!("{} {}", quote(program.as_os_str()), self.words(words))
    }

    /// The words of a helper command on this deployment, without the program.
    pub(crate) fn words(&self, words: &[&str]) -> String {
        let mut line = words.iter().map(|word| quote(OsStr::new(word))).collect::<Vec<_>>().join(" ");
        if let Some(dir) = &self.dir {
            line.push_str(" --dir ");
            line.push_str(&quote(dir.as_os_str()));
        }
        line
    }

    /// Fills `{helper}`, `{dir}`, `{domain}`, `{proxy}` and `{cloudflared}` in a text of the rule table, and the gaps that no
    /// case filled.
    pub(crate) fn fill(&self, template: &str) -> String {
        if !template.contains('{') {
            return template.to_owned();
        }
        let dir = self.dir.as_deref().unwrap_or(Path::new("~/mcp-tunnel"));
        template
            .replace("{logs}", "`docker compose logs SERVICE` in {dir}")
            .replace("{group}", "docker")
            .replace("{digest}", "DIGEST")
            .replace("{helper}", &quote(self.launcher.as_os_str()))
            .replace("{dir}", &if self.dir.is_some() { quote(dir.as_os_str()) } else { "~/mcp-tunnel".into() })
            .replace("{domain}", self.domain.as_deref().unwrap_or("abcd1234.tunnel.anthropic.com"))
            .replace("{proxy}", &self.services.proxy)
            .replace("{cloudflared}", &self.services.cloudflared)
    }
}

/// A word quoted for POSIX sh. JSON cannot hold what is not UTF-8: it is shown lossily.
pub(crate) fn quote(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| format!("'{}'", text.replace('\0', "").replace('\'', r"'\''")), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_comes_back_from_a_shell_as_it_was() {
        for word in ["plain", "two words", "it's", "$HOME `id` \"x\"", "new\nline", "ä", "", "-n", "!x", "~", "a*"] {
            let line = format!("printf %s {}", quote(OsStr::new(word)));
            let out = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&out.stdout), word, "{line}");
        }
    }
}
