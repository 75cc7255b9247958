#!/bin/sh
# How long a route cannot be called after a death: SIGKILL of each container's main process, of all at once, `docker
# restart` of each, a server that is gone for a minute, the engine restarted, its DNS silent or slow; under `separate` and
# under `shared`, where a third of the rounds is enough for what only a command heals. It is the test of the gate
# (tests/engine/heal.rs, outage.rs and dns.rs, three rounds) with more rounds; a round takes about half a minute.
#
# usage: benches/heal.sh [ROUNDS]     needs docker with an engine and the images of tests/images/build.sh
set -eu
export MCP_TUNNELS_HEAL_ROUNDS="${1:-50}"
cd "$(dirname "$0")/.."
echo "$(uname -m), $(nproc) cores; $(docker version --format 'engine {{ .Server.Version }}'); $MCP_TUNNELS_HEAL_ROUNDS rounds"
cargo test --quiet --locked --test integration -- --nocapture --test-threads 1 \
    engine::heal::engine_separate engine::heal::engine_shared engine::heal::engine_a_server engine::outage engine::dns
