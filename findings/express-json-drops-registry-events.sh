#!/usr/bin/env bash
# express 5.3.0: `express.json()` reads `application/json` and nothing with `+json` at the end. Registries post events
# as `application/vnd.docker.distribution.events.v1+json` (distribution 2.8), `…v2+json` (distribution 3) or
# `application/cloudevents+json` (zot, Harbor): the handler runs with a body of `undefined`, and a route that answers
# 200 loses every event without an error. Seen:
#   application/json: an object
#   application/vnd.docker.distribution.events.v1+json: undefined, status 200
#   application/vnd.docker.distribution.events.v2+json: undefined, status 200
#   application/cloudevents+json: undefined, status 200
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts express@5.3.0
cat >seen.mjs <<'END'
import express from 'express'

const app = express()
app.use(express.json())
app.post('/', ({ body }, response) => {
  response.send(body === undefined ? 'undefined' : `an ${typeof body}`)
})
const server = app.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}/`
  for (const type of [
    'application/json',
    'application/vnd.docker.distribution.events.v1+json',
    'application/vnd.docker.distribution.events.v2+json',
    'application/cloudevents+json',
  ]) {
    const headers = { 'content-type': type }
    const answer = await fetch(url, { method: 'POST', headers, body: '{"events":[]}' })
    const body = await answer.text()
    console.log(`${type}: ${body}${body === 'undefined' ? `, status ${answer.status}` : ''}`)
  }
  server.closeAllConnections()
  server.close()
})
END
node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
application/json: an object
application/vnd.docker.distribution.events.v1+json: undefined, status 200
application/vnd.docker.distribution.events.v2+json: undefined, status 200
application/cloudevents+json: undefined, status 200
END
