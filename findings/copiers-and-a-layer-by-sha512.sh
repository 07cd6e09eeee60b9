#!/usr/bin/env bash
# An image whose layer is named by its sha512, which the OCI image-spec has beside sha256. distribution 3.1.2 takes the upload, and the
# manifest, and gives the layer under that name, but says in Docker-Content-Digest (and in the ETag) that it is its sha256. oras 1.3.6
# takes that for other bytes and refuses the source; skopeo 1.9.3 (Debian's package) reads it, and fails at the target, which
# answers its upload in the same way; crane 0.22.1 and regctl 0.11.7 copy it. Code that compares this header with the digest that it
# asked for takes the right bytes for wrong ones. Two registries of that version; needs Go, Node, skopeo and curl. Seen:
#   upload by sha512: 201, Docker-Content-Digest sha256
#   HEAD by sha512: 200, Docker-Content-Digest sha256
#   crane: ends with 0, layer by sha512 at the target 200
#   oras: ends with 1, layer by sha512 at the target 404
#   regctl: ends with 0, layer by sha512 at the target 200
#   skopeo: ends with 1, layer by sha512 at the target 404
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
start() { # NAME, which becomes the address
  local at
  at="$(node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})")"
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$1" "$at" >"$1.yml"
  ./registry serve "$1.yml" >"$1.log" 2>&1 &
  jobs+=($!)
  for _ in $(seq 100); do curl -fso /dev/null "http://127.0.0.1:$at/v2/" && break; sleep 0.1; done
  printf -v "$1" '127.0.0.1:%s' "$at"
}
start source
start target
readonly OCI=application/vnd.oci.image
base="http://$source/v2/team/app"
sha256() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
put() { # FILE DIGEST
  local location
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -si -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=$2"
}
told() { tr -d '\r' | sed -nE '1s/^HTTP[^ ]* ([0-9]+).*/\1/p; s/^(Docker-Content-Digest): ([a-z0-9]+):.*/\1 \2/p' | paste -sd, | sed 's/,/, /'; }
echo 'some words' >words
tar -cf layer.tar words
gzip -nc layer.tar >layer
name="sha512:$(sha512sum layer | cut -d' ' -f1)"
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(sha256 layer.tar)" >config
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar+gzip","digest":"%s","size":%s}]}' \
  "$OCI" "$OCI" "$(sha256 config)" "$(wc -c <config)" "$OCI" "$name" "$(wc -c <layer)" >manifest
copy() { # COPIER
  local from="$source/team/app:1" to="$target/$1/app:1"
  case "$1" in
    crane) timeout 30 ./crane copy --insecure "$from" "$to" ;;
    oras) timeout 30 ./oras copy --from-plain-http --to-plain-http "$from" "$to" ;;
    regctl) timeout 30 ./regctl --host "reg=$source,tls=disabled" --host "reg=$target,tls=disabled" image copy "$from" "$to" ;;
    skopeo) timeout 30 skopeo --insecure-policy copy --src-tls-verify=false --dest-tls-verify=false "docker://$from" "docker://$to" ;;
  esac >"$1.log" 2>&1
}
{
  put config "$(sha256 config)" >/dev/null
  echo "upload by sha512: $(put layer "$name" | told)"
  curl -fs -X PUT -H "Content-Type: $OCI.manifest.v1+json" --data-binary @manifest "$base/manifests/1"
  echo "HEAD by sha512: $(curl -sI "$base/blobs/$name" | told)"
  for copier in crane oras regctl skopeo; do
    code=0
    copy "$copier" || code=$?
    echo "$copier: ends with $code, layer by sha512 at the target $(curl -sIo /dev/null -w '%{http_code}' "http://$target/v2/$copier/app/blobs/$name")"
  done
} >seen.txt
cat seen.txt
diff seen.txt - <<'END'
upload by sha512: 201, Docker-Content-Digest sha256
HEAD by sha512: 200, Docker-Content-Digest sha256
crane: ends with 0, layer by sha512 at the target 200
oras: ends with 1, layer by sha512 at the target 404
regctl: ends with 0, layer by sha512 at the target 200
skopeo: ends with 1, layer by sha512 at the target 404
END
