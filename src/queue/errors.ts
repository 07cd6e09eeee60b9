/** Redis did not take or give what was asked within the time a sender can wait. Nothing is queued. */
export class QueueUnavailableError extends Error {
  override readonly name = 'QueueUnavailableError'

  constructor(what: string, cause: unknown) {
    super(`${what} failed: ${described(cause)}`, { cause })
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
  NOPERM: 'Give the account of redis.username all commands on keys "pullsync:*".',
}

function described(cause: unknown): string {
  const why = cause instanceof Error ? cause.message.replace(/\.$/, '') : String(cause)
  const advice = ADVICE[why.split(' ', 1)[0] ?? '']
  return advice === undefined
    ? `Redis is not answering (${why}). Check redis.url and that Redis runs.`
    : `Redis refused it (${why}). ${advice}`
}
