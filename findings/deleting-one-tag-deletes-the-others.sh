#!/usr/bin/env bash
# Three tags of one image; one of them is deleted by name. crane 0.22.1 `delete` and regctl 0.11.7 `tag rm` delete that tag. oras 1.3.6
# `manifest delete` and skopeo 1.9.3 (Debian's package) `delete` look up its digest and delete the manifest, and all its tags go
# with it, with code 0. A clean-up that takes `pr-17` away takes away the release that was built from the same commit. The registry
# would delete by name: distribution 3.1.2, deletion turned on. Needs Go, curl and skopeo. Seen, of the tags latest, pr-17 and v1:
#   crane: ends with 0, asked DELETE …/manifests/pr-17, left: latest v1
#   regctl: ends with 0, asked DELETE …/manifests/pr-17, left: latest v1
#   oras: ends with 0, asked DELETE …/manifests/sha256:…, left: none
#   skopeo: ends with 0, asked DELETE …/manifests/sha256:…, left: none
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
export HOME="$folder"
port="$(node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})")"
printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s }, delete: { enabled: true } }\nhttp: { addr: 127.0.0.1:%s }\n' \
  "$PWD/data" "$port" >config.yml
OTEL_TRACES_EXPORTER=none ./registry serve config.yml >log 2>&1 &
jobs+=($!)
for _ in $(seq 100); do curl -fso /dev/null "http://127.0.0.1:$port/v2/" && break; sleep 0.1; done
readonly MANIFEST=application/vnd.oci.image.manifest.v1+json
fill() { # REPOSITORY
  local base="http://127.0.0.1:$port/v2/$1" location digest tag
  printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >config
  digest="sha256:$(sha256sum config | cut -d' ' -f1)"
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary @config "$location&digest=$digest"
  for tag in latest pr-17 v1; do
    printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[]}' \
      "$MANIFEST" "$digest" "$(wc -c <config)" | curl -fs -X PUT -H "Content-Type: $MANIFEST" --data-binary @- "$base/manifests/$tag"
  done
}
try() { # NAME COMMAND…, up to the image
  local name="$1" before='' code=0 asked left
  shift
  if [ "$name" = skopeo ]; then before=docker://; fi
  fill "team/$name"
  timeout 60 "$@" "${before}127.0.0.1:$port/team/$name:pr-17" >/dev/null 2>&1 || code=$?
  # The registry may write its line about the request just after the answer.
  for _ in $(seq 50); do
    asked="$(sed -nE "s,.*\"DELETE /v2/team/$name/manifests/((sha256:)?)([^ ]*) .*,\1 \3,p" log)"
    if [ -n "$asked" ]; then break; fi
    sleep 0.1
  done
  case "$asked" in 'sha256: '*) asked='sha256:…' ;; *) asked="${asked# }" ;; esac
  left="$(curl -s "http://127.0.0.1:$port/v2/team/$name/tags/list" | node -p 'JSON.parse(require("fs").readFileSync(0)).tags?.join(" ") || "none"')"
  printf '%s: ends with %s, asked DELETE …/manifests/%s, left: %s\n' "$name" "$code" "$asked" "$left"
}
{
  try crane ./crane delete --insecure
  try regctl ./regctl --host "reg=127.0.0.1:$port,tls=disabled" tag rm
  try oras ./oras manifest delete --force --plain-http
  try skopeo skopeo delete --tls-verify=false
} | tee seen.txt
diff seen.txt - <<'END'
crane: ends with 0, asked DELETE …/manifests/pr-17, left: latest v1
regctl: ends with 0, asked DELETE …/manifests/pr-17, left: latest v1
oras: ends with 0, asked DELETE …/manifests/sha256:…, left: none
skopeo: ends with 0, asked DELETE …/manifests/sha256:…, left: none
END
