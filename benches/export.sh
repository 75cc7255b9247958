#!/bin/sh
# `export` compared with `docker compose config`, which it asks once to learn what Compose makes of the files: what the helper
# adds to that is the aim, under 50 ms. All in one run on one machine, so only the proportions travel.
#
# usage: benches/export.sh [RUNS]     needs hyperfine and docker with Compose; no engine. HELPER names a release binary
#                                     that is there already
set -eu
runs=${1:-30}
# shellcheck source=benches/common.sh
. "$(dirname "$0")/common.sh"
need hyperfine docker
dir=$scratch/mcp-tunnel
"$helper" init --dir "$dir" --json '{"domain":"abcd1234.tunnel.anthropic.com","sample":true}' >/dev/null
printf 'services:\n  wiki:\n    image: nginx\n' >"$dir/docker-compose.override.yaml"
"$helper" render --dir "$dir" --json '{"routes":{"wiki":"http://wiki:8000","lan":"http://10.1.2.3:80"}}' >/dev/null
machine "$(docker compose version)"
hyperfine --shell=none --style basic --warmup 3 --runs "$runs" \
    --prepare "rm -rf $scratch/helm $scratch/all.tar.gz $scratch/update.tar.gz" \
    --command-name 'docker compose config' "sh -c 'cd $dir && docker compose --profile \* config --format json >/dev/null'" \
    --command-name 'helper export to helm' "$helper export --dir $dir --to helm --out $scratch/helm" \
    --command-name 'helper export to replica' "$helper export --dir $dir --to replica --out $scratch/all.tar.gz" \
    --command-name 'helper export, only the certificate' \
    "$helper export --dir $dir --to replica --only certificate --out $scratch/update.tar.gz"
