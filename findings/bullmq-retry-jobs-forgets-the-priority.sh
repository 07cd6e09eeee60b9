#!/usr/bin/env bash
# BullMQ 6.7.0: `queue.retryJobs()` and `queue.promoteJobs()` put jobs that have a priority among those that have none, and these
# go before all others: what was least urgent overtakes what is urgent. `job.retry()` and `job.promote()` of the same jobs keep
# their place, although the job says the same priority after each. Whoever runs a thousand failed jobs of a nightly sync again
# with the one call makes all that people wait for wait for them. Needs redis-server. Seen, each with a job of priority 1 waiting:
#   job.retry(): priority 10, in prioritized; runs urgent, nightly
#   queue.retryJobs(): priority 10, in waiting; runs nightly, urgent
#   job.promote(): priority 10, in prioritized; runs urgent, nightly
#   queue.promoteJobs(): priority 10, in waiting; runs nightly, urgent
set -euo pipefail
folder="$(mktemp -d)"
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no >/dev/null &
redis=$!
trap 'kill "$redis"; wait "$redis" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts bullmq@6.7.0 ioredis@6.0.0
cat >seen.mjs <<'END'
import { once } from 'node:events'
import { Queue, Worker } from 'bullmq'

const connection = { path: 'redis.sock', maxRetriesPerRequest: null }
let tries = 0

/** One job of priority 10 that failed or is delayed, one of priority 1 that waits; then the first is set going again. */
async function look(what, state, again) {
  const name = `try-${(tries += 1)}`
  const queue = new Queue(name, { connection })
  const { id } = await queue.add('nightly', {}, { priority: 10, delay: state === 'delayed' ? 3_600_000 : 0 })
  if (state === 'failed') {
    const worker = new Worker(name, async () => { throw new Error('upstream is away') }, { connection })
    await once(worker, 'failed')
    await worker.close()
  }
  await queue.add('urgent', {}, { priority: 1 })
  await again(queue, await queue.getJob(id))
  const job = await queue.getJob(id)
  const place = await job.getState()
  const ran = []
  const worker = new Worker(name, async ({ name }) => { ran.push(name) }, { connection })
  while (ran.length < 2) await once(worker, 'completed')
  await worker.close()
  await queue.close()
  console.log(`${what}: priority ${job.priority}, in ${place}; runs ${ran.join(', ')}`)
}

await look('job.retry()', 'failed', (_, job) => job.retry())
await look('queue.retryJobs()', 'failed', (queue) => queue.retryJobs())
await look('job.promote()', 'delayed', (_, job) => job.promote())
await look('queue.promoteJobs()', 'delayed', (queue) => queue.promoteJobs())
END
timeout 60 node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
job.retry(): priority 10, in prioritized; runs urgent, nightly
queue.retryJobs(): priority 10, in waiting; runs nightly, urgent
job.promote(): priority 10, in prioritized; runs urgent, nightly
queue.promoteJobs(): priority 10, in waiting; runs nightly, urgent
END
