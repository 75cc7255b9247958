//! The commands that install packages of Python, as they are written in a Dockerfile or on a command line.

/// What one command installs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Install {
    /// Requirements on its command line.
    pub(super) words: Vec<String>,
    /// Files with requirements, and files that only bound them, as they are written.
    pub(super) lists: Vec<String>,
    pub(super) bounds: Vec<String>,
    /// The folder of a project, and the lock files that count for it.
    pub(super) project: Option<(String, &'static [&'static str])>,
    /// Whether it goes into an environment of its own, or replaces what is installed.
    pub(super) is_apart: bool,
}

const UV: &[&str] = &["uv.lock"];
const POETRY: &[&str] = &["poetry.lock"];
const PDM: &[&str] = &["pdm.lock"];
const PIPENV: &[&str] = &["Pipfile.lock"];
const NONE: &[&str] = &[];
/// Options of installers that have a value of another kind.
const WITH_VALUE: [&str; 14] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "--index",
    "-f",
    "--find-links",
    "-t",
    "--target",
    "--prefix",
    "--root",
    "--python",
    "-p",
    "--group",
    "--extra",
];

/// What a line installs, one command after the other.
pub(super) fn installs(line: &str) -> Vec<Install> {
    commands(line).iter().flat_map(|words| (0..words.len()).filter_map(|at| install(&words[at..]))).collect()
}

/// The commands of a line, each as its words; an instruction may be a list of words.
fn commands(line: &str) -> Vec<Vec<String>> {
    let list = line.find('[').and_then(|at| serde_json::from_str::<Vec<String>>(line[at..].trim()).ok());
    if let Some(words) = list {
        return words
            .iter()
            .filter(|word| word.contains(' '))
            .flat_map(|word| commands(word))
            .chain([words.clone()])
            .collect();
    }
    let (mut all, mut one, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (quote, letter) {
            (None, ';' | '&' | '|' | '\n') => all.push(std::mem::take(&mut one)),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
        if quote.is_some() || !matches!(letter, ';' | '&' | '|' | '\n') {
            one.push(letter);
        }
    }
    all.push(one);
    let words = |one: &String| {
        shlex::split(one)
            .unwrap_or_else(|| one.split_whitespace().map(|word| word.trim_matches(['"', '\'']).into()).collect())
    };
    all.iter().map(words).collect()
}

/// What the words install if the first of them is an installer.
fn install(words: &[String]) -> Option<Install> {
    let [first, rest @ ..] = words else { return None };
    let name = first.rsplit('/').next().unwrap_or_default();
    let word = rest.first().map(String::as_str).unwrap_or_default();
    let behind = rest.get(1..).unwrap_or_default();
    let upgrades = || rest.iter().any(|word| ["-U", "--upgrade", "--skip-lock"].contains(&word.as_str()));
    let project = |locks: &'static [&'static str]| {
        let locks = if upgrades() { NONE } else { locks };
        Install { project: Some((".".into(), locks)), ..Install::default() }
    };
    let is_pip = name.strip_prefix("pip").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'));
    Some(match (name, word) {
        (_, "install" | "download" | "wheel") if is_pip => listed(behind, upgrades()),
        ("pip", "sync") => Install { lists: plain(behind), ..Install::default() },
        ("pip-sync", _) => Install { lists: plain(rest), ..Install::default() },
        ("uv", "sync" | "export") => project(UV),
        ("uv", "run") => return Some(of_run(behind)),
        ("uvx", _) => apart(rest, true),
        ("uv", "tool") | ("pipx", "run" | "install") => apart(behind, true),
        ("uv" | "poetry" | "pdm", "add") => listed(behind, upgrades()),
        ("poetry", "install" | "sync" | "export") => project(POETRY),
        ("pdm", "install" | "sync" | "export") => project(PDM),
        ("pipenv", "install" | "sync" | "requirements") => Install { words: plain(behind), ..project(PIPENV) },
        ("poetry" | "pdm" | "pipenv", "update") => project(NONE),
        ("rye", "sync") => Install { lists: vec!["requirements.lock".into()], ..Install::default() },
        ("hatch", "run" | "env") => project(NONE),
        _ => return None,
    })
}

/// The words that are neither options nor values of options.
fn plain(words: &[String]) -> Vec<String> {
    listed(words, false).words
}

/// The arguments of pip and its kind.
fn listed(words: &[String], is_apart: bool) -> Install {
    let mut found = Install { is_apart, ..Install::default() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, own) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value.to_owned())),
            _ if word.starts_with("-r") && word.len() > 2 => ("-r", Some(word[2..].to_owned())),
            _ if word.starts_with("-c") && word.len() > 2 => ("-c", Some(word[2..].to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || own.clone().or_else(|| words.next().cloned()).into_iter();
        match option {
            "-r" | "--requirement" | "--requirements" => found.lists.extend(value()),
            "-c" | "--constraint" | "--constraints" => found.bounds.extend(value()),
            "-e" | "--editable" => found.project = value().next().map(|place| (folder(&place), NONE)),
            option if WITH_VALUE.contains(&option) => drop(value()),
            option if option.starts_with('-') => {}
            ">" | ">>" => break,
            place if is_folder(place) => found.project = Some((folder(place), NONE)),
            _ => found.words.push(word.clone()),
        }
    }
    found
}

fn is_folder(word: &str) -> bool {
    word.starts_with(['.', '/']) && ![".whl", ".gz", ".zip"].iter().any(|ending| word.ends_with(ending))
}

/// A path without its extras.
fn folder(place: &str) -> String {
    place.split('[').next().unwrap_or(place).to_owned()
}

/// `uv run`: the project with its lock, and what the options add.
fn of_run(words: &[String]) -> Install {
    let has = |name: &str| words.iter().any(|word| word == name);
    let more = apart(words, false);
    if !more.words.is_empty() || !more.lists.is_empty() || has("--no-project") || has("--no-sync") {
        return more;
    }
    Install { project: Some((".".into(), UV)), ..Install::default() }
}

/// What options add to an environment of its own, with the package of the program if it `is_tool`.
fn apart(words: &[String], is_tool: bool) -> Install {
    let mut found = Install { is_apart: true, ..Install::default() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, own) = word.split_once('=').filter(|(option, _)| option.starts_with("--")).unzip();
        let mut value = || own.map(str::to_owned).or_else(|| words.next().cloned()).into_iter();
        match option.unwrap_or(word) {
            "--with" | "--from" | "--spec" => {
                found.words.extend(value().flat_map(|all| all.split(',').map(str::to_owned).collect::<Vec<_>>()))
            }
            "--with-requirements" => found.lists.extend(value()),
            "--constraints" | "-c" => found.bounds.extend(value()),
            option if WITH_VALUE.contains(&option) => drop(value()),
            option if option.starts_with('-') => {}
            "install" | "run" if is_tool => {}
            _ => {
                found.words.extend(is_tool.then(|| word.clone()));
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_installs() {
        let shown = |line: &str| {
            let show = |one: Install| {
                let project =
                    one.project.map(|(folder, locks)| format!(" {folder}:{}", locks.join(","))).unwrap_or_default();
                format!(
                    "{}|{}|{}{project}{}",
                    one.words.join(" "),
                    one.lists.join(" "),
                    one.bounds.join(" "),
                    if one.is_apart { " apart" } else { "" }
                )
            };
            installs(line).into_iter().map(show).collect::<Vec<_>>()
        };
        for (line, expected) in [
            (
                "RUN pip install --no-cache-dir -r requirements.txt && pip install 'mcp>=1.9,<2'",
                &["|requirements.txt|", "mcp>=1.9,<2||"][..],
            ),
            ("RUN python -m pip install -c constraints.txt mcp", &["mcp||constraints.txt"]),
            ("RUN pip install -U --index-url https://pypi.corp.example mcp", &["mcp|| apart"]),
            ("RUN pip install .[server]", &["|| .:"]),
            ("RUN [\"pip\", \"install\", \"mcp\"]", &["mcp||"]),
            ("RUN --mount=type=cache,target=/root/.cache uv sync --frozen", &["|| .:uv.lock"]),
            ("RUN uv sync --upgrade", &["|| .:"]),
            ("RUN uv pip install --system -r pyproject.toml", &["|pyproject.toml|"]),
            ("uv run --with mcp python /srv/server.py", &["mcp|| apart"]),
            ("uv run mcp run server.py", &["|| .:uv.lock"]),
            ("uvx --from 'mcp<2' mcp run", &["mcp<2 mcp|| apart"]),
            ("RUN poetry install --no-root", &["|| .:poetry.lock"]),
            ("RUN pipenv install --deploy --system", &["|| .:Pipfile.lock"]),
            ("RUN apt-get install -y pip", &[]),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }
}
