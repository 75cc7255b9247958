//! The hook stops no command that shows no secret, and takes no time for it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use super::guard::{behind_a_long_one, call, denial, places};
use super::root;
use crate::support::{folder, posix};

#[test]
fn nothing_else_is_stopped() {
    let parent = folder();
    let [dep, _, other] = places(parent.path());
    let script = root().join("bin/mcp-tunnels-guard");
    let mut calls = vec![
        call("Read", &dep, &json!({"file_path": format!("{other}/.env")})),
        call("Read", &dep, &json!({"file_path": format!("{other}/data/ca.key")})),
        call("Read", &dep, &json!({"file_path": format!("{dep}/config/mcp-gateway.yaml")})),
        call("Read", &dep, &json!({"file_path": format!("{dep}/data/ca.crt")})),
        call("Read", &dep, &json!({"file_path": format!("{dep}/.env.example")})),
        call("Write", &dep, &json!({"file_path": format!("{dep}/.env"), "content": "cat .env"})),
        call("Read", &dep, &json!({"file_path": format!("{dep}/.env.ts")})),
        call("Grep", &dep, &json!({"pattern": "routes", "path": dep})),
        call("Grep", &dep, &json!({"pattern": "TUNNEL_TOKEN", "path": dep})),
        call("Grep", &dep, &json!({"pattern": "x", "path": ".env", "output_mode": "count"})),
        call("Grep", &dep, &json!({"pattern": "TOKEN", "path": dep, "glob": "*.{yaml,yml}", "output_mode": "content"})),
        call("Grep", &dep, &json!({"pattern": "TOKEN", "path": dep, "type": "py", "output_mode": "content"})),
        call("Grep", &dep, &json!({"pattern": "listen_addr|TODO", "path": dep, "output_mode": "content"})),
        call("Grep", &dep, &json!({"pattern": "TOKEN", "path": other, "output_mode": "content"})),
        json!({}),
        json!({"tool_name": "Bash", "tool_input": {"command": ["cat", ".env"]}}),
        call("Bash", &dep, &json!({"command": format!("echo {} .env", "x".repeat(100_000))})),
    ];
    for command in [
        "chmod 600 .env",
        "ls -la .env data/ca.key",
        "git rm --cached .env",
        "git check-ignore .env data/ca.key",
        "git commit -m 'do not cat .env; please'",
        "cat docker-compose.yaml",
        "docker compose ps",
        "docker compose logs cloudflared",
        "docker compose config --services",
        "docker compose config -q",
        "docker inspect postgres",
        "docker inspect -f '{{.State.Status}}' mcp-tunnel-cloudflared-1",
        "openssl x509 -in data/ca.crt -text",
        "echo 'cat .env'",
        "\"/x/bin/mcp-tunnels-helper\" init --dir \"~/mcp-tunnel\"",
        "unbalanced ' quote in .env",
        "cat .env.example",
        "cat data/*.crt",
        "cat config/*",
        "cat *",
        "cat src/monkey.key",
        "grep -q TUNNEL_TOKEN .env",
        "grep -c TUNNEL .env && echo yes",
        "sed -i 's/a/b/' .env",
        "sha256sum data/ca.key",
        "find . -name .env",
        "docker exec web cat /run/secrets/db_password",
        "docker inspect $(docker ps -q) --format '{{.State.Status}}'",
        "python3 -c 'import os; print(os.environ[\"HOME\"])'",
        "printf '%s' \"$(date)\"",
        "ls -la 2>&1 .env",
        "cat > notes.md <<'EOF'\nRun docker compose config\nor cat .env.\nEOF\nls",
        "git commit -m \"$(cat <<'EOF'\nDo not cat .env\nEOF\n)\"",
        "git commit -m \"$(cat <<'EOF'\nDo not say \"a; cat .env; b\"\nEOF\n)\"",
        "git commit -m \"do not run \\`cat .env\\`\"",
        "git commit -F - <<EOF\ncat .env\nEOF",
        "gh pr create --body-file - <<'EOF'\ndocker compose config shows it\nEOF",
        "git apply <<'EOF'\n-cat .env\nEOF",
        "patch -p1 <<'EOF'\n-cat .env\nEOF",
        "python3 - <<'EOF'\nfor f in ['README.md', '.env.example']:\n    print(open(f).read())\nEOF",
        "python3 -c \"import os; print(os.path.exists('.env'))\"",
        "grep -rn listen_addr .",
        "grep -rn 'TO\\|DO' --include='*.md' .",
        "grep -rl TUNNEL_TOKEN .",
        "grep -rn --exclude=.env TOKEN .",
        "grep -rn \"\\.env\" docs/",
        "grep -xF '.env' .gitignore",
        "ls -a | grep .env",
        "git diff --cached --name-only | grep .env",
        "rg 'data/ca.key' docs",
        "jq '.env' x.json",
        "yq .env x",
        "docker network inspect mcp-tunnel_default",
        "docker image inspect cloudflare/cloudflared:latest",
        "docker inspect --format '{{json .State}}' mcp-tunnel-cloudflared-1",
        "docker inspect --format '{{json .NetworkSettings.Networks}}' mcp-tunnel-cloudflared-1",
        "docker inspect --format '{{.HostConfig.NetworkMode}} {{.Config.Image}}' mcp-tunnel-cloudflared-1",
        "docker inspect mcp-tunnel-cloudflared-1 --format '{{index .Config.Labels \"com.docker.compose.project\"}}'",
        "docker inspect cloudflared-exporter",
        "docker compose exec cloudflared ls -l /run/secrets",
        "docker compose config --hash '*'",
        "wc -c < .env",
        "md5sum .env",
        "cmp .env .env.bak",
        "diff -q .env .env.bak",
        "shred -u data/ca.key",
        "tee -a .env <<< x",
        "find . -name .env -exec chmod 600 {} \\;",
        "find . -name '*.md' -exec cat {} +",
        "find . -type f | while read f; do ls -l $f; done",
        "find . -type f -exec sed -i 's/a/b/' {} +",
        "find . -type f | xargs shellcheck",
        "tar --exclude=.env -czf x.tgz config",
        "rsync -a --exclude .env . host:/x",
        "zip -r x.zip . -x .env 'data/*'",
        "node --env-file=.env app.js",
        "uv run --env-file .env app.py",
        "grep -o '^[A-Z_]*=' .env",
        "code .env",
        "realpath .env",
        "cp -r data /tmp/backup",
        "tar czf /tmp/b.tgz config docker-compose.yaml",
        "git diff",
        "git show HEAD~1",
        "docker run --rm -v $PWD/config:/c alpine cat /c/mcp-gateway.yaml",
        "docker run --rm -v \"$PWD\":/w -w /w node:20 npm test",
        "rg TUNNEL_TOKEN",
        "for f in *.yaml; do echo \"== $f\"; cat \"$f\"; done",
        "docker compose config --services | xargs -n1 docker compose logs --tail 5",
        "python3 -c \"import os; print(sorted(os.listdir('data')))\"",
        "docker compose config >/dev/null",
        "docker compose config > /dev/null 2>&1 && echo ok",
        "docker compose config &>/dev/null && echo ok",
        "docker compose config | wc -l",
        "grep TUNNEL_TOKEN .env >/dev/null && echo set",
        "cat .env | wc -l",
        "cat .env | grep -q TUNNEL_TOKEN && echo set",
        "cat .env | grep -c .",
        "grep TUNNEL_TOKEN .env | wc -c",
        "head -2 */*.md",
        "cat */*.yaml",
        "cat */*.crt",
        "cat docs/**/*.md",
        "cat **/*.yaml",
        "grep -n listen_addr */*",
        "grep -n image **/*.yaml",
        "ls */*",
        "wc -l */*",
        "shopt -s dotglob; ls *",
        "grep -rl TUNNEL_TOKEN . | wc -l",
        "grep -rl TUNNEL_TOKEN . | xargs ls -l",
        "grep -rl listen_addr . | xargs cat",
        "grep -rl TUNNEL_TOKEN --include='*.md' . | xargs cat",
        "grep -rl TUNNEL_TOKEN docs | xargs head",
        "grep -rl old . | xargs sed -i 's/old/new/'",
        "grep -rl TOKEN . | xargs grep -n listen_addr",
        "rg -l TUNNEL | xargs cat",
        "FILES=\"README.md docker-compose.yaml\"; for f in $FILES; do cat $f; done",
        "a=(config/mcp-gateway.yaml docker-compose.yaml); cat \"${a[@]}\"",
        "FILES=\".env docker-compose.yaml\"; for f in $FILES; do ls -l $f; done",
        "FILES=\".env data/ca.key\"; chmod 600 $FILES",
        "docker compose run --rm --entrypoint sh web -c 'ls'",
        "docker compose run --rm web env",
        "docker run --rm alpine env",
        "docker compose cp mcp-gateway:/data/ca.crt /tmp/ca.crt && cat /tmp/ca.crt",
        "docker compose cp mcp-gateway:/data /tmp/d && ls /tmp/d",
        "docker compose cp mcp-gateway:/data /tmp/d && cat /tmp/d/ca.crt",
        "curl -s --unix-socket /var/run/docker.sock http://localhost/containers/json",
        "curl -s --unix-socket /var/run/docker.sock http://localhost/version",
        "ps aux",
        "ps -ef",
        "ps -eo pid,user,etime",
        "ps axo pid,user",
        "ps axo user",
        "ps -u me",
        "ps -e",
        "ps -C cloudflared",
        "ps aux | grep -e x",
        "docker compose ps web",
        "docker ps",
        "ps -o etime= -p 1",
        "python3 -c \"from dotenv import load_dotenv; load_dotenv(); import app; app.run()\"",
        "python3 -c \"from dotenv import load_dotenv; load_dotenv(); import os; print(os.environ['TUNNEL_DOMAIN'])\"",
        "node --env-file=.env -e \"require('./app')\"",
        "npx dotenv -e .env -- npm start",
        "dotenv run -- npm start",
        "dotenv get TUNNEL_DOMAIN",
        "dotenv set TUNNEL_TOKEN x",
        "npm install dotenv",
        "cd; ls",
        "cd; cd mcp-tunnel; docker compose ps",
        "watch 'docker compose ps'",
        "watch -n 2 docker compose ps",
        "tmux new -d 'docker compose up'",
        "cp data/*.crt /tmp/ && cat /tmp/ca.crt",
        "cp config/* /tmp/x/ && cat /tmp/x/mcp-gateway.yaml",
        "cp docs/*.md /tmp/ && cat /tmp/a.md",
        "openssl pkcs12 -export -inkey data/tls.key -in data/tls.crt -out x.p12",
        "openssl pkcs12 -export -inkey data/tls.key -in data/tls.crt > x.p12",
        "x=(1 2 3); echo ${x[0]}",
        "cat docker-compose.yaml 2>/dev/null",
        "MSG=\"fix: do not cat .env\"; git commit -m \"$MSG\"",
        "CMD=\"ls -la .env\"; $CMD",
        "OPTS=\"--quiet --no-color\"; npm test $OPTS",
        "",
    ] {
        calls.push(call("Bash", &dep, &json!({ "command": command })));
    }
    for command in [
        "python3 -c \"open('.env')\"",
        "cat data/*",
        "cat .env",
        "grep -r TOKEN src",
        "cp .env.example .env",
        "docker compose config",
        "(cd ../dep && ls); cat .env",
        "cd ../dep && ls; cd - && cat .env",
    ] {
        calls.push(call("Bash", &other, &json!({ "command": command })));
    }
    for call in calls.iter().cloned().chain(calls.iter().filter_map(behind_a_long_one)) {
        assert_eq!(denial(&script, &call), None, "{call}");
    }
}

#[test]
fn the_longest_command_is_looked_through_in_no_time() {
    let parent = folder();
    let [dep, ..] = places(parent.path());
    let script = root().join("bin/mcp-tunnels-guard");
    let all = |one: &str| format!("echo x; cat {}; cat .env", one.repeat(8500 / one.len()));
    for command in [
        all("word "),
        all("'a' "),
        all("\"a\" "),
        all("a/b.c=d,e:f "),
        all("x.key "),
        all("\\ "),
        all("\\\\"),
        all("  \n"),
        all("print(os.environ[\"A\"], 'k')\n"),
        all("$(x) `y` "),
        all("x;"),
        all("x"),
        all("<"),
        all("$("),
        all("cat a*; "),
        all("cat a/ca.key; "),
        all("docker inspect $x; "),
        all("cat <<a\n"),
        all("cat data/*a; "),
        format!("cat .{}; cat .env", "*e".repeat(4200)),
        all("cat $(x) $y; "),
        all("\"$(echo "),
        all("eval x "),
        all("for x in a b; do cat $x; done; "),
        all("cat <<A\nx\nA\n"),
        all("python3 <<A\nopen('.env1')\nA\n"),
        all("cp -r a b; cat b/.env; "),
        format!("cat > x <<'A'\n{}A\ncat .env", "some text\n".repeat(3000)),
    ] {
        let call = call("Bash", &dep, &json!({ "command": command }));
        assert!(denial(&script, &call).is_some(), "{call}");
        // The processor time of the hook alone, however busy the machine is.
        let mut timed = Command::new(posix("sh"));
        timed.args(["-c", "sh \"$0\" >/dev/null; times"]).arg(&script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = timed.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(call.to_string().as_bytes());
        let out = child.wait_with_output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let seconds = |time: &str| {
            let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
            minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
        };
        let used: f64 = text.lines().nth(1).unwrap().split(' ').map(seconds).sum();
        assert!(used < 0.04, "{used} s for {}…", &command[..40]);
    }
}
