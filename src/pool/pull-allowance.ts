import type { Redis } from 'ioredis'

/** What an upstream last said of its limit on pulls. */
export interface PullAllowance {
  readonly limit: number
  readonly remaining: number
  /** After so long, in milliseconds, it is not true any more. */
  readonly windowMs: number
}

export interface ToldAllowance {
  readonly limit: number
  readonly remaining: number
  readonly windowSeconds?: number
}

/** Must not throw. */
export interface AllowanceListener {
  readonly pullAllowance: (upstream: string, told: ToldAllowance) => void
  readonly connectionError: (error: Error) => void
}

/** Manifest requests come by the hundred, and each tells it. */
const WRITE_EVERY_MS = 1_000
/** Docker Hub's window, where an upstream does not tell its own: what was told before it is not true any more. */
const WINDOW_S = 6 * 60 * 60

/** Tells all processes what the upstreams say of their limits; at most once a second each. */
export class PullAllowances implements Disposable {
  readonly #redis: Redis
  readonly #listener: AllowanceListener
  readonly #latest = new Map<string, ToldAllowance>()
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(redis: Redis, listener: AllowanceListener) {
    this.#redis = redis
    this.#listener = listener
  }

  readonly note = (upstream: string, told: ToldAllowance): void => {
    this.#latest.set(upstream, told)
    this.#listener.pullAllowance(upstream, told)
    if (this.#timers.has(upstream)) return
    this.#write(upstream)
    const timer = setTimeout(() => {
      this.#timers.delete(upstream)
      const since = this.#latest.get(upstream)
      if (since !== undefined) this.note(upstream, since)
    }, WRITE_EVERY_MS)
    this.#timers.set(upstream, timer.unref())
  };

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
  }

  #write(upstream: string): void {
    const told = this.#latest.get(upstream)
    if (told === undefined) return
    this.#latest.delete(upstream)
    const { limit, remaining, windowSeconds = WINDOW_S } = told
    const windowMs = Math.max(1, windowSeconds) * 1_000
    const known: PullAllowance = { limit, remaining, windowMs }
    this.#redis
      .set(allowanceKey(upstream), JSON.stringify(known), 'PX', windowMs)
      .catch(this.#listener.connectionError)
  }
}

/** Undefined where the upstream never told, or not within its window. */
export async function readAllowance(
  redis: Redis,
  upstream: string,
): Promise<PullAllowance | undefined> {
  const stored = await redis.get(allowanceKey(upstream))
  return stored === null ? undefined : (JSON.parse(stored) as PullAllowance)
}

export interface FloorOptions {
  readonly upstream: string
  /** Pulls that are kept for those who wait; 0 keeps none. */
  readonly floor: () => number
  /** How often one job may find out whether there are more again; five minutes unless told. */
  readonly lookEveryMs?: number
}

const LOOK_EVERY_MS = 5 * 60_000

// Redis' clock may have been set back since the last look.
const LOOK = `
if redis.call('SET', KEYS[1], '1', 'PX', ARGV[1], 'NX') then return 1 end
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 0`

/** Why and for how long a job is put off. */
export interface BackgroundWait extends Pick<PullAllowance, 'limit' | 'remaining'> {
  readonly waitMs: number
}

/**
 * How long a job that nobody waits for has to wait, because the upstream gives few more pulls.
 * Undefined when it may run: one job in `lookEveryMs` may, over all processes, for nobody else
 * would learn that the window has moved. Never rejects: without Redis nothing runs anyway.
 */
export async function backgroundWait(
  redis: Redis,
  { upstream, floor, lookEveryMs = LOOK_EVERY_MS }: FloorOptions,
): Promise<BackgroundWait | undefined> {
  const known = await readAllowance(redis, upstream).catch(() => undefined)
  if (known === undefined || known.remaining >= floor()) return undefined
  const lookMs = Math.min(lookEveryMs, known.windowMs)
  const looks = await redis
    .eval(LOOK, 1, `pullsync:allowance-look:${upstream}`, lookMs)
    .catch(() => 1)
  if (looks === 1) return undefined
  const { limit, remaining } = known
  // Not all of them at the same moment.
  return { limit, remaining, waitMs: Math.round(lookMs * (1 + Math.random() / 4)) }
}

function allowanceKey(upstream: string): string {
  return `pullsync:allowance:${upstream}`
}
