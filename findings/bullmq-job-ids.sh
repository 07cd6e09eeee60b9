#!/usr/bin/env bash
# BullMQ 6.7.0 refuses a custom job id with one colon and one with three, and takes one with exactly two (kept for
# ids that older versions made for repeatable jobs). An id of digits alone is refused, too. A repository and tag
# (`team/app:1.0`) is therefore no job id, while `registry:5000/team/app:1.0` is one. Needs redis-server. Seen:
#   team/app:1.0 refused: Custom Id cannot contain :
#   registry:5000/team/app:1.0 taken
#   a:b:c:d refused: Custom Id cannot contain :
#   20261128 refused: Custom Id cannot be integers
#   team/app-1.0 taken
set -euo pipefail
folder="$(mktemp -d)"
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no >/dev/null &
redis=$!
trap 'kill "$redis"; wait "$redis" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts bullmq@6.7.0 ioredis@6.0.0
cat >seen.mjs <<'END'
import { Queue } from 'bullmq'

const queue = new Queue('ids', { connection: { path: 'redis.sock' } })
for (const jobId of ['team/app:1.0', 'registry:5000/team/app:1.0', 'a:b:c:d', '20261128', 'team/app-1.0']) {
  const ended = await queue.add('copy', {}, { jobId }).then(
    () => 'taken',
    (error) => `refused: ${error.message}`,
  )
  console.log(`${jobId} ${ended}`)
}
await queue.close()
END
node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
team/app:1.0 refused: Custom Id cannot contain :
registry:5000/team/app:1.0 taken
a:b:c:d refused: Custom Id cannot contain :
20261128 refused: Custom Id cannot be integers
team/app-1.0 taken
END
