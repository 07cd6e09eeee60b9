#!/usr/bin/env bash
# A list of tags comes in three pages. Beside the link to the next page, each names the last one, before it: RFC 8288 lets a
# header have several links, and `rel` says which is which. crane 0.22.1, oras 1.3.6 and skopeo 1.9.3 (Debian's package) take the
# first link for the next page whatever it is for: they leave out the pages between, in silence. regctl 0.11.7 reads `rel`.
# Needs Go, Node and skopeo. Seen, of the tags a to e:
#   crane: a b e, ends with 0
#   oras: a b e, ends with 0
#   regctl: a b c d e, ends with 0
#   skopeo: a b e, ends with 0
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
cat >registry.mjs <<'JS'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const PAGES = { '': ['a', 'b'], b: ['c', 'd'], d: ['e'] }
const NEXT = { '': 'b', b: 'd' }
const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://registry')
  if (!pathname.endsWith('/tags/list')) return response.end('{}')
  const last = searchParams.get('last') ?? ''
  const link = (after, rel) => `</v2/team/app/tags/list?n=2&last=${after}>; rel="${rel}"`
  const next = NEXT[last]
  if (next !== undefined) response.setHeader('Link', `${link('d', 'last')}, ${link(next, 'next')}`)
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ name: 'team/app', tags: PAGES[last] ?? [] }))
}).listen(0, '127.0.0.1', () => writeFileSync('port', `${server.address().port}`))
JS
node registry.mjs &
jobs+=($!)
until [ -s port ]; do sleep 0.1; done
registry="127.0.0.1:$(cat port)"
try() { # NAME COMMAND…
  local name="$1" code=0
  shift
  "$@" >list 2>/dev/null || code=$?
  printf '%s: %s, ends with %s\n' "$name" "$(grep -oE '^ *"?[a-e]"?,?$' list | tr -d ' ",' | tr '\n' ' ' | sed 's/ $//')" "$code"
}
{
  try crane timeout 60 ./crane ls --insecure "$registry/team/app"
  try oras timeout 60 ./oras repo tags --plain-http "$registry/team/app"
  try regctl timeout 60 ./regctl --host "reg=$registry,tls=disabled" tag ls "$registry/team/app"
  try skopeo timeout 60 skopeo list-tags --tls-verify=false "docker://$registry/team/app"
} | tee seen.txt
diff seen.txt - <<'END_SEEN'
crane: a b e, ends with 0
oras: a b e, ends with 0
regctl: a b c d e, ends with 0
skopeo: a b e, ends with 0
END_SEEN
