#!/usr/bin/env bash
# A client begins an upload, sends 3,000,000 bytes of a PATCH in HTTP chunks, and dies. Distribution 2.8.2 (Debian's
# docker-registry) says from then on that it knows no such upload, so that it can be neither continued nor cancelled, but keeps
# its bytes on disk. 3.1.2 keeps them and tells them, and cancels the upload, but at its newest address only: at the one
# that POST gave, DELETE is 416. Needs Go, docker-registry and curl. Seen:
#   2.8.2: GET 404, DELETE where POST said 404, bytes left 3000000
#   3.1.2: GET 204, DELETE where POST said 416, DELETE where GET said 204, bytes left 0
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
old="$(port)" new="$(port)"
start() { # PROGRAM NAME PORT
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s }, delete: { enabled: true } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$2" "$3" >"$2.yml"
  OTEL_TRACES_EXPORTER=none "$1" serve "$2.yml" >"$2.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$3/v2/"; do sleep 0.1; done
}
start docker-registry 2.8.2 "$old"
start ./registry 3.1.2 "$new"
cat >begin.mjs <<'END'
import { request } from 'node:http'
const patch = request(process.argv[2], { method: 'PATCH', headers: { 'Content-Type': 'application/octet-stream' } })
patch.on('error', () => undefined)
patch.write(Buffer.alloc(3_000_000), () => process.stdout.write('sent'))
END
bytes() { find "$1" -path '*_uploads*' -name data -printf '%s\n' 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }'; }
status() { curl -so /dev/null -w '%{http_code}' "$@"; }
try() { # NAME PORT
  local at next seen
  at="$(curl -fsi -X POST "http://127.0.0.1:$2/v2/team/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  node begin.mjs "$at" >"$1.sent" &
  local client=$!
  for _ in $(seq 100); do [ "$(bytes "$1")" = 3000000 ] && break; sleep 0.1; done
  kill -9 "$client"
  wait "$client" 2>/dev/null || true
  # Until the registry has noticed: before, it answers for an upload that goes on.
  for _ in $(seq 20); do curl -si "$at" | tr -d '\r' >answer; sleep 0.1; done
  seen="GET $(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' answer)"
  next="$(sed -n 's/^Location: //p' answer)"
  seen="$seen, DELETE where POST said $(status -X DELETE "$at")"
  if [ -n "$next" ]; then seen="$seen, DELETE where GET said $(status -X DELETE "$next")"; fi
  echo "$1: $seen, bytes left $(bytes "$1")"
}
try 2.8.2 "$old" >seen.txt
try 3.1.2 "$new" >>seen.txt
cat seen.txt
diff seen.txt - <<'END'
2.8.2: GET 404, DELETE where POST said 404, bytes left 3000000
3.1.2: GET 204, DELETE where POST said 416, DELETE where GET said 204, bytes left 0
END
