import type { Redis } from 'ioredis'

/** What the overview plots: `upstreamBytes`, `jobs:copied`, `misses:missing` … */
export type FigureName = string

/** Sums over one minute, by name. */
export interface Minute {
  /** Milliseconds since 1970, at its beginning. */
  readonly at: number
  readonly sums: ReadonlyMap<FigureName, number>
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const HOURS_KEPT = 25
const KEPT_S = (HOURS_KEPT + 1) * 3_600

/**
 * What all processes did, minute by minute, for a day: one hash for each hour with a field for each
 * minute and name, so 26 keys at most.
 */
export class Figures {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Adds to the current minute; nothing is written for nothing. */
  async add(amounts: ReadonlyMap<FigureName, number>, now = Date.now()): Promise<void> {
    const some = [...amounts].filter(([, amount]) => amount > 0)
    if (some.length === 0) return
    const key = hourKey(now)
    const minute = Math.floor((now % HOUR_MS) / MINUTE_MS)
    const commands = this.#redis.pipeline()
    for (const [name, amount] of some) {
      commands.hincrby(key, `${minute}:${name}`, Math.round(amount))
    }
    await commands.expire(key, KEPT_S).exec()
  }

  /** The minutes of that many hours until now that have anything in them, the oldest first. */
  async read(hours: number, now = Date.now()): Promise<readonly Minute[]> {
    const commands = this.#redis.pipeline()
    const starts = Array.from(
      { length: Math.min(hours, HOURS_KEPT) + 1 },
      (_, back) => Math.floor(now / HOUR_MS) * HOUR_MS - back * HOUR_MS,
    ).reverse()
    for (const start of starts) commands.hgetall(hourKey(start))
    const replies = (await commands.exec()) ?? []
    return replies
      .flatMap(([, fields], i) => minutesOf(starts[i] ?? 0, fields as Record<string, string>))
      .filter(({ at }) => at > now - hours * HOUR_MS)
  }
}

function minutesOf(start: number, fields: Readonly<Record<string, string>>): readonly Minute[] {
  const minutes = new Map<number, Map<FigureName, number>>()
  for (const [field, sum] of Object.entries(fields)) {
    const colon = field.indexOf(':')
    const at = start + Number(field.slice(0, colon)) * MINUTE_MS
    const sums = minutes.get(at) ?? new Map<FigureName, number>()
    minutes.set(at, sums.set(field.slice(colon + 1), Number(sum)))
  }
  return [...minutes].sort(([a], [b]) => a - b).map(([at, sums]) => ({ at, sums }))
}

function hourKey(at: number): string {
  return `pullsync:figures:${Math.floor(at / HOUR_MS)}`
}
