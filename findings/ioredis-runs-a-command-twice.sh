#!/usr/bin/env bash
# ioredis 6.0.0 sends what has no answer yet again when the connection is back, as its README says, "most likely blocking commands". It
# is every command: Redis has done it, the connection ends before the answer, and it is done once more, a MULTI as a whole, too. The
# caller gets the second answer as if it were the first. With `autoResendUnfulfilledCommands: false` it is done once, but the promise
# stays open, although the connection is back; with `maxRetriesPerRequest: 0` it ends with an error. Needs redis-server. Seen, each
# time with a counter that was 0:
#   INCR: answered 2, Redis holds 2
#   MULTI, INCR, EXEC: answered [[null,2]], Redis holds 2
#   INCR with autoResendUnfulfilledCommands false: answered nothing in 3 s, Redis holds 1; PING then: PONG
#   INCR with maxRetriesPerRequest 0: answered MaxRetriesPerRequestError, Redis holds 1
set -euo pipefail
folder="$(mktemp -d)"
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no >/dev/null &
redis=$!
trap 'kill "$redis"; wait "$redis" 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts ioredis@6.0.0
cat >seen.mjs <<'END'
import { connect, createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'

// The way to Redis. While `cutting`, it waits until Redis has counted, and ends the connection in place of the answer.
let cutting = false
const way = createServer((client) => {
  const redis = connect('redis.sock')
  let answer = ''
  client.on('error', () => undefined).on('close', () => redis.destroy())
  client.on('data', (bytes) => redis.write(bytes))
  redis.on('data', (bytes) => {
    if (!cutting) return client.write(bytes)
    answer += bytes
    if (!answer.endsWith(':1\r\n')) return
    cutting = false
    client.destroy()
  })
})
await new Promise((resolve) => way.listen(0, '127.0.0.1', resolve))
const direct = new Redis({ path: 'redis.sock' })
const incr = (redis) => redis.incr('count')

async function look(what, command, options) {
  await direct.del('count')
  const redis = new Redis({ host: '127.0.0.1', port: way.address().port, ...options })
  await redis.ping()
  cutting = true
  const answered = command(redis).then(JSON.stringify, ({ name }) => name)
  const seen = await Promise.race([answered, wait(3_000, 'nothing in 3 s')])
  const then = seen.startsWith('nothing') ? `; PING then: ${await redis.ping()}` : ''
  console.log(`${what}: answered ${seen}, Redis holds ${await direct.get('count')}${then}`)
  redis.disconnect()
}

await look('INCR', incr)
await look('MULTI, INCR, EXEC', (redis) => redis.multi().incr('count').exec())
await look('INCR with autoResendUnfulfilledCommands false', incr, { autoResendUnfulfilledCommands: false })
await look('INCR with maxRetriesPerRequest 0', incr, { maxRetriesPerRequest: 0 })
process.exit()
END
timeout 30 node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
INCR: answered 2, Redis holds 2
MULTI, INCR, EXEC: answered [[null,2]], Redis holds 2
INCR with autoResendUnfulfilledCommands false: answered nothing in 3 s, Redis holds 1; PING then: PONG
INCR with maxRetriesPerRequest 0: answered MaxRetriesPerRequestError, Redis holds 1
END
