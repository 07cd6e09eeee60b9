#!/usr/bin/env bash
# Writes a small image as an OCI layout, for a trial without any image at hand. Each one has new
# content: scripts/example-image.sh FOLDER
set -euo pipefail
[ $# = 1 ] || { printf 'usage: %s FOLDER\n' "$0" >&2 && exit 2; }
readonly LAYOUT="$1"
readonly BLOBS="$LAYOUT/blobs/sha256"
readonly OCI=application/vnd.oci.image

main() {
  [ ! -e "$LAYOUT" ] || { printf '%s exists already\n' "$LAYOUT" >&2 && exit 1; }
  mkdir -p "$BLOBS"
  trap 'rm -rf "${WORK:-}"' EXIT
  WORK="$(mktemp -d)"
  local diff_id layer config manifest
  mkdir "$WORK/root"
  date '+hello, made at %T.%N' >"$WORK/root/hello"
  head -c 1000000 /dev/urandom >"$WORK/root/noise"
  tar -C "$WORK/root" -cf "$WORK/layer" .
  diff_id="sha256:$(sha256_of "$WORK/layer")"
  gzip -n "$WORK/layer"
  layer="$(store "$OCI.layer.v1.tar+gzip" "$WORK/layer.gz")"
  printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' \
    "$diff_id" >"$WORK/config"
  config="$(store "$OCI.config.v1+json" "$WORK/config")"
  printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' \
    "$OCI.manifest.v1+json" "$config" "$layer" >"$WORK/manifest"
  manifest="$(store "$OCI.manifest.v1+json" "$WORK/manifest")"
  printf '{"schemaVersion":2,"manifests":[%s]}' "$manifest" >"$LAYOUT/index.json"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$LAYOUT/oci-layout"
}

# Puts a file among the blobs and prints its descriptor.
store() {
  local digest size
  digest="$(sha256_of "$2")"
  size="$(wc -c <"$2")"
  cp "$2" "$BLOBS/$digest"
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%d}' "$1" "$digest" "$size"
}

sha256_of() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

main
