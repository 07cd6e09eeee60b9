#!/usr/bin/env bash
# Runs every test, or those that the arguments name, as `vitest run` understands them. In CI, the files in
# which a test failed are run once more, one at a time: in the first run many registries share the machine's
# cores with them. What fails there, too, has failed. The last line is the tally of both.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/set-up.sh || exit 1
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
if [ -z "${CI:-}" ]; then exec node_modules/.bin/vitest run "$@"; fi

# So many do not fail by chance.
readonly MOST=10
PULLSYNC_TALLY=$(mktemp)
export PULLSYNC_TALLY
trap 'rm -f "$PULLSYNC_TALLY"' EXIT

node_modules/.bin/vitest run "$@"
code=$?
mapfile -t files < <(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).again.join("\n")' "$PULLSYNC_TALLY")
if [ "$code" -eq 0 ] || [ "${#files[@]}" -gt "$MOST" ] || [ -z "${files[0]:-}" ]; then exit "$code"; fi

printf 'test: once more, one at a time: %s\n' "${files[*]}"
node_modules/.bin/vitest run --maxWorkers 1 "${files[@]}"
