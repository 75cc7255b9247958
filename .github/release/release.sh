#!/bin/sh
# A release, in the only order in which main never carries a version whose checksums are missing:
#
#     sh .github/release/release.sh start VERSION   a branch with the version; GitHub builds its programs
#     sh .github/release/release.sh checksums       their checksums, once they are built, as the branch's next commit
#     sh .github/release/release.sh publish         the tag; when GitHub has published, the branch goes into main
#
# Needs git, cargo, and gh with the right to push. Each step says what comes next, and can be run again.
set -eu
cd "$(dirname "$0")/../.."
here=.github/release

stop() {
    echo "$1" >&2
    exit 1
}
field() { sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" .claude-plugin/plugin.json; }
clean() { [ -z "$(git status --porcelain)" ] || stop 'there are uncommitted changes: commit or stash them first'; }
branch() {
    clean
    [ "$(git branch --show-current)" = "release/v$(field version)" ] ||
        stop "this is not the branch release/v$(field version): begin with \`release.sh start VERSION\`"
}

start() {
    version=${1-}
    echo "$version" | grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+' || stop 'say which version, such as 0.2.0'
    clean
    [ "$(git branch --show-current)" = main ] || stop 'a release begins on main'
    case $(field repository) in
    */OWNER/*) stop 'the address is still a placeholder: write the real one into .claude-plugin/plugin.json, Cargo.toml and README.md' ;;
    esac
    git fetch --quiet --tags origin
    [ "$(git rev-parse HEAD)" = "$(git rev-parse origin/main)" ] || stop 'main is not what origin has: pull or push first'
    ! git rev-parse --quiet --verify "refs/tags/v$version" >/dev/null || stop "there is a version $version already"
    git switch --quiet --create "release/v$version"
    old=$(field version)
    edit "s/^version = \"$old\"\$/version = \"$version\"/" Cargo.toml
    edit "/^name = \"mcp-tunnels-helper\"\$/,/^\$/ s/^version = .*/version = \"$version\"/" Cargo.lock
    edit "s/\"version\": \"$old\"/\"version\": \"$version\"/" .claude-plugin/plugin.json
    edit "s/^## \[Unreleased\]\$/## [Unreleased]\\
\\
## [$version] - $(date -u +%Y-%m-%d)/" CHANGELOG.md
    cargo metadata --locked --offline --no-deps --format-version 1 >/dev/null
    git rm --quiet --ignore-unmatch bin/SHA256SUMS
    git commit --quiet --all --message "release $version"
    git push --quiet --set-upstream origin "release/v$version"
    echo "GitHub builds the programs of $version now; when it has: sh $here/release.sh checksums"
}

edit() { # sed's words, file
    sed "$1" "$2" >"$2.new" && cat "$2.new" >"$2" && rm "$2.new"
}

checksums() {
    branch
    version=$(field version)
    # Of the programs that the release's own workflow built of exactly this commit, on GitHub's machines: any workflow of the
    # repository could have signed something of the same name.
    commit=$(git rev-parse HEAD)
    repository=$(field repository | sed 's|.*github.com/||')
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    gh release download "v$version" --dir "$folder" --pattern "mcp-tunnels-helper-$version-*"
    for file in "$folder"/*; do
        gh attestation verify "$file" --repo "$repository" --source-digest "$commit" \
            --signer-workflow "$repository/.github/workflows/release.yml" --source-ref "refs/heads/release/v$version" \
            --deny-self-hosted-runners >/dev/null ||
            stop "${file##*/} was not built by this repository's workflow from $commit"
    done
    (cd "$folder" && sha256sum mcp-tunnels-helper-*) >bin/SHA256SUMS
    sh "$here/check.sh" || {
        rm bin/SHA256SUMS
        exit 1
    }
    git add bin/SHA256SUMS
    git commit --quiet --message "checksums of $version"
    git push --quiet
    echo "next: sh $here/release.sh publish"
}

publish() {
    branch
    version=$(field version)
    sh "$here/check.sh"
    [ "$(git diff --name-only HEAD~1)" = bin/SHA256SUMS ] ||
        stop 'the last commit must add the checksums and change nothing else: what was built is the commit before it'
    git fetch --quiet origin
    [ "$(git rev-parse HEAD)" = "$(git rev-parse "origin/release/v$version")" ] || stop 'push the branch first'
    git rev-parse --quiet --verify "refs/tags/v$version" >/dev/null || git tag --annotate "v$version" --message "$version"
    git push --quiet origin "v$version"
    # main must not name programs that cannot be downloaded yet.
    tries=0
    until [ "$(gh release view "v$version" --json isDraft --jq .isDraft)" = false ]; do
        [ $((tries += 1)) -lt "${RELEASE_TRIES:-90}" ] ||
            stop "v$version is not published yet: look at its workflow, then run this again"
        sleep "${RELEASE_PAUSE:-20}"
    done
    git switch --quiet main
    git pull --quiet --ff-only origin main
    git merge --quiet --no-ff --message "version $version" "release/v$version"
    sh "$here/check.sh"
    git push --quiet origin main
    echo "$version is out"
}

case ${1-} in
start | checksums | publish) "$@" ;;
*) stop "usage: sh $here/release.sh start VERSION | checksums | publish" ;;
esac
