import { once } from 'node:events'
import {
  Agent,
  get,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { buffer } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { ListenError } from '../../../src/http/listen-error.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import { closed } from '../../support/network/closed.ts'
import { eventually } from '../../support/eventually.ts'

describe('startHttpServer', () => {
  const servers: HttpServer[] = []
  const agent = new Agent({ keepAlive: true })

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop(0)))
    agent.destroy()
  })

  it('says where it listens when any port will do', async () => {
    const server = await start(hello)

    expect(server.address.port).toBeGreaterThan(0)
    expect(server.url).toBe(`http://127.0.0.1:${server.address.port}`)
    expect(await (await fetch(server.url)).text()).toBe('hello')
  })

  it('gives a url that can be reached when it listens everywhere', async () => {
    const server = await start(hello, '0.0.0.0')

    expect(await (await fetch(server.url)).text()).toBe('hello')
  })

  it('says which address is taken and which setting to change', async () => {
    const { address } = await start(hello)

    const second = startHttpServer(hello, { address, configKey: 'admin.listen' })

    await expect(second).rejects.toThrow(ListenError)
    await expect(second).rejects.toThrow(
      `cannot listen on 127.0.0.1:${address.port}: another process listens there; change "admin.listen"`,
    )
  })

  it('holds no answer to a client that went before its turn', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const answers: WeakRef<ServerResponse>[] = []
    const server = await start((_request, response) => answers.push(new WeakRef(response)))
    const client = connect(server.address.port, server.address.host)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3))
    await eventually(() => answers.length === 3)

    client.destroy()

    await eventually(() => {
      collect()
      return answers.every((answer) => answer.deref() === undefined)
    })
  })

  it('lets a running request finish when it stops, and takes no new connection', async () => {
    const { listener, waiting } = holding()
    const server = await start(listener)
    const answer = ask(server)
    await eventually(() => waiting.length === 1)

    const stopped = server.stop(10_000)
    await expect(connected(server)).rejects.toThrow('ECONNREFUSED')
    waiting[0]?.end('late')

    expect(await answer).toMatchObject({ text: 'late', connection: 'close' })
    await stopped
  })

  it('cuts a request that does not finish in time', async () => {
    const { listener, waiting } = holding()
    const server = await start(listener)
    const answer = ask(server)
    await eventually(() => waiting.length === 1)

    const [failed] = await Promise.allSettled([answer, server.stop(20)])

    expect(failed.status).toBe('rejected')
  })

  it('does not wait for connections that are kept alive without a request', async () => {
    const server = await start(hello)
    expect(await ask(server)).toMatchObject({ text: 'hello', connection: 'keep-alive' })
    const startedAt = performance.now()

    await server.stop(20_000)

    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  it('does not wait for connections on which nothing was asked yet', async () => {
    const server = await start(hello)
    const client = connect(server.address.port, server.address.host)
    await once(client, 'connect')
    // Known here, too.
    await ask(server)
    const startedAt = performance.now()

    await server.stop(20_000)

    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  it('closes a connection that asks for much before its first answer', async () => {
    const { listener, waiting } = holding()
    const server = await start(listener)
    const client = connect(server.address.port, server.address.host)
    client.on('error', () => undefined)

    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(500))
    await closed(client)

    expect(waiting).toHaveLength(16)
  })

  it('does not wait for a connection whose answer had promised to keep it alive', async () => {
    const { listener, waiting } = holding()
    const server = await start((request, response) => {
      response.flushHeaders()
      listener(request, response)
    })
    const answer = ask(server)
    await eventually(() => waiting.length === 1)
    const startedAt = performance.now()

    const stopped = server.stop(20_000)
    waiting[0]?.end('late')

    expect(await answer).toMatchObject({ text: 'late' })
    await stopped
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  it('tells a client that asks while it stops not to use the connection again', async () => {
    const { listener, waiting } = holding()
    const server = await start((request, response) => {
      if (request.url === '/early') response.flushHeaders()
      listener(request, response)
    })
    const socket = connect(server.address.port, '127.0.0.1')
    const received = buffer(socket)
    socket.write('GET /early HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(() => waiting.length === 1)

    const stopped = server.stop(10_000)
    socket.write('GET /late HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(() => waiting.length === 2)
    waiting.forEach((response) => response.end())

    expect((await received).toString().match(/^Connection: .*$/gm)).toEqual([
      'Connection: keep-alive',
      'Connection: close',
    ])
    await stopped
  })

  it('can be stopped twice', async () => {
    const server = await start(hello)

    await Promise.all([server.stop(), server.stop()])
    await server[Symbol.asyncDispose]()
  })

  async function start(listener: RequestListener, host = '127.0.0.1'): Promise<HttpServer> {
    const server = await startHttpServer(listener, {
      address: { host, port: 0 },
      configKey: 'listen',
    })
    servers.push(server)
    return server
  }

  async function ask(server: HttpServer) {
    const request = get(server.url, { agent })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const { connection } = response.headers
    return { text: (await buffer(response)).toString(), connection }
  }
})

function hello(_request: IncomingMessage, response: ServerResponse): void {
  response.end('hello')
}

/** Answers nothing by itself. */
function holding() {
  const waiting: ServerResponse[] = []
  const listener: RequestListener = (_request, response) => {
    waiting.push(response)
  }
  return { listener, waiting }
}

async function connected({ address }: HttpServer): Promise<void> {
  const socket = connect(address.port, address.host)
  await once(socket, 'connect')
  socket.destroy()
}
