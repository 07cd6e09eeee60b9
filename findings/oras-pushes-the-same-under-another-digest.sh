#!/usr/bin/env bash
# `oras push` (1.3.6) of the same file, twice: two digests, because it writes the second in which it ran into the manifest
# (`org.opencontainers.image.created`). A job that pushes what has not changed moves the tag each time, and everything that follows
# tags or pins digests (mirrors, signatures, deployments) begins anew. With that annotation given it is the same. The layer is
# the same in any case. Needs Go, docker-registry and curl. Seen:
#   as it is: 2 digests of 2 pushes
#   with --annotation org.opencontainers.image.created=…: 1 digests of 2 pushes
#   layers of all four: 1
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false go install oras.land/oras/cmd/oras@v1.3.6
cd "$folder"
export HOME="$folder"
port="$(node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})")"
printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/data" "$port" >config.yml
docker-registry serve config.yml >log 2>&1 &
jobs+=($!)
until curl -fso /dev/null "http://127.0.0.1:$port/v2/"; do sleep 0.1; done
echo 'the same words' >words.txt
push() { # TAG OPTION…
  local tag="$1"
  shift
  ./oras push --plain-http --format json "$@" "127.0.0.1:$port/team/words:$tag" words.txt |
    node -p 'JSON.parse(require("fs").readFileSync(0)).digest'
}
both() { # NAME OPTION…
  local name="$1"
  shift
  { push "$name-1" "$@"; sleep 1.1; push "$name-2" "$@"; } | sort -u | wc -l | tr -d ' '
}
layers() {
  for tag in plain-1 plain-2 given-1 given-2; do
    curl -fs -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://127.0.0.1:$port/v2/team/words/manifests/$tag" |
      node -p 'JSON.parse(require("fs").readFileSync(0)).layers[0].digest'
  done | sort -u | wc -l | tr -d ' '
}
{
  printf 'as it is: %s digests of 2 pushes\n' "$(both plain)"
  printf 'with --annotation org.opencontainers.image.created=…: %s digests of 2 pushes\n' \
    "$(both given --annotation org.opencontainers.image.created=2026-01-01T00:00:00Z)"
  printf 'layers of all four: %s\n' "$(layers)"
} | tee seen.txt
diff seen.txt - <<'END_SEEN'
as it is: 2 digests of 2 pushes
with --annotation org.opencontainers.image.created=…: 1 digests of 2 pushes
layers of all four: 1
END_SEEN
