#!/usr/bin/env bash
# Brings whatever the demo and the tests need: npm packages, a few servers, and the build. With
# `--clients` also what images are pulled and run with, on Debian: Docker Engine, containerd, podman, and
# the Compose, the Prometheus, the browser and the shells that the rest of deploy/, the pages and the completion are tried in.
# Says one line for each thing it does, nothing when all is there, and may be run at any time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Debian keeps nginx where an ordinary user's PATH does not look.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

PACKAGES=(redis-server docker-registry skopeo nginx openssl)
readonly CLIENT_PACKAGES=(docker.io docker-compose zsh fish containerd runc podman busybox-static prometheus chromium)
readonly LOG="$(mktemp "${TMPDIR:-/tmp}/pullsync-set-up-XXXXXX")"
readonly POLICY=/usr/sbin/policy-rc.d
sudo=()
wrote_policy=no

main() {
  trap clean_up EXIT
  case "${1:-}" in
    '') ;;
    --clients) PACKAGES+=("${CLIENT_PACKAGES[@]}") ;;
    *) fail "knows no $1; --clients brings container clients, too" ;;
  esac
  readonly PACKAGES
  check_node
  install_servers
  install_npm_packages
  build
}

say() { printf 'set-up: %s\n' "$*"; }

fail() {
  printf 'set-up: %s\n' "$@" >&2
  exit 1
}

# Output is worth reading only when the command fails.
quietly() {
  "$@" >"$LOG" 2>&1 </dev/null || {
    local code=$?
    cat "$LOG" >&2
    return "$code"
  }
}

clean_up() {
  rm -f "$LOG"
  if [ "$wrote_policy" = yes ]; then "${sudo[@]}" rm -f "$POLICY"; fi
}

check_node() {
  local version major minor
  command -v node >/dev/null && command -v npm >/dev/null ||
    fail 'needs Node.js 20.19 or newer with npm: https://nodejs.org/en/download'
  version="$(node --version)"
  IFS=. read -r major minor _ <<<"${version#v}"
  if ((major < 20 || (major == 20 && minor < 19))); then
    fail "needs Node.js 20.19 or newer, found $version: https://nodejs.org/en/download"
  fi
}

install_servers() {
  local missing
  missing=($(missing_packages))
  if ((${#missing[@]} == 0)); then return; fi
  if command -v apt-get >/dev/null; then
    become_root "${missing[@]}"
    install_with_apt "${missing[@]}"
  elif command -v brew >/dev/null; then
    install_with_homebrew "${missing[@]}"
  else
    fail "please install ${missing[*]} with your system's package manager, then run this again"
  fi
  missing=($(missing_packages))
  if ((${#missing[@]} > 0)); then
    fail "please install ${missing[*]} by hand, then run this again: it is not on the PATH yet"
  fi
}

# Everywhere but on Debian the registry's program is called `registry`.
missing_packages() {
  local package
  for package in "${PACKAGES[@]}"; do
    if command -v "$(program_of "$package")" >/dev/null; then continue; fi
    if [ "$package" = docker-registry ] && command -v registry >/dev/null; then continue; fi
    printf '%s\n' "$package"
  done
}

program_of() {
  case "$1" in
    docker.io) echo dockerd ;;
    busybox-static) echo busybox ;;
    *) echo "$1" ;;
  esac
}

become_root() {
  if [ "$(id -u)" = 0 ]; then return; fi
  if command -v sudo >/dev/null; then
    if sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; then
      sudo=(sudo)
      return
    fi
  fi
  fail "please run as root, or with sudo: apt-get install $*"
}

install_with_apt() {
  say "installing $* with apt"
  keep_services_stopped
  if ! apt-cache show "$@" >/dev/null 2>&1; then quietly apt_get update; fi
  # A package list may be there and still be too old to find the files that it names.
  apt_get_install "$@" >"$LOG" 2>&1 </dev/null ||
    { quietly apt_get update && quietly apt_get_install "$@"; } ||
    fail "apt-get could not install $*"
  if [ -d /run/systemd/system ]; then
    # Nor at the next boot: only the programs are wanted.
    local package
    for package in "$@"; do
      "${sudo[@]}" systemctl disable --quiet "${package%.io}" 2>/dev/null || true
    done
  fi
}

apt_get_install() { apt_get install --yes --no-install-recommends "$@"; }

apt_get() {
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@"
}

# Debian starts what it installs, on the usual ports, unless this file says no.
keep_services_stopped() {
  if [ -e "$POLICY" ]; then return; fi
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$POLICY" >/dev/null
  wrote_policy=yes
  "${sudo[@]}" chmod 755 "$POLICY"
}

install_with_homebrew() {
  local package
  for package in "$@"; do
    case "$package" in
      redis-server) package=redis ;;
      docker-registry) package=distribution ;;
    esac
    say "installing $package with Homebrew"
    quietly brew install "$package" || true
  done
}

# The stamp is a copy of the lock file, because a change of branch gives old content a new date;
# npm's own record is newer than the lock file after an installation by hand.
install_npm_packages() {
  local stamp=node_modules/.pullsync-package-lock.json
  if cmp -s package-lock.json "$stamp"; then return; fi
  if [ node_modules/.package-lock.json -nt package-lock.json ]; then
    cp package-lock.json "$stamp"
    return
  fi
  say 'installing npm packages'
  # Without `prepare`, whose failure would throw away what was installed; the build comes next anyway.
  quietly npm ci --include=dev --ignore-scripts --no-audit --no-fund || fail 'npm ci failed'
  cp package-lock.json "$stamp"
}

build() {
  local stamp=dist/.built sources=(package.json tsconfig.json tsconfig.build.json)
  local source
  for source in pullsync.ts src workers scripts bench test/support; do
    if [ -e "$source" ]; then sources+=("$source"); fi
  done
  if [ -e "$stamp" ] && [ -z "$(find "${sources[@]}" -newer "$stamp" -print -quit)" ]; then return; fi
  say 'building'
  mkdir -p dist
  # Dated before the build: what is saved while it runs is built the next time.
  touch "$stamp.next"
  quietly npm run --silent build || fail 'the build failed'
  mv "$stamp.next" "$stamp"
}

main "$@"
