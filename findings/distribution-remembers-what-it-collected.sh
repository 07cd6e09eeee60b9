#!/usr/bin/env bash
# `registry garbage-collect` beside a running distribution to which nobody pushes meanwhile: with `cache: { blobdescriptor: inmemory }`,
# which Debian's package and the container image of 3.1.2 bring, the running one goes on to answer 200 for blobs that are gone. A later
# push of the same image finds them there, sends none of them, and ends with 0; whoever pulls is sent layers without their bytes. It
# takes a restart, or no such cache. 2.8.2 (Debian's docker-registry) and 3.1.2. Needs Go, Node, docker-registry, curl and openssl. Seen:
#   2.8.2 inmemory: after collecting 0 blobs kept, HEAD 200; crane copies again and ends with 0; GET 200, 0 of 100000 bytes
#   2.8.2 no cache: after collecting 0 blobs kept, HEAD 404; crane copies again and ends with 0; GET 200, 100000 of 100000 bytes
#   3.1.2 inmemory: after collecting 0 blobs kept, HEAD 200; crane copies again and ends with 0; GET 200, 0 of 100000 bytes
#   3.1.2 no cache: after collecting 0 blobs kept, HEAD 404; crane copies again and ends with 0; GET 200, 100000 of 100000 bytes
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
export GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false
go install github.com/google/go-containerregistry/cmd/crane@v0.22.1
go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
export HOME="$folder" OTEL_TRACES_EXPORTER=none
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
start() { # PROGRAM NAME PORT CACHE
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s }, delete: { enabled: true }%s }\nhttp: { addr: 127.0.0.1:%s }\n' \
    "$PWD/$2" "$4" "$3" >"$2.yml"
  "$1" serve "$2.yml" >"$2.log" 2>&1 &
  jobs+=($!)
  for _ in $(seq 100); do curl -fso /dev/null "http://127.0.0.1:$3/v2/" && break; sleep 0.1; done
}
readonly OCI=application/vnd.oci.image BYTES=100000
digest() { echo "sha256:$(openssl dgst -sha256 -r "$1" | cut -d' ' -f1)"; }
from="$(port)"
start ./registry from "$from" ''
head -c "$BYTES" /dev/urandom >layer
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(digest layer)" >config
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar","digest":"%s","size":%s}]}' \
  "$OCI" "$OCI" "$(digest config)" "$(wc -c <config)" "$OCI" "$(digest layer)" "$BYTES" >manifest
for blob in config layer; do
  location="$(curl -fsi -X POST "http://127.0.0.1:$from/v2/team/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$blob" "$location&digest=$(digest $blob)"
done
curl -fs -X PUT -H "Content-Type: $OCI.manifest.v1+json" --data-binary @manifest "http://127.0.0.1:$from/v2/team/app/manifests/1"
copy() { timeout 60 ./crane copy --insecure "127.0.0.1:$from/team/app:1" "127.0.0.1:$at/team/app:1" >copied 2>&1; }
try() { # WHAT PROGRAM NAME CACHE
  local at code=0 kept seen base
  at="$(port)"
  base="http://127.0.0.1:$at/v2/team/app"
  start "$2" "$3" "$at" "$4"
  copy
  curl -fs -X DELETE "$base/manifests/$(digest manifest)"
  timeout 60 "$2" garbage-collect "$3.yml" >"$3.collected" 2>&1
  kept="$(find "$3" -path '*blobs/sha256*' -name data | wc -l)"
  seen="$(curl -sIo /dev/null -w '%{http_code}' "$base/blobs/$(digest layer)")"
  copy || code=$?
  printf '%s: after collecting %s blobs kept, HEAD %s; crane copies again and ends with %s; GET %s of %s bytes\n' "$1" "$kept" "$seen" \
    "$code" "$(curl -so /dev/null -w '%{http_code}, %{size_download}' "$base/blobs/$(digest layer)")" "$BYTES"
}
{
  try '2.8.2 inmemory' docker-registry old-cached ', cache: { blobdescriptor: inmemory }'
  try '2.8.2 no cache' docker-registry old ''
  try '3.1.2 inmemory' ./registry new-cached ', cache: { blobdescriptor: inmemory }'
  try '3.1.2 no cache' ./registry new ''
} >seen.txt
cat seen.txt
diff seen.txt - <<'END'
2.8.2 inmemory: after collecting 0 blobs kept, HEAD 200; crane copies again and ends with 0; GET 200, 0 of 100000 bytes
2.8.2 no cache: after collecting 0 blobs kept, HEAD 404; crane copies again and ends with 0; GET 200, 100000 of 100000 bytes
3.1.2 inmemory: after collecting 0 blobs kept, HEAD 200; crane copies again and ends with 0; GET 200, 0 of 100000 bytes
3.1.2 no cache: after collecting 0 blobs kept, HEAD 404; crane copies again and ends with 0; GET 200, 100000 of 100000 bytes
END
