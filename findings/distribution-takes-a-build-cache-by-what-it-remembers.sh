#!/usr/bin/env bash
# BuildKit's cache in a registry as `image-manifest=false` makes it (the default before BuildKit 0.21): an OCI index that names layers,
# not manifests. distribution 2.8.2 (Debian's docker-registry) takes it. 3.1.2 refuses it as MANIFEST_BLOB_UNKNOWN although each layer
# is there; but with `cache: { blobdescriptor: inmemory }` it takes it as long as it remembers the layers, from their upload or from a
# HEAD since it was started. So the same push of the same bytes works, or not, by what others asked before. Needs Go, Node, curl and
# docker-registry. Seen:
#   2.8.2, no cache: 201; after a restart 201; after HEAD of its layers 201
#   2.8.2, inmemory: 201; after a restart 201; after HEAD of its layers 201
#   3.1.2, no cache: 400 MANIFEST_BLOB_UNKNOWN; after a restart 400 MANIFEST_BLOB_UNKNOWN; after HEAD of its layers 400 MANIFEST_BLOB_UNKNOWN
#   3.1.2, inmemory: 201; after a restart 400 MANIFEST_BLOB_UNKNOWN; after HEAD of its layers 201
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
export OTEL_TRACES_EXPORTER=none
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
readonly OCI=application/vnd.oci.image
printf 'a layer' >layer
printf '{"layers":[{"blob":"%s","parent":-1}],"records":[]}' "$(digest layer)" >cacheconfig
printf '{"schemaVersion":2,"mediaType":"%s.index.v1+json","manifests":[{"mediaType":"%s.layer.v1.tar","digest":"%s","size":%s},{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"%s","size":%s}]}' \
  "$OCI" "$OCI" "$(digest layer)" "$(wc -c <layer)" "$(digest cacheconfig)" "$(wc -c <cacheconfig)" >index
serve() { # PROGRAM NAME PORT
  "$1" serve "$2.yml" >>"$2.log" 2>&1 &
  running=$!
  jobs+=("$running")
  for _ in $(seq 100); do curl -fso /dev/null "http://127.0.0.1:$3/v2/" && break; sleep 0.1; done
}
put() { # prints how the registry takes the index
  printf '%s' "$(curl -so answer -w '%{http_code}' -X PUT -H "Content-Type: $OCI.index.v1+json" --data-binary @index "$base/manifests/cache")"
  if [ -s answer ]; then printf ' %s' "$(grep -oE 'MANIFEST_[A-Z_]+' answer | sort -u)"; fi
}
try() { # WHAT PROGRAM NAME CACHE
  local at blob location first later
  at="$(port)"
  base="http://127.0.0.1:$at/v2/team/app"
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s }%s }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$3" "$4" "$at" >"$3.yml"
  serve "$2" "$3" "$at"
  for blob in layer cacheconfig; do
    location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
    curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$blob" "$location&digest=$(digest $blob)"
  done
  first="$(put)"
  kill "$running"
  wait "$running" 2>/dev/null || true
  unset 'jobs[-1]'
  serve "$2" "$3" "$at"
  later="$(put)"
  for blob in layer cacheconfig; do curl -fsIo /dev/null "$base/blobs/$(digest $blob)"; done
  printf '%s: %s; after a restart %s; after HEAD of its layers %s\n' "$1" "$first" "$later" "$(put)"
}
{
  try '2.8.2, no cache' docker-registry old ''
  try '2.8.2, inmemory' docker-registry old-cached ', cache: { blobdescriptor: inmemory }'
  try '3.1.2, no cache' ./registry new ''
  try '3.1.2, inmemory' ./registry new-cached ', cache: { blobdescriptor: inmemory }'
} >seen.txt
cat seen.txt
diff seen.txt - <<'END'
2.8.2, no cache: 201; after a restart 201; after HEAD of its layers 201
2.8.2, inmemory: 201; after a restart 201; after HEAD of its layers 201
3.1.2, no cache: 400 MANIFEST_BLOB_UNKNOWN; after a restart 400 MANIFEST_BLOB_UNKNOWN; after HEAD of its layers 400 MANIFEST_BLOB_UNKNOWN
3.1.2, inmemory: 201; after a restart 400 MANIFEST_BLOB_UNKNOWN; after HEAD of its layers 201
END
