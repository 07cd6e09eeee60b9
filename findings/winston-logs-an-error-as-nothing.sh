#!/usr/bin/env bash
# winston 3.19.0 with `json()`, its default format: `logger.error(error)` prints the level alone, no message and no stack, while the
# same call on `logger.child()` prints both, as does an error given beside a text. The root logger formats the error itself, whose
# message and stack JSON leaves out; the child makes a copy first. As what has an own `code` is printed with it, the line
# does not even look empty. `errors({ stack: true })` before `json()` mends the first two. An error in the metadata is `{}` with either.
# Seen:
#   logger.error(error): {"level":"error"}
#   logger.error(error with a code): {"code":"ECONNRESET","level":"error"}
#   child.error(error): message "upstream is away", with its stack
#   logger.error('copy failed', error): message "copy failed upstream is away", with its stack
#   logger.error('copy failed', { error }): {"error":{},"level":"error","message":"copy failed"}
#   with errors(): logger.error(error): message "upstream is away", with its stack
#   with errors(): logger.error('copy failed', { error }): {"error":{},"level":"error","message":"copy failed"}
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts winston@3.19.0
cat >seen.mjs <<'END'
import { PassThrough } from 'node:stream'
import { createLogger, format, transports } from 'winston'

const stream = new PassThrough({ encoding: 'utf8' })
const made = (form) => createLogger({ ...form, transports: [new transports.Stream({ stream, eol: '\n' })] })
const error = () => new Error('upstream is away')

/** What the call wrote; a stack, which has paths of this machine, only as there. */
function look(what, call) {
  call()
  const line = stream.read()?.trim() ?? 'nothing'
  const { message, stack } = JSON.parse(line)
  const told = stack?.startsWith('Error: upstream is away\n    at ') ? `message ${JSON.stringify(message)}, with its stack` : line
  console.log(`${what}: ${told}`)
}

const logger = made({})
look('logger.error(error)', () => logger.error(error()))
look('logger.error(error with a code)', () => logger.error(Object.assign(error(), { code: 'ECONNRESET' })))
look('child.error(error)', () => logger.child({}).error(error()))
look("logger.error('copy failed', error)", () => logger.error('copy failed', error()))
look("logger.error('copy failed', { error })", () => logger.error('copy failed', { error: error() }))
const mended = made({ format: format.combine(format.errors({ stack: true }), format.json()) })
look('with errors(): logger.error(error)', () => mended.error(error()))
look("with errors(): logger.error('copy failed', { error })", () => mended.error('copy failed', { error: error() }))
END
timeout 30 node seen.mjs | tee seen.txt
diff seen.txt - <<'END'
logger.error(error): {"level":"error"}
logger.error(error with a code): {"code":"ECONNRESET","level":"error"}
child.error(error): message "upstream is away", with its stack
logger.error('copy failed', error): message "copy failed upstream is away", with its stack
logger.error('copy failed', { error }): {"error":{},"level":"error","message":"copy failed"}
with errors(): logger.error(error): message "upstream is away", with its stack
with errors(): logger.error('copy failed', { error }): {"error":{},"level":"error","message":"copy failed"}
END
