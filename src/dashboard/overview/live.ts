import type { Request, Response } from 'express'
import type { ReplicationQueues } from '../../queue/queues.ts'
import { SECTIONS } from './page.ts'
import { readSnapshot, type Snapshot } from './snapshot.ts'

const EVERY_MS = 2_000
/** A page that is left open in many tabs is no reason to hold as many connections. */
const MOST_VIEWERS = 50

/**
 * Sends what has changed on the page to all who look at it, by server-sent events. However many they
 * are, Redis is asked once every two seconds, and not at all when there is nobody.
 */
export class LiveOverview implements Disposable {
  readonly #queues: ReplicationQueues
  readonly #viewers = new Set<Response>()
  #timer: NodeJS.Timeout | undefined

  constructor(queues: ReplicationQueues) {
    this.#queues = queues
  }

  readonly follow = (request: Request, response: Response): void => {
    if (this.#viewers.size >= MOST_VIEWERS) {
      response.status(503).setHeader('Retry-After', '30').json({ error: 'too many look at this' })
      return
    }
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    })
    response.write(`retry: ${EVERY_MS}\n\n`)
    this.#viewers.add(response)
    request.once('close', () => {
      this.#viewers.delete(response)
    })
    this.#timer ??= setInterval(() => void this.#send(), EVERY_MS).unref()
  };

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    for (const viewer of this.#viewers) viewer.end()
  }

  async #send(): Promise<void> {
    if (this.#viewers.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    // While Redis is away the page stays as it was; whoever loads it anew is told.
    const snapshot = await readSnapshot(this.#queues).catch(() => undefined)
    if (snapshot === undefined) return
    const event = `data: ${JSON.stringify(sectionsOf(snapshot))}\n\n`
    for (const viewer of this.#viewers) {
      // Whoever does not read gets the next one.
      if (viewer.writableLength === 0) viewer.write(event)
    }
  }
}

function sectionsOf(snapshot: Snapshot): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(SECTIONS).map(([id, { show }]) => [id, show(snapshot).text]),
  )
}
