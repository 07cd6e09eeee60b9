import { request, Agent } from 'node:http'
import type { IncomingMessage } from 'node:http'

// A worker of the same site answers at once, or is gone.
const HEADERS_WITHIN_MS = 2_000

/** The gateway's connections to the workers' spools. */
export class SpoolFollower implements Disposable {
  readonly #agent = new Agent({ keepAlive: true })

  /** The blob's bytes from `offset` on; undefined when the worker is gone or has not that part. */
  async open(url: string, offset: number): Promise<IncomingMessage | undefined> {
    const answer = await this.#ask(url, offset).catch(() => undefined)
    if (answer?.statusCode === 200) return answer
    answer?.resume()
    return undefined
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  async #ask(url: string, offset: number): Promise<IncomingMessage> {
    return await new Promise((resolve, reject) => {
      const asking = request(url, {
        agent: this.#agent,
        headers: { range: `bytes=${offset}-` },
        timeout: HEADERS_WITHIN_MS,
      })
      const late = () => asking.destroy(new Error('the worker does not answer'))
      asking.once('timeout', late)
      asking.once('response', (answer) => {
        // Bytes may take their time: they come at upstream's pace.
        asking.off('timeout', late)
        asking.setTimeout(0)
        resolve(answer)
      })
      asking.on('error', reject)
      asking.end()
    })
  }
}
