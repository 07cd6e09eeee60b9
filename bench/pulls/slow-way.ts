import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** How much worse than loopback a way is. */
export interface Slowness {
  /** Of what the registry sends, over all connections. */
  readonly bytesPerSecond?: number
  /** Of what it sends over one of them. */
  readonly bytesPerSecondEach?: number
  /** From a request to the first byte of its answer, in milliseconds, beside what the registry takes. */
  readonly roundTripMs?: number
}

/** A way to a registry, as far away as told. */
export interface SlowWay extends AsyncDisposable {
  /** Where the registry seems to be. */
  readonly url: string
}

/** A TCP proxy on loopback. */
export async function startSlowWay(registryUrl: string, slowness: Slowness): Promise<SlowWay> {
  const { hostname, port } = new URL(registryUrl)
  const pace = new Pace(slowness.bytesPerSecond ?? Infinity)
  const oneWayMs = (slowness.roundTripMs ?? 0) / 2
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port), noDelay: true })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket)
      socket.on('error', () => other.destroy())
      socket.once('close', () => {
        open.delete(socket)
        other.destroy()
      })
    }
    void carry(near, far, oneWayMs)
    const each = slowness.bytesPerSecondEach
    void carry(far, near, oneWayMs, each === undefined ? pace : new Pace(each))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Each piece arrives that much later than it was sent; several are under way at once. */
async function carry(from: Socket, to: Socket, delayMs: number, pace?: Pace): Promise<void> {
  let arriving: Promise<unknown> = Promise.resolve()
  try {
    for await (const piece of from as AsyncIterable<Buffer>) {
      if (pace !== undefined) await pace.pass(piece.length)
      if (delayMs > 0) {
        arriving = Promise.all([arriving, pause(delayMs)]).then(() => to.write(piece))
      } else if (!to.write(piece)) {
        await drained(to)
      }
    }
    await arriving
    to.end()
  } catch {
    to.destroy()
  }
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const settle = () => {
      socket.off('drain', settle).off('close', settle)
      resolve()
    }
    socket.on('drain', settle).on('close', settle)
    if (socket.destroyed) settle()
  })
}

class Pace {
  readonly #bytesPerMs: number
  #freeAt = 0

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1_000
  }

  async pass(bytes: number): Promise<void> {
    const now = performance.now()
    this.#freeAt = Math.max(this.#freeAt, now) + bytes / this.#bytesPerMs
    const waitMs = this.#freeAt - now
    // Timers are no finer than that.
    if (waitMs > 2) await pause(waitMs)
  }
}
