#!/usr/bin/env bash
# crane 0.22.1 `copy` from one registry to another asks the target to mount each blob from the *source's* repository
# (`POST …/blobs/uploads/?mount=…&from=<source repository>`), although that is a repository of another registry. A
# target that happens to have a repository of that name links its blob. Two docker-registry 2.8.2 (Debian's package) with
# an access log; needs Go and docker-registry. Seen:
#   copy 127.0.0.1:A/team/app:1 to 127.0.0.1:B/mirror/app:1
#   the target was asked: POST /v2/mirror/app/blobs/uploads/ from=team/app
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/google/go-containerregistry/cmd/crane@v0.22.1
cd "$folder"
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
a="$(port)" b="$(port)"
start() { # NAME PORT
  printf 'version: 0.1\nlog: { accesslog: { disabled: false } }\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' \
    "$PWD/$1" "$2" >"$1.yml"
  docker-registry serve "$1.yml" >"$1.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$2/v2/"; do sleep 0.1; done
}
start a "$a"
start b "$b"
head -c 1000 /dev/urandom >file && tar -cf layer.tar file
./crane append --insecure --new_layer layer.tar --new_tag "127.0.0.1:$a/team/app:1" >/dev/null 2>&1
./crane copy --insecure "127.0.0.1:$a/team/app:1" "127.0.0.1:$b/mirror/app:1" >/dev/null 2>&1
{
  echo 'copy 127.0.0.1:A/team/app:1 to 127.0.0.1:B/mirror/app:1'
  grep -o 'POST /v2/[^" ]*mount=[^" ]*' b.log | head -n 1 |
    sed -E 's#\?.*from=([^&]*).*# from=\1#; s#%2F#/#g; s#^#the target was asked: #'
} | tee seen.txt
diff seen.txt - <<'END'
copy 127.0.0.1:A/team/app:1 to 127.0.0.1:B/mirror/app:1
the target was asked: POST /v2/mirror/app/blobs/uploads/ from=team/app
END
