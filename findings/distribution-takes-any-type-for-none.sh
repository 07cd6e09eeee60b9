#!/usr/bin/env bash
# `Accept: */*`, which curl and most HTTP libraries send by themselves, is no wish for any type to CNCF distribution. 2.8.2 (Debian's
# docker-registry) answers 404 MANIFEST_UNKNOWN to it for OCI images and indexes that are there; 3.1.2 gives the index, and says
# 404 of the image that it names. Health checks and scripts that do not name the types take what is there for missing. Needs Go,
# docker-registry and curl. Seen:
#   2.8.2: Accept */*: index 404, image 404; Accept of its type: index 200, image 200
#   3.1.2: Accept */*: index 200, image 404; Accept of its type: index 200, image 200
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
export OTEL_TRACES_EXPORTER=none
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
readonly IMAGE=application/vnd.oci.image.manifest.v1+json INDEX=application/vnd.oci.image.index.v1+json
readonly EMPTY=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"%s","size":2},"layers":[]}' "$IMAGE" "$EMPTY" >image
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s","size":%s,"digest":"sha256:%s"}]}' \
  "$INDEX" "$IMAGE" "$(wc -c <image)" "$(sha256sum image | cut -d' ' -f1)" >index
start() { # PROGRAM VERSION PORT
  local location
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$2" "$3" >"$2.yml"
  "$1" serve "$2.yml" >"$2.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$3/v2/"; do sleep 0.1; done
  base="http://127.0.0.1:$3/v2/team/app"
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary '{}' "$location&digest=$EMPTY"
  curl -fs -X PUT -H "Content-Type: $IMAGE" --data-binary @image "$base/manifests/image"
  curl -fs -X PUT -H "Content-Type: $INDEX" --data-binary @index "$base/manifests/index"
}
status() { curl -so /dev/null -w '%{http_code}' -H "Accept: $1" "$base/manifests/$2"; }
ask() { # VERSION
  printf '%s: Accept */*: index %s, image %s; Accept of its type: index %s, image %s\n' "$1" \
    "$(status '*/*' index)" "$(status '*/*' image)" "$(status "$INDEX" index)" "$(status "$IMAGE" image)"
}
start docker-registry 2.8.2 "$(port)"
ask 2.8.2 | tee seen.txt
start ./registry 3.1.2 "$(port)"
ask 3.1.2 | tee -a seen.txt
diff seen.txt - <<'END_SEEN'
2.8.2: Accept */*: index 404, image 404; Accept of its type: index 200, image 200
3.1.2: Accept */*: index 200, image 404; Accept of its type: index 200, image 200
END_SEEN
