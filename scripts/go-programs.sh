#!/usr/bin/env bash
# Builds other people's programs that tests and benches run beside pullsync, at pinned versions, where
# there is a Go: `go-programs.sh [NAME…]`, all without a name. Says one line for each that it builds, keeps
# them outside the clone, and prints their folder. Where there is no Go it says so and ends with 3.
set -euo pipefail

readonly FOLDER="${PULLSYNC_PROGRAMS:-${XDG_CACHE_HOME:-$HOME/.cache}/pullsync/programs}"
readonly -A MODULES=(
  [crane]=github.com/google/go-containerregistry/cmd/crane@v0.22.1
  [regctl]=github.com/regclient/regclient/cmd/regctl@v0.11.7
  [regsync]=github.com/regclient/regclient/cmd/regsync@v0.11.7
  [oras]=oras.land/oras/cmd/oras@v1.3.6
  [distribution3]=github.com/distribution/distribution/v3/cmd/registry@v3.1.2
  [cosign]=github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
  [helm]=helm.sh/helm/v4/cmd/helm@v4.3.2
  [kubectl-validate]=sigs.k8s.io/kubectl-validate@v0.0.4
  [conformance]=github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111
  [buildkitd]=github.com/moby/buildkit/cmd/buildkitd@v0.34.2
  [buildctl]=github.com/moby/buildkit/cmd/buildctl@v0.34.2
  [ko]=github.com/google/ko@v0.19.1
)

main() {
  local names=("$@") name
  ((${#names[@]})) ||
    names=(crane distribution3 oras regctl regsync conformance helm cosign buildctl buildkitd ko kubectl-validate)
  mkdir -p "$FOLDER"
  for name in "${names[@]}"; do build "$name"; done
  printf '%s\n' "$FOLDER"
}

build() {
  local module="${MODULES[$1]:-}" stamp="$FOLDER/.$1" built
  [ -n "$module" ] || { printf 'go-programs: knows no %s\n' "$1" >&2 && exit 2; }
  if [ -x "$FOLDER/$1" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$module" ]; then return; fi
  command -v go >/dev/null || { printf 'go-programs: no Go here, so no %s\n' "$1" >&2 && exit 3; }
  printf 'go-programs: building %s\n' "$module" >&2
  built="$(mktemp -d)"
  # shellcheck disable=SC2064
  trap "rm -rf '$built'" EXIT
  (cd "$built" && install_module "$module" "$built/bin") >&2
  mv "$built"/bin/* "$FOLDER/$1"
  printf '%s' "$module" >"$stamp"
  rm -rf "$built"
}

# In a module of its own: Go installs nothing by its name whose go.mod excludes something.
install_module() {
  export CGO_ENABLED=0 GOFLAGS=-buildvcs=false
  go mod init programs && go get "$1" && go build -ldflags='-s -w' -o "$2/" "${1%@*}"
}

main "$@"
