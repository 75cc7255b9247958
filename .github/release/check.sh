#!/bin/sh
# What main must always hold: the version that it carries has the checksums of its programs beside the launcher.
# Until the project has an address there are no releases, and nothing is to be checked.
set -eu
cd "$(dirname "$0")/../.."

address=$(sed -n 's/.*"repository": "\(.*\)".*/\1/p' .claude-plugin/plugin.json)
version=$(sed -n 's/.*"version": "\(.*\)".*/\1/p' .claude-plugin/plugin.json)
case $address in
*/OWNER/*) echo "no releases yet: $address is a placeholder" && exit ;;
esac
missing=
for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-apple-darwin aarch64-apple-darwin; do
    grep -Eqsx "[0-9a-f]{64}  mcp-tunnels-helper-$version-$target" bin/SHA256SUMS || missing="$missing $target"
done
[ -z "$missing" ] || {
    echo "bin/SHA256SUMS has no checksum of $version for$missing: see .github/RELEASING.md" >&2
    exit 1
}
echo "bin/SHA256SUMS has all checksums of $version"
