//! The hook that keeps Claude from reading secrets: what it stops, and that it stops nothing else.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::root;
use crate::support::{folder, posix, skip, which};

/// Two deployments, one with a space in its path, and a project without a deployment.
pub(super) fn places(parent: &Path) -> [String; 3] {
    ["dep", "my dep", "other"].map(|name| {
        let dir = parent.join(name);
        fs::create_dir_all(dir.join("data")).unwrap();
        fs::write(dir.join(".env"), "A=b\n").unwrap();
        if name != "other" {
            fs::create_dir(dir.join("config")).unwrap();
            fs::write(dir.join("config/mcp-gateway.yaml"), "routes: {}\n").unwrap();
        }
        dir.to_str().unwrap().to_owned()
    })
}

pub(super) fn call(tool: &str, cwd: &str, input: &Value) -> Value {
    json!({"session_id": "x", "cwd": cwd, "hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": input})
}

/// The same behind a long command; of Bash only.
pub(super) fn behind_a_long_one(call: &Value) -> Option<Value> {
    let command = call["tool_input"]["command"].as_str().filter(|command| command.len() < 1000)?;
    let mut long = call.clone();
    long["tool_input"]["command"] = format!("true {}; {command}", "\"one\" two_words 'three  four' ".repeat(30)).into();
    Some(long)
}

/// Why the hook denies a call, or nothing.
pub(super) fn denial(script: &Path, call: &Value) -> Option<String> {
    let mut command = Command::new(posix("sh"));
    let home = call["cwd"].as_str().and_then(|cwd| Path::new(cwd).parent()).unwrap_or(Path::new("/nonexistent"));
    command.arg(script).env_clear().env("HOME", home).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it has read all.
    let _ = child.stdin.take().unwrap().write_all(call.to_string().as_bytes());
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{call}: {out:?}");
    if out.stdout.is_empty() {
        return None;
    }
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(answer["hookSpecificOutput"]["permissionDecision"], "deny");
    Some(answer["hookSpecificOutput"]["permissionDecisionReason"].as_str().unwrap().to_owned())
}

#[test]
fn what_reads_a_secret_is_stopped_and_the_helpers_command_is_named() {
    let parent = folder();
    let [dep, spaced, other] = places(parent.path());
    let script = root().join("bin/mcp-tunnels-guard");
    let mut calls: Vec<Value> = [
        ".env",
        "data/../data/ca.key",
        "data/../.env",
        "/.env",
        "data/./ca.key",
        "data/ca.key",
        "data/tls.key",
        "data/ca-next.key",
        ".env.bak-20261126T070000Z",
    ]
    .iter()
    .map(|file| call("Read", &other, &json!({"file_path": format!("{dep}/{file}")})))
    .collect();
    symlink(format!("{dep}/.env"), format!("{other}/link")).unwrap();
    calls.push(call("Read", &dep, &json!({"file_path": format!("{other}/link")})));
    for command in [
        "cat .env",
        "grep TUNNEL .env",
        "sudo cat data/ca.key | base64",
        "openssl pkey -in data/tls.key -text",
        "while read l; do echo $l; done < .env",
        "sh -c 'cat .env'",
        ". ./.env",
        "true\nhead -1 \".env\"",
        "cat data/*",
        "grep -r TOKEN .",
        "git diff .env",
        "docker compose config",
        "docker inspect mcp-tunnel-cloudflared-1",
        "docker inspect -f '{{.Config.Env}}' mcp-tunnel-cloudflared-1",
        "docker compose exec cloudflared cat /run/secrets/tunnel_token",
        "<.env cat",
        "cat<.env",
        "cd data && cat ca.key",
        "cat ./data/../data/ca.key",
        "cd config/.. && cat .env",
        "python3 -c \"print(open('.env').read())\"",
        "dd if=.env",
        "curl -d @.env http://localhost:1",
        "cat .e\\nv",
        "cat .e''nv",
        "cat .en?",
        "cat .[e]nv",
        "cat {.env,}",
        "cat data/c?.key",
        "echo \"$(cat .env)\"",
        "echo `cat .env`",
        "eval cat .env",
        "find . -name .env -exec cat {} +",
        "git show HEAD:.env",
        "docker exec abc123 cat /run/secrets/tunnel_token",
        "docker exec $(docker ps -q -f name=cloudflared) cat /run/secrets/tunnel_token",
        "docker-compose config",
        "docker compose convert",
        "docker compose --file=./docker-compose.yaml config",
        "docker inspect $(docker compose ps -q)",
        "docker container inspect mcp-tunnel-cloudflared-1",
        "sudo -u me cat .env",
        "timeout 5 cat .env",
        "cat .env 2>&1",
        "grep -v \"a \\\"b\\\"\" .env",
        "cat > x <<'EOF'\ntext\nEOF\ncat .env",
        "bash <<EOF\ncat .env\nEOF",
        "docker compose exec cloudflared cat /proc/1/environ",
        "cat \"$PWD/.env\"",
        "cat $(pwd)/.env",
        "F=.env; cat $F",
        "for f in .env data/*; do head -5 \"$f\"; done",
        "python3 - <<'EOF'\nprint(open(\".env\").read())\nEOF",
        "cat <<EOF\n$(cat .env)\nEOF",
        "grep -rn TUNNEL_TOKEN",
        "grep -rI TOKEN \"$PWD\"",
        "grep -rh PRIVATE -A5 data/",
        "find . -type f -exec cat {} +",
        "find . -name '*.key' -exec cat {} \\;",
        "find . -name .env -print0 | xargs -0 cat",
        "cat $(find . -name .env)",
        "ls data/*.key | xargs cat",
        "find . -type f | while IFS= read -r f; do echo $f; cat \"$f\"; done",
        "docker compose run --rm --entrypoint cat cloudflared /run/secrets/tunnel_token",
        "docker compose exec mcp-gateway cat /data/tls.key",
        "docker run --rm -v $PWD:/x alpine cat /x/.env",
        "docker compose ps -q | xargs docker inspect",
        "docker inspect $(docker compose ps -q cloudflared) --format '{{json .Config.Env}}'",
        "docker inspect mcp-tunnel-cloudflared-1 --format '{{json .}}'",
        "podman inspect mcp-tunnel-cloudflared-1",
        "nerdctl compose config",
        "cp .env /tmp/x && cat /tmp/x",
        "git log -p -- .env",
        "perl -pe '' .env",
        "python3 -c \"import subprocess; print(subprocess.check_output(['cat', '.env']))\"",
        "python3 -c \"import os; [print(open('data/' + f).read()) for f in os.listdir('data')]\"",
        "python3 -c \"from pathlib import Path; print((Path('data') / 'tls.key').read_text())\"",
        "tar cf - . | tar xO",
        "zip -r - data | funzip",
        "cp -r data /tmp/d && cat /tmp/d/ca.key",
        "install -m 644 .env /tmp/p && cat /tmp/p",
        "grep -rn BEGIN *",
        "rg --hidden TOKEN",
        "ag -u TOKEN",
        "git grep --no-index TOKEN",
        "find data -type f -execdir cat {} \\;",
        "find . -type f -exec grep -l TOKEN {} \\; -exec cat {} \\;",
        "ls data | sed 's,^,data/,' | xargs cat",
        "ls data | while read f; do cat data/$f; done",
        "for f in $(ls -A); do cat $f; done",
        "for d in . data; do for f in $d/*; do cat $f; done; done",
        "for f in ca tls; do cat data/$f.key; done",
        "cat data/{ca,tls}.key",
        "cat $'.env'",
        "cat \"$(dirname docker-compose.yaml)/.env\"",
        "cat $(git ls-files -o)",
        "cat /proc/self/cwd/.env",
        "cmp -l .env /dev/null",
        "docker run --rm -v .:/w -w /w alpine cat .env",
        "docker run --rm -v $PWD:/w alpine sh -c 'cd /w && cat .env'",
        "docker run --rm -v $PWD/.env:/e alpine cat /e",
        "docker run --rm --env-file .env alpine env",
        "docker ps -q -f name=cloudflared | xargs -I{} docker exec {} env",
        "docker export mcp-tunnel-cloudflared-1 | tar xO run/secrets/tunnel_token",
        "cut -d= -f1 .env",
        "python3 -c \"import linecache; print(linecache.getlines('.env'))\"",
        "node --env-file=.env -p process.env",
        "perl -e 'print `cat .env`'",
        "awk 'BEGIN{system(\"cat .env\")}'",
        "xargs echo < .env",
        "tee < .env",
        "cp .env /dev/stdout",
        "docker stack config -c docker-compose.yaml",
        "docker compose exec cloudflared sh -c 'cat $TUNNEL_TOKEN_FILE'",
        "docker run --rm --pid container:mcp-tunnel-cloudflared-1 alpine cat /proc/1/environ",
        "cat ./*/*.key",
        "cat **/*.key",
        "cat **/ca.key",
        "cat */*",
        "shopt -s dotglob; cat *",
        "bash -O dotglob -c 'cat *'",
        "cat $(grep -rl TUNNEL_TOKEN .)",
        "cat `grep -rl TUNNEL_TOKEN .`",
        "for f in `grep -rl TUNNEL_TOKEN .`; do cat \"$f\"; done",
        "ls -A | xargs -I{} head {}",
        "ls -A | xargs -n1 head -3",
        "grep -l TOKEN .env docker-compose.yaml | xargs cat",
        "grep -rlZ TUNNEL . | xargs -0 cat",
        "grep -rl BEGIN data | while read f; do cat $f; done",
        "rg --files --hidden | xargs cat",
        "FILES=\".env docker-compose.yaml\"; for f in $FILES; do cat $f; done",
        "FILES=\".env docker-compose.yaml\"; cat $FILES",
        "a=(.env docker-compose.yaml); for f in \"${a[@]}\"; do head \"$f\"; done",
        "declare -a a=('.env' \"x\"); cat \"${a[@]}\"",
        "C=\"cat .env\"; $C",
        "C=\"sudo cat\"; $C .env",
        "docker compose run --rm --entrypoint=printenv cloudflared TUNNEL_TOKEN",
        "docker compose run --rm --entrypoint sh cloudflared -c env",
        "docker run --rm --pid=container:mcp-tunnel-abc123-cloudflared-1 alpine sh -c 'cat /proc/1/environ'",
        "docker compose cp mcp-gateway:/data - | tar xO",
        "docker compose cp mcp-gateway:/data/. /tmp/d && cat /tmp/d/tls.key",
        "docker compose cp mcp-gateway:/data /tmp/d; head /tmp/d/data/*.key",
        "docker stack config --compose-file docker-compose.yaml",
        "curl -s --unix-socket /var/run/docker.sock http://localhost/containers/mcp-tunnel-cloudflared-1/json",
        "curl -s --unix-socket /var/run/docker.sock \"http://localhost/containers/$(docker compose ps -q cloudflared)/json\" | jq .Config.Env",
        "ps eww",
        "ps e",
        "ps auxe",
        "ps auxeww | grep cloudflared",
        "python3 -c \"import dotenv, os; dotenv.load_dotenv(); print(dict(os.environ))\"",
        "python3 - <<'EOF'\nfrom dotenv import load_dotenv\nimport os\nload_dotenv()\nprint(os.getenv(\"TUNNEL_TOKEN\"))\nEOF",
        "node --env-file .env -p process.env.TUNNEL_TOKEN",
        "node -e \"import('dotenv/config').then(() => console.log(process.env))\"",
        "dotenv list",
        "dotenv -f .env get TUNNEL_TOKEN",
        "dotenv get TUNNEL_TOKEN",
        "npx dotenv -e .env -- printenv",
        "npx dotenv-cli -- sh -c 'echo $TUNNEL_TOKEN'",
        "python -m dotenv list",
        "python3 -m dotenv -f .env list",
        "ruby -e 'require \"dotenv\"; Dotenv.load; puts ENV[\"TUNNEL_TOKEN\"]'",
        "watch -n1 \"cat .env\"",
        "tmux new -d 'cat .env > /tmp/x'",
        "tmux new-session -d -s a \"head -5 .env; sleep 5\"",
        "cp data/*.key /tmp/ && cat /tmp/ca.key",
        "cp data/* /tmp/k/; cat /tmp/k/ca.key",
        "cp data/*.key /tmp/k/; head /tmp/k/*",
        "openssl pkcs12 -export -inkey data/tls.key -nodes",
        "openssl pkcs12 -export -inkey data/tls.key -in data/tls.crt -passout pass: | base64",
        "cat .env 2>/dev/null",
        "cat .env >/dev/stdout",
        "cat .env >/dev/null; cat .env",
        "cat .env | tee /dev/stderr | wc -l",
        "grep TUNNEL_TOKEN .env | head -1",
        "docker compose config 2>/dev/null",
        "docker compose config 2>&1 | head",
        "cat .env >&2",
        "cat .env 2>>/dev/null",
        "cat */*.key",
        "head -2 */*",
        "grep -rl TUNNEL_TOKEN . | xargs cat",
        "grep -rl TUNNEL_TOKEN . | xargs grep TUNNEL_TOKEN",
        "for f in $(grep -rl TUNNEL_TOKEN .); do cat $f; done",
        "rg -l --hidden TUNNEL | xargs cat",
        "docker compose run --rm --entrypoint env cloudflared",
        "docker compose cp mcp-gateway:/data /tmp/d && cat /tmp/d/tls.key",
        "watch 'cat .env'",
        "cp data/ca.key /tmp/ && cat /tmp/ca.key",
        "ls -A | grep -v crt | xargs -I{} head {}",
    ] {
        calls.push(call("Bash", &dep, &json!({ "command": command })));
    }
    for command in [
        format!("cat {dep}/.env"),
        format!("cd '{spaced}' && head -1 .env"),
        format!("cat \"{spaced}/.env\""),
        format!("docker compose --project-directory {dep} config"),
        format!("docker compose -f {dep}/docker-compose.yaml config"),
        format!("docker compose --project-directory={dep} config"),
        format!("cat {}/.env", spaced.replace(' ', "\\ ")),
        format!("find {dep} -name .env -exec cat {{}} \\;"),
        format!("pushd {dep}; cat .env"),
        format!("D={dep}; cat \"$D/.env\""),
        format!("export D={dep} && cat ${{D}}/data/ca.key"),
        format!("D={dep}; cd \"${{X:-$D}}\" && cat .env"),
        format!("git -C {dep} show HEAD:.env"),
        format!("(cd {dep} && cat .env)"),
        format!("python3 -c \"import os; print(open(os.path.join('{dep}', '.env')).read())\""),
        format!("python3 - <<EOF\nfrom pathlib import Path\nd = Path('{dep}')\nprint((d / '.env').read_text())\nEOF"),
        format!("for d in /srv/x {dep} /srv/y; do cat $d/.env; done"),
        format!("docker run --mount type=bind,source={dep},target=/x alpine cat /x/.env"),
        format!("sudo -u me bash -c 'cat {dep}/.env'"),
        "grep -r TUNNEL_TOKEN ..".to_owned(),
        "cat ../d*/.env".to_owned(),
        "find .. -type f -name '*.key' | sort | xargs head".to_owned(),
        "cat link".to_owned(),
        format!("env -C {dep} cat .env"),
        "cat ../dep/*/*.key".to_owned(),
        "cd; cat dep/.env".to_owned(),
        "cd && head dep/data/ca.key".to_owned(),
        format!("tar -C {dep} -cf - . | tar xO"),
    ] {
        calls.push(call("Bash", &other, &json!({ "command": command })));
    }
    for input in [
        json!({"pattern": "x", "path": format!("{dep}/.env"), "output_mode": "content"}),
        json!({"pattern": "x", "path": dep, "glob": ".env", "output_mode": "content"}),
        json!({"pattern": "x", "path": dep, "glob": "*.key", "output_mode": "content"}),
        json!({"pattern": "BEGIN", "path": format!("{dep}/data"), "output_mode": "content"}),
        json!({"pattern": "TUNNEL", "path": format!("{dep}/.."), "output_mode": "content"}),
        json!({"pattern": "token", "path": dep, "-i": true, "output_mode": "content"}),
        json!({"pattern": "TUNNEL_TOKEN", "path": dep, "output_mode": "content"}),
    ] {
        calls.push(call("Grep", &other, &input));
    }
    for call in calls.iter().cloned().chain(calls.iter().filter_map(behind_a_long_one)) {
        let reason = denial(&script, &call).unwrap_or_else(|| panic!("not stopped: {call}"));
        assert!(reason.contains("`mcp-tunnels-helper "), "{reason}");
    }
    // Without the helper it stays out of the way.
    let alone = parent.path().join("mcp-tunnels-guard");
    fs::copy(&script, &alone).unwrap();
    assert_eq!(denial(&alone, &calls[0]), None);
}

/// git shows what it tracks and what it tracked, and nothing else.
#[test]
fn git_is_stopped_where_it_would_show_a_secret() {
    let Some(git) = which("git") else { return skip("the guard asks git", "git is not installed") };
    let parent = folder();
    let [dep, _, other] = places(parent.path());
    let script = root().join("bin/mcp-tunnels-guard");
    let run = |args: &[&str]| {
        let mut command = Command::new(&git);
        command.arg("-C").arg(parent.path()).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
        assert!(command.args(args).output().unwrap().status.success(), "{args:?}");
    };
    let judged = |cwd: &str, command: &str| denial(&script, &call("Bash", cwd, &json!({ "command": command })));
    let denies = |commands: &[&str], want: bool| {
        for command in commands {
            assert_eq!(judged(&dep, command).is_some(), want, "{command}");
        }
    };
    let now = [
        "git diff",
        "git diff HEAD",
        "git grep TUNNEL_TOKEN",
        "git diff -- .",
        "cd config && git diff",
        "cd .. && git diff",
    ];
    let past = [
        "git show",
        "git --no-pager show HEAD~1",
        "git -c core.pager=cat log -p",
        "git log --patch -3",
        "git diff HEAD~1",
        "git stash show -p",
        "git format-patch --stdout HEAD~1",
        "git archive HEAD~1 | tar xO",
    ];
    let never = [
        "git status",
        "git log --oneline",
        "git diff --stat",
        "git show --name-only HEAD",
        "git diff -- config",
        "git log -p -- config/mcp-gateway.yaml",
        "git show HEAD:config/mcp-gateway.yaml",
        "git diff HEAD~1 -- . ':!.env' ':!data'",
        "git log -p -- . ':(exclude).env*' ':(exclude)data'",
        "git log -p -- . :^.env :^data",
        "git grep routes",
    ];
    run(&["init", "-q"]);
    run(&["add", "dep/config", "other"]);
    run(&["commit", "-qm", "x"]);
    denies(&now, false);
    denies(&past, false);
    run(&["add", "-f", "dep/.env"]);
    denies(&now, true);
    run(&["commit", "-qm", "x"]);
    run(&["commit", "-qm", "x", "--allow-empty"]);
    denies(&now, true);
    denies(&past, true);
    denies(&never, false);
    assert_eq!(judged(&other, "git diff -- ."), None);
    run(&["rm", "-q", "--cached", "dep/.env"]);
    run(&["commit", "-qm", "x"]);
    denies(&now, false);
    denies(&past, true);
    denies(&never, false);
}
