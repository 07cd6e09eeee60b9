#!/bin/sh
# Writes the secrets that docker-compose.yml names, each only when it is not there yet. To change
# one, delete its file, run this again, and recreate the services.
set -eu
cd "$(dirname "$0")/secrets"

main() {
  # Only you can enter the folder. The files themselves must be readable for every user, because
  # Compose mounts them with the modes they have here, and the containers run as other users.
  chmod 700 .
  for name in admin edge hq-push registry-http; do
    [ -s "$name" ] || save "$name" "$(random)"
  done
}

random() { od -An -N 24 -t x1 /dev/urandom | tr -d ' \n'; }

save() {
  (umask 022 && printf '%s\n' "$2" >"$1.new")
  mv -f "$1.new" "$1"
}

main
