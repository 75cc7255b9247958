//! A read that goes through a variable, a loop, a pipe or an environment is stopped like any other, and what only looks like one
//! passes.

use std::fs;

use serde_json::json;

use super::guard::{call, denial, places};
use super::root;
use crate::support::folder;

#[test]
fn a_read_through_a_variable_or_an_environment_is_stopped() {
    let parent = folder();
    let [dep, _, other] = places(parent.path());
    let script = root().join("bin/mcp-tunnels-guard");
    for command in [
        "f=$(grep -rl TUNNEL_TOKEN .); cat $f",
        "FILE=`ls -A | grep env`; cat \"$FILE\"",
        "list=$(ls -A); for x in $list; do cat \"$x\"; done",
        "p=$(readlink -f .env); sed -n 1,20p \"$p\"",
        "a=($(grep -rl BEGIN data)); head -3 \"${a[0]}\"",
        "env_files=( $(ls -A | grep '^.env') )\ncat \"${env_files[0]}\"",
        "declare -a hits=($(grep -rlI 'PRIVATE KEY' data)); cat \"${hits[0]}\"",
        "mapfile -t files < <(find . -maxdepth 1 -type f); cat \"${files[@]}\"",
        "mapfile -t a <<< \"$(find . -name '*.key')\"; cat \"${a[0]}\"",
        "readarray -t l < <(grep -rl TUNNEL_TOKEN .); sed -n 1,3p \"${l[@]}\"",
        "while read -r f; do cat \"$f\"; done < <(grep -rl TUNNEL_TOKEN .)",
        "while IFS= read -r -d '' f; do head -5 \"$f\"; done < <(find . -type f -print0)",
        "while read f; do cat \"$f\"; done <<< \"$(ls -A)\"",
        "list=$(find . -type f); while read -r p; do tail -2 \"$p\"; done <<< \"$list\"",
        "x=$(ls -A); echo \"$x\" | xargs cat",
        "a=(docker-compose.yaml); a+=(.env); cat \"${a[@]}\"",
        "todo=(); todo+=(\"data/tls.key\"); xxd \"${todo[0]}\"",
        "f=.en; f+=v; cat $f",
        "FILES=docker-compose.yaml; FILES+=\" .env\"; cat $FILES",
        "a[0]=.env; cat \"${a[0]}\"",
        "find . -name '*.key' | tee /tmp/list | xargs cat",
        "ls -A | shuf | xargs -n1 cat",
        "grep -rl TUNNEL_TOKEN . | xargs realpath | xargs cat",
        "cat $(realpath .env)",
        "if f=$(ls -A | grep env$); then cat \"$f\"; fi",
        "(f=$(find . -name .env); cat \"$f\")",
        "docker compose run --rm --entrypoint /usr/bin/env cloudflared",
        "docker compose run --rm --entrypoint=/usr/bin/printenv cloudflared",
        "docker compose exec cloudflared /usr/bin/env",
        "docker compose exec -T cloudflared /bin/printenv TUNNEL_TOKEN",
        "docker compose exec cloudflared sh -c 'echo $TUNNEL_TOKEN'",
        "docker compose exec cloudflared sh -c \"echo \\$TUNNEL_TOKEN\"",
        "docker exec mcp-tunnel-cloudflared-1 sh -c 'cd / && env'",
        "docker exec mcp-tunnel-cloudflared-1 sh -c 'export -p'",
        "docker exec mcp-tunnel-cloudflared-1 sh -c set",
        "docker exec mcp-tunnel-cloudflared-1 sh -c '[ -n \"$TUNNEL_TOKEN\" ] && echo $TUNNEL_TOKEN'",
        "docker exec $(docker ps -qf name=cloudflared) sh -c 'echo $TUNNEL_TOKEN'",
        "docker compose exec cloudflared python3 -c 'import os; print(os.environ[\"TUNNEL_TOKEN\"])'",
        "docker compose exec cloudflared perl -e 'print $ENV{TUNNEL_TOKEN}'",
        "docker compose exec -T cloudflared sh <<'EOF'\necho $TUNNEL_TOKEN\nEOF",
        "docker compose run --rm --entrypoint sh cloudflared -c 'echo $TUNNEL_TOKEN'",
        "uv run --env-file .env printenv",
        "uv run --env-file .env python - <<'EOF'\nimport os\nprint(os.environ[\"TUNNEL_TOKEN\"])\nEOF",
        "uv run --env-file=.env python -c 'import os; print(os.environ[\"TUNNEL_TOKEN\"])'",
        "uv run python - <<'EOF'\nprint(open(\".env\").read())\nEOF",
        "bun --env-file=.env -e 'console.log(process.env.TUNNEL_TOKEN)'",
        "bun -e 'console.log(process.env)'",
        "deno eval --env-file=.env 'console.log(Deno.env.toObject())'",
        "deno run --env-file=.env -A - <<'EOF'\nconsole.log(Deno.env.get(\"TUNNEL_TOKEN\"))\nEOF",
        "node --env-file=.env - <<'EOF'\nconsole.log(process.env)\nEOF",
        "node --env-file .env -e \"for (const [k, v] of Object.entries(process.env)) console.log(k, v)\"",
        "node --env-file .env --eval 'console.log(process.env.TUNNEL_TOKEN)'",
        "node --env-file-if-exists=.env -p 'process.env'",
        "dotenv run -- bash -c env",
        "dotenv run -- sh -c 'env | grep TUNNEL'",
        "dotenv -f .env run -- python -c 'import os; print(os.environ)'",
        "dotenvx get TUNNEL_TOKEN",
        "npx env-cmd sh -c 'echo $TUNNEL_TOKEN'",
        "npx dotenv -- node -e 'console.log(process.env.TUNNEL_TOKEN)'",
        "pnpm exec dotenv -- printenv TUNNEL_TOKEN",
        "uvx --from 'python-dotenv[cli]' dotenv list",
        "uv run dotenv get TUNNEL_TOKEN",
        "op run --env-file=.env -- printenv TUNNEL_TOKEN",
        "docker run --rm --env-file .env alpine sh -c 'echo $TUNNEL_TOKEN'",
        "docker run --rm --env-file .env --entrypoint /usr/bin/env alpine",
        "echo $TUNNEL_TOKEN",
        "printenv TUNNEL_TOKEN",
        "printenv TUNNEL_TOKEN | cut -c1-30",
        "direnv exec . sh -c 'cat .env'",
    ] {
        let call = |cwd| call("Bash", cwd, &json!({ "command": command }));
        let reason = denial(&script, &call(&dep)).unwrap_or_else(|| panic!("not stopped: {command}"));
        assert!(reason.contains("`mcp-tunnels-helper "), "{reason}");
        // Elsewhere only what names a container of the tunnel is.
        assert!(denial(&script, &call(&other)).is_none() || command.contains("cloudflared"), "{command}");
    }
}

#[test]
fn what_reads_no_secret_through_them_passes() {
    let parent = folder();
    let [dep, ..] = places(parent.path());
    let script = root().join("bin/mcp-tunnels-guard");
    for command in [
        "docker compose exec web sh -c 'echo $HOME'",
        "docker exec web sh -c 'echo $TUNNEL_TOKEN'",
        "docker exec web env",
        "docker exec postgres printenv POSTGRES_USER",
        "docker compose exec cloudflared sh -c 'test -n \"$TUNNEL_TOKEN\" && echo set'",
        "docker compose exec cloudflared sh -c '[ -n \"$TUNNEL_TOKEN\" ] && echo set || echo unset'",
        "docker compose exec cloudflared sh -c 'echo ${TUNNEL_TOKEN:+set}'",
        "docker compose exec cloudflared sh -c 'echo ${#TUNNEL_TOKEN}'",
        "docker compose exec cloudflared printenv TUNNEL_TOKEN | wc -c",
        "docker compose exec cloudflared printenv TUNNEL_TOKEN > /dev/null && echo set",
        "docker compose exec cloudflared sh -c 'printenv TUNNEL_TOKEN | wc -c'",
        "docker compose exec cloudflared printenv HOME",
        "docker compose exec cloudflared cloudflared tunnel info",
        "docker compose exec mcp-gateway sh -c 'id && ls -la /data'",
        "docker compose top web",
        "docker top web",
        "docker top mcp-tunnel-cloudflared-1 -o pid,comm",
        "docker compose top | wc -l",
        "docker ps --no-trunc -q",
        "docker ps -aq --no-trunc",
        "docker ps --no-trunc --format '{{.ID}} {{.Names}}'",
        "docker ps --format 'table {{.Names}}\\t{{.Status}}'",
        "docker compose ps --format json",
        "docker run --rm --entrypoint /usr/bin/env alpine",
        "docker compose run --rm --entrypoint /bin/sh web -c 'echo $HOME'",
        "docker compose run --rm cloudflared --version",
        "docker compose exec db psql -U app -c 'select 1'",
        "bun --env-file=.env.example run dev",
        "bun --env-file=.env run dev",
        "bun --env-file=.env.example -e 'console.log(process.env)'",
        "bun -e 'console.log(process.env.HOME)'",
        "uv run --env-file .env pytest -q",
        "uv run --env-file .env.example printenv",
        "uv run python -c 'import os; print(os.environ[\"HOME\"])'",
        "uv run python - <<'EOF'\nprint(open(\"README.md\").read())\nEOF",
        "deno run --env-file=.env -A main.ts",
        "deno eval 'console.log(Deno.env.get(\"HOME\"))'",
        "node --env-file=.env server.js",
        "node -p process.env.HOME",
        "node --env-file=.env -e \"console.log(process.env.PORT)\"",
        "npm run dev -- --env-file=.env",
        "dotenv run -- npm start",
        "dotenv run -- sh -c 'echo $TUNNEL_DOMAIN'",
        "dotenv run -- sh -c 'test -n \"$TUNNEL_TOKEN\" && echo set'",
        "dotenvx run -- npm start",
        "npx env-cmd -f .env.example printenv",
        "npx env-cmd -f .env npm start",
        "pnpm add dotenv env-cmd",
        "op run --env-file=.env -- npm start",
        "[ -n \"$TUNNEL_TOKEN\" ] && echo set",
        "echo \"${TUNNEL_TOKEN:+set}\"",
        "printf '%s' \"$TUNNEL_TOKEN\" | mcp-tunnels-helper token set",
        "echo \"TUNNEL_TOKEN=$TUNNEL_TOKEN\" >> .env",
        "export TUNNEL_TOKEN=x; docker compose up -d",
        "env | grep -i proxy",
        "printenv PATH",
        "f=$(grep -rl TUNNEL_TOKEN .); echo \"$f\"",
        "f=$(grep -rl TUNNEL_TOKEN docs); cat $f",
        "f=$(grep -rl listen_addr .); cat $f",
        "f=$(grep -rl TUNNEL_TOKEN . | wc -l); echo $f",
        "f=$(ls *.yaml | head -1); cat \"$f\"",
        "f=$(ls -t docs | head -1); echo \"newest: $f\"",
        "f=$(find . -name '*.md' | head -1); sed -n 1,10p \"$f\"",
        "sha=$(sha256sum data/ca.key | cut -c1-12); echo \"$sha\"",
        "mode=$(stat -c %a .env); [ \"$mode\" = 600 ] || chmod 600 .env",
        "mapfile -t files < <(git diff --name-only); printf '%s\\n' \"${files[@]}\"",
        "mapfile -t docs < <(find docs -name '*.md'); cat \"${docs[@]}\"",
        "while read -r f; do wc -l \"$f\"; done < <(find . -type f)",
        "while read -r f; do grep -n TODO \"$f\"; done < <(grep -rl TODO src)",
        "while read -r f; do chmod go-r \"$f\"; done < <(ls data/*.key)",
        "a=(src tests); a+=(docs); rg -n listen \"${a[@]}\"",
        "args=(--release); args+=(--locked); cargo build \"${args[@]}\"",
        "find . -name '*.yaml' | tee /tmp/list | xargs cat",
        "grep -rl TUNNEL_TOKEN . | xargs realpath",
        "realpath .env data/ca.key",
        "cat $(realpath docs/README.md)",
        "cat $(ls docs/*.md)",
        "docker compose logs --tail 50 cloudflared 2>&1 | grep -i err",
        "n=$(grep -c . .env); echo \"$n lines\"",
        "out=$(docker compose ps --format json); echo \"$out\" | jq -r .State",
        "IMAGE=$(docker compose images -q cloudflared); docker image inspect \"$IMAGE\" --format '{{.Id}}'",
        "f=$(mktemp); cp docker-compose.yaml \"$f\"; diff -u \"$f\" docker-compose.yaml",
        "for f in $(git ls-files '*.rs'); do wc -l \"$f\"; done",
        "dirs=$(find . -type d); for d in $dirs; do ls \"$d\"; done",
        "perm=$(stat -c '%a %n' .env data/*.key); echo \"$perm\"",
        "files=$(find . -name '*.yaml'); for f in $files; do yq . \"$f\"; done",
        "cfg=$(cat config/mcp-gateway.yaml); echo \"$cfg\" | head -5",
        "crt=$(openssl x509 -in data/ca.crt -noout -enddate); echo \"$crt\"",
        "mapfile -t svc < <(docker compose config --services); for s in \"${svc[@]}\"; do docker compose logs --tail 3 \"$s\"; done",
        "while read -r a b; do echo \"$b $a\"; done < <(git log --format='%h %an' -5)",
        "while read -r line; do echo \"$line\"; done <<< \"$(docker compose ps -a)\"",
        "while IFS=: read -r f l _; do sed -n \"${l}p\" \"$f\"; done < <(grep -rn listen_addr config)",
        "read -r major minor <<< \"$(node -v | tr -d v | tr . ' ')\"; echo \"$major\"",
        "files=(docs/*.md); files+=(README.md); head -1 \"${files[@]}\"",
        "s=a; s+=b; echo \"$s\" > /tmp/ab",
        "npm run build | tee build.log",
        "docker compose exec web env NODE_ENV=test npm test",
        "docker compose exec web npm run env:check",
        "docker compose exec redis redis-cli set a b",
        "docker compose exec db psql -c 'set search_path to app; select 1'",
        "docker compose exec web sh -c 'set -e; npm test'",
        "docker compose exec web sh -c 'export A=1; npm test'",
        "docker compose exec cloudflared env FOO=1 cloudflared version",
        "docker compose exec cloudflared sh -c 'cloudflared --version; date'",
        "docker compose exec cloudflared sh -c 'echo \"${TUNNEL_TOKEN:+the token is set}\"'",
        "docker compose exec cloudflared sh -c 'if [ -z \"$TUNNEL_TOKEN\" ]; then echo missing; fi'",
        "docker compose exec -e TUNNEL_TOKEN cloudflared cloudflared version",
        "docker compose exec cloudflared python3 -c 'import os; print(bool(os.environ.get(\"TUNNEL_TOKEN\")))'",
        "docker exec app printenv",
        "docker exec app sh -c 'env | sort'",
        "docker run --rm -e TUNNEL_TOKEN=x alpine true",
        "docker run --rm --env-file .env app npm run migrate",
        "docker run --rm --env-file .env.example alpine env",
        "docker run --rm --entrypoint env python:3.12 python -V",
        "docker compose --env-file .env run --rm web env",
        "docker compose --env-file .env exec web npm test",
        "docker ps -q --no-trunc | head -1",
        "uv run --env-file .env uvicorn app:app",
        "uv run --env-file .env python -c 'import os; print(os.environ[\"PORT\"])'",
        "uv run --env-file .env python -m pytest tests/test_environment.py",
        "bun --env-file=.env run index.ts",
        "bun -e 'console.log(Bun.version)'",
        "node --env-file=.env --test",
        "node -e 'console.log(process.env)'",
        "node --env-file=.env -e 'if (!process.env.PORT) process.exit(1)'",
        "npm run dev -- --env-file .env",
        "npm pkg set scripts.dev=\"node --env-file=.env server.js\"",
        "dotenv run -- printenv TUNNEL_DOMAIN",
        "npx env-cmd -f .env npm test",
        "yarn add -D env-cmd dotenv",
        "echo 'Set $TUNNEL_TOKEN in .env'",
        "echo \"TUNNEL_TOKEN is set: ${TUNNEL_TOKEN:+yes}\"",
        "echo \"$TUNNEL_TOKEN\" | docker secret create tunnel_token -",
        "printenv | grep -i ^http_proxy",
        "export TUNNEL_TOKEN=\"$(mcp-tunnels-helper token show)\"; true",
        "python3 - <<'EOF'\nimport re\np = \"docs/security.md\"\ns = open(p).read()\ns = s.replace(\"cat .env\", \"token check\")\nopen(p, \"w\").write(s)\nEOF",
        "docker compose up -d && docker compose top hello-mcp",
    ] {
        assert_eq!(denial(&script, &call("Bash", &dep, &json!({ "command": command }))), None, "{command}");
    }
}

#[test]
fn arguments_are_shown_unless_the_token_is_one_of_them() {
    let parent = folder();
    let [dep, _, other] = places(parent.path());
    let script = root().join("bin/mcp-tunnels-guard");
    let is_stopped =
        |cwd: &str, command: &str| denial(&script, &call("Bash", cwd, &json!({ "command": command }))).is_some();
    let shown = [
        "docker compose top",
        "docker compose top cloudflared",
        "docker top mcp-tunnel-cloudflared-1",
        "docker compose top | grep cloudflared",
        "docker ps --no-trunc",
        "docker ps -a --no-trunc | grep cloudflared",
        "docker compose ps --no-trunc",
        "docker container ls --no-trunc --format '{{.Names}} {{.Command}}'",
    ];
    let harmless = [
        "docker compose top web",
        "docker top mcp-tunnel-cloudflared-1 -o pid,comm",
        "docker compose top | wc -l",
        "docker ps --no-trunc -q",
        "docker ps --no-trunc --format '{{.ID}} {{.Names}}'",
        "docker images --no-trunc",
    ];
    for (command_of_cloudflared, want) in
        [("run --token-file /run/secrets/t", false), ("run --token ${TUNNEL_TOKEN}", true)]
    {
        for dir in [&dep, &other] {
            fs::write(
                format!("{dir}/docker-compose.yaml"),
                format!("services:\n  cloudflared:\n    command: {command_of_cloudflared}"),
            )
            .unwrap();
        }
        for command in shown {
            assert_eq!(is_stopped(&dep, command), want, "{command}");
            assert!(!is_stopped(&other, command), "{command}");
        }
        for command in harmless {
            assert!(!is_stopped(&dep, command), "{command}");
        }
    }
}
