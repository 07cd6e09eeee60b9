import type { Socket } from 'node:net'

/**
 * When the socket is closed, in whatever way: not `events.once`, which rejects when the cut shows
 * as an ECONNRESET that was asked for. Reads on meanwhile, so that an end is seen.
 */
export async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined).resume()
  if (socket.closed) return
  await new Promise((resolve) => socket.once('close', resolve))
}
