#!/bin/sh
# Starts a registry that sends its events to pullsync, as the source that PULLSYNC_SOURCE names.
# The registry cannot read a secret from a file; put into the environment here, it stays out of
# what `docker inspect` shows.
set -eu

secret="$(cat "/run/secrets/$PULLSYNC_SOURCE")"
REGISTRY_HTTP_SECRET="$(cat /run/secrets/registry-http)"
# Of the local registry's pulls, pullsync takes the occasion to look whether upstream has moved the tag.
case "$PULLSYNC_SOURCE" in edge) actions='mount' ;; *) actions='pull, mount' ;; esac
# The same as `pullsync print notifications` writes.
REGISTRY_NOTIFICATIONS_ENDPOINTS="
- name: pullsync
  url: http://serve:8080/v1/events/$PULLSYNC_SOURCE
  headers: { Authorization: ['Bearer $secret'] }
  timeout: 5s
  threshold: 5
  backoff: 2s
  ignoredmediatypes: [application/octet-stream]
  ignore: { mediatypes: [application/octet-stream], actions: [$actions] }
"
export REGISTRY_HTTP_SECRET REGISTRY_NOTIFICATIONS_ENDPOINTS
exec registry serve /etc/docker/registry/config.yml
