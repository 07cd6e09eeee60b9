#!/usr/bin/env bash
# tags/list of distribution 2.8.2 (Debian's docker-registry) takes no notice of `n` and `last`, and names the tags in no order:
# each request gives all of them, without a Link. Code that goes on with `last` until a page is empty never ends on it, and
# code that looks for a tag by its place in the order does not find it. Distribution 3.1.2 sorts, and pages. Needs Go and
# docker-registry. Seen, of four tags pushed as delta, alpha, charlie, bravo:
#   2.8.2: ?n=2: all 4, Link: none
#   2.8.2: ?n=2&last=zulu: all 4
#   2.8.2: sorted: no
#   3.1.2: ?n=2: alpha bravo, Link: </v2/team/app/tags/list?last=bravo&n=2>; rel="next"
#   3.1.2: ?n=2&last=zulu: none
#   3.1.2: sorted: yes
set -euo pipefail
folder="$(mktemp -d)"
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$folder"' EXIT
GOBIN="$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
  go install github.com/distribution/distribution/v3/cmd/registry@v3.1.2
cd "$folder"
port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
start() { # PROGRAM NAME PORT
  printf 'version: 0.1\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: 127.0.0.1:%s }\n' "$PWD/$2" "$3" >"$2.yml"
  OTEL_TRACES_EXPORTER=none "$1" serve "$2.yml" >"$2.log" 2>&1 &
  jobs+=($!)
  until curl -fso /dev/null "http://127.0.0.1:$3/v2/"; do sleep 0.1; done
}
readonly MANIFEST=application/vnd.oci.image.manifest.v1+json
readonly EMPTY=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
fill() { # PORT
  local base="http://127.0.0.1:$1/v2/team/app" location tag
  location="$(curl -fsi -X POST "$base/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')"
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary '{}' "$location&digest=$EMPTY"
  for tag in delta alpha charlie bravo; do
    printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"%s","size":2},"layers":[],"annotations":{"tag":"%s"}}' \
      "$MANIFEST" "$EMPTY" "$tag" | curl -fs -X PUT -H "Content-Type: $MANIFEST" --data-binary @- "$base/manifests/$tag"
  done
}
tags() { # PORT QUERY
  curl -fsD head "http://127.0.0.1:$1/v2/team/app/tags/list$2" | node -p 'JSON.parse(require("fs").readFileSync(0)).tags?.join(" ") ?? ""'
}
told() {
  case "$(wc -w <<<"$1")" in 0) echo none ;; 4) echo all 4 ;; *) echo "$1" ;; esac
}
look() { # VERSION PORT
  local first
  first="$(told "$(tags "$2" '?n=2')")"
  echo "$1: ?n=2: $first, Link: $(tr -d '\r' <head | sed -n 's/^Link: //p' | grep . || echo none)"
  echo "$1: ?n=2&last=zulu: $(told "$(tags "$2" '?n=2&last=zulu')")"
  echo "$1: sorted: $([ "$(tags "$2" '')" = 'alpha bravo charlie delta' ] && echo yes || echo no)"
}
old="$(port)" new="$(port)"
start docker-registry old "$old"
start ./registry new "$new"
fill "$old"
fill "$new"
{
  look 2.8.2 "$old"
  look 3.1.2 "$new"
} | tee seen.txt
diff seen.txt - <<'END'
2.8.2: ?n=2: all 4, Link: none
2.8.2: ?n=2&last=zulu: all 4
2.8.2: sorted: no
3.1.2: ?n=2: alpha bravo, Link: </v2/team/app/tags/list?last=bravo&n=2>; rel="next"
3.1.2: ?n=2&last=zulu: none
3.1.2: sorted: yes
END
