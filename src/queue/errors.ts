/** Redis did not take or give what was asked within the time a sender can wait. Nothing is queued. */
export class QueueUnavailableError extends Error {
  override readonly name = 'QueueUnavailableError'

  constructor(what: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`${what} failed: Redis is not answering (${why}). Check redis.url and that Redis runs.`, {
      cause,
    })
  }
}
