import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { closeLargest } from './close-largest.ts'

const LOOK_EVERY_MS = 100

/**
 * Bounds the memory that heads take which are not here to their end, over all connections of a server: beyond it,
 * those with most of it are closed. A head that comes at once is hardly ever seen by this.
 */
export function boundUnfinishedHeads(server: Server, maxBytes: number): void {
  /** Connections on which no request is being answered, and how many bytes had come when that began. */
  const waiting = new Map<Socket, number>()
  server.on('connection', (socket: Socket) => {
    waiting.set(socket, 0)
    socket.once('close', () => waiting.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    waiting.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) waiting.set(socket, socket.bytesRead)
    })
  })
  const timer = setInterval(() => {
    const heads = [...waiting].map(([socket, before]) => ({
      socket,
      bytes: socket.bytesRead - before,
    }))
    closeLargest(heads, maxBytes)
  }, LOOK_EVERY_MS).unref()
  server.once('close', () => {
    clearInterval(timer)
  })
}
