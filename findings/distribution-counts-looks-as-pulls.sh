#!/usr/bin/env bash
# What distribution 2.8.2 (Debian's docker-registry) and 3.1.2 notify as `pull`. One for each HEAD, of a manifest or a layer, although
# nothing is pulled; one for each Range of a layer, each with the size of the whole layer; none for a GET of a manifest that
# is answered 304, as that of a client which has it and asks whether it still is the newest. So what counts pulls, or clears up
# what is not pulled, counts a lazy reader's pieces as pulls and takes what caches ask for day by day for unused; only
# `request.method` tells a HEAD. Needs Go, Node, docker-registry and curl. Seen, with both:
#   HEAD of a manifest: 200, 1 pull by HEAD
#   GET of a manifest: 200, 1 pull by GET
#   GET of a manifest with If-None-Match: 304, no pull
#   HEAD of a layer: 200, 1 pull by HEAD of 1000000 bytes
#   3 times 100 bytes of a layer by Range: 206, 3 pulls by GET of 1000000 bytes
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
export OTEL_TRACES_EXPORTER=none
cat >listen.mjs <<'END'
import { appendFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const server = createServer(async (request, response) => {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  for (const { action, request: { method }, target: { size, tag } } of JSON.parse(Buffer.concat(pieces)).events) {
    if (action === 'pull') appendFileSync('events', `${method} ${tag ?? 'blob'} ${size}\n`)
  }
  response.end()
}).listen(0, '127.0.0.1', () => writeFileSync('port', `${server.address().port}`))
END
node listen.mjs &
jobs+=($!)
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
readonly MANIFEST=application/vnd.oci.image.manifest.v1+json BYTES=1000000
digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
printf '{}' >config
head -c "$BYTES" /dev/urandom >layer
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%s}]}' \
  "$MANIFEST" "$(digest config)" "$(digest layer)" "$BYTES" >manifest
start() { # PROGRAM VERSION
  local at blob location
  at="$(port)"
  base="http://127.0.0.1:$at/v2/team/app"
  cat >"$2.yml" <<END
version: 0.1
storage: { filesystem: { rootdirectory: $PWD/$2 } }
http: { addr: 127.0.0.1:$at }
notifications: { endpoints: [{ name: here, url: "http://127.0.0.1:$(cat port)/", timeout: 5s, threshold: 5, backoff: 1s }] }
END
  "$1" serve "$2.yml" >"$2.log" 2>&1 &
  jobs+=($!)
  for _ in $(seq 100); do curl -fso /dev/null "http://127.0.0.1:$at/v2/" && break; sleep 0.1; done
  for blob in config layer; do
    location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
    curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$blob" "$location&digest=$(digest $blob)"
  done
  for tag in 1 last; do curl -fs -X PUT -H "Content-Type: $MANIFEST" --data-binary @manifest "$base/manifests/$tag"; done
}
ask() { # CURL-OPTION… URL, prints the status
  curl -so got -D head -w '%{http_code}' -H "Accept: $MANIFEST" "$@"
}
pulls() { # prints what was notified of the requests before. A GET of another tag, which comes after them, ends the wait
  ask "$base/manifests/last" >/dev/null
  for _ in $(seq 100); do grep -q ' last ' events && break; sleep 0.1; done
  grep -v ' last ' events | sort | uniq -c |
    sed -E 's/^ *([0-9]+) ([A-Z]+) (\w+) ([0-9]+)$/\1 pulls by \2 of \4 bytes, \3/; s/^1 pulls/1 pull/; s/ of [0-9]+ bytes, 1$//; s/, blob$//' |
    grep . || echo 'no pull'
  : >events
}
look() { # VERSION
  local status etag from layer
  layer="$base/blobs/$(digest layer)"
  : >events
  pulls >/dev/null
  status="$(ask -I "$base/manifests/1")"
  echo "$1: HEAD of a manifest: $status, $(pulls)"
  status="$(ask "$base/manifests/1")"
  etag="$(tr -d '\r' <head | sed -n 's/^Etag: //Ip')"
  echo "$1: GET of a manifest: $status, $(pulls)"
  status="$(ask -H "If-None-Match: $etag" "$base/manifests/1")"
  echo "$1: GET of a manifest with If-None-Match: $status, $(pulls)"
  status="$(ask -I "$layer")"
  echo "$1: HEAD of a layer: $status, $(pulls)"
  for from in 0 100 200; do status="$(ask -r "$from-$((from + 99))" "$layer")"; done
  echo "$1: 3 times 100 bytes of a layer by Range: $status, $(pulls)"
}
{
  start docker-registry 2.8.2
  look 2.8.2
  start ./registry 3.1.2
  look 3.1.2
} >seen.txt
cat seen.txt
diff seen.txt - <<'END'
2.8.2: HEAD of a manifest: 200, 1 pull by HEAD
2.8.2: GET of a manifest: 200, 1 pull by GET
2.8.2: GET of a manifest with If-None-Match: 304, no pull
2.8.2: HEAD of a layer: 200, 1 pull by HEAD of 1000000 bytes
2.8.2: 3 times 100 bytes of a layer by Range: 206, 3 pulls by GET of 1000000 bytes
3.1.2: HEAD of a manifest: 200, 1 pull by HEAD
3.1.2: GET of a manifest: 200, 1 pull by GET
3.1.2: GET of a manifest with If-None-Match: 304, no pull
3.1.2: HEAD of a layer: 200, 1 pull by HEAD of 1000000 bytes
3.1.2: 3 times 100 bytes of a layer by Range: 206, 3 pulls by GET of 1000000 bytes
END
