import type { ServerResponse } from 'node:http'

/** Aborted when the client goes away before it has its answer. */
export function untilClosed(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the client went away'))
  })
  return gone.signal
}
