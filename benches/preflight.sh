#!/bin/sh
# `preflight`: all local checks compared with the three commands that people type for the same; then the network, with everything
# answering (servers on loopback) and with everything swallowed (a namespace in which the kernel drops all packets). In one
# run on one machine, so only the proportions travel; the last one is a promise: the limit plus 250 ms.
#
# usage: benches/preflight.sh [RUNS]     needs hyperfine and docker with an engine; for the network root, ip, nft, and in
#                                        PYTHON a Python with tests/python/requirements.txt; HELPER names a release binary
#                                        that is there already
set -eu
runs=${1:-30}
# shellcheck source=benches/common.sh
. "$(dirname "$0")/common.sh"
need hyperfine docker
unset MCP_TUNNELS_TEST_DESTINATIONS
machine "$(docker --version)"

echo; echo "== local checks (aim: under 150 ms) =="
hyperfine --shell=none --style basic --warmup 3 --runs "$runs" --ignore-failure \
    --command-name 'helper preflight, offline' "$helper preflight --dir $scratch/none --json {\\\"offline\\\":true}" \
    --command-name 'docker version; docker compose version; docker info' \
    "sh -c 'docker version >/dev/null; docker compose version >/dev/null; docker info >/dev/null'"

python=${PYTHON:-${MCP_TUNNELS_TEST_PYTHON:-}}
[ -n "$python" ] || { echo "no PYTHON: the network is left out"; exit 0; }
cert() { # name, host
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=$2" \
        -addext "subjectAltName=DNS:$2" -keyout "$scratch/$1.key" -out "$scratch/$1.crt" 2>/dev/null
}
cert edge edge
cert h2 h2.cftunnel.com
records='"_v2-origintunneld._tcp.argotunnel.com SRV":["region1.v2.argotunnel.com","region2.v2.argotunnel.com"]'
udp='' tls='' at=1
add() { # host, port, behaviour, certificate
    tls="$tls,[\"198.41.192.$at\",$2,\"$scratch/$4.crt\",\"$scratch/$4.key\",\"$3\"]"
    records="$records,\"$1 A\":[\"198.41.192.$at\"]"
}
for region in region1 region2; do
    add $region.v2.argotunnel.com 7844 hold h2
    udp="$udp,[\"198.41.192.$at\",7844,\"quic\"]"
    at=$((at + 1))
done
for host in api.anthropic.com us-docker.pkg.dev registry-1.docker.io; do
    cert $host $host
    add $host 443 0 $host
    at=$((at + 1))
done
cat >"$scratch/config" <<JSON
{"dns":{"listen":["198.41.192.53",53],"records":{$records}},"udp":[${udp#,}],"tls":[${tls#,}],
 "cert":"$scratch/edge.crt","key":"$scratch/edge.key"}
JSON
cat >"$scratch/inside" <<'SH'
set -eu
ip link set lo up
for last in 1 2 3 4 5 53; do ip addr add 198.41.192.$last/32 dev lo; done
echo 'nameserver 198.41.192.53' >"$1/resolv.conf"
mount --bind "$1/resolv.conf" "$(readlink -f /etc/resolv.conf)"
mkfifo "$1/pipe"
"$2" tests/python/edge.py "$(cat "$1/config")" >"$1/pipe" &
server=$!
trap 'kill $server' EXIT
read -r ready <"$1/pipe"
[ "$ready" = ready ]
echo; echo "== everything answers (aim: under 300 ms) =="
hyperfine --shell=none --style basic --warmup 3 --runs "$4" --ignore-failure \
    --command-name 'helper preflight' "$3 preflight --dir $1/none"
for what in 'everything' 'everything but DNS'; do
    echo; echo "== $what is swallowed (promise: the limit plus 250 ms) =="
    nft flush ruleset
    rules='ip daddr 198.41.192.0/24 drop;'
    [ "$what" = everything ] || rules="udp dport 53 accept; $rules"
    printf 'table inet bench {\nchain input { type filter hook input priority 0; udp sport 53 accept; %s }\n}\n' "$rules" | nft -f -
    for limit in 1000 5000; do
        hyperfine --shell=none --style basic --runs 5 --ignore-failure \
            --command-name "helper preflight, limit $limit ms" "$3 preflight --dir $1/none --json {\\\"timeout_ms\\\":$limit}"
    done
done
SH
unshare --net --mount sh "$scratch/inside" "$scratch" "$python" "$helper" "$runs"
