#!/usr/bin/env bash
# ioredis 6.0.0: a client that waits to connect again takes `disconnect()` in silence: no `end`, and its status stays
# `reconnecting`. Code that waits for `end` before it lets a process go waits for ever. `quit()` in the same state
# answers OK although there never was a connection. Nothing listens at the address below. Seen:
#   after disconnect(): no event in 2 s, status reconnecting
#   quit() without a connection: OK
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts ioredis@6.0.0
cat >seen.mjs <<'END'
import { Redis } from 'ioredis'

async function waiting() {
  const redis = new Redis({ path: 'nobody.sock', retryStrategy: () => 60_000 })
  redis.on('error', () => undefined)
  await new Promise((resolve) => redis.once('reconnecting', resolve))
  return redis
}

const redis = await waiting()
const heard = []
for (const event of ['close', 'end', 'error']) redis.on(event, () => heard.push(event))
redis.disconnect()
await new Promise((resolve) => setTimeout(resolve, 2_000))
console.log(`after disconnect(): ${heard.join(', ') || 'no event'} in 2 s, status ${redis.status}`)
const other = await waiting()
console.log(`quit() without a connection: ${await other.quit()}`)
process.exit()
END
timeout 30 node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
after disconnect(): no event in 2 s, status reconnecting
quit() without a connection: OK
END
