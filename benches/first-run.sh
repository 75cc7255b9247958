#!/bin/sh
# Process start compared with /bin/true; `certs issue` with the quickstart's three openssl commands and with mkcert;
# `init` whole. All in one run on one machine, so only the proportions travel.
#
# usage: benches/first-run.sh [RUNS]          needs hyperfine; openssl and mkcert where they are to be compared
set -eu
runs=${1:-50}
# shellcheck source=benches/common.sh
. "$(dirname "$0")/common.sh"
need hyperfine
domain=abcd1234.tunnel.anthropic.com

machine "$(openssl version 2>/dev/null || echo no openssl)"

echo; echo "== process start =="
hyperfine --shell=none --style basic --warmup 10 --runs "$runs" \
    --command-name /bin/true /bin/true \
    --command-name 'helper --version' "$helper --version"

# As Anthropic's quickstart has them.
cat >"$scratch/quickstart.sh" <<'SH'
mkdir -p data && cd data
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 3650 -subj "/CN=mcp-tunnel-ca" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -addext "subjectKeyIdentifier=hash" 2>/dev/null
printf 'subjectAltName = DNS:%s,DNS:*.%s\nauthorityKeyIdentifier = keyid,issuer\nextendedKeyUsage = serverAuth\n' \
    "$1" "$1" >tls.ext
openssl req -newkey rsa:2048 -nodes -keyout tls.key -out server.csr -subj "/CN=$1" 2>/dev/null
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out tls.crt -days 90 -extfile tls.ext 2>/dev/null
SH
cat >"$scratch/mkcert.sh" <<'SH'
mkdir -p root && CAROOT=$PWD/root mkcert -cert-file tls.crt -key-file tls.key "$1" "*.$1" >/dev/null 2>&1
SH
"$helper" init --dir "$scratch/ours" --json "{\"domain\":\"$domain\"}" >/dev/null
mkdir "$scratch/openssl" "$scratch/mkcert"

echo; echo "== CA and server certificate =="
set -- --command-name 'helper certs issue' --prepare "rm -rf $scratch/ours/data" "$helper certs issue --dir $scratch/ours"
if command -v openssl >/dev/null; then
    set -- "$@" --command-name 'openssl, three commands' --prepare "rm -rf $scratch/openssl/data" \
        "sh -c 'cd $scratch/openssl && sh ../quickstart.sh $domain'"
fi
if command -v mkcert >/dev/null; then
    set -- "$@" --command-name 'mkcert' --prepare "rm -rf $scratch/mkcert/root" \
        "sh -c 'cd $scratch/mkcert && sh ../mkcert.sh $domain'"
fi
hyperfine --shell=none --style basic --warmup 2 --runs "$runs" "$@"

echo; echo "== init, empty folder to whole deployment =="
hyperfine --shell=none --style basic --warmup 2 --runs "$runs" --prepare "rm -rf $scratch/new" \
    --command-name 'helper init' \
    "$helper init --dir $scratch/new --json {\\\"domain\\\":\\\"$domain\\\",\\\"sample\\\":true}"
