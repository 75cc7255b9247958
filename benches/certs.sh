#!/bin/sh
# `certs check` whole (every requirement, and a TLS handshake a route) compared with `openssl verify` a route and with
# `lint_pkix_cert` of pkilint; `certs renew` compared with the two openssl commands of a renewal. All in one run on one machine,
# so only the proportions travel.
#
# usage: benches/certs.sh [RUNS]     needs hyperfine and openssl; pkilint (PyPI) on PATH where it is to be compared;
#                                    HELPER names a release binary that is there already
set -eu
runs=${1:-50}
# shellcheck source=benches/common.sh
. "$(dirname "$0")/common.sh"
need hyperfine openssl
domain=abcd1234.tunnel.anthropic.com
dir=$scratch/deployment
"$helper" init --dir "$dir" \
    --json "{\"domain\":\"$domain\",\"routes\":{\"hello\":\"http://hello:9000\",\"files\":\"http://files:9000\"}}" >/dev/null

machine "$(openssl version)"

# As strict as openssl can be, for each route; it knows nothing of keys, modes, or Anthropic's own rules.
cat >"$scratch/verify.sh" <<'SH'
cd "$1"
for route in hello files; do
    openssl verify -x509_strict -purpose sslserver -verify_hostname "$route.$2" -CAfile ca.crt tls.crt >/dev/null
done
SH

echo; echo "== check =="
set -- --command-name 'helper certs check' "$helper certs check --dir $dir" \
    --command-name 'helper certs check, verbose' "$helper certs check --dir $dir --json {\\\"verbose\\\":true}" \
    --command-name 'openssl verify, one route' \
    "openssl verify -x509_strict -purpose sslserver -verify_hostname hello.$domain -CAfile $dir/data/ca.crt $dir/data/tls.crt" \
    --command-name 'openssl verify, two routes' "sh $scratch/verify.sh $dir/data $domain"
hyperfine --shell=none --style basic --warmup 5 --runs "$runs" "$@"
if command -v lint_pkix_cert >/dev/null; then
    # Half a second each, and its findings are not a failure here.
    hyperfine --shell=none --style basic --warmup 1 --runs 10 --ignore-failure \
        --command-name 'pkilint, tls.crt alone' "lint_pkix_cert lint $dir/data/tls.crt"
else
    echo "pkilint is not installed"
fi

# The documented way: a request from the key that is there, and the CA's signature under it; the mode, the audit and the
# rename into place are left out.
cat >"$scratch/renew.sh" <<'SH'
cd "$1"
printf 'subjectAltName = DNS:%s,DNS:*.%s\nauthorityKeyIdentifier = keyid,issuer\nextendedKeyUsage = serverAuth\n' \
    "$2" "$2" >tls.ext
openssl req -new -key tls.key -out server.csr -subj "/CN=$2" 2>/dev/null
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out tls.crt -days 90 -extfile tls.ext 2>/dev/null
SH
cp -r "$dir" "$scratch/theirs"

echo; echo "== renewal =="
hyperfine --shell=none --style basic --warmup 5 --runs "$runs" \
    --command-name 'helper certs renew, nothing due' "$helper certs renew --dir $dir" \
    --command-name 'helper certs renew, forced' "$helper certs renew --dir $dir --json {\\\"force\\\":true}" \
    --command-name 'openssl, two commands' "sh $scratch/renew.sh $scratch/theirs/data $domain"
