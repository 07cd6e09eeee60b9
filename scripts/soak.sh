#!/usr/bin/env bash
# Load, faults in seeded order, and an independent reader that checks all the time:
# `npm run soak -- --minutes 5 --seed 7 --shape fleet` (or `up`). Exit code 0 when nothing was violated.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/set-up.sh
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
exec node dist/scripts/soak/soak.js "$@"
