#!/usr/bin/env bash
# A layer of a non-distributable type without `urls`, whose bytes the source registry has. By its type alone crane 0.22.1 and oras 1.3.6
# leave it out, and then push the manifest that names it: distribution 2.8.2 (Debian's docker-registry) and 3.1.2 both refuse that with
# MANIFEST_BLOB_UNKNOWN. So the image is not copied, and no message says that a layer was left out. crane copies it when told with
# `--allow-nondistributable-artifacts`; `oras copy` has no such option. regctl 0.11.7 and skopeo 1.9.3 (Debian's package) copy it by
# themselves. Needs Go, Node, docker-registry, skopeo and curl. Seen, of the layer and the image at the target:
#   to 2.8.2: crane: ends with 1, MANIFEST_BLOB_UNKNOWN; layer 404, image 404
#   to 2.8.2: crane-allowed: ends with 0; layer 200, image 200
#   to 2.8.2: oras: ends with 1, MANIFEST_BLOB_UNKNOWN; layer 404, image 404
#   to 2.8.2: regctl: ends with 0; layer 200, image 200
#   to 2.8.2: skopeo: ends with 0; layer 200, image 200
#   to 3.1.2: crane: ends with 1, MANIFEST_BLOB_UNKNOWN; layer 404, image 404
#   to 3.1.2: crane-allowed: ends with 0; layer 200, image 200
#   to 3.1.2: oras: ends with 1, MANIFEST_BLOB_UNKNOWN; layer 404, image 404
#   to 3.1.2: regctl: ends with 0; layer 200, image 200
#   to 3.1.2: skopeo: ends with 0; layer 200, image 200
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
export GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false
go install github.com/google/go-containerregistry/cmd/crane@v0.22.1
go install oras.land/oras/cmd/oras@v1.3.6
go install github.com/regclient/regclient/cmd/regctl@v0.11.7
go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
export HOME="$folder" XDG_DATA_HOME="$folder/share" TMPDIR="$folder" OTEL_TRACES_EXPORTER=none
start() { # NAME PROGRAM; sets `registry`
  registry="$(node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log('127.0.0.1:'+s.address().port);s.close()})")"
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: %s }\n' "$PWD/$1" "$registry" >"$1.yml"
  "$2" serve "$1.yml" >"$1.log" 2>&1 &
  jobs+=($!)
  for _ in $(seq 100); do curl -fso /dev/null "http://$registry/v2/" && break; sleep 0.1; done
}
start source docker-registry
source="$registry"
readonly OCI=application/vnd.oci.image
base="http://$source/v2/team/app"
digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
echo 'some words' >words
tar -cf layer.tar words
gzip -nc layer.tar >layer
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(digest layer.tar)" >config
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"%s.layer.nondistributable.v1.tar+gzip","digest":"%s","size":%s}]}' \
  "$OCI" "$OCI" "$(digest config)" "$(wc -c <config)" "$OCI" "$(digest layer)" "$(wc -c <layer)" >manifest
for blob in config layer; do
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$blob" "$location&digest=$(digest $blob)"
done
curl -fs -X PUT -H "Content-Type: $OCI.manifest.v1+json" --data-binary @manifest "$base/manifests/1"
copy() { # COPIER
  local from="$source/team/app:1" to="$registry/$1/app:1"
  case "$1" in
    crane) timeout 30 ./crane copy --insecure "$from" "$to" ;;
    crane-allowed) timeout 30 ./crane copy --insecure --allow-nondistributable-artifacts "$from" "$to" ;;
    oras) timeout 30 ./oras copy --from-plain-http --to-plain-http "$from" "$to" ;;
    regctl) timeout 30 ./regctl --host "reg=$source,tls=disabled" --host "reg=$registry,tls=disabled" image copy "$from" "$to" ;;
    skopeo) timeout 30 skopeo --insecure-policy copy --src-tls-verify=false --dest-tls-verify=false "docker://$from" "docker://$to" ;;
  esac >"$1.log" 2>&1
}
status() { curl -sIo /dev/null -w '%{http_code}' -H "Accept: $OCI.manifest.v1+json" "http://$registry/v2/$1"; }
try() { # VERSION PROGRAM
  local copier code why
  start "$1" "$2"
  for copier in crane crane-allowed oras regctl skopeo; do
    code=0
    copy "$copier" || code=$?
    why="$(grep -oiE 'MANIFEST_BLOB_UNKNOWN|manifest blob unknown' "$copier.log" | head -n 1 | tr 'a-z ' 'A-Z_')" || true
    echo "to $1: $copier: ends with $code${why:+, $why}; layer $(status "$copier/app/blobs/$(digest layer)"), image $(status "$copier/app/manifests/1")"
  done
}
{
  try 2.8.2 docker-registry
  try 3.1.2 ./registry
} >seen.txt
cat seen.txt
diff seen.txt - <<'END'
to 2.8.2: crane: ends with 1, MANIFEST_BLOB_UNKNOWN; layer 404, image 404
to 2.8.2: crane-allowed: ends with 0; layer 200, image 200
to 2.8.2: oras: ends with 1, MANIFEST_BLOB_UNKNOWN; layer 404, image 404
to 2.8.2: regctl: ends with 0; layer 200, image 200
to 2.8.2: skopeo: ends with 0; layer 200, image 200
to 3.1.2: crane: ends with 1, MANIFEST_BLOB_UNKNOWN; layer 404, image 404
to 3.1.2: crane-allowed: ends with 0; layer 200, image 200
to 3.1.2: oras: ends with 1, MANIFEST_BLOB_UNKNOWN; layer 404, image 404
to 3.1.2: regctl: ends with 0; layer 200, image 200
to 3.1.2: skopeo: ends with 0; layer 200, image 200
END
