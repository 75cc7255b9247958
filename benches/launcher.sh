#!/usr/bin/env bash
# What the launcher costs once it has the helper: the same command through it, in three shells, compared with the program
# itself and with `rustup`'s proxy, which is the launcher that Rust people wait for all day.
#
#     bash benches/launcher.sh [RUNS]
#
# Needs hyperfine. HELPER names a release binary that is there already.
set -euo pipefail
runs=${1:-200}
# shellcheck source=benches/common.sh
. "$(dirname "$0")/common.sh"
need hyperfine

# An installed copy that has been run before.
plugin=$scratch/plugins/cache/market/mcp-tunnels/0.0.0
data=$scratch/plugins/data/mcp-tunnels-market
mkdir -p "$plugin" "$data"
cp -R .claude-plugin bin "$plugin"
cat >"$scratch/cargo" <<EOF
#!/bin/sh
[ "\$1" != -vV ] || { echo 'host: here'; exit; }
mkdir -p '$data/build/here/release' && cp '$helper' '$data/build/here/release/mcp-tunnels-helper'
EOF
chmod +x "$scratch/cargo"
PATH=$scratch:$PATH "$plugin/bin/mcp-tunnels-helper" --version

commands=(--command-name 'the program' "$helper rules" --command-name launcher "$plugin/bin/mcp-tunnels-helper rules")
for shell in dash bash 'busybox sh'; do
    ! command -v "${shell%% *}" >/dev/null ||
        commands+=(--command-name "launcher, $shell" "$shell $plugin/bin/mcp-tunnels-helper rules")
done
! command -v rustup >/dev/null || commands+=(--command-name 'rustc through rustup' 'rustc --version')
hyperfine --shell=none --style none --warmup 10 --runs "$runs" --export-markdown "$scratch/table" "${commands[@]}" 2>"$scratch/said" ||
    cat "$scratch/said"
cat "$scratch/table"
