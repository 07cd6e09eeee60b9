#!/usr/bin/env bash
# CNCF distribution 3.1.2 as a pull-through cache overlooks `Range` for a layer that it does not have yet: it answers 200 with all of
# it, and 206 with the bytes that were asked for from then on. HTTP allows that, but whoever reads layers lazily through it (some
# kilobytes of many gigabytes, to start a container before its image is there) is sent all of each at the first look.
# Two registries of that version on loopback; needs Go, Node, curl and openssl. Seen:
#   bytes 0-99 of a blob of 33554432 that is not there: 200, 33554432 bytes
#   the same again: 206, 100 bytes
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
part() { curl -fso /dev/null -w '%{http_code}, %{size_download} bytes' -H 'Range: bytes=0-99' "$url"; }
{
  push 33554432
  printf 'bytes 0-99 of a blob of 33554432 that is not there: %s\n' "$(part)"
  for _ in $(seq 50); do [ -n "$(find cache -path "*blobs/sha256*" -name data 2>/dev/null)" ] && break; sleep 0.1; done
  printf 'the same again: %s\n' "$(part)"
} | tee seen.txt
diff seen.txt - <<'END'
bytes 0-99 of a blob of 33554432 that is not there: 200, 33554432 bytes
the same again: 206, 100 bytes
END
