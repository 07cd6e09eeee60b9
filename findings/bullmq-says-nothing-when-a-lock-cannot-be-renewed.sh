#!/usr/bin/env bash
# BullMQ 6.7.0 has an event `lockRenewalFailed`. It comes when Redis answers that the lock is gone, not when Redis
# does not answer: a worker that is cut off (packets lost, connection open) hears nothing while the lock of its job
# lapses and another worker takes the job over. Here the lock is of 2 s, and for 6 s no byte passes: no event, the
# job is another's, and the first worker still runs it. Needs redis-server. Seen:
#   cut off for 6 s with a lock of 2 s: no event
#   meanwhile the same job was also run by another worker
set -euo pipefail
folder="$(mktemp -d)"
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no >/dev/null &
redis=$!
trap 'kill "$redis"; wait "$redis" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts bullmq@6.7.0 ioredis@6.0.0
cat >seen.mjs <<'END'
import { connect, createServer } from 'node:net'
import { Queue, Worker } from 'bullmq'

// The way from the first worker to Redis, which can be made to carry nothing.
const sockets = new Set()
let cut = false
const way = createServer((client) => {
  const redis = connect('redis.sock')
  for (const [from, to] of [[client, redis], [redis, client]]) {
    sockets.add(from)
    from.on('error', () => undefined)
    from.on('data', (bytes) => { if (!cut) to.write(bytes) })
  }
})
await new Promise((resolve) => way.listen(0, '127.0.0.1', resolve))
const settings = { lockDuration: 2_000, lockRenewTime: 500, stalledInterval: 500 }
const queue = new Queue('lock', { connection: { path: 'redis.sock' } })
const first = new Worker('lock', () => new Promise((resolve) => setTimeout(resolve, 9_000)), {
  ...settings,
  connection: { port: way.address().port, maxRetriesPerRequest: null },
})
const heard = new Set()
for (const event of ['lockRenewalFailed', 'stalled', 'error', 'failed', 'closing']) {
  first.on(event, () => heard.add(event))
}
await queue.add('copy', {})
await new Promise((resolve) => first.once('active', resolve))
cut = true
let taken = false
const second = new Worker('lock', async () => { taken = true }, {
  ...settings,
  connection: { path: 'redis.sock', maxRetriesPerRequest: null },
})
await new Promise((resolve) => setTimeout(resolve, 6_000))
console.log(`cut off for 6 s with a lock of 2 s: ${[...heard].join(', ') || 'no event'}`)
console.log(`meanwhile the same job was ${taken ? 'also' : 'not'} run by another worker`)
process.exit()
END
timeout 60 node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
cut off for 6 s with a lock of 2 s: no event
meanwhile the same job was also run by another worker
END
