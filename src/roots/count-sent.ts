import type { IncomingMessage, ServerResponse } from 'node:http'

/** Counts what is written to clients, heads included, once an answer has ended in whatever way. */
export function countSent(isCounted: (url?: string) => boolean, add: (bytes: number) => void) {
  return ({ url, socket }: IncomingMessage, response: ServerResponse, next: () => void): void => {
    if (isCounted(url)) {
      const before = socket.bytesWritten
      response.once('close', () => {
        add(socket.bytesWritten - before)
      })
    }
    next()
  }
}
