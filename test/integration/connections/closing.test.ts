import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Answer } from '../../../src/http-client/answer.ts'
import { Connections } from '../../../src/http-client/connections.ts'
import { dialer, placeOf } from '../../../src/http-client/dial.ts'
import { smallBlocks } from '../../../src/http-client/memory.ts'
import { plainHead } from '../../../src/http-client/request-head.ts'
import { eventually } from '../../support/eventually.ts'
import {
  type RegistryInBytes,
  startRegistryInBytes,
} from '../../support/registry/registry-in-bytes.ts'

const BOUNDS = { idleMs: 10_000, keptMs: 10_000 }
const SIGNAL = new AbortController().signal
const NONE = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'
const EVIL = 'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n'

let server: RegistryInBytes
let connections: Connections
let sockets: Socket[]

beforeEach(async () => {
  server = await startRegistryInBytes(Buffer.alloc(0))
  server.answer = (socket) => socket.write(NONE)
  const dial = dialer(placeOf(server.url))
  sockets = []
  connections = new Connections({
    dial: (onread) => {
      const socket = dial(onread)
      sockets.push(socket)
      return socket
    },
    bounds: BOUNDS,
    memory: () => smallBlocks,
  })
})

afterEach(() => {
  connections[Symbol.dispose]()
  server[Symbol.dispose]()
})

async function ask(method: string): Promise<number> {
  const head = plainHead(method, '/v2/', ['host', 'a'], method === 'POST' ? 0 : undefined) ?? ''
  const answer = await connections.ask({ method, head }, SIGNAL)
  if (!(answer instanceof Answer)) throw new Error(`unusual: ${String(answer.status)}`)
  answer.whole()
  return answer.head.status
}

function requestsOf(): readonly (readonly string[])[] {
  return server.asked.map((heads) => heads.map((head) => head.slice(0, head.indexOf(' '))))
}

describe('a kept connection', () => {
  it('that the server has ended carries nothing more, though it is not closed yet', async () => {
    await ask('GET')
    const [kept] = sockets
    const ended = once(kept ?? fail(), 'end').then(() => ask('POST'))
    for (const socket of server.open) socket.end()

    expect(await ended).toBe(404)
    expect(requestsOf()).toEqual([['GET'], ['POST']])
  })

  it('on which something came that nobody asked for gives it to nobody', async () => {
    await ask('GET')
    const [kept = fail()] = sockets
    const destroy = kept.destroy.bind(kept)
    // In the same turn of events, before it is closed.
    const distrusted = new Promise<number>((resolve, reject) => {
      kept.destroy = (...args) => {
        queueMicrotask(() => {
          ask('POST').then(resolve, reject)
        })
        return destroy(...args)
      }
    })
    for (const socket of server.open) socket.write(EVIL)

    expect(await distrusted).toBe(404)
    expect(requestsOf()).toEqual([['GET'], ['POST']])
  })
})

describe('connections that are closed for good', () => {
  it('ask nothing again, though the request is one that could be asked twice', async () => {
    await ask('GET')
    server.answer = () => undefined
    const asked = ask('GET')
    await eventually(() => server.asked.flat().length === 2, { describe: 'a second request' })
    connections[Symbol.dispose]()

    await expect(asked).rejects.toThrow('closed')
    expect(requestsOf()).toEqual([['GET', 'GET']])
  })
})

function fail(): never {
  throw new Error('no connection was opened')
}
