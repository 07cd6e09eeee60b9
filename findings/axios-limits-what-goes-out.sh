#!/usr/bin/env bash
# axios 1.21.1 and bodies as large as layers. A PUT from a stream is kept in memory as a whole as long as redirects are allowed, as
# they are by default, to send it again if one comes; with `maxRedirects: 0` it passes through. And `timeout`, which by the README ends a
# request that takes longer, does so up to the beginning of the answer, although the body goes out steadily; from then on it is the
# time without a byte, and its end is no timeout by its code. So no push that takes longer gets through, and an answer that
# drips never ends. Seen, with a timeout of 2 s (200 and 1 MiB held):
#   PUT of a stream of 200 MiB: at least 200 MiB held: true
#   the same with maxRedirects 0: at most 20 MiB held: true
#   PUT of a stream in 4 s: ECONNABORTED
#   the same with maxRedirects 0: ECONNABORTED
#   GET of an answer that takes 4 s: done
#   GET of an answer that says nothing for 4 s in the middle: ERR_BAD_RESPONSE
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts axios@1.21.1
cat >seen.mjs <<'END'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import axios from 'axios'

const MIB = 1024 * 1024
const server = createServer((request, response) => {
  request.resume()
  request.on('error', () => undefined)
  request.on('end', async () => {
    response.write('x')
    if (request.url === '/silent') await wait(4_000)
    for (let at = 0; request.url === '/drip' && at < 10; at += 1) {
      await wait(400)
      response.write('x')
    }
    response.end()
  })
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${server.address().port}`
const headers = { 'Content-Type': 'application/octet-stream' }

/** MiB of buffers that are still in use when the last of 200 MiB has been read from the stream. */
async function held(options) {
  let least = Infinity
  async function* pieces() {
    for (let at = 0; at < 200; at += 1) yield Buffer.alloc(MIB)
    for (let look = 0; look < 10; look += 1) {
      globalThis.gc()
      await wait(100)
      least = Math.min(least, process.memoryUsage().arrayBuffers / MIB)
    }
  }
  await axios.put(url, Readable.from(pieces()), { headers, maxBodyLength: Infinity, ...options })
  console.error(`held ${Math.round(least)} MiB`)
  return least
}
async function* slowly() {
  for (let at = 0; at < 10; at += 1) {
    await wait(400)
    yield Buffer.alloc(1000)
  }
}
const timeout = 2_000
const ended = (request) => request.then(() => 'done', ({ code }) => code)
const put = (options) => ended(axios.put(url, Readable.from(slowly()), { headers, timeout, ...options }))
const get = (path) => ended(axios.get(`${url}${path}`, { timeout }))

console.log(`PUT of a stream of 200 MiB: at least 200 MiB held: ${(await held({})) >= 200}`)
console.log(`the same with maxRedirects 0: at most 20 MiB held: ${(await held({ maxRedirects: 0 })) <= 20}`)
console.log(`PUT of a stream in 4 s: ${await put({})}`)
console.log(`the same with maxRedirects 0: ${await put({ maxRedirects: 0 })}`)
console.log(`GET of an answer that takes 4 s: ${await get('/drip')}`)
console.log(`GET of an answer that says nothing for 4 s in the middle: ${await get('/silent')}`)
process.exit()
END
timeout 50 node --expose-gc seen.mjs | tee seen.txt
diff seen.txt - <<'END'
PUT of a stream of 200 MiB: at least 200 MiB held: true
the same with maxRedirects 0: at most 20 MiB held: true
PUT of a stream in 4 s: ECONNABORTED
the same with maxRedirects 0: ECONNABORTED
GET of an answer that takes 4 s: done
GET of an answer that says nothing for 4 s in the middle: ERR_BAD_RESPONSE
END
