# Gives the cluster the server certificate of the deployment: after every `mcp-tunnels-helper certs renew`.
#
# usage: ./renew.sh [DEPLOYMENT]    the deployment directory, otherwise the one that this was exported from
#
# The proxy takes the new certificate from the mounted Secret without a restart.
set -eu
deployment=${1:-@DIR@}

fail() {
    printf '%s: %s\n' "$0" "$1" >&2
    exit 1
}
command -v kubectl >/dev/null 2>&1 || fail "kubectl is not installed"
printf 'cluster: %s\n' "$(kubectl config current-context)"
@PAIR@
kubectl create secret generic @CERT_SECRET@ --namespace @NAMESPACE@ --dry-run=client -o yaml \
    --from-file=tls.crt="$deployment"/@CRT@ --from-file=tls.key="$deployment"/@KEY@ | kubectl apply -f -
