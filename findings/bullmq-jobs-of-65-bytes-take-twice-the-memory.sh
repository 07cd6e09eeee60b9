#!/usr/bin/env bash
# BullMQ 6.7.0 keeps the data of a job as JSON in one field of a hash, and Redis (7.0.15, Debian's package) has the compact form of
# a hash only while no field is longer than 64 bytes. So three more bytes of data nearly double what a waiting job takes, and every
# job that carries a URL or a digest takes twice what it would with `hash-max-listpack-value 1024`. Nothing says so, and what a
# queue takes cannot be told from the length of its data. Needs redis-server 7. Seen, of 5,000 jobs (366, 710, 742 and 359 bytes each):
#   data of 62 bytes: listpack
#   data of 65 bytes: hashtable, at least 1.7 times the memory: true
#   data of 100 bytes: hashtable; with hash-max-listpack-value 1024: listpack, at most 0.6 times the memory: true
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
import { Redis } from 'ioredis'

const JOBS = 5_000
const connection = { path: 'redis.sock', maxRetriesPerRequest: null }
const redis = new Redis(connection)

/** Bytes of Redis for each waiting job, and the form in which Redis has it. */
async function fill(bytes, listpackValue) {
  await redis.flushall()
  await redis.config('SET', 'hash-max-listpack-value', listpackValue)
  const queue = new Queue('images', { connection })
  await queue.waitUntilReady()
  const used = async () => Number(/used_memory_dataset:(\d+)/.exec(await redis.info('memory'))[1])
  const before = await used()
  const data = { image: 'x'.repeat(bytes - JSON.stringify({ image: '' }).length) }
  for (let at = 0; at < JOBS; at += 500) {
    await queue.addBulk(Array.from({ length: 500 }, (_, n) => ({ name: 'copy', data, opts: { jobId: `job-${at + n}` } })))
  }
  const each = (await used() - before) / JOBS
  const form = await redis.object('ENCODING', 'bull:images:job-0')
  await queue.close()
  return { each, form }
}

const small = await fill(62, 64)
const larger = await fill(65, 64)
const usual = await fill(100, 64)
const told = await fill(100, 1024)
console.error([small, larger, usual, told].map(({ each }) => Math.round(each)).join(' '))
console.log(`data of 62 bytes: ${small.form}`)
console.log(`data of 65 bytes: ${larger.form}, at least 1.7 times the memory: ${larger.each >= small.each * 1.7}`)
console.log(`data of 100 bytes: ${usual.form}; with hash-max-listpack-value 1024: ${told.form}, at most 0.6 times the memory: ${told.each <= usual.each * 0.6}`)
redis.disconnect()
END
timeout 100 node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
data of 62 bytes: listpack
data of 65 bytes: hashtable, at least 1.7 times the memory: true
data of 100 bytes: hashtable; with hash-max-listpack-value 1024: listpack, at most 0.6 times the memory: true
END
