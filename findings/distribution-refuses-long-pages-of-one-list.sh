#!/usr/bin/env bash
# distribution 3.1.2 has two lists that come in pages, and a limit for the length of each. Asked for a longer page, the list of
# repositories is refused (400 PAGINATION_NUMBER_INVALID), by default for n above 1,000, while the list of tags gives as many as it
# may and a link. Code that asks both for 5,000 names at once gets all tags, and no repository. Needs Go and curl. Seen, of three of
# each with both limits at 2:
#   _catalog?n=3: 400 PAGINATION_NUMBER_INVALID
#   _catalog: 200, 2 names, with a link
#   tags/list?n=3: 200, 2 names, with a link
#   tags/list: 200, 3 names, without a link
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
port="$(node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})")"
printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\ncatalog: { maxentries: 2 }\ntags: { maxtags: 2 }\n' \
  "$PWD/data" "$port" >config.yml
OTEL_TRACES_EXPORTER=none ./registry serve config.yml >log 2>&1 &
jobs+=($!)
until curl -fso /dev/null "http://127.0.0.1:$port/v2/"; do sleep 0.1; done
readonly MANIFEST=application/vnd.oci.image.manifest.v1+json
readonly EMPTY=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
for repository in team/a team/b team/c; do
  base="http://127.0.0.1:$port/v2/$repository"
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary '{}' "$location&digest=$EMPTY"
  for tag in 1 2 3; do
    printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"%s","size":2},"layers":[]}' \
      "$MANIFEST" "$EMPTY" | curl -fs -X PUT -H "Content-Type: $MANIFEST" --data-binary @- "$base/manifests/$tag"
  done
done
try() { # WHAT PATH
  local status names
  status="$(curl -so body -D head -w '%{http_code}' "http://127.0.0.1:$port/v2/$2")"
  if [ "$status" != 200 ]; then
    printf '%s: %s %s\n' "$1" "$status" "$(grep -oE '[A-Z]+(_[A-Z]+)+' body)"
    return
  fi
  names="$(node -p 'const list = JSON.parse(require("fs").readFileSync("body")); (list.repositories ?? list.tags).length')"
  printf '%s: 200, %s names, %s a link\n' "$1" "$names" "$(grep -qi '^link:' head && echo with || echo without)"
}
{
  try '_catalog?n=3' '_catalog?n=3'
  try '_catalog' '_catalog'
  try 'tags/list?n=3' 'team/a/tags/list?n=3'
  try 'tags/list' 'team/a/tags/list'
} | tee seen.txt
diff seen.txt - <<'END_SEEN'
_catalog?n=3: 400 PAGINATION_NUMBER_INVALID
_catalog: 200, 2 names, with a link
tags/list?n=3: 200, 2 names, with a link
tags/list: 200, 3 names, without a link
END_SEEN
