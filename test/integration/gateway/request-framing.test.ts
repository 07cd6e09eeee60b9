import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../../src/http/server.ts'
import { closed } from '../../support/network/closed.ts'
import { startFront } from '../../support/network/gateway-front.ts'
import { type ClientMessage, clientMessage } from '../../support/network/client-messages.ts'
import { inLanes } from '../../support/process/lanes.ts'
import { readRequest } from '../../support/network/strict-http.ts'
import { USER_AGENT } from '../../../src/version.ts'

/** On a machine that has the time; on a busy one, as many as it gets through in a minute, each time others. */
const HEADS = 20_000
const WITHIN_MS = 60_000
const AT_ONCE = 24
/** A client that has sent everything, and to which nothing comes any more, leaves. */
const QUIET_MS = 150
const PASSED_ON = 299

/** What Node's parser made of a client's bytes, and what became of it. */
interface Parsed {
  readonly method: string
  readonly path: string
  body: string
  status: number
}

describe('what a client sends', () => {
  const parsed: Parsed[] = []
  const reached: string[] = []
  const wrong: string[] = []
  const registry = createServer(readStrictly)
  let local: LocalRegistry
  let front: HttpServer

  beforeAll(async () => {
    registry.listen(0, '127.0.0.1')
    await once(registry, 'listening')
    const { port } = registry.address() as AddressInfo
    local = new LocalRegistry({ url: new URL(`http://127.0.0.1:${port}`) })
    front = await startFront(() => local, [], { onRequest: follow })
  })

  afterAll(async () => {
    await front.stop(0)
    local[Symbol.dispose]()
    registry.close()
  })

  it('reaches a strict registry as the same requests with the same bodies, whatever its head', async () => {
    const seed = randomInt(2 ** 31)
    process.stdout.write(`requests of seed ${seed}, the last of ${HEADS} first\n`)
    const messages = fc.sample(clientMessage, { seed, numRuns: HEADS })
    const end = performance.now() + WITHIN_MS
    let sent = 0

    await inLanes(messages, AT_ONCE, async (message, at) => {
      if (performance.now() > end) return
      sent += 1
      await send(front.address.port, message, at)
    })
    process.stdout.write(`${sent} of them were sent\n`)

    expect(wrong).toEqual([])
    const passedOn = parsed.filter(({ status }) => status === PASSED_ON).map(described)
    const shown = (found: readonly string[]) =>
      found.slice(0, 3).map((each) => [each, messageOf(each, messages)])
    expect(shown(beyond(reached, parsed.map(described)))).toEqual([])
    expect(shown(beyond(passedOn, reached))).toEqual([])
    // Or the heads would be of a kind that is only ever refused.
    expect(passedOn.length).toBeGreaterThan(sent / 50)
  })

  function follow(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '' } = request
    const path = url.replace(/^https?:\/\/[^/]*/i, '')
    const seen: Parsed = { method, path, body: '', status: 0 }
    parsed.push(seen)
    const push = request.push.bind(request)
    request.push = (piece: unknown, encoding?: BufferEncoding) => {
      if (piece instanceof Buffer) seen.body += piece.toString('latin1')
      return push(piece, encoding)
    }
    response.once('finish', () => (seen.status = response.statusCode))
  }

  function readStrictly(socket: Socket): void {
    let text = ''
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (;;) {
        const read = readRequest(text)
        if (read.kind === 'broken') wrong.push(read.why)
        if (read.kind !== 'whole') return
        const [method = '', path = ''] = read.message.firstLine.split(' ')
        // Of its own accord the gateway asks the registry where its tokens are.
        if (read.message.headers.get('user-agent') !== USER_AGENT) {
          reached.push(JSON.stringify([method, path, read.message.body]))
        }
        text = read.rest
        socket.write(`HTTP/1.1 ${PASSED_ON} Yes\r\nContent-Length: 0\r\n\r\n`)
      }
    })
  }
})

const WITHOUT_BODY = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])

function described({ method, path, body }: Parsed): string {
  return JSON.stringify([method, path, WITHOUT_BODY.has(method) ? '' : body])
}

/** Those that are not among the others, as often as they are there. */
function beyond(these: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const each of others) left.set(each, (left.get(each) ?? 0) + 1)
  return these.filter((each) => {
    const count = left.get(each) ?? 0
    left.set(each, count - 1)
    return count <= 0
  })
}

function messageOf(description: string, messages: readonly ClientMessage[]): string {
  const { head, body } = messages[Number(/\d+/.exec(description.replace('v2', ''))?.[0])] ?? {}
  return `${head ?? ''}${body ?? ''}`.replaceAll('f:1\r\n', '')
}

/** On a connection of its own, until the gateway closes it or says no more. */
async function send(port: number, { head, body }: ClientMessage, at: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(QUIET_MS, () => socket.destroy())
  socket.write(head.replaceAll('{id}', `${at}`) + body.replaceAll('{id}', `${at}`), 'latin1')
  await closed(socket)
}
