import { asError } from '../thrown.ts'

/** Redis did not take or give what was asked within the time a sender can wait. Nothing is queued. */
export class QueueUnavailableError extends Error {
  override readonly name = 'QueueUnavailableError'

  constructor(what: string, cause: unknown) {
    super(`${what} failed: ${described(cause)}`, { cause })
  }
}

/** Redis has it in its memory, and not on its disk yet. */
export class NotOnDiskError extends Error {
  override readonly name = 'NotOnDiskError'

  constructor(withinMs: number) {
    super(
      `Redis has not written it to its disk within ${withinMs} ms. Its disk is slow, or its appendfsync is "no".`,
    )
  }
}

// How Redis begins what it refuses with: https://redis.io/docs/latest/develop/reference/protocol-spec
const ADVICE: Readonly<Record<string, string>> = {
  OOM: 'Raise its maxmemory, or remove jobs.',
  MISCONF: 'It cannot write to its disk: look into its log.',
  READONLY: 'It is a replica: name the primary in redis.url.',
  LOADING: 'It is reading its data and will answer soon.',
  NOAUTH: 'Set redis.passwordFile.',
  WRONGPASS: 'Check redis.username and redis.passwordFile.',
  NOPERM:
    'Give the account of redis.username all commands on keys "pullsync:*", in a Redis Cluster "{pullsync}:*".',
}

/** What does not go away by waiting: the account, its rights, or a Redis of the wrong kind. */
const FOR_GOOD = ['READONLY', 'NOAUTH', 'WRONGPASS', 'NOPERM']

/** What ioredis, or TLS, says where what answers cannot be spoken with in that way; 72 is the H of HTTP/1.1. */
const WRONG_SERVER: readonly (readonly [said: RegExp, words: string])[] = [
  [
    /Unknown RESP type 72\b/,
    'what answers there is an HTTP server, and no Redis: correct host and port in redis.url',
  ],
  [
    /Unknown RESP type/,
    'what answers there does not speak as Redis does: correct host and port in redis.url, and write rediss:// where it speaks TLS',
  ],
  [
    /wrong version number|packet length too long/,
    'what answers there does not speak TLS: write redis:// in redis.url, or take redis.tls out',
  ],
]

function wrongServer(why: string): string | undefined {
  return WRONG_SERVER.find(([said]) => said.test(why))?.[1]
}

/** Redis's refusal with what to do about it; undefined for what may have passed in a moment. */
export function lastingRefusal(cause: unknown): string | undefined {
  const why = cause instanceof Error ? cause.message.replace(/\.$/, '') : ''
  if (why.includes('cluster support disabled')) {
    return 'it is no node of a Redis Cluster: name it in redis.url, in place of redis.cluster'
  }
  const other = wrongServer(why)
  if (other !== undefined) return other
  const code = why.split(' ', 1)[0] ?? ''
  return FOR_GOOD.includes(code)
    ? `it refuses what pullsync needs (${why}). ${ADVICE[code] ?? ''}`
    : undefined
}

/** What is the matter with Redis, in words of pullsync's own, and whether that is that it cannot be reached. */
export function redisTrouble(cause: unknown): RedisTrouble {
  if (cause instanceof NotOnDiskError) return { isAway: false, reason: cause.message }
  const why = cause instanceof Error ? cause.message.replace(/\.$/, '') : String(cause)
  const other = wrongServer(why)
  if (other !== undefined) return { isAway: true, reason: `Redis is not answering: ${other}.` }
  const code = why.split(' ', 1)[0] ?? ''
  const advice = ADVICE[code]
  // What Redis itself answers begins with a word in capitals; what node and ioredis say does not.
  if (advice !== undefined) return { isAway: false, reason: `Redis refused it (${why}). ${advice}` }
  if (/^[A-Z]+$/.test(code)) return { isAway: false, reason: `Redis refused it (${why}).` }
  const [, words = why] = IN_WORDS.find(([said]) => why.includes(said)) ?? []
  const reason = `Redis is not answering (${words}). Check redis.url and that Redis runs.`
  return { isAway: true, reason }
}

/** The same of an error, if it is Redis or the way there that failed; undefined for everything else. */
export function redisFailure(error: unknown): string | undefined {
  if (error instanceof QueueUnavailableError) return error.message
  if (!(error instanceof Error)) return undefined
  const { message } = error
  const isClient =
    IN_WORDS.some(([said]) => message.includes(said)) || wrongServer(message) !== undefined
  return isClient || error.name === REPLY ? redisTrouble(error).reason : undefined
}

/** What ioredis calls an answer of Redis that is an error. */
const REPLY = 'ReplyError'

export interface RedisTrouble {
  readonly isAway: boolean
  readonly reason: string
}

/** How ioredis says that there is no connection. */
const IN_WORDS: readonly (readonly [said: string, words: string])[] = [
  ['Command timed out', 'no answer in time'],
  ['Connection is closed', 'the connection is closed'],
  ["Stream isn't writeable", 'there is no connection'],
  ['Reached the max retries per request', 'the connection broke'],
  ['All sentinels are unreachable', 'no Sentinel answers'],
]

function described(cause: unknown): string {
  return redisTrouble(cause).reason
}

/** Asks for what can be done without: where Redis fails, that is told, and `otherwise` is the answer. Never rejects. */
export async function unlessRedisFails<T>(
  otherwise: T,
  ask: () => Promise<T>,
  onError: (error: Error) => void,
): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    onError(asError(error))
    return otherwise
  }
}
