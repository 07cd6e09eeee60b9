#!/usr/bin/env bash
# Runs every test, or those that the arguments name, as `vitest run` understands them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/set-up.sh
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
exec node_modules/.bin/vitest run "$@"
