//! Releases: the order that keeps main installable, the workflow, and the program that the build command makes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{edit, folder, posix, posix_path, script, skip, which};

const TARGETS: [&str; 4] =
    ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-apple-darwin", "aarch64-apple-darwin"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A clone of a project that has an address, its origin, and a GitHub that does what it is told.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(test: &str) -> Option<Self> {
        if which("git").is_none() || which("cargo").is_none() {
            skip(test, "git or cargo is not installed");
            return None;
        }
        let project = Self { folder: folder() };
        let clone = project.clone();
        for file in [
            ".claude-plugin/plugin.json",
            ".github/release/check.sh",
            ".github/release/release.sh",
            "bin/mcp-tunnels-helper",
            "Cargo.lock",
            "Cargo.toml",
            "CHANGELOG.md",
            "README.md",
        ] {
            fs::create_dir_all(clone.join(file).parent().unwrap()).unwrap();
            fs::copy(root().join(file), clone.join(file)).unwrap();
        }
        // Enough for cargo to take it for the package.
        for file in ["helper/main.rs", "tests/main.rs"] {
            fs::create_dir_all(clone.join(file).parent().unwrap()).unwrap();
            fs::write(clone.join(file), "fn main() {}\n").unwrap();
        }
        edit(&clone.join(".claude-plugin/plugin.json"), "OWNER", "someone");
        fs::create_dir(project.folder.path().join("tools")).unwrap();
        fs::write(project.folder.path().join("config"), "[user]\nname = t\nemail = t@example.com\n").unwrap();
        project.git(&["init", "--quiet", "--bare", "-b", "main", "../origin.git"]);
        project.git(&["init", "--quiet", "-b", "main"]);
        project.git(&["add", "--all"]);
        project.git(&["commit", "--quiet", "--message", "work"]);
        project.git(&["remote", "add", "origin", "../origin.git"]);
        project.git(&["push", "--quiet", "--set-upstream", "origin", "main"]);
        Some(project)
    }

    fn clone(&self) -> PathBuf {
        let clone = self.folder.path().join("clone");
        fs::create_dir_all(&clone).unwrap();
        clone
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let tools = std::iter::once(self.folder.path().join("tools"));
        let path = std::env::join_paths(tools.chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
        command.current_dir(self.clone()).env("PATH", path.unwrap()).stdin(Stdio::null());
        command.env("GIT_CONFIG_GLOBAL", self.folder.path().join("config")).env("GIT_CONFIG_SYSTEM", "/dev/null");
        command.env("RELEASE_TRIES", "2").env("RELEASE_PAUSE", "0");
        command
    }

    fn git(&self, args: &[&str]) -> String {
        let out = self.command("git").args(args).output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", said(&out));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    fn step(&self, words: &[&str]) -> Output {
        self.command("sh").arg(".github/release/release.sh").args(words).output().unwrap()
    }

    fn does(&self, words: &[&str]) {
        let out = self.step(words);
        assert!(out.status.success(), "{words:?}: {}", said(&out));
        self.main_is_whole();
    }

    /// Refuses, says this, and leaves main and the tags alone.
    fn refuses(&self, words: &[&str], because: &str) {
        let before = self.git(&["ls-remote", "origin", "main", "refs/tags/*"]);
        let out = self.step(words);
        assert!(!out.status.success() && said(&out).contains(because), "{words:?}: {}", said(&out));
        assert_eq!(before, self.git(&["ls-remote", "origin", "main", "refs/tags/*"]));
    }

    /// Since the first release, whatever main ever pointed to has the checksums of its version.
    fn main_is_whole(&self) {
        self.git(&["fetch", "--quiet", "origin"]);
        for commit in self.git(&["rev-list", "--first-parent", "origin/main"]).lines() {
            let of = |file: &str| self.command("git").args(["show", &format!("{commit}:{file}")]).output().unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&of(".claude-plugin/plugin.json").stdout).unwrap();
            let version = manifest["version"].as_str().unwrap();
            let sums = String::from_utf8(of("bin/SHA256SUMS").stdout).unwrap();
            let first = version == env!("CARGO_PKG_VERSION");
            let whole = TARGETS.iter().all(|t| sums.contains(&format!("  mcp-tunnels-helper-{version}-{t}\n")));
            assert!(first || whole, "{commit} carries {version} with:\n{sums}");
        }
    }

    /// What the workflow has built and is in the draft; `state` is what a query of the release says.
    fn github(&self, version: &str, commit: &str, state: &str) {
        let assets = self.folder.path().join("assets");
        let _ = fs::remove_dir_all(&assets);
        fs::create_dir_all(&assets).unwrap();
        for target in TARGETS {
            let name = format!("mcp-tunnels-helper-{version}-{target}");
            fs::write(assets.join(&name), format!("{name} of {commit}")).unwrap();
        }
        let text = format!(
            "#!/bin/sh\ncase \"$1 $2\" in\n\
             'release download') while [ $# -gt 0 ]; do [ \"$1\" != --dir ] || cp '{assets}'/* \"$2\"; shift; done ;;\n\
             'attestation verify') grep -q \"of $7\" \"$3\" && [ \"$5\" = someone/mcp-tunnels ] &&\n\
             case \"$*\" in *\" --signer-workflow someone/mcp-tunnels/.github/workflows/release.yml \
             --source-ref refs/heads/release/v{version} \"*) ;; *) exit 1 ;; esac ;;\n\
             'release view') echo {state} ;;\n*) exit 9 ;;\nesac\n",
            assets = assets.display()
        );
        script(&self.folder.path().join("tools"), "gh", &text);
    }
}

#[test]
fn main_never_carries_a_version_whose_checksums_are_missing() {
    let Some(project) = Project::new("main_never_carries") else { return };
    project.github("9.9.9", "nothing", "true");
    project.refuses(&["publish"], "begin with");
    project.refuses(&["start"], "which version");
    project.refuses(&["start", "1.0"], "which version");
    fs::write(project.clone().join("README.md"), "edited").unwrap();
    project.refuses(&["start", "9.9.9"], "uncommitted");
    project.git(&["checkout", "--quiet", "README.md"]);

    project.does(&["start", "9.9.9"]);
    let commit = project.git(&["rev-parse", "HEAD"]);
    assert_eq!(project.git(&["branch", "--show-current"]), "release/v9.9.9");
    for file in ["Cargo.toml", "Cargo.lock", ".claude-plugin/plugin.json", "CHANGELOG.md"] {
        let shown = project.git(&["show", &format!("origin/release/v9.9.9:{file}")]);
        assert!(shown.contains("9.9.9"), "{file}");
    }
    assert_eq!(
        project.git(&["show", "origin/main:Cargo.toml"]),
        fs::read_to_string(root().join("Cargo.toml")).unwrap().trim()
    );
    // Not before the checksums are there.
    project.refuses(&["publish"], "has no checksum");
    // Programs of another commit, and programs that are missing.
    project.github("9.9.9", "another commit", "true");
    project.refuses(&["checksums"], "was not built by this repository's workflow");
    project.github("9.9.9", &commit, "true");
    fs::remove_file(project.folder.path().join("assets/mcp-tunnels-helper-9.9.9-aarch64-apple-darwin")).unwrap();
    project.refuses(&["checksums"], "no checksum of 9.9.9 for aarch64-apple-darwin");
    project.github("9.9.9", &commit, "true");
    project.does(&["checksums"]);
    assert_eq!(project.git(&["rev-parse", "HEAD~1"]), commit, "what was built is the commit before");
    assert_eq!(project.git(&["diff", "--name-only", "HEAD~1"]), "bin/SHA256SUMS");
    // Tagged, but main waits until the programs can be downloaded.
    let out = project.step(&["publish"]);
    assert!(!out.status.success() && said(&out).contains("not published yet"), "{}", said(&out));
    project.main_is_whole();
    assert!(project.git(&["ls-remote", "origin", "refs/tags/v9.9.9"]).contains("v9.9.9"));
    assert!(!project.git(&["show", "origin/main:Cargo.toml"]).contains("9.9.9"));
    // Run again, once they can.
    project.github("9.9.9", &commit, "false");
    project.does(&["publish"]);
    assert!(project.git(&["show", "origin/main:Cargo.toml"]).contains("version = \"9.9.9\""));
    assert_eq!(project.git(&["log", "-1", "--format=%s", "v9.9.9^{commit}"]), "checksums of 9.9.9");
    project.refuses(&["start", "9.9.9"], "there is a version 9.9.9 already");
    // The next one begins without the checksums of this one.
    project.does(&["start", "9.9.10"]);
    assert!(!project.clone().join("bin/SHA256SUMS").exists());
    // A commit behind the checksums is not what was built.
    project.github("9.9.10", &project.git(&["rev-parse", "HEAD"]), "false");
    project.does(&["checksums"]);
    fs::write(project.clone().join("helper/main.rs"), "fn main() { panic!() }\n").unwrap();
    project.git(&["commit", "--quiet", "--all", "--message", "one more thing"]);
    project.refuses(&["publish"], "change nothing else");
}

#[test]
fn nothing_is_released_from_a_placeholder() {
    let Some(project) = Project::new("nothing_is_released") else { return };
    edit(&project.clone().join(".claude-plugin/plugin.json"), "someone", "OWNER");
    project.git(&["commit", "--quiet", "--all", "--message", "placeholder"]);
    project.refuses(&["start", "9.9.9"], "placeholder");
    let out = project.command("sh").arg(".github/release/check.sh").output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
}

/// This very checkout.
#[test]
fn what_is_carried_has_its_checksums() {
    let out = Command::new(posix("sh"))
        .env("PATH", posix_path())
        .arg(root().join(".github/release/check.sh"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
    if let Ok(sums) = fs::read_to_string(root().join("bin/SHA256SUMS")) {
        assert_eq!(sums.lines().count(), TARGETS.len());
    }
}

/// What others wrote is checked by the gate, and a release says what it is made of.
#[test]
fn dependencies_are_judged_and_named() {
    let read = |inside: &str| fs::read_to_string(root().join(inside)).unwrap();
    let (deny, gate) = (read("deny.toml"), read(".ci/run"));
    for rule in
        ["unknown-registry = \"deny\"", "unknown-git = \"deny\"", "wildcards = \"deny\"", "[licenses]\nallow = ["]
    {
        assert!(deny.contains(rule), "{rule}");
    }
    assert!(deny.lines().filter(|line| line.contains("RUSTSEC-")).all(|line| line.contains("reason = \"")), "{deny}");
    for step in [
        "\nstep \"dependencies\" deny\n",
        "cargo deny --log-level error check\n",
        "lints() { cargo clippy --quiet --all-targets --locked -- -D warnings; }",
    ] {
        assert!(gate.contains(step), "{step}");
    }
    assert!(gate.contains("step \"the same release from another folder\" builds_the_same"));
    let workflow: serde_yaml::Value = serde_yaml::from_str(&read(".github/workflows/release.yml")).unwrap();
    let jobs = &workflow["jobs"];
    let made_of = serde_yaml::to_string(&jobs["sbom"]["steps"]).unwrap();
    assert!(made_of.contains("cargo cyclonedx --format json") && made_of.contains("program-sbom"), "{made_of}");
    // It is signed and published like the programs, from the same folder.
    let needs: Vec<&str> =
        jobs["provenance"]["needs"].as_sequence().unwrap().iter().filter_map(|job| job.as_str()).collect();
    assert_eq!(needs, ["build", "sbom"]);
    let signed = serde_yaml::to_string(&jobs["provenance"]["steps"]).unwrap();
    assert!(signed.contains("pattern: program-*") && signed.contains("subject-path: dist/*"), "{signed}");
    for file in [".github/RELEASING.md", ".github/release/release.sh"] {
        assert!(read(file).contains("--signer-workflow"), "{file}");
    }
}

#[test]
fn the_workflow_builds_every_target_with_the_one_command_and_pinned_actions() {
    let launcher = fs::read_to_string(root().join("bin/mcp-tunnels-helper")).unwrap();
    let check = fs::read_to_string(root().join(".github/release/check.sh")).unwrap();
    let text = fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    let workflow: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let matrix = workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_sequence().unwrap();
    let built: Vec<&str> = matrix.iter().map(|one| one["target"].as_str().unwrap()).collect();
    assert_eq!(built, TARGETS);
    for target in TARGETS {
        assert!(launcher.contains(&format!("target={target}")) && check.contains(target), "{target}");
    }
    let steps = |job: &str| -> Vec<String> {
        let steps = workflow["jobs"][job]["steps"].as_sequence().unwrap();
        steps.iter().filter_map(|step| step["run"].as_str().map(str::to_owned)).collect()
    };
    assert!(steps("build").iter().any(|run| run.starts_with("sh .github/release/build.sh ${{ matrix.target }}")));
    // Foreign code only reads, and what writes or signs runs none of it.
    for (name, job) in workflow["jobs"].as_mapping().unwrap() {
        let rights = job["permissions"].as_mapping().unwrap_or_else(|| panic!("{name:?} has no rights of its own"));
        let writes = rights.values().any(|right| right == "write");
        let runs = steps(name.as_str().unwrap()).join("\n");
        let foreign = ["cargo", "rustup", "build.sh", "pip", "npm"].iter().any(|tool| runs.contains(tool));
        assert!(!(writes && foreign), "{name:?}: {runs}");
        assert!(job.get("env").is_none(), "{name:?}: a token belongs to the step that needs it");
    }
    // The tag publishes only what the committed checksums name.
    let publish = steps("publish");
    assert!(publish[0].contains("check.sh") && publish[0].contains("sha256sum --check --strict"), "{publish:?}");
    assert!(publish.last().unwrap().contains("--draft=false"));
    for file in ["release.yml", "ci.yml"] {
        let text = fs::read_to_string(root().join(".github/workflows").join(file)).unwrap();
        serde_yaml::from_str::<serde_yaml::Value>(&text).unwrap();
        for used in text.lines().filter_map(|line| line.split_once("uses: ").map(|(_, used)| used)) {
            let (commit, version) =
                used.split_once('@').unwrap().1.split_once(" # v").unwrap_or_else(|| panic!("{used}"));
            assert!(
                commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()) && !version.is_empty(),
                "{used}"
            );
        }
        let checkouts = text.matches("uses: actions/checkout@").count();
        assert!(checkouts > 0 && text.matches("persist-credentials: false").count() == checkouts, "{file}");
        // Nothing that others wrote becomes part of a script.
        assert!(!text.contains("${{ github.event"), "{file}");
    }
}

/// The program that the workflow's command makes on this machine, once it is there.
fn built(test: &str) -> Option<PathBuf> {
    let Some(path) = std::env::var_os("MCP_TUNNELS_TEST_RELEASE").map(PathBuf::from) else {
        skip(test, "MCP_TUNNELS_TEST_RELEASE does not name what `.github/release/build.sh` built");
        return None;
    };
    // It may still run during the tests.
    let limit = Instant::now() + Duration::from_secs(1800);
    while !path.exists() {
        let failed = path.with_extension("failed");
        assert!(!failed.exists(), "{}", fs::read_to_string(&failed).unwrap_or_default());
        assert!(Instant::now() < limit, "{} was not built", path.display());
        std::thread::sleep(Duration::from_millis(200));
    }
    Some(path)
}

#[test]
fn what_the_release_command_builds_is_static_and_is_what_the_launcher_runs() {
    let Some(program) = built("what_the_release_command_builds") else { return };
    let bytes = fs::read(&program).unwrap();
    eprintln!("the release's program has {} bytes", bytes.len());
    if cfg!(target_os = "linux") {
        assert!(!asks_for_a_loader(&bytes), "it needs a dynamic loader");
    }
    for folder in [root().to_path_buf(), PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cargo")] {
        let text = folder.to_str().unwrap().as_bytes();
        assert!(!bytes.windows(text.len()).any(|w| w == text), "{} is in it", folder.display());
    }
    let home = folder();
    let of = |program: &Path, args: &[&str]| {
        let out = Command::new(program).args(args).env_clear().current_dir(home.path()).output().unwrap();
        assert!(out.status.success() && out.stderr.is_empty(), "{}", said(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    let debug = Path::new(env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
    for args in [&["schema"][..], &["--help"]] {
        assert_eq!(of(&program, args), of(debug, args), "{args:?}");
    }
    // What it was built for is another target, maybe.
    let version = |program: &Path| of(program, &["--version"]).split(" (").next().map(str::to_owned);
    assert_eq!(version(&program), version(debug));
    crate::launcher::fetches_and_runs(&bytes);
}

/// Whether an ELF file names an interpreter, which loads its libraries.
fn asks_for_a_loader(elf: &[u8]) -> bool {
    const INTERPRETER: u32 = 3;
    let number = |at: usize, length: usize| {
        elf[at..at + length].iter().rev().fold(0_usize, |all, byte| (all << 8) | usize::from(*byte))
    };
    assert_eq!(&elf[..5], b"\x7fELF\x02", "a 64-bit ELF file");
    let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|i| number(headers + i * size, 4) == INTERPRETER as usize)
}

/// The fuzzer's crate compiles the helper's rooms in: it has their dependencies, as they are, at the same versions.
#[test]
fn the_fuzzer_is_built_with_the_helpers_own_dependencies() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let dependencies = |text: &str| -> Vec<String> {
        let table = text.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
        table.lines().filter(|line| line.contains(" = ")).map(str::to_owned).collect()
    };
    let (own, fuzz) = (dependencies(&read("Cargo.toml")), dependencies(&read("tests/fuzz/Cargo.toml")));
    for line in fuzz.iter().filter(|line| !line.starts_with("libfuzzer-sys ")) {
        assert!(own.contains(line), "tests/fuzz/Cargo.toml: {line}");
    }
    let versions = |text: &str| -> BTreeMap<String, BTreeSet<String>> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for package in text.split("[[package]]").skip(1) {
            let field = |key: &str| {
                package.split(&format!("{key} = \"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap()
            };
            all.entry(field("name").to_owned()).or_default().insert(field("version").to_owned());
        }
        all
    };
    let (own, fuzz) = (versions(&read("Cargo.lock")), versions(&read("tests/fuzz/Cargo.lock")));
    for line in fuzz.iter().filter_map(|(name, versions)| Some((name, versions, own.get(name)?))) {
        let (name, fuzz, own) = line;
        assert!(fuzz.is_subset(own), "tests/fuzz/Cargo.lock: {name} {fuzz:?}, Cargo.lock: {own:?}");
    }
}
