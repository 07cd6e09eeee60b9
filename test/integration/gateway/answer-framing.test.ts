import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setImmediate as soon } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../../src/http/server.ts'
import { startFront } from '../../support/network/gateway-front.ts'
import { inLanes } from '../../support/process/lanes.ts'
import { type RegistryAnswer, registryAnswer } from '../../support/registry/registry-answers.ts'
import { type StrictMessage, readRequest } from '../../support/network/strict-http.ts'
import { StrictClient } from '../../support/network/strict-client.ts'

const ANSWERS = 6_000
const AT_ONCE = 24
/** A registry that once answered a blob in an unusual way is asked for blobs in another way for a minute. */
const RENEWED_AFTER = 40

const ASKED = fc.constantFrom(
  ...['GET /v2/r{id}/manifests/1.0', 'HEAD /v2/r{id}/manifests/1.0', 'GET /v2/r{id}/tags/list'],
  ...[
    `GET /v2/r{id}/blobs/sha256:${'a'.repeat(64)}`,
    `HEAD /v2/r{id}/blobs/sha256:${'b'.repeat(64)}`,
  ],
  ...['DELETE /v2/r{id}/manifests/1.0', 'POST /v2/r{id}/blobs/uploads/'],
)

interface Exchange {
  readonly asked: string
  readonly answer: RegistryAnswer
}

describe('what a registry answers', () => {
  let exchanges: readonly Exchange[] = []
  const locals: LocalRegistry[] = []
  const wrong: unknown[] = []
  const registry = createServer(answerRequests)
  let front: HttpServer
  /** The methods of the requests that were answered with what the registry answered. */
  const passedOn: string[] = []

  beforeAll(async () => {
    registry.listen(0, '127.0.0.1')
    await once(registry, 'listening')
    renew()
    front = await startFront(() => newest(), [])
  })

  afterAll(async () => {
    await front.stop(0)
    for (const local of locals) local[Symbol.dispose]()
    registry.close()
  })

  it('reaches a strict client as one answer to each request with its own bytes, or not whole', async () => {
    const seed = randomInt(2 ** 31)
    process.stdout.write(`${ANSWERS} answers of seed ${seed}\n`)
    exchanges = fc.sample(fc.record({ asked: ASKED, answer: registryAnswer }), {
      ...{ seed, numRuns: ANSWERS },
    })
    const clients: StrictClient[] = []

    await inLanes(exchanges, AT_ONCE, async (exchange, at) => {
      if (at % RENEWED_AFTER === 0) renew()
      const client = clients.pop() ?? new StrictClient(front.address.port)
      const got = await client.ask(put(exchange.asked, at))
      clients.push(client)
      const fault = typeof got === 'object' ? faultOf(got, exchange, at) : got
      if (fault !== undefined) wrong.push({ fault, at, ...exchange, got })
    })
    for (const client of clients) client.close()

    expect(wrong.slice(0, 3)).toEqual([])
    // Or the answers would be of a kind that is only ever refused.
    const all = tally(exchanges.map(({ asked }) => methodOf(asked)))
    for (const [method, count] of tally(passedOn)) {
      expect(count, method).toBeGreaterThan((all.get(method) ?? 0) / 2)
    }
    expect([...tally(passedOn).keys()].sort()).toEqual([...all.keys()].sort())
  })

  function faultOf(got: StrictMessage, { asked, answer }: Exchange, at: number) {
    const { firstLine, headers, body } = got
    const id = headers.get('x-id')
    if (firstLine.startsWith('HTTP/1.1 502 ') && id === undefined) return undefined
    const meant = asked.startsWith('HEAD') ? answer.meantByHead : answer.meant
    if (id !== idOf(at)) return 'the answer to another request'
    if (!firstLine.startsWith(`HTTP/1.1 ${answer.status} `)) return 'another status'
    if (meant === undefined) return 'whole, though it cannot be understood'
    passedOn.push(methodOf(asked))
    return body === put(meant, at) ? undefined : 'another body'
  }

  function newest(): LocalRegistry {
    const [local] = locals
    if (local === undefined) throw new Error('there is no connection to the registry yet')
    return local
  }

  function renew(): void {
    for (const local of locals) local.retire()
    const { port } = registry.address() as AddressInfo
    locals.unshift(new LocalRegistry({ url: new URL(`http://127.0.0.1:${port}`) }))
  }

  function answerRequests(socket: Socket): void {
    let text = ''
    socket.on('error', () => undefined).setNoDelay()
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      const read = readRequest(text)
      if (read.kind === 'broken' || (read.kind === 'whole' && read.rest !== '')) {
        wrong.push(['the registry was sent', text])
      }
      if (read.kind !== 'whole') return
      text = ''
      const at = Number.parseInt(/\/r(\w{4})\//.exec(read.message.firstLine)?.[1] ?? '', 36)
      const answer = exchanges[at]?.answer
      if (answer !== undefined) void sendInTwo(socket, answer, at)
    })
  }
})

/** The end of the head comes with all that follows it. */
async function sendInTwo(socket: Socket, { head, body, ends }: RegistryAnswer, at: number) {
  const bytes = Buffer.from(put(head + body, at), 'latin1')
  const cut = (at * 7) % put(head, at).length
  socket.write(bytes.subarray(0, cut))
  await soon()
  if (ends) socket.end(bytes.subarray(cut))
  else socket.write(bytes.subarray(cut))
}

function idOf(at: number): string {
  return at.toString(36).padStart(4, '0')
}

function put(text: string, at: number): string {
  return text.replaceAll('{id}', idOf(at))
}

function methodOf(asked: string): string {
  return asked.slice(0, asked.indexOf(' '))
}

function tally(all: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const each of all) counts.set(each, (counts.get(each) ?? 0) + 1)
  return counts
}
