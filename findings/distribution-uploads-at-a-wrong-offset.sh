#!/usr/bin/env bash
# A PATCH whose Content-Range begins elsewhere than where the upload stands: distribution 2.8.2 (Debian's
# docker-registry) takes no notice of Content-Range, answers 202 and appends; distribution 3.1.2 answers 416 and the
# upload lives on, so that its newest Location can be continued. Code that resumes uploads by trying cannot tell on the
# first that it was wrong, until the digest. Needs Go and docker-registry. Seen:
#   2.8.2: PATCH of bytes 5-9 when the upload stands at 3: 202, Range 0-7
#   3.1.2: PATCH of bytes 5-9 when the upload stands at 3: 416
#   3.1.2: the right range afterwards: 202, Range 0-7
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
old="$(port)" new="$(port)"
start() { # PROGRAM NAME PORT
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$2" "$3" >"$2.yml"
  OTEL_TRACES_EXPORTER=none "$1" serve "$2.yml" >"$2.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$3/v2/"; do sleep 0.1; done
}
start docker-registry old "$old"
start ./registry new "$new"
location=''
patch() { # RANGE BYTES
  curl -si -X PATCH -H 'Content-Type: application/octet-stream' -H "Content-Range: $1" --data-binary "$2" "$location" |
    tr -d '\r' >answer
  local next
  next="$(sed -n 's/^Location: //p' answer)"
  [ -z "$next" ] || location="$next"
  sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' answer
}
range() { sed -n 's/^Range: /, Range /p' answer; }
begin() {
  location="$(curl -fsi -X POST "http://127.0.0.1:$1/v2/team/app/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  patch 0-2 abc >/dev/null
}
wrong='PATCH of bytes 5-9 when the upload stands at 3'
{
  begin "$old"
  status="$(patch 5-9 fghij)" && echo "2.8.2: $wrong: $status$(range)"
  begin "$new"
  status="$(patch 5-9 fghij)" && echo "3.1.2: $wrong: $status"
  status="$(patch 3-7 defgh)" && echo "3.1.2: the right range afterwards: $status$(range)"
} | tee seen.txt
diff seen.txt - <<'END'
2.8.2: PATCH of bytes 5-9 when the upload stands at 3: 202, Range 0-7
3.1.2: PATCH of bytes 5-9 when the upload stands at 3: 416
3.1.2: the right range afterwards: 202, Range 0-7
END
