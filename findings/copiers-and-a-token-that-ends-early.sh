#!/usr/bin/env bash
# A registry refuses a token before the time that the token names: its issuer began with another key, or the two clocks differ. It
# answers 401 and would give another token, as at the beginning. When that meets the opening of an upload, crane 0.22.1 and oras 1.3.6
# get another and go on; regctl 0.11.7 and skopeo 1.9.3 (Debian's package) ask for none, and the copy is over. When it meets the bytes
# of a layer, the copy is over with all four: crane gets another token and has no bytes left to send, and none begins the layer again.
# Whoever runs them has to begin the copy again. Needs Go, Node and skopeo. Seen:
#   opening: crane: another token, ends with 0
#   opening: oras: another token, ends with 0
#   opening: regctl: no other token, ends with 1
#   opening: skopeo: no other token, ends with 1
#   bytes: crane: another token, ends with 1
#   bytes: oras: no other token, ends with 1
#   bytes: regctl: no other token, ends with 1
#   bytes: skopeo: no other token, ends with 1
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
head -c 200000 /dev/urandom >words
tar -cf layer.tar words
gzip -nk layer.tar
cat >registry.mjs <<'JS'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const OCI = 'application/vnd.oci.image'
const layer = readFileSync('layer.tar.gz')
const config = Buffer.from(JSON.stringify({
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [digestOf(readFileSync('layer.tar'))] },
}))
const describe = (kind, bytes) => ({ mediaType: `${OCI}.${kind}`, digest: digestOf(bytes), size: bytes.length })
const manifest = Buffer.from(JSON.stringify({
  schemaVersion: 2,
  mediaType: `${OCI}.manifest.v1+json`,
  config: describe('config.v1+json', config),
  layers: [describe('layer.v1.tar+gzip', layer)],
}))
const image = new Map([['1', manifest], ...[manifest, config, layer].map((bytes) => [digestOf(bytes), bytes])])

/** Gives the image, to anybody. */
function give(request, response) {
  request.resume()
  const bytes = image.get(request.url.split('/').at(-1))
  if (bytes === undefined) return response.end('{}')
  response.writeHead(200, {
    'Content-Type': bytes === manifest ? `${OCI}.manifest.v1+json` : 'application/octet-stream',
    'Content-Length': bytes.length,
    'Docker-Content-Digest': digestOf(bytes),
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

// Takes the image, from whoever has a token. The last part of the repository's name says at what the first token is refused.
let tokens = 0
const refused = new Set()
const waiting = new Map()
const pushed = new Set()
async function take(request, response) {
  const url = new URL(request.url, 'http://registry')
  const [, name = '', when] = /^\/v2\/(\w+\/(\w+))\//.exec(url.pathname) ?? []
  if (url.pathname === '/token') {
    // A token for a repository at which one was refused is another.
    const repository = url.searchParams.getAll('scope').join().split(':')[1] ?? ''
    if (waiting.has(repository)) writeFileSync(`${repository.replace('/', '-')}.seen`, 'another token')
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ token: `token-${(tokens += 1)}`, expires_in: 300 }))
    return
  }
  let bytes = 0
  for await (const piece of request) bytes += piece.length
  const token = request.headers.authorization?.replace('Bearer ', '')
  const now = when === 'bytes' ? bytes > 100_000 : request.method === 'POST'
  if (token !== undefined && now && !waiting.has(name)) {
    waiting.set(name, token)
    refused.add(token)
    writeFileSync(`${name.replace('/', '-')}.seen`, 'no other token')
  }
  if (token === undefined || refused.has(token)) {
    const scope = name === '' ? '' : `,scope="repository:${name}:pull,push"`
    const error = token === undefined ? '' : ',error="invalid_token"'
    response.writeHead(401, {
      'WWW-Authenticate': `Bearer realm="http://${request.headers.host}/token",service="target"${scope}${error}`,
      'Content-Type': 'application/json',
    })
    return response.end('{"errors":[{"code":"UNAUTHORIZED","message":"this token is not good"}]}')
  }
  const isManifest = url.pathname.includes('/manifests/')
  if (request.method === 'PUT' && isManifest) pushed.add(name)
  if (['GET', 'HEAD'].includes(request.method) && isManifest && pushed.has(name)) return give(request, response)
  if (request.method === 'POST') response.writeHead(202, { Location: `${url.pathname}1` })
  else if (request.method === 'PATCH') response.writeHead(202, { Location: url.pathname, Range: `0-${bytes - 1}` })
  else if (request.method === 'PUT') response.writeHead(201, { 'Docker-Content-Digest': url.searchParams.get('digest') ?? digestOf(manifest) })
  else if (url.pathname !== '/v2/') response.writeHead(404)
  response.end()
}
const taker = (request, response) => take(request, response).catch(() => response.destroy())
for (const [name, answer] of [['source', give], ['target', taker]]) {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1', () => writeFileSync(name, `127.0.0.1:${server.address().port}`))
}
JS
node registry.mjs &
jobs+=($!)
until [ -s source ] && [ -s target ]; do sleep 0.1; done
source="$(cat source)" target="$(cat target)"
copy() { # COPIER WHEN
  local from="$source/team/app:1" to="$target/$1/$2:1"
  case "$1" in
    crane) timeout 60 ./crane copy --insecure "$from" "$to" ;;
    oras) timeout 60 ./oras copy --from-plain-http --to-plain-http "$from" "$to" ;;
    regctl) timeout 60 ./regctl --host "reg=$source,tls=disabled" --host "reg=$target,tls=disabled" image copy "$from" "$to" ;;
    skopeo) timeout 60 skopeo --insecure-policy copy --src-tls-verify=false --dest-tls-verify=false "docker://$from" "docker://$to" ;;
  esac >"$1-$2.log" 2>&1
}
for when in opening bytes; do
  for copier in crane oras regctl skopeo; do
    code=0
    copy "$copier" "$when" || code=$?
    echo "$when: $copier: $(cat "$copier-$when.seen"), ends with $code"
  done
done | tee seen.txt
diff seen.txt - <<'END'
opening: crane: another token, ends with 0
opening: oras: another token, ends with 0
opening: regctl: no other token, ends with 1
opening: skopeo: no other token, ends with 1
bytes: crane: another token, ends with 1
bytes: oras: no other token, ends with 1
bytes: regctl: no other token, ends with 1
bytes: skopeo: no other token, ends with 1
END
