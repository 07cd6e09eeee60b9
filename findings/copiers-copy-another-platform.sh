#!/usr/bin/env bash
# Asked for linux/arm64 of a tag that is an image of linux/amd64 alone, crane 0.22.1, regctl 0.11.7 and skopeo 1.9.3 (Debian's package)
# copy the one of amd64, with code 0: they look at the platform only to choose from an index. oras 1.3.6 reads the image's
# configuration, and refuses. The same image in an index of one is refused by all four. So whoever mirrors for arm64 finds out by
# `exec format error` on the node, for those tags alone that were built for one platform. Needs Go, Node, docker-registry, skopeo and
# curl. Seen:
#   image: crane: ends with 0, linux/amd64 is there
#   image: oras: ends with 1, nothing is there
#   image: regctl: ends with 0, linux/amd64 is there
#   image: skopeo: ends with 0, linux/amd64 is there
#   index: crane: ends with 1, nothing is there
#   index: oras: ends with 1, nothing is there
#   index: regctl: ends with 1, nothing is there
#   index: skopeo: ends with 1, nothing is there
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
export GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false
go install github.com/google/go-containerregistry/cmd/crane@v0.22.1
go install oras.land/oras/cmd/oras@v1.3.6
go install github.com/regclient/regclient/cmd/regctl@v0.11.7
cd "$folder"
export HOME="$folder" XDG_DATA_HOME="$folder/share" TMPDIR="$folder"
port="$(node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})")"
registry="127.0.0.1:$port"
printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: %s }\n' "$PWD/data" "$registry" >config.yml
docker-registry serve config.yml >registry.log 2>&1 &
jobs+=($!)
for _ in $(seq 100); do curl -fso /dev/null "http://$registry/v2/" && break; sleep 0.1; done
readonly OCI=application/vnd.oci.image
base="http://$registry/v2/team/app"
digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
echo 'some words' >words
tar -cf layer.tar words
gzip -nc layer.tar >layer
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(digest layer.tar)" >config
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar+gzip","digest":"%s","size":%s}]}' \
  "$OCI" "$OCI" "$(digest config)" "$(wc -c <config)" "$OCI" "$(digest layer)" "$(wc -c <layer)" >image
printf '{"schemaVersion":2,"mediaType":"%s.index.v1+json","manifests":[{"mediaType":"%s.manifest.v1+json","digest":"%s","size":%s,"platform":{"os":"linux","architecture":"amd64"}}]}' \
  "$OCI" "$OCI" "$(digest image)" "$(wc -c <image)" >index
for blob in config layer; do
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$blob" "$location&digest=$(digest $blob)"
done
curl -fs -X PUT -H "Content-Type: $OCI.manifest.v1+json" --data-binary @image "$base/manifests/image"
curl -fs -X PUT -H "Content-Type: $OCI.index.v1+json" --data-binary @index "$base/manifests/index"
copy() { # COPIER TAG
  local from="$registry/team/app:$2" to="$registry/$1/app:$2"
  case "$1" in
    crane) timeout 30 ./crane copy --insecure --platform linux/arm64 "$from" "$to" ;;
    oras) timeout 30 ./oras copy --from-plain-http --to-plain-http --platform linux/arm64 "$from" "$to" ;;
    regctl) timeout 30 ./regctl --host "reg=$registry,tls=disabled" image copy --platform linux/arm64 "$from" "$to" ;;
    skopeo)
      timeout 30 skopeo --insecure-policy --override-os linux --override-arch arm64 copy --src-tls-verify=false \
        --dest-tls-verify=false "docker://$from" "docker://$to"
      ;;
  esac >"$1-$2.log" 2>&1
}
for tag in image index; do
  for copier in crane oras regctl skopeo; do
    code=0 there=nothing
    copy "$copier" "$tag" || code=$?
    curl -so copied -H "Accept: $OCI.manifest.v1+json" -H "Accept: $OCI.index.v1+json" "http://$registry/v2/$copier/app/manifests/$tag"
    if cmp -s copied image || cmp -s copied index; then there=linux/amd64; fi
    echo "$tag: $copier: ends with $code, $there is there"
  done
done >seen.txt
cat seen.txt
diff seen.txt - <<'END'
image: crane: ends with 0, linux/amd64 is there
image: oras: ends with 1, nothing is there
image: regctl: ends with 0, linux/amd64 is there
image: skopeo: ends with 0, linux/amd64 is there
index: crane: ends with 1, nothing is there
index: oras: ends with 1, nothing is there
index: regctl: ends with 1, nothing is there
index: skopeo: ends with 1, nothing is there
END
