#!/usr/bin/env bash
# A registry answers the first request for a manifest with 429 or 503 and `Retry-After: 3`, the next with the manifest. Of three
# copiers none waits as told after both. crane 0.22.1 comes again after a second whatever is said; oras 1.3.6 heeds
# the header of a 429 and overlooks that of a 503; regctl 0.11.7 heeds that of a 429 and gives up at once at a 503.
# Needs Go. Seen:
#   429 crane: comes again before it was told to, ends with 0
#   429 oras: comes again as told, ends with 0
#   429 regctl: comes again as told, ends with 0
#   503 crane: comes again before it was told to, ends with 0
#   503 oras: comes again before it was told to, ends with 0
#   503 regctl: does not come again, ends with 1
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
export GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false
go install github.com/google/go-containerregistry/cmd/crane@v0.22.1
go install oras.land/oras/cmd/oras@v1.3.6
go install github.com/regclient/regclient/cmd/regctl@v0.11.7
cd "$folder"
export HOME="$folder"
cat >registry.mjs <<'END'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const config = '{}'
const digestOf = (text) => `sha256:${createHash('sha256').update(text).digest('hex')}`
const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType,
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', size: config.length, digest: digestOf(config) },
  layers: [],
})
let asked = new Map()
const server = createServer((request, response) => {
  request.resume()
  // The repository's name says how the first request is answered.
  const [, name, status] = /^\/v2\/(\w+\/(\d+))\/manifests\//.exec(request.url) ?? []
  if (name === undefined) return response.end('{}')
  const times = asked.get(name) ?? []
  asked.set(name, [...times, performance.now()])
  const [first = 0, second] = asked.get(name)
  const told = second !== undefined && second - first >= 2900
  writeFileSync(`${name.replace('/', '-')}.seen`, second === undefined ? 'does not come again' : told ? 'comes again as told' : 'comes again before it was told to')
  if (times.length === 0) {
    response.writeHead(Number(status), { 'Retry-After': '3', 'Content-Type': 'application/json' })
    response.end('{"errors":[{"code":"TOOMANYREQUESTS","message":"later"}]}')
    return
  }
  response.writeHead(200, { 'Content-Type': mediaType, 'Docker-Content-Digest': digestOf(manifest), 'Content-Length': manifest.length })
  response.end(request.method === 'HEAD' ? undefined : manifest)
}).listen(0, '127.0.0.1', () => writeFileSync('port', `${server.address().port}`))
END
node registry.mjs &
jobs+=($!)
until [ -s port ]; do sleep 0.1; done
host="127.0.0.1:$(cat port)"
ask() { # COPIER STATUS
  case "$1" in
    crane) ./crane manifest --insecure "$host/crane/$2:1" ;;
    oras) ./oras manifest fetch --plain-http "$host/oras/$2:1" ;;
    regctl) ./regctl manifest get --host "reg=$host,tls=disabled" "$host/regctl/$2:1" ;;
  esac >/dev/null 2>&1
}
for status in 429 503; do
  for copier in crane oras regctl; do
    code=0
    ask "$copier" "$status" || code=$?
    echo "$status $copier: $(cat "$copier-$status.seen"), ends with $code"
  done
done | tee seen.txt
diff seen.txt - <<'END'
429 crane: comes again before it was told to, ends with 0
429 oras: comes again as told, ends with 0
429 regctl: comes again as told, ends with 0
503 crane: comes again before it was told to, ends with 0
503 oras: comes again before it was told to, ends with 0
503 regctl: does not come again, ends with 1
END
