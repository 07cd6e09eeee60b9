#!/usr/bin/env bash
# axios 1.21.1 labels a body that is a Buffer, a Uint8Array or a stream as a form
# (`application/x-www-form-urlencoded`) unless the caller names a Content-Type; the bytes are right. Registries
# judge uploads by that header: what is meant as the bytes of a layer arrives as a form. Node's own fetch names no
# type at all for bytes. Seen:
#   axios PATCH Buffer: application/x-www-form-urlencoded, 20 bytes
#   axios PUT Uint8Array: application/x-www-form-urlencoded, 20 bytes
#   axios PUT stream: application/x-www-form-urlencoded, 20 bytes
#   fetch PUT Buffer: none, 20 bytes
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts axios@1.21.1
cat >seen.mjs <<'END'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import axios from 'axios'

let seen
const server = createServer((request, response) => {
  let bytes = 0
  request.on('data', (piece) => (bytes += piece.length))
  request.on('end', () => {
    seen = `${request.headers['content-type'] ?? 'none'}, ${bytes} bytes`
    response.end()
  })
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${server.address().port}/`
const body = Buffer.from('raw bytes of a layer')
await axios.patch(url, body)
console.log(`axios PATCH Buffer: ${seen}`)
await axios.put(url, new Uint8Array(body))
console.log(`axios PUT Uint8Array: ${seen}`)
await axios.put(url, Readable.from([body]))
console.log(`axios PUT stream: ${seen}`)
await fetch(url, { method: 'PUT', body })
console.log(`fetch PUT Buffer: ${seen}`)
server.closeAllConnections()
server.close()
END
node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
axios PATCH Buffer: application/x-www-form-urlencoded, 20 bytes
axios PUT Uint8Array: application/x-www-form-urlencoded, 20 bytes
axios PUT stream: application/x-www-form-urlencoded, 20 bytes
fetch PUT Buffer: none, 20 bytes
END
