#!/usr/bin/env bash
# `cosign copy` "copies the supplied container image and signatures". cosign 3.1.3 does not copy the signatures that `cosign sign` of
# the same version makes (bundles that refer to the image). Where the registry has no referrers API (docker-registry 2.8.2, Debian's
# package) it puts the *image* under the very tag at which the target is searched for a list of what refers to it
# (`sha256-<digest>`, OCI distribution-spec, "Referrers Tag Schema"), and ends with 0; `cosign verify` finds no signature there.
# Needs Go, Node, docker-registry, curl and openssl. Seen:
#   source: tags 1 sha256-D, sha256-D is application/vnd.oci.image.index.v1+json, verify ends with 0
#   cosign copy ends with 0
#   target: tags 1 sha256-D, sha256-D is application/vnd.oci.image.manifest.v1+json, verify ends with 10
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
cd "$folder"
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
start() { # NAME
  local at; at="$(port)"
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$1" "$at" >"$1.yml"
  docker-registry serve "$1.yml" >"$1.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$at/v2/"; do sleep 0.1; done
  printf -v "$1" '127.0.0.1:%s/team/app' "$at"
}
start source
start target
OCI=application/vnd.oci.image
api() { printf 'http://%s' "${1/\//\/v2\/}"; }
blob() { # FILE, prints its descriptor
  local digest location
  digest="sha256:$(openssl dgst -sha256 -r "$1" | cut -d' ' -f1)"
  location="$(curl -fsi -X POST "$(api "$source")/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fso /dev/null -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=$digest"
  printf '"digest":"%s","size":%s' "$digest" "$(wc -c <"$1")"
}
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >config
printf 'layer' >layer
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json",%s},"layers":[{"mediaType":"%s.layer.v1.tar",%s}]}' \
  "$OCI" "$OCI" "$(blob config)" "$OCI" "$(blob layer)" >manifest
curl -fso /dev/null -X PUT -H "Content-Type: $OCI.manifest.v1+json" --data-binary @manifest "$(api "$source")/manifests/1"
hex="$(openssl dgst -sha256 -r manifest | cut -d' ' -f1)"
export COSIGN_PASSWORD=
./cosign generate-key-pair 2>/dev/null
./cosign sign --key cosign.key --yes --use-signing-config=false --tlog-upload=false "$source@sha256:$hex" 2>/dev/null
look() { # NAME REPOSITORY
  local tags type code=0
  tags="$(curl -fs "$(api "$2")/tags/list" | node -p 'JSON.parse(require("fs").readFileSync(0)).tags.sort().join(" ")')"
  type="$(curl -fsI -H "Accept: $OCI.index.v1+json" -H "Accept: $OCI.manifest.v1+json" "$(api "$2")/manifests/sha256-$hex" |
    tr -d '\r' | sed -n 's/^Content-Type: //p')"
  ./cosign verify --key cosign.pub --insecure-ignore-tlog=true "$2:1" >/dev/null 2>&1 || code=$?
  printf '%s: tags %s, sha256-D is %s, verify ends with %s\n' "$1" "$tags" "$type" "$code" | sed "s/$hex/D/"
}
{
  look source "$source"
  ./cosign copy "$source:1" "$target:1" >/dev/null 2>&1 && code=0 || code=$?
  printf 'cosign copy ends with %s\n' "$code"
  look target "$target"
} | tee seen.txt
diff seen.txt - <<'END'
source: tags 1 sha256-D, sha256-D is application/vnd.oci.image.index.v1+json, verify ends with 0
cosign copy ends with 0
target: tags 1 sha256-D, sha256-D is application/vnd.oci.image.manifest.v1+json, verify ends with 10
END
