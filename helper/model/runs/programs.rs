//! The table of programs that serve HTTP or speak over standard input, and of images that start one: `programs.json`,
//! where each row names the documentation that it has its facts from.

use std::sync::LazyLock;

use serde::Deserialize;

type Words = Vec<String>;

/// What is known of programs and images.
#[derive(Default, Deserialize)]
pub(super) struct Known {
    pub(super) programs: Vec<Program>,
    pub(super) images: Vec<Packed>,
}

/// One program.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Program {
    /// Its names: of the executable, of the module, of the package.
    pub(super) names: Words,
    /// Words of which one must follow, like the `run` of `flask run`.
    pub(super) words: Words,
    /// Options with the host, the port, and with both; the first is the one that is advised.
    pub(super) host: Words,
    pub(super) port: Words,
    pub(super) both: Words,
    /// Variables with the host and the port.
    pub(super) host_var: String,
    pub(super) port_var: String,
    /// The host that it listens on when none is said, and the port; 0 where that is any.
    pub(super) default: Option<String>,
    pub(super) default_port: u16,
    /// Options and variables that say it in another way. The value `development` of a variable does not.
    pub(super) unless: Words,
    /// Options that name a file with a line `bind = "HOST:PORT"`.
    pub(super) config: Words,
    /// Files in its folder that may say it in another way.
    pub(super) files: Words,
    /// What chooses HTTP where it speaks over standard input by itself: options, words and variables, with another
    /// value than `stdio`.
    pub(super) stdio: Option<Words>,
    /// The words that choose HTTP; empty where it has none.
    pub(super) http: String,
    /// Whether a package of npm has the same name.
    pub(super) is_python: bool,
    /// Whether other programs start by the same name.
    pub(super) is_likely: bool,
}

/// An image whose entry point is a known program.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Packed {
    pub(super) images: Words,
    pub(super) program: String,
    /// The options of its entry point; those of the service count before them.
    pub(super) own: Words,
    /// Its command, where the service names none.
    pub(super) command: Words,
}

/// A table that cannot be read is empty; a test reads it.
pub(super) static KNOWN: LazyLock<Known> =
    LazyLock::new(|| serde_json::from_str(include_str!("programs.json")).unwrap_or_default());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_names_its_source() {
        assert!(KNOWN.programs.len() > 30 && KNOWN.images.len() > 10);
        let table: serde_json::Value = serde_json::from_str(include_str!("programs.json")).unwrap();
        for row in ["programs", "images"].into_iter().flat_map(|key| table[key].as_array().unwrap()) {
            assert!(row["source"].as_str().is_some_and(|url| url.starts_with("https://")), "{row}");
        }
        for image in &KNOWN.images {
            assert!(KNOWN.programs.iter().any(|program| program.names.contains(&image.program)), "{}", image.program);
        }
    }
}
