import type { ServerResponse } from 'node:http'

/** One for all who ask, or Node would take the many who listen to an answer for a leak, and warn of it. */
const signals = new WeakMap<ServerResponse, AbortSignal>()

/** Aborted when the client goes away before it has its answer. */
export function untilClosed(response: ServerResponse): AbortSignal {
  const signal = signals.get(response) ?? signalOf(response)
  signals.set(response, signal)
  return signal
}

function signalOf(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  const left = () => {
    if (!response.writableFinished) gone.abort(new Error('the client went away'))
  }
  response.once('close', left)
  // An answer whose turn on the connection has not come is not told that the connection has ended; its request is.
  const { req: request } = response
  const { socket } = request
  request.once('close', () => {
    if (socket.destroyed) left()
  })
  if (response.closed || socket.destroyed) left()
  return gone.signal
}
