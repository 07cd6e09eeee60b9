import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'

/** Clients of registries ask one by one; each of more would be a connection to the registry, for some bytes on this one. */
const MAX_UNANSWERED = 16

/** Closes a connection on which more is asked before its first answer has gone. RFC 9112, section 9.3.2. */
export function boundUnanswered(listener: RequestListener): RequestListener {
  const unanswered = new WeakMap<Socket, number>()
  return (request, response) => {
    const { socket } = request
    const before = unanswered.get(socket) ?? 0
    if (before >= MAX_UNANSWERED) socket.destroy()
    // Node goes on to tell of requests that had come by then.
    if (socket.destroyed) return
    unanswered.set(socket, before + 1)
    response.once('close', () => {
      unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1)
    })
    listener(request, response)
  }
}
