/**
 * What a registry says of its own limit, as Docker Hub does with the answers to manifest requests:
 * how many more pulls it gives within a window that begins with the first of them.
 */
export interface RateLimit {
  readonly limit: number
  readonly remaining: number
  /** Absent where the registry does not tell it. */
  readonly windowSeconds?: number
}

export type Header = (name: string) => string | undefined

/** Undefined unless both numbers are told: `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`. */
export function parseRateLimit(header: Header): RateLimit | undefined {
  const limit = parseQuota(header('ratelimit-limit'))
  const remaining = parseQuota(header('ratelimit-remaining'))
  if (limit === undefined || remaining === undefined) return undefined
  const windowSeconds = remaining.windowSeconds ?? limit.windowSeconds
  return {
    limit: limit.count,
    remaining: remaining.count,
    ...(windowSeconds !== undefined && { windowSeconds }),
  }
}

interface Quota {
  readonly count: number
  readonly windowSeconds: number | undefined
}

// Twelve digits are more than any limit, and a number is exact that far.
const QUOTA = /^\s*(\d{1,12})\s*(?:;\s*w\s*=\s*(\d{1,12})\s*)?(?:[;,]|$)/i

function parseQuota(text: string | undefined): Quota | undefined {
  const [, count, seconds] = QUOTA.exec(text ?? '') ?? []
  if (count === undefined) return undefined
  return {
    count: Number(count),
    windowSeconds: seconds === undefined ? undefined : Number(seconds),
  }
}
