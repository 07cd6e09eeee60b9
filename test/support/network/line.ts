import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** The way to a server, on which what comes from there can be held up and let go. */
export interface Line extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  /** As it stands in image names: `127.0.0.1:port`. */
  readonly host: string
  /** Lets so many bytes more come, over all connections, and then none until `release`. */
  hold(afterBytes: number): void
  /** Lets nothing pass in either direction, and closes nothing, as when a cable is pulled. */
  partition(): void
  /** The same, for good, on the connections that are open now: as when the machine that they led to is gone. */
  strand(): void
  /** From now on all that comes from there takes so long more, in milliseconds. */
  slow(ms: number): void
  /** Where new connections go from now on. */
  lead(port: number): void
  /** Ends `hold` and `partition`. */
  release(): void
  /** Whether bytes are being held up now. */
  held(): boolean
  /** Breaks every connection that is open now. */
  cut(): void
}

/** A TCP relay to a port of 127.0.0.1. */
export async function startLine(port: number): Promise<Line> {
  const sockets = new Set<Socket>()
  const stopped: (() => void)[] = []
  let left = Infinity
  let isPartitioned = false
  let late = 0
  let to = port
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    const target = connect(to, '127.0.0.1')
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => undefined)
      one.once('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
    clients.add(client)
    client.once('close', () => clients.delete(client))
    client.pipe(target)
    if (isPartitioned) client.pause()
    // In their order, whenever the timers of each fire.
    const pending: Buffer[] = []
    const pass = (bytes: Buffer) => {
      if (late === 0 && pending.length === 0) {
        client.write(bytes)
        return
      }
      pending.push(bytes)
      setTimeout(() => client.write(pending.shift() ?? ''), late)
    }
    target.on('data', (bytes: Buffer) => {
      if (left <= 0) {
        target.pause()
        stopped.push(() => {
          pass(bytes)
          target.resume()
        })
        return
      }
      left -= bytes.length
      pass(bytes)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const at = (server.address() as AddressInfo).port
  return {
    url: `http://127.0.0.1:${at}`,
    host: `127.0.0.1:${at}`,
    hold: (afterBytes) => {
      left = afterBytes
    },
    partition: () => {
      isPartitioned = true
      left = 0
      for (const client of clients) client.pause()
    },
    strand: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
    lead: (another) => {
      to = another
    },
    slow: (ms) => {
      late = ms
    },
    release: () => {
      isPartitioned = false
      left = Infinity
      for (const client of clients) client.resume()
      for (const resume of stopped.splice(0)) resume()
    },
    held: () => stopped.length > 0,
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
