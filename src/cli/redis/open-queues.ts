import type { Config } from '../../config/config.ts'
import { waitUntilReady } from '../../pool/ready.ts'
import { lastingRefusal, redisTrouble } from '../../pool/redis-errors.ts'
import { ReplicationQueues } from '../../queue/queues.ts'
import { messageOf } from '../../thrown.ts'
import { CommandError } from '../command-error.ts'
import { socketPathOf, socketUrl, withoutPassword } from './redis-location.ts'

/** People wait for a prompt; a Redis that is there answers within milliseconds. */
const READY_WITHIN_MS = 2_000

/**
 * The queues of this configuration, connected.
 * @throws CommandError when Redis does not answer within two seconds
 */
export async function openQueues(config: Config, dataDir: string): Promise<ReplicationQueues> {
  const url = config.redis ?? socketUrl(socketPathOf(dataDir))
  const queues = new ReplicationQueues({
    url,
    upstreams: config.upstreams.keys(),
    jobs: config.jobs,
    misses: config.misses,
    // Whoever waits for an answer gets the error; nobody else is there to tell.
    onError: () => undefined,
  })
  try {
    await waitUntilReady(queues.redis, AbortSignal.timeout(READY_WITHIN_MS))
    return queues
  } catch (cause) {
    await queues[Symbol.asyncDispose]()
    throw new CommandError(redisAway(config, dataDir, whyOf(cause, config)), { cause })
  }
}

function redisAway({ redis, file }: Config, dataDir: string, why: string): string {
  if (redis !== undefined) {
    return `cannot use Redis at ${withoutPassword(redis.url)}: ${why}`
  }
  return `${file} names no Redis, and none of "pullsync up" answers at ${socketPathOf(dataDir)}. Start "pullsync up" with --data-dir ${dataDir}, or set redis.url.`
}

/** With what to do: start it, only where nobody answers. */
function whyOf(error: unknown, config: Config): string {
  if (error instanceof Error && error.cause !== undefined) return whyOf(error.cause, config)
  const lasting = lastingRefusal(error)
  if (lasting !== undefined) return lasting
  const { isAway, reason } = redisTrouble(error)
  if (!isAway) return reason
  // Either the wait for the connection ended, or the first command on it did.
  const isLate =
    error instanceof Error &&
    (error.name === 'TimeoutError' || error.message === 'Command timed out')
  const why = isLate ? 'it does not answer in time' : messageOf(error).replace(/\.$/, '')
  return `${why}. Start it, or correct redis in ${config.file}.`
}
