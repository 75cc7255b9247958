# Installs Anthropic's chart for @DOMAIN@, or applies a change: namespace, Secrets, release.
#
# @USAGE@
#
# @TOKEN_SAYS@
# MCP_TUNNEL_CHART=oci://… installs the same chart from a mirror.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
@DEPLOYMENT@
chart=${MCP_TUNNEL_CHART:-@CHART@}
namespace=@NAMESPACE@

fail() {
    printf '%s: %s\n' "$0" "$1" >&2
    exit 1
}
for tool in kubectl helm; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed"
done
printf 'cluster: %s\n' "$(kubectl config current-context)"
@TOKEN@
kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply -f -
@SECRETS@
@SAMPLE@
@SERVICES@
helm upgrade --install @RELEASE@ "$chart" --version @VERSION@ --namespace "$namespace" --values "$here/values.yaml"

status=0
kubectl rollout status deploy/@RELEASE@ --namespace "$namespace" --timeout=300s || status=$?
for container in mcp-proxy cloudflared; do
    printf '\n== %s ==\n' "$container"
    kubectl logs deploy/@RELEASE@ --namespace "$namespace" --container "$container" --tail=20 || status=1
done
exit "$status"
