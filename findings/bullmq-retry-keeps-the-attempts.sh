#!/usr/bin/env bash
# BullMQ 6.7.0: a job that used up its `attempts` and is run again with `job.retry()` keeps the count. It gets one
# run, not `attempts` of them, and its attemptsMade goes beyond its attempts; backoff plays no part any more. Whoever
# offers "retry" to people has to reset the count itself. Needs redis-server. Seen:
#   attempts 3: ran 3 times, attemptsMade 3
#   after retry(): ran once more, attemptsMade 4
set -euo pipefail
folder="$(mktemp -d)"
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no >/dev/null &
redis=$!
trap 'kill "$redis"; wait "$redis" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts bullmq@6.7.0 ioredis@6.0.0
cat >seen.mjs <<'END'
import { Queue, QueueEvents, Worker } from 'bullmq'

const connection = { path: 'redis.sock', maxRetriesPerRequest: null }
const queue = new Queue('retry', { connection })
const events = new QueueEvents('retry', { connection })
await events.waitUntilReady()
let runs = 0
const worker = new Worker('retry', async () => {
  runs += 1
  throw new Error('upstream is away')
}, { connection })
const job = await queue.add('copy', {}, { attempts: 3 })
await job.waitUntilFinished(events).catch(() => undefined)
const failed = await queue.getJob(job.id)
console.log(`attempts 3: ran ${runs} times, attemptsMade ${failed.attemptsMade}`)
runs = 0
await failed.retry()
await failed.waitUntilFinished(events).catch(() => undefined)
const again = await queue.getJob(job.id)
console.log(`after retry(): ran ${runs === 1 ? 'once' : `${runs} times`} more, attemptsMade ${again.attemptsMade}`)
await worker.close()
await events.close()
await queue.close()
END
timeout 60 node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
attempts 3: ran 3 times, attemptsMade 3
after retry(): ran once more, attemptsMade 4
END
