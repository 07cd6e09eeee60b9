import { Redis, type RedisOptions } from 'ioredis'
import type { Address } from '../../config/config.ts'

/** Of all keys with the tag `{pullsync}`, as `CLUSTER KEYSLOT` tells. */
const SLOT = 8_214

/** How a node is asked: as it will be spoken with. */
export type NodeLogin = Pick<RedisOptions, 'username' | 'password' | 'tls' | 'connectTimeout'>

const ANSWER_WITHIN_MS = 2_000

/**
 * The node that holds pullsync's slot now, as this one knows.
 * @throws Error why it does not tell
 */
export async function primaryKnownTo(node: Address, login: NodeLogin): Promise<Address> {
  const asked = new Redis({
    ...login,
    ...{ host: node.host, port: node.port },
    retryStrategy: null,
    enableReadyCheck: false,
    commandTimeout: ANSWER_WITHIN_MS,
  })
  // ioredis rejects the command with no more than that the connection is closed.
  let why: unknown
  asked.on('error', (error) => {
    why = error
  })
  try {
    const ranges = await asked.cluster('SLOTS')
    const [, , primary] = ranges.find(([from, to]) => from <= SLOT && SLOT <= to) ?? []
    if (primary === undefined) throw new Error(`it knows of no node that has slot ${SLOT}`)
    const [host, port] = primary
    return { host: isKnown(host) ? host : node.host, port }
  } catch (error) {
    throw why ?? error
  } finally {
    asked.disconnect()
  }
}

// A node that was not told its own name leaves it out, or says so; it is the one that was asked.
function isKnown(host: string | null): host is string {
  return host !== null && host !== '' && host !== '?'
}
