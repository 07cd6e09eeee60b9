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
  release(): void
  /** Whether bytes are being held up now. */
  held(): boolean
}

/** A TCP relay to a port of 127.0.0.1. */
export async function startLine(port: number): Promise<Line> {
  const sockets = new Set<Socket>()
  const stopped: (() => void)[] = []
  let left = Infinity
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1')
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
    client.pipe(target)
    target.on('data', (bytes: Buffer) => {
      if (left <= 0) {
        target.pause()
        stopped.push(() => {
          client.write(bytes)
          target.resume()
        })
        return
      }
      left -= bytes.length
      client.write(bytes)
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
    release: () => {
      left = Infinity
      for (const resume of stopped.splice(0)) resume()
    },
    held: () => stopped.length > 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
