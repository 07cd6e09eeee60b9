#!/usr/bin/env bash
# CNCF distribution 3.1.2 as a pull-through cache: HEAD of a blob that it does not have makes it fetch the whole blob
# from upstream. A client that only asks whether a layer is there (copiers do, for each layer) moves its bytes.
# Two registries of that version on loopback; needs Go, curl and openssl. Seen:
#   before: blobs in the cache 0
#   HEAD of a blob of 8388608 bytes: 200, body 0 bytes
#   afterwards: blobs in the cache 1, of 8388608 bytes
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
head -c 8388608 /dev/urandom >blob
digest="sha256:$(openssl dgst -sha256 -r blob | cut -d' ' -f1)"
location="$(curl -fsi -X POST "http://127.0.0.1:$up/v2/team/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
curl -fso /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary @blob "$location&digest=$digest"
kept() { find cache -path "*blobs/sha256*" -name data 2>/dev/null; }
{
  printf 'before: blobs in the cache %s\n' "$(kept | wc -l)"
  printf 'HEAD of a blob of 8388608 bytes: %s, body %s bytes\n' \
    $(curl -sI -o /dev/null -w '%{http_code} %{size_download}' "http://127.0.0.1:$cache/v2/team/app/blobs/$digest")
  for _ in $(seq 50); do [ -n "$(kept)" ] && break; sleep 0.1; done
  printf 'afterwards: blobs in the cache %s, of %s bytes\n' "$(kept | wc -l)" "$(kept | xargs -r cat | wc -c)"
} | tee seen.txt
diff seen.txt - <<'END'
before: blobs in the cache 0
HEAD of a blob of 8388608 bytes: 200, body 0 bytes
afterwards: blobs in the cache 1, of 8388608 bytes
END
