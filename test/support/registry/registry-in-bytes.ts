import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** A registry whose every byte a test says; what it is asked and on which connection, the test sees. */
export interface RegistryInBytes extends Disposable {
  readonly url: URL
  /** The heads of the requests on each connection that was opened. */
  readonly asked: readonly (readonly string[])[]
  readonly open: ReadonlySet<Socket>
  answer: (socket: Socket, request: string) => void
}

/**
 * Sends that blob until it is told otherwise.
 *
 * @param path before `/v2/`
 */
export async function startRegistryInBytes(
  blob: Buffer,
  { host = '127.0.0.1', path = '' } = {},
): Promise<RegistryInBytes> {
  const asked: string[][] = []
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    const heads: string[] = []
    asked.push(heads)
    open.add(socket)
    socket.on('error', () => undefined).once('close', () => open.delete(socket))
    let unread = ''
    socket.on('data', (bytes) => {
      unread += bytes.toString('latin1')
      const end = unread.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = unread.slice(0, end + 4)
      unread = unread.slice(end + 4)
      heads.push(head)
      behind.answer(socket, head)
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const behind: RegistryInBytes = {
    url: new URL(`http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`),
    asked,
    open,
    answer: (socket) => {
      sendBlob(socket, blob)
    },
    [Symbol.dispose]() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
  return behind
}

/** As registries do. */
export function sendBlob(socket: Socket, blob: Buffer): void {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${blob.length}\r\n\r\n`)
  socket.write(blob)
}
