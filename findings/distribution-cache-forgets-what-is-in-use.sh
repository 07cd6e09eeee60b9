#!/usr/bin/env bash
# CNCF distribution 3.1.2 as a pull-through cache counts its `ttl` (7 days unless told) from the first fetch, and pulls do not renew it:
# what every node pulls each minute is thrown away and fetched anew as often as what nobody asked for again. And until then it
# serves a tag that was deleted upstream, although it asks upstream at each pull and is told 404 each time. Two registries
# of that version, a ttl of 15 s, image and layer pulled about once a second; needs Go, Node and curl. Seen:
#   upstream deletes the tag: 404 there, 200 from the cache
#   after 8 s: 200 from the cache, upstream sent the layer once
#   after 25 s: 404 from the cache, upstream sent the layer twice
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
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s }, delete: { enabled: true } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$1" "$2" >"$1.yml"
  if [ -n "${3:-}" ]; then printf 'proxy: { remoteurl: %s, ttl: 15s }\n' "$3" >>"$1.yml"; fi
  OTEL_TRACES_EXPORTER=none ./registry serve "$1.yml" >"$1.log" 2>&1 &
  jobs+=($!)
  for _ in $(seq 100); do curl -fso /dev/null "http://127.0.0.1:$2/v2/" && break; sleep 0.1; done
}
start up "$up"
start cache "$cache" "http://127.0.0.1:$up"
readonly MANIFEST=application/vnd.oci.image.manifest.v1+json BYTES=1000000
digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
printf '{}' >config
head -c "$BYTES" /dev/urandom >layer
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%s}]}' \
  "$MANIFEST" "$(digest config)" "$(digest layer)" "$BYTES" >manifest
base="http://127.0.0.1:$up/v2/team/app"
for blob in config layer; do
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$blob" "$location&digest=$(digest $blob)"
done
curl -fs -X PUT -H "Content-Type: $MANIFEST" --data-binary @manifest "$base/manifests/1"
status() { curl -so /dev/null -w '%{http_code}' -H "Accept: $MANIFEST" "http://127.0.0.1:$1/v2/team/app/$2"; }
pull() { # prints how the cache answers for the tag
  status "$cache" manifests/1
  [ "$(status "$cache" "blobs/$(digest layer)")" = 200 ] || printf ' without its layer'
}
until_second() { # SECOND, prints how the cache answers at last, and how often it had the layer from upstream
  local tag pulls=0
  while [ $((SECONDS - begun)) -lt "$1" ]; do tag="$(pull)"; pulls=$((pulls + 1)); sleep 1; done
  [ "$pulls" -gt 2 ] || printf 'too few pulls, '
  printf '%s from the cache, upstream sent the layer %s' "$tag" \
    "$(grep -c "\"GET /v2/team/app/blobs/$(digest layer)" up.log | sed 's/^1$/once/; s/^2$/twice/')"
}
{
  begun="$SECONDS"
  pull >/dev/null
  for _ in $(seq 100); do [ -n "$(find cache -path "*$(digest layer | cut -d: -f2)/data")" ] && break; sleep 0.1; done
  curl -fs -X DELETE "$base/manifests/1"
  echo "upstream deletes the tag: $(status "$up" manifests/1) there, $(pull) from the cache"
  echo "after 8 s: $(until_second 8)"
  echo "after 25 s: $(until_second 25)"
} >seen.txt
cat seen.txt
diff seen.txt - <<'END'
upstream deletes the tag: 404 there, 200 from the cache
after 8 s: 200 from the cache, upstream sent the layer once
after 25 s: 404 from the cache, upstream sent the layer twice
END
