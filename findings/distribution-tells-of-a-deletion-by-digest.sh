#!/usr/bin/env bash
# What distribution 3.1.2 notifies of deletions. A tag deleted by its name: one `delete` with the tag and an empty digest. A
# manifest deleted by its digest: one `delete` with the digest and no tag, and one more for each tag that goes with it, again
# with an empty digest. Nothing in these says which digest the tags had; only `request.id` shows that they belong together.
# Needs Go, curl and openssl. Seen, sorted:
#   DELETE of tag c: tag=c digest=(empty)
#   DELETE of the digest: tag=(none) digest=sha256
#   DELETE of the digest: tag=a digest=(empty)
#   DELETE of the digest: tag=b digest=(empty)
#   request ids of the second deletion: 1
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
cat >listen.mjs <<'END'
import { appendFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const server = createServer(async (request, response) => {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  for (const { action, target, request: { id } } of JSON.parse(Buffer.concat(pieces)).events) {
    if (action !== 'delete') continue
    const digest = target.digest === '' || target.digest === undefined ? '(empty)' : target.digest.split(':')[0]
    appendFileSync('events', `${id} tag=${target.tag ?? '(none)'} digest=${digest}\n`)
  }
  response.end()
}).listen(0, '127.0.0.1', () => writeFileSync('port', `${server.address().port}`))
END
: >events
node listen.mjs &
jobs+=($!)
until [ -s port ]; do sleep 0.1; done
port="$(node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})")"
cat >config.yml <<END
version: 0.1
storage: { filesystem: { rootdirectory: $PWD/data }, delete: { enabled: true } }
http: { addr: 127.0.0.1:$port }
notifications: { endpoints: [{ name: here, url: "http://127.0.0.1:$(cat port)/", timeout: 5s, threshold: 5, backoff: 1s }] }
END
OTEL_TRACES_EXPORTER=none ./registry serve config.yml >registry.log 2>&1 &
jobs+=($!)
until curl -fso /dev/null "http://127.0.0.1:$port/v2/"; do sleep 0.1; done
repository="http://127.0.0.1:$port/v2/team/app"
printf '{}' >config
digest() { echo "sha256:$(openssl dgst -sha256 -r "$1" | cut -d' ' -f1)"; }
at="$(curl -fsi -X POST "$repository/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
curl -fso /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary @config "$at&digest=$(digest config)"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"%s"},"layers":[]}' \
  "$(digest config)" >manifest
for tag in a b c; do
  curl -fso /dev/null -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @manifest "$repository/manifests/$tag"
done
deleted() { # WHAT REFERENCE EVENTS
  curl -fso /dev/null -X DELETE "$repository/manifests/$2"
  for _ in $(seq 100); do [ "$(wc -l <events)" -ge "$3" ] && break; sleep 0.1; done
  cut -d' ' -f2- events | sort | sed "s/^/DELETE of $1: /"
}
{
  deleted 'tag c' c 1
  : >events
  deleted 'the digest' "$(digest manifest)" 3
  echo "request ids of the second deletion: $(cut -d' ' -f1 events | sort -u | wc -l)"
} | tee seen.txt
diff seen.txt - <<'END'
DELETE of tag c: tag=c digest=(empty)
DELETE of the digest: tag=(none) digest=sha256
DELETE of the digest: tag=a digest=(empty)
DELETE of the digest: tag=b digest=(empty)
request ids of the second deletion: 1
END
