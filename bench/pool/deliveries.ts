import { Agent, request } from 'node:http'

export interface Deliveries {
  /** They take turns. */
  readonly urls: readonly string[]
  readonly secret: string
  readonly count: number
  /** Senders at once, each of which waits for its answer. */
  readonly senders: number
  /** The body of one. */
  readonly body: (index: number) => string
}

export interface Delivered {
  readonly perSecond: number
  readonly answeredMs: readonly number[]
}

/** Posts them all. Throws when one is answered with anything but 202. */
export async function deliver(deliveries: Deliveries): Promise<Delivered> {
  const { count, senders, body, urls } = deliveries
  const agent = new Agent({ keepAlive: true, maxSockets: senders })
  const answeredMs: number[] = []
  let next = 0
  const send = async () => {
    for (let at = next++; at < count; at = next++) {
      const url = urls[at % urls.length] ?? ''
      answeredMs.push(await post(agent, { url, ...deliveries }, body(at)))
    }
  }
  const startedAt = performance.now()
  try {
    await Promise.all(Array.from({ length: senders }, send))
  } finally {
    agent.destroy()
  }
  return { perSecond: (count / (performance.now() - startedAt)) * 1_000, answeredMs }
}

function post(
  agent: Agent,
  { url, secret }: Pick<Deliveries, 'secret'> & { readonly url: string },
  body: string,
): Promise<number> {
  const headers = {
    authorization: `Bearer ${secret}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  }
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const posting = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 202) resolve(performance.now() - startedAt)
        else reject(new Error(`the webhook answered ${response.statusCode ?? 'nothing'}`))
      })
    })
    posting.once('error', reject)
    posting.end(body)
  })
}
