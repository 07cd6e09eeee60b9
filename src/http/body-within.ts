import type { RequestHandler } from 'express'

/** Cuts the connection of a sender whose body has not come within `limitMs`, for listeners without a limit of their own. */
export function bodyWithin(limitMs: number): RequestHandler {
  return (request, _response, next) => {
    const timer = setTimeout(() => request.destroy(), limitMs)
    request.once('close', () => {
      clearTimeout(timer)
    })
    request.once('end', () => {
      clearTimeout(timer)
    })
    next()
  }
}
