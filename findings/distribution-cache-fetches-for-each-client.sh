#!/usr/bin/env bash
# CNCF distribution 3.1.2 as a pull-through cache brings a layer that it does not have once for each client that asks meanwhile, so a
# crowd of nodes costs upstream (and its rate limit) a crowd of pulls. And it keeps a layer only if its client stays to the end: one
# that gives up, because the layer is large and upstream slow, leaves nothing, and the next try begins with the first byte again.
# Two registries of that version on loopback; needs Go, Node, curl and openssl. Seen:
#   8 clients at once: upstream sent the blob 8 times, the cache keeps 1
#   one more later: 8 times
#   3 clients that leave in the middle: upstream asked 3 times, the cache keeps 1 as before
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
up="$(port)" cache="$(port)"
start() { # NAME PORT [PROXY]
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$1" "$2" >"$1.yml"
  if [ -n "${3:-}" ]; then printf 'proxy: { remoteurl: %s }\n' "$3" >>"$1.yml"; fi
  OTEL_TRACES_EXPORTER=none ./registry serve "$1.yml" >"$1.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$2/v2/"; do sleep 0.1; done
}
start up "$up"
start cache "$cache" "http://127.0.0.1:$up"
push() { # BYTES, as a blob of upstream
  head -c "$1" /dev/urandom >blob
  digest="sha256:$(openssl dgst -sha256 -r blob | cut -d' ' -f1)" url="http://127.0.0.1:$cache/v2/team/app/blobs/$digest"
  location="$(curl -fsi -X POST "http://127.0.0.1:$up/v2/team/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fso /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary @blob "$location&digest=$digest"
}
asked() { sleep 1; grep -c "\"GET /v2/team/app/blobs/$digest" up.log || true; }
kept() { find cache -path "*blobs/sha256*" -name data 2>/dev/null | wc -l; }
{
  push 33554432
  clients=()
  for at in $(seq 8); do curl -fso "out$at" --limit-rate 20M "$url" & clients+=($!); done
  wait "${clients[@]}"
  printf '8 clients at once: upstream sent the blob %s times, the cache keeps %s\n' "$(asked)" "$(kept)"
  curl -fso /dev/null "$url"
  printf 'one more later: %s times\n' "$(asked)"
  push 67108864
  for _ in 1 2 3; do timeout 1 curl -fso /dev/null --limit-rate 8M "$url" || true; sleep 1; done
  printf '3 clients that leave in the middle: upstream asked %s times, the cache keeps %s as before\n' "$(asked)" "$(kept)"
} | tee seen.txt
diff seen.txt - <<'END'
8 clients at once: upstream sent the blob 8 times, the cache keeps 1
one more later: 8 times
3 clients that leave in the middle: upstream asked 3 times, the cache keeps 1 as before
END
