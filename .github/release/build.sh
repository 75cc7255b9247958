#!/bin/sh
# Builds a release's program for one machine, the same way for everybody:
#
#     sh .github/release/build.sh [TARGET] [FOLDER]
#
# TARGET is a target of rustc (this machine's own if left out); the program is put into FOLDER (target/dist) as
# mcp-tunnels-helper-VERSION-TARGET, and its path printed. Linux programs are static, so that one runs everywhere.
set -eu
cd "$(dirname "$0")/../.."

target=${1:-$(rustc -vV | sed -n 's/^host: //p')}
out=${2:-target/dist}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

case $target in
*-linux-*) flags='-C target-feature=+crt-static' ;;
# Big Sur, the first one on Apple silicon.
*-apple-darwin) flags='' MACOSX_DEPLOYMENT_TARGET=11.0 && export MACOSX_DEPLOYMENT_TARGET ;;
*) echo "releases are for Linux and macOS, not for $target" >&2 && exit 1 ;;
esac
# The same bytes wherever it is built, without paths of the build machine.
RUSTFLAGS="$flags --remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
export RUSTFLAGS
# What --version says; a source without a history has none.
if commit=$(git rev-parse --short=12 HEAD 2>/dev/null); then export MCP_TUNNELS_COMMIT="$commit"; fi

# `install`, which is what README offers; its profile is that of a release.
part=$out/.part.$$
trap 'rm -rf "$part"' EXIT
cargo install --path . --locked --quiet --no-track --target "$target" --target-dir "${CARGO_TARGET_DIR:-target}" --root "$part"
mv "$part/bin/mcp-tunnels-helper" "$out/mcp-tunnels-helper-$version-$target"
echo "$out/mcp-tunnels-helper-$version-$target"
