#!/usr/bin/env bash
# Runs the unit tests on the Node.js of the container image, the newest LTS, which npm has as a package for
# each platform (those that its package `node` fetches). Says one line; ends with 3 where that cannot be had, or takes too long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly FOLDER="${XDG_CACHE_HOME:-$HOME/.cache}/pullsync/node"
readonly LOG="$(mktemp "${TMPDIR:-/tmp}/pullsync-newest-lts-XXXXXX")"
trap 'rm -f "$LOG"' EXIT

main() {
  local major package
  major="$(sed -n 's/^ARG NODE_VERSION=//p' Dockerfile)"
  package="node-$(node -p 'process.platform + "-" + process.arch')"
  export PATH="$FOLDER/node_modules/$package/bin:$PATH"
  is_there "$major" || fetch "$package@$major" && is_there "$major" ||
    give_up "npm gives no $package@$major here"
  timeout 300 node node_modules/.bin/vitest run test/unit --reporter=default >"$LOG" 2>&1 || {
    [ $? != 124 ] || give_up 'the unit tests took more than five minutes'
    cat "$LOG" >&2
    printf 'newest-lts: the unit tests fail on Node %s\n' "$(node --version)" >&2
    exit 1
  }
  printf 'newest-lts: the unit tests pass on Node %s\n' "$(node --version)"
}

give_up() {
  printf 'newest-lts: %s; nothing is known of that Node\n' "$1" >&2
  exit 3
}

is_there() { [[ "$(node --version)" == "v$1."* ]]; }

fetch() {
  mkdir -p "$FOLDER"
  timeout 120 npm install --prefix "$FOLDER" --no-save --ignore-scripts --no-audit --no-fund "$1" >"$LOG" 2>&1
}

main
