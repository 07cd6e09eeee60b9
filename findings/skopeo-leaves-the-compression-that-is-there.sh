#!/usr/bin/env bash
# `skopeo copy --dest-compress-format zstd` (1.9.3, Debian's package) packs gzip layers anew for a repository that has none of them, and
# leaves them as they are where the repository has the gzip layer already, with code 0 and without a word. So whoever turns zstd on
# for images that are in use gets it for new layers alone. Two docker-registry 2.8.2; needs docker-registry, skopeo, curl, openssl and Node. Seen:
#   into an empty repository: tar+zstd, ends with 0
#   into one that has the layer: tar+gzip, ends with 0
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
cd "$folder"
# skopeo remembers where it saw which layer: nothing from before is to count.
export HOME="$folder/home" XDG_DATA_HOME="$folder/home/share" TMPDIR="$folder"
mkdir -p "$HOME"
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
start() { # NAME PORT
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$1" "$2" >"$1.yml"
  docker-registry serve "$1.yml" >"$1.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$2/v2/"; do sleep 0.1; done
}
digest() { echo "sha256:$(openssl dgst -sha256 -r "$1" | cut -d' ' -f1)"; }
put() { # FILE
  local location
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$1" "$location&digest=$(digest "$1")"
}
from="$(port)" to="$(port)"
start from "$from"
start to "$to"
base="http://127.0.0.1:$from/v2/team/app"
echo 'some words' >words
tar -cf layer.tar words
gzip -nk layer.tar
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}' "$(digest layer.tar)" >config
readonly OCI=application/vnd.oci.image
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar+gzip","digest":"%s","size":%s}]}' \
  "$OCI" "$OCI" "$(digest config)" "$(wc -c <config)" "$OCI" "$(digest layer.tar.gz)" "$(wc -c <layer.tar.gz)" >manifest
put config
put layer.tar.gz
curl -fs -X PUT -H "Content-Type: $OCI.manifest.v1+json" --data-binary @manifest "$base/manifests/1"
copy() { # TO OPTION…
  local target="$1"
  shift
  skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false "$@" \
    "docker://127.0.0.1:$from/team/app:1" "docker://127.0.0.1:$to/$target" 2>/dev/null
}
try() { # WHAT REPOSITORY
  local code=0
  copy "$2:zstd" --dest-compress-format zstd || code=$?
  printf '%s: %s, ends with %s\n' "$1" "$(curl -fs -H "Accept: $OCI.manifest.v1+json" "http://127.0.0.1:$to/v2/$2/manifests/zstd" | grep -oE 'tar\+(gzip|zstd)')" "$code"
}
{
  try 'into an empty repository' team/empty
  copy team/used:gzip
  try 'into one that has the layer' team/used
} | tee seen.txt
diff seen.txt - <<'END_SEEN'
into an empty repository: tar+zstd, ends with 0
into one that has the layer: tar+gzip, ends with 0
END_SEEN
