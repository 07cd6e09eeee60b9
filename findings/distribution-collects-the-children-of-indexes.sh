#!/usr/bin/env bash
# `registry garbage-collect --delete-untagged` of distribution 2.8.2 (Debian's docker-registry) takes a platform's manifest
# that has no tag of its own for unused, although a tagged index names it: the tag stays, the pull of every platform is 404.
# 3.1.2 looks into indexes and keeps them. Needs Go, docker-registry, curl and openssl. Seen:
#   2.8.2: before: index 200, its child 200; afterwards: index 200, its child 404
#   3.1.2: before: index 200, its child 200; afterwards: index 200, its child 200
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
export OTEL_TRACES_EXPORTER=none
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
digest() { echo "sha256:$(openssl dgst -sha256 -r "$1" | cut -d' ' -f1)"; }
size() { wc -c <"$1"; }
MANIFEST=application/vnd.oci.image.manifest.v1+json
INDEX=application/vnd.oci.image.index.v1+json
printf '{}' >config
printf 'a layer' >layer
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":%s,"digest":"%s"},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":%s,"digest":"%s"}]}' \
  "$MANIFEST" "$(size config)" "$(digest config)" "$(size layer)" "$(digest layer)" >child
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s","size":%s,"digest":"%s","platform":{"os":"linux","architecture":"amd64"}}]}' \
  "$INDEX" "$MANIFEST" "$(size child)" "$(digest child)" >index
repository=''
put() { curl -fso /dev/null -X PUT -H "Content-Type: $1" --data-binary "@$2" "$repository/manifests/$3"; }
status() { curl -so /dev/null -w '%{http_code}' -H "Accept: $1" "$repository/manifests/$2"; }
both() { echo "index $(status "$INDEX" 1), its child $(status "$MANIFEST" "$(digest child)")"; }
start() { # PROGRAM VERSION PORT
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$2" "$3" >"$2.yml"
  "$1" serve "$2.yml" >"$2.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$3/v2/"; do sleep 0.1; done
}
try() { # PROGRAM VERSION PORT
  local at before
  repository="http://127.0.0.1:$3/v2/team/app"
  for blob in config layer; do
    at="$(curl -fsi -X POST "$repository/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
    curl -fso /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$blob" "$at&digest=$(digest $blob)"
  done
  put "$MANIFEST" child "$(digest child)"
  put "$INDEX" index 1
  before="$(both)"
  "$1" garbage-collect --delete-untagged "$2.yml" >"$2.collected" 2>&1
  echo "$2: before: $before; afterwards: $(both)"
}
old="$(port)" new="$(port)"
start docker-registry 2.8.2 "$old"
start ./registry 3.1.2 "$new"
{
  try docker-registry 2.8.2 "$old"
  try ./registry 3.1.2 "$new"
} | tee seen.txt
diff seen.txt - <<'END'
2.8.2: before: index 200, its child 200; afterwards: index 200, its child 404
3.1.2: before: index 200, its child 200; afterwards: index 200, its child 200
END
