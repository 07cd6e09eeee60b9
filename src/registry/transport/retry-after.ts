// A header of nonsense must not stop a pool for a year.
const LONGEST_MS = 24 * 60 * 60 * 1000

/**
 * The milliseconds that a Retry-After header asks for, as seconds or as an HTTP date (RFC 9110,
 * 10.2.3); undefined when it is absent or neither. At most a day, never negative.
 */
export function parseRetryAfter(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : dateOf(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(Math.ceil(ms), 0), LONGEST_MS)
}

// Date.parse takes "5" or "-1" for dates, too; an HTTP date begins with the day's name.
function dateOf(text: string): number {
  return /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN
}
