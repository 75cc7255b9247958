//! What the steps of a build, and commands in front of a program, may bring into a container besides what is copied.

use super::shell;

/// Commands that make no file of a person's own.
const HARMLESS: &shell::Commands = &[
    ("pip pip3 apt apt-get apk dnf yum microdnf corepack update-ca-certificates", ""),
    ("adduser useradd addgroup groupadd usermod chown chmod chgrp mkdir rm", ""),
    ("set true cd export sleep exec : wait umask ulimit test [", ""),
    ("npm pnpm yarn", "ci install i"),
    ("uv poetry pdm pipenv", "pip sync install venv lock"),
    ("venv virtualenv ensurepip playwright", ""),
];

/// Whether a line for a shell brings no file of a person's own.
pub(super) fn makes_nothing(line: &str) -> bool {
    let bare = line.replace("2>&1", "").replace("/dev/null", "");
    if bare.contains("<<") || line.starts_with('[') {
        return false;
    }
    let commands = bare.split(['\n', ';', '|', '&']).map(str::trim).filter(|command| !command.is_empty());
    { commands }.all(|command| {
        // `>=` is a version.
        let is_redirected = command.split('>').skip(1).any(|to| !to.trim().is_empty() && !to.starts_with('='));
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let words = words.into_iter().skip_while(|word| word.starts_with("--")).collect::<Vec<_>>();
        !is_redirected && is_harmless(&words)
    })
}

/// The same for the words of one command.
pub(super) fn is_harmless(words: &[String]) -> bool {
    let names_only = words.iter().all(|word| word.contains('=') && !word.starts_with('-'));
    let Some(command) = shell::started(words, &shell::Invocation::default()) else { return names_only };
    shell::is_among(HARMLESS, &command, |arg| arg)
}

/// Where a COPY or ADD puts what is not seen in the folder of the build: the path; all of the image where that is not
/// known either.
pub(super) fn open_by_copy(
    word: &str,
    rest: &str,
    known: Option<&(Vec<String>, String)>,
    folder: Option<&str>,
) -> Option<String> {
    const ARCHIVES: [&str; 8] = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".txz", ".tbz2"];
    let place = |to: &str| {
        let whole = shell::joined(folder.or(Some("/")), to.trim_start_matches("./"));
        if to.contains('$') || folder.is_some_and(|folder| folder.contains('$')) { "/".to_owned() } else { whole }
    };
    let Some((sources, to)) = known else {
        let last = rest.split_whitespace().next_back().unwrap_or("/").trim_matches(['"', ']', '\'']);
        return Some(if matches!(last, "." | "./") { place("") } else { place(last) });
    };
    let is_unseen = |source: &String| {
        let is_remote = source.contains("://") || source.starts_with("git@");
        let is_wild_folder = source.rsplit_once('/').is_some_and(|(folder, _)| folder.contains(['*', '?', '[']));
        let is_archive = word == "ADD" && (is_remote || ARCHIVES.iter().any(|ending| source.ends_with(ending)));
        source.contains(['$', '[']) || is_wild_folder || is_archive
    };
    (to.contains('$') || sources.iter().any(is_unseen)).then(|| place(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_may_make_a_file_is_told_from_one_that_does_not() {
        for line in [
            "pip install --no-cache-dir -r requirements.txt",
            "apt-get update && apt-get install -y curl > /dev/null 2>&1 && rm -rf /var/lib/apt/lists/*",
            "--mount=type=cache,target=/root/.cache uv sync --frozen",
            "npm ci --omit=dev",
            "useradd -m app && chown -R app /app",
            "python -m pip install 'mcp<2'",
        ] {
            assert!(makes_nothing(line), "{line}");
        }
        for line in [
            "git clone https://git.corp.example/wiki .",
            "mv app.py server.py",
            "echo 'import wiki' > server.py",
            "npm run build",
            "npm run tools/ci",
            "uv build -o /opt/lock",
            "curl -fsSL https://x.example/server.py -o server.py",
            "cat <<EOF > server.py",
            "./build.sh",
            "pip install mcp && cp -r src/* .",
        ] {
            assert!(!makes_nothing(line), "{line}");
        }
    }

    #[test]
    fn what_a_copy_brings_from_elsewhere_is_open() {
        let open = |word: &str, rest: &str| {
            let known = crate::model::runs::image::copied(rest, Some("/app"));
            open_by_copy(word, rest, known.as_ref(), Some("/app"))
        };
        assert_eq!(open("COPY", "server.py ."), None);
        assert_eq!(open("COPY", "--from=build /src /app/"), Some("/app/".into()));
        assert_eq!(open("COPY", "--from=build /src ."), Some("/app/".into()));
        assert_eq!(open("COPY", "<<EOF server.py"), Some("/app/server.py".into()));
        assert_eq!(open("COPY", "$SRC ."), Some("/app/".into()));
        assert_eq!(open("ADD", "app.tar.gz /srv"), Some("/srv".into()));
        assert_eq!(open("COPY", "app.tar.gz /srv"), None);
        assert_eq!(open("ADD", "https://x.example/a.py /a.py"), Some("/a.py".into()));
    }
}
