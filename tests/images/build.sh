#!/usr/bin/env bash
# Builds the images that the tests on a real engine run:
#
#   mcp-tunnels-test/mcp-proxy:standin     plays Anthropic's proxy (tests/standin)
#   mcp-tunnels-test/cloudflared:standin   plays cloudflared (tests/standin)
#   mcp-tunnels-test/python:local          this machine's CPython, with the sample's packages as wheels
#
# Nothing is pulled from an image registry. An image whose inputs have not changed is left alone. The stand-ins need
# cargo, the Python image a python3 with pip whose package index answers. Docker builds from what is here: no
# network inside the builds.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tests=$(dirname "$here")
root=$(dirname "$tests")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mcp-tunnels-test
label=org.mcp-tunnels-test.inputs

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '%s\n' "$*"; }

# One hash for a list of files and directories, by content and path.
hash_of() {
    (cd "$root" && find "$@" -type f -not -path '*/target/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) |
        sha256sum | cut -c1-16
}

current() { [ "$(docker image inspect --format "{{ index .Config.Labels \"$label\" }}" "$1" 2>/dev/null)" = "$2" ]; }

build() { # image, hash, context, further arguments of docker build
    local image=$1 hash=$2 context=$3 log=$work/build.log
    shift 3
    local old
    old=$(docker image inspect --format '{{ .Id }}' "$image" 2>/dev/null) || old=
    if ! docker build --quiet --label "$label=$hash" --tag "$image" "$@" "$context" >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
    # Untagged by now, and of no use.
    [ -z "$old" ] || docker image rm "$old" >/dev/null 2>&1 || true
    say "built      $image ($(docker image inspect --format '{{ .Size }}' "$image" | awk '{ printf "%.1f MB", $1 / 1e6 }'))"
}

standins() {
    local hash role missing=
    hash=$(hash_of tests/standin tests/images)
    for role in mcp-proxy cloudflared; do
        if current "mcp-tunnels-test/$role:standin" "$hash"; then
            say "up to date mcp-tunnels-test/$role:standin"
        else
            missing="$missing $role"
        fi
    done
    [ -n "$missing" ] || return 0

    # Static, for an image with nothing else in it; with --target, procedural macros stay as they are.
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    env -u CARGO_ENCODED_RUSTFLAGS RUSTFLAGS='-C target-feature=+crt-static' CARGO_TARGET_DIR="$tests/standin/target" \
        cargo build --quiet --release --locked --manifest-path "$tests/standin/Cargo.toml" --target "$host"
    for role in $missing; do
        mkdir -p "$work/$role"
        cp "$tests/standin/target/$host/release/$role" "$tests/standin/target/$host/release/probe" "$work/$role/"
        build "mcp-tunnels-test/$role:standin" "$hash" "$work/$role" --file "$here/$role.Dockerfile"
    done
}

python_image() {
    local image=mcp-tunnels-test/python:local requirements=()
    # Of today's sample, and of one that was made when version 1 of the SDK was current.
    requirements=("$root/helper/config/sample/requirements.txt" "$here/../python/mcp1-sample/requirements.txt")
    local python version hash wheels list
    python=$(command -v "${MCP_TUNNELS_TEST_PYTHON:-python3}")
    # The interpreter behind a virtual environment or a version manager's shim.
    version=$("$python" -c 'import sys; print(sys.version, sys.base_prefix)')
    hash=$({ hash_of tests/images; cat "${requirements[@]}"; echo "$version"; } | sha256sum | cut -c1-16)
    if current "$image" "$hash"; then
        say "up to date $image"
        return
    fi

    wheels=$cache/wheels-$({ cat "${requirements[@]}"; echo "$version"; } | sha256sum | cut -c1-16)
    if [ ! -f "$wheels/complete" ]; then
        mkdir -p "$wheels"
        for list in "${requirements[@]}"; do
            "$python" -m pip download --quiet --disable-pip-version-check --only-binary :all: --dest "$wheels" \
                --requirement "$list"
        done
        # Has no hash, which one package with a hash requires of all others in the same run.
        "$python" -m pip download --quiet --disable-pip-version-check --only-binary :all: --dest "$wheels" pip
        touch "$wheels/complete"
    fi
    "$python" "$here/python_rootfs.py" "$work/rootfs" "$wheels"
    mkdir -p "$work/python"
    tar --create --file "$work/python/rootfs.tar" --directory "$work/rootfs" --owner 0 --group 0 --numeric-owner .
    build "$image" "$hash" "$work/python" --file "$here/python.Dockerfile"
}

standins
python_image
