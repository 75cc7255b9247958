//! What the real Claude Code makes of the plugin, without an account and without a model.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::{Line, filled, manifest, prompt, prompts, root};
use crate::support::{chmod, folder, skip, snapshot, which};

/// The first version that reports its decisions.
const SINCE: (u32, u32, u32) = (2, 1, 330);

/// The program: what `.ci/run` installed, or the one on PATH if it is new enough.
fn claude(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("MCP_TUNNELS_TEST_CLAUDE").map(PathBuf::from);
    let Some(program) = named.or_else(|| which("claude")) else {
        skip(test, "Claude Code is not installed (MCP_TUNNELS_TEST_CLAUDE names it)");
        return None;
    };
    let home = folder();
    let out = run(&program, home.path(), home.path(), &["--version"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let numbers: Vec<u32> = text.split([' ', '.']).map_while(|part| part.parse().ok()).collect();
    if numbers.len() < 3 || (numbers[0], numbers[1], numbers[2]) < SINCE {
        skip(test, &format!("Claude Code is `{}`, too old for this test", text.trim()));
        return None;
    }
    Some(program)
}

/// A command of the program in a home of its own. Nothing but loopback is to be reached.
fn run(program: &Path, home: &Path, cwd: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).current_dir(cwd).stdin(Stdio::null()).env_clear().env("HOME", home);
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    command.env("DISABLE_AUTOUPDATER", "1").env("HTTPS_PROXY", "http://127.0.0.1:9").output().unwrap()
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[test]
fn claude_validates_both_forms() {
    let Some(claude) = claude("claude_validates_both_forms") else { return };
    let home = folder();
    for what in [".", ".claude-plugin/plugin.json", ".claude-plugin/marketplace.json"] {
        let out = run(&claude, home.path(), root(), &["plugin", "validate", what, "--strict"]);
        let text = said(&out);
        assert!(
            out.status.success() && text.contains("Validation passed") && !text.contains("warning"),
            "{what}: {text}"
        );
    }
}

/// The tracked files, as a clone has them, in a repository of their own.
fn published(parent: &Path) -> PathBuf {
    let git = |dir: &Path, args: &[&str]| {
        let out = Command::new("git").current_dir(dir).args(args).output().unwrap();
        assert!(out.status.success(), "git {args:?}: {}", said(&out));
        out.stdout
    };
    let site = parent.join("site/mcp-tunnels.git");
    fs::create_dir_all(&site).unwrap();
    let listed = git(root(), &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    for file in String::from_utf8(listed).unwrap().split('\0').filter(|file| !file.is_empty()) {
        let (from, to) = (root().join(file), site.join(file));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
    git(&site, &["init", "-q", "-b", "main"]);
    git(&site, &["add", "--all"]);
    git(&site, &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "release"]);
    site
}

#[test]
fn claude_installs_it_from_a_marketplace_and_the_launcher_runs() {
    let Some(claude) = claude("claude_installs_it_from_a_marketplace") else { return };
    if which("git").is_none() {
        return skip("claude_installs_it_from_a_marketplace", "git is not installed");
    }
    let parent = folder();
    let site = published(parent.path());
    let home = parent.path().join("an empty home");
    fs::create_dir(&home).unwrap();
    // What README says to type; git finds it on this machine.
    let address = manifest()["repository"].as_str().unwrap().to_owned();
    let owner = address.rsplit_once('/').unwrap().0;
    let config = format!("[url \"file://{}/\"]\n\tinsteadOf = {owner}/\n", site.parent().unwrap().display());
    fs::write(home.join(".gitconfig"), config).unwrap();
    let ok = |args: &[&str]| {
        let out = run(&claude, &home, &home, args);
        assert!(out.status.success(), "{args:?}: {}", said(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    ok(&["plugin", "marketplace", "add", &format!("{address}.git")]);
    ok(&["plugin", "install", "mcp-tunnels@mcp-tunnels"]);
    let list: Value = serde_json::from_str(&ok(&["plugin", "list", "--json"])).unwrap();
    assert!(list.to_string().contains("mcp-tunnels@mcp-tunnels"), "{list}");
    let details = ok(&["plugin", "details", "mcp-tunnels"]);
    for prompt in prompts() {
        assert!(details.contains(&prompt.name), "{details}");
    }

    let installed = home.join(".claude/plugins/cache/mcp-tunnels/mcp-tunnels").join(env!("CARGO_PKG_VERSION"));
    let launcher = installed.join("bin/mcp-tunnels-helper");
    let mode = fs::metadata(&launcher).unwrap_or_else(|e| panic!("{}: {e}", launcher.display())).permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    let files = snapshot(&installed);
    let size: usize = files.iter().map(|(_, _, content)| content.len()).sum();
    eprintln!("installed: {} files, {size} bytes", files.iter().filter(|(path, ..)| path.is_file()).count());
    assert!(size < 8_000_000 && !installed.join("target").exists(), "{size} bytes are installed");

    // A first run with a cargo whose build is already done, and a second one.
    let data = home.join(".claude/plugins/data/mcp-tunnels-mcp-tunnels");
    let launch = |args: &[&str]| {
        let mut command = Command::new(&launcher);
        command.args(args).env_clear().env("HOME", &home).env("PATH", std::env::var_os("PATH").unwrap());
        command.env("CARGO_HOME", parent.path().join("none")).current_dir(&home).stdin(Stdio::null());
        command
    };
    let helper = PathBuf::from(env!("CARGO_BIN_EXE_mcp-tunnels-helper"));
    let version = Command::new(&helper).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    assert!(version.starts_with(concat!("mcp-tunnels-helper ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
    let tools = parent.path().join("tools");
    fs::create_dir(&tools).unwrap();
    let cargo = format!(
        "#!/bin/sh\n[ \"$1\" != -vV ] || {{ echo 'host: here'; exit; }}\n[ -f Cargo.toml ] && [ -f Cargo.lock ] || exit 9\nwhile [ $# -gt 0 ]; do [ \"$1\" != --target-dir ] || out=$2; shift; done\nmkdir -p \"$out/here/release\" && cp '{}' \"$out/here/release/mcp-tunnels-helper\"\n",
        helper.display()
    );
    crate::support::script(&tools, "cargo", &cargo);
    let path =
        std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())))
            .unwrap();
    for _ in ["first", "cached"] {
        let out = launch(&["init"]).env("PATH", &path).output().unwrap();
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&out)));
        assert_eq!((&answer["command"], &answer["status"]), (&json!("init"), &json!("ok")));
        let next = answer["next"][0]["command"].as_str().unwrap();
        assert!(next.contains("bin/mcp-tunnels-helper' preflight "), "the path has a space, so it is quoted: {next}");
    }
    assert!(
        fs::read_dir(&data)
            .unwrap()
            .flatten()
            .any(|e| e.file_name().to_string_lossy().starts_with("mcp-tunnels-helper-"))
    );

    ok(&["plugin", "uninstall", "mcp-tunnels@mcp-tunnels"]);
    let list = ok(&["plugin", "list", "--json"]);
    assert!(!list.contains("mcp-tunnels@mcp-tunnels"), "{list}");
    assert!(!data.exists(), "README says that the helper goes with the plugin");
}

/// Holds a session in which these calls are made, and gives back what it said of them.
fn session(claude: &Path, plugin: &Path, shell: &str, command: &str, calls: &[Value]) -> Option<Value> {
    if which("unshare").is_none() || which("ip").is_none() || which("python3").is_none() {
        skip(command, "unshare, ip or python3 is not installed");
        return None;
    }
    let parent = folder();
    let (script, home) = (parent.path().join("calls.json"), parent.path().join("home"));
    fs::create_dir(&home).unwrap();
    fs::write(&script, json!(calls).to_string()).unwrap();
    let flag = if crate::support::is_root() { "-n" } else { "-rn" };
    let out = Command::new("unshare")
        .args([flag, "python3"])
        .arg(root().join("tests/python/claude_session.py"))
        .arg(claude)
        .arg(plugin)
        .arg(command)
        .args([&script, &home])
        // It takes the person's own shell for its calls, if it is one of these two.
        .env("SHELL", which(shell).unwrap_or_else(|| "/bin/sh".into()))
        .env("MCP_TUNNELS_HELPER", env!("CARGO_BIN_EXE_mcp-tunnels-helper"))
        // No container is started, whatever is called.
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

fn bash(command: &str) -> Value {
    json!({"name": "Bash", "input": {"command": command, "description": "x", "timeout": 600_000}})
}

/// A copy of the plugin at a path of its own, with or without execute bits.
fn copy(parent: &Path, executable: bool) -> PathBuf {
    let plugin = parent.join("plugin");
    for folder in [".claude-plugin", "commands", "bin"] {
        fs::create_dir_all(plugin.join(folder)).unwrap();
        for entry in fs::read_dir(root().join(folder)).unwrap().flatten() {
            fs::copy(entry.path(), plugin.join(folder).join(entry.file_name())).unwrap();
        }
    }
    if !executable {
        chmod(&plugin.join("bin/mcp-tunnels-helper"), 0o644);
    }
    plugin
}

/// The line as Claude would type it.
fn typed(line: &Line, plugin: &Path, dir: &str) -> String {
    let text = line.text.replace("${CLAUDE_PLUGIN_ROOT}", plugin.to_str().unwrap());
    filled(&text.replace("\"DIR\"", &format!("\"{dir}\"")))
}

#[test]
fn claude_runs_every_line_of_the_prompts_without_asking_and_nothing_else() {
    let Some(claude) = claude("claude_runs_every_line") else { return };
    for (name, shell, dir) in
        [("create-docker-mcp-tunnel", "bash", "~/mcp-tunnel"), ("manage-docker-mcp-tunnel", "zsh", "./a tunnel")]
    {
        let parent = folder();
        let plugin = copy(parent.path(), true);
        let lines = prompt(name).lines();
        let helper = format!("\"{}/bin/mcp-tunnels-helper\"", plugin.display());
        // What the prompts' prose adds to a line, and the way out when execute bits are gone.
        let mut good: Vec<String> = lines.iter().map(|line| typed(line, &plugin, dir)).collect();
        good.push(format!("{helper} connect --dir \"{dir}\" --json '{{\"path\":\"x/mcp\"}}'"));
        good.push(format!("{helper} render --dir \"{dir}\" --json '{{\"sample\":true,\"overwrite\":true}}'"));
        good.push(format!(
            "{helper} render --dir \"{dir}\" --json '{{\"routes\":{{\"a\":\"https://10.0.0.7:443\"}},\"allowed_ips\":[\"10.0.0.0/8\"],\"upstream\":{{\"tls\":{{\"ca_file\":\"/data/own.pem\"}}}}}}'"
        ));
        good.push(format!("sh {}", typed(&lines[0], &plugin, dir)));
        // The grant ends in `*`, so this runs, and refuses.
        good.push(format!("{helper} allow --dir \"{dir}\""));
        let bad = [
            "touch more".to_owned(),
            "docker compose down".into(),
            "mcp-tunnels-helper init".into(),
            format!("{helper} init; touch more"),
            format!("{helper} init > out.json"),
            format!("{helper} init --dir \"$HOME/mcp-tunnel\""),
            format!("{helper} init $(touch more)"),
            format!("TUNNEL_TOKEN=x {helper} up"),
            format!("{}-other\" init", &helper[..helper.len() - 1]),
            // A person's door: inside Claude Code `allow` refuses, and nothing that hides Claude Code is granted.
            format!("env -u CLAUDECODE {helper} allow --dir \"{dir}\""),
            format!("CLAUDECODE= {helper} allow --dir \"{dir}\""),
            format!("unset CLAUDECODE; {helper} allow --dir \"{dir}\""),
            format!("setsid {helper} allow --dir \"{dir}\""),
            "sh /etc/profile".into(),
            "sh -c true".into(),
        ];
        let calls: Vec<Value> = good.iter().chain(&bad).map(|call| bash(call)).collect();
        let Some(seen) = session(&claude, &plugin, shell, &format!("/{name} {dir}"), &calls) else { return };
        let body = seen["prompt"].as_str().unwrap();
        assert!(body.contains(&format!("is `{dir}`; if that is empty")), "{body}");
        assert!(body.contains(&helper) && !body.contains("${CLAUDE_PLUGIN_ROOT}"), "{body}");
        for (at, call) in good.iter().enumerate() {
            let one = &seen["calls"][at];
            assert_eq!(one["allowed"], true, "would ask: {call}\n{one}");
            let output = one["output"].as_str().unwrap();
            assert!(output.contains("{\"schema\":1,"), "no answer of the helper to {call}: {output}");
            let is_refused = output.contains(r#""code":"request""#) || output.contains(r#"\"code\":\"request\""#);
            assert!(is_refused || !call.contains(" allow "), "{output}");
            eprintln!("ran    {call}");
        }
        for (at, call) in bad.iter().enumerate() {
            let one = &seen["calls"][good.len() + at];
            assert_eq!(one["allowed"], false, "ran without asking: {call}\n{one}");
            eprintln!("asked  {call}");
        }
    }
}

#[test]
fn claude_gets_by_without_execute_bits() {
    let Some(claude) = claude("claude_gets_by_without_execute_bits") else { return };
    let parent = folder();
    let plugin = copy(parent.path(), false);
    let line = &prompt("create-docker-mcp-tunnel").lines()[0];
    let plain = typed(line, &plugin, "~/mcp-tunnel");
    let calls = [bash(&plain), bash(&format!("sh {plain}"))];
    // An empty argument: the prompt says what holds then.
    let Some(seen) = session(&claude, &plugin, "bash", "/create-docker-mcp-tunnel", &calls) else { return };
    assert!(seen["prompt"].as_str().unwrap().contains("is ``; if that is empty, `~/mcp-tunnel`"));
    let output = seen["calls"][0]["output"].as_str().unwrap().to_lowercase();
    assert!(output.contains("permission denied"), "{output}");
    assert_eq!(seen["calls"][1]["allowed"], true);
    let output = seen["calls"][1]["output"].as_str().unwrap();
    assert!(output.contains("{\"schema\":1,"), "{output}");
    // What the person is to paste still works.
    assert!(!output.contains(&format!("{} token set", plugin.join("bin/mcp-tunnels-helper").display())));
}

#[test]
fn claude_does_not_read_the_secrets_of_a_deployment() {
    let Some(claude) = claude("claude_does_not_read_the_secrets") else { return };
    let parent = folder();
    let plugin = copy(parent.path(), true);
    let dir = crate::support::deployment(parent.path());
    let dir = dir.to_str().unwrap();
    let helper = format!("\"{}/bin/mcp-tunnels-helper\"", plugin.display());
    let calls = [
        json!({"name": "Read", "input": {"file_path": format!("{dir}/.env")}}),
        bash(&format!("cat {dir}/data/ca.key")),
        bash(&format!("{helper} token check --dir \"{dir}\"")),
    ];
    let Some(seen) = session(&claude, &plugin, "bash", "/manage-docker-mcp-tunnel", &calls) else { return };
    for (at, command) in [(0, "mcp-tunnels-helper token check"), (1, "mcp-tunnels-helper certs check")] {
        let one = &seen["calls"][at];
        assert!(one["allowed"] == false && one["output"].as_str().unwrap().contains(command), "{one}");
    }
    assert_eq!(seen["calls"][2]["allowed"], true, "{}", seen["calls"][2]);
}
