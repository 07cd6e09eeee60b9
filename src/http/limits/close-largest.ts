import type { Socket } from 'node:net'

export interface Holding {
  readonly socket: Socket
  /** Of memory that this connection holds. */
  readonly bytes: number
}

/** Closes connections, those that hold most of it first, until all together hold no more than that. */
export function closeLargest(holdings: readonly Holding[], maxBytes: number): void {
  let sum = holdings.reduce((bytes, holding) => bytes + holding.bytes, 0)
  if (sum <= maxBytes) return
  for (const { socket, bytes } of holdings.toSorted((a, b) => b.bytes - a.bytes)) {
    if (sum <= maxBytes) return
    socket.destroy()
    sum -= bytes
  }
}
