import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { closeLargest } from './close-largest.ts'

const LOOK_EVERY_MS = 100
/** What is passed on piece by piece holds no more; so does the last piece of it. */
const OF_A_STREAM_BYTES = 512 * 1024

/**
 * Bounds the memory of answers that are sent whole (manifests, lists) and that their clients do not read, over all
 * connections of a server: beyond it, those with most of it are closed.
 */
export function boundUnreadAnswers(server: Server, maxBytes: number): void {
  const open = new Map<ServerResponse, Socket>()
  server.on('request', (request, response) => {
    // A request may be taken from its connection, which is asked about afterwards.
    const { socket } = request
    open.set(response, socket)
    response.once('close', () => open.delete(response))
    // An answer whose turn on the connection has not come is not told that the connection has ended; its request is.
    request.once('close', () => {
      if (socket.destroyed) open.delete(response)
    })
  })
  const timer = setInterval(() => {
    const unread = [...open].map(([{ writableLength: bytes }, socket]) => ({ socket, bytes }))
    closeLargest(
      unread.filter(({ bytes }) => bytes > OF_A_STREAM_BYTES),
      maxBytes,
    )
  }, LOOK_EVERY_MS).unref()
  server.once('close', () => {
    clearInterval(timer)
  })
}
