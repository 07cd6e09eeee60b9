import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'

/** `cutUnlessWhole` for every request that gets here. */
export function bodyWithin(limitMs: number): RequestHandler {
  return (request, _response, next) => {
    cutUnlessWhole(request, limitMs)
    next()
  }
}

/** Cuts the connection of a sender whose body has not come within `limitMs`, for listeners without a limit of their own. */
export function cutUnlessWhole(request: IncomingMessage, limitMs: number): void {
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), limitMs)
  // A request that was answered before its body came is told neither that it ends nor that it closes.
  const stop = () => {
    clearTimeout(timer)
    socket.off('close', stop)
  }
  request.once('end', stop)
  socket.once('close', stop)
}
