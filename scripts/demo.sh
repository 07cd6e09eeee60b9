#!/usr/bin/env bash
# Shows the main job on real registries: `npm run demo`, or `npm run demo -- --once` to check it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/set-up.sh
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
exec node dist/scripts/demo/demo.js "$@"
