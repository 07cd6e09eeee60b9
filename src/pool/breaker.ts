import type { Redis } from 'ioredis'
import { SlowStart } from '../waiting/slow-start.ts'
import { Together } from '../waiting/together.ts'
import { HOLDS } from './announced/announcements.ts'

/**
 * Why a registry is not to be asked now: it asked to be left alone (`held`), it fails whoever asks
 * (`down`), or it takes nothing until somebody makes room or lifts a lock (`parked`).
 */
export type HoldKind = 'held' | 'down' | 'parked'

export interface Hold {
  readonly kind: HoldKind
  /** Milliseconds until one request may try again; 0 when one may now, or does. */
  readonly forMs: number
  /** What came back last, as it stands in a job's failure. */
  readonly reason: string
  /** Milliseconds since 1970, on Redis' clock. */
  readonly since: number
}

/** How a breaker opens and for how long; see `outages` in the configuration. */
export interface BreakerLimits {
  /** So many failures without a success between them open it. */
  readonly failures: number
  /** Before the first probe; twice as long before each further one. */
  readonly pauseMs: number
  readonly maxPauseMs: number
}

export interface BreakerFailure {
  readonly kind: HoldKind
  readonly reason: string
  /** Opens it at once, for so long at least: nothing else is known to be more exact. In milliseconds. */
  readonly forMs?: number
  /** Failures that name the same one count once: what is the matter may be that one image. */
  readonly culprit?: string
  /** Opens it at once: the request has been tried several times, and nothing else could succeed. */
  readonly suffices?: boolean
}

/** Whether a request may go: as always, as the one probe, or not before `forMs` are over. */
export type Admission =
  { readonly kind: 'closed' | 'probe' } | { readonly kind: 'open'; readonly hold: Hold }

/** A registry that asks for more than this is asked again anyway. */
export const MAX_RETRY_AFTER_MS = 60 * 60_000

/** A probe that has not told its end after so long does not keep others from trying. */
const PROBE_MS = 75_000
/** Failures that are further apart than that have nothing to do with each other. */
const STREAK_MS = 10 * 60_000
/** What nobody tried for so long is as good as new. */
const KEPT_MS = 24 * 3_600_000

/** A registry that has answered lately is asked by as many as want to. */
const TRUST_MS = 10_000
/** Who has waited for the first answer so long asks beside it: what was asked first may be what hangs. */
const PATIENCE_MS = 2_000

/** While a probe is under way, that is when to ask again. */
export const LOOK_MS = 1_000

// Redis' clock may have been set back since: nobody is to wait longer than was said, not even for a probe.
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function endOf(key, field, atMost)
  local till = tonumber(redis.call('HGET', key, field) or '')
  if till and atMost and till - now > atMost then
    till = now + atMost
    redis.call('HSET', key, field, string.format('%.0f', till))
  end
  return till
end
local function heldUntil(key)
  return endOf(key, 'until', tonumber(redis.call('HGET', key, 'wait') or ''))
end`

// KEYS: breakers. Gives back what each of them is, and of an open one the hold.
const ADMIT = `${NOW}
local function admit(key)
  local till = heldUntil(key)
  if not till then return {'closed'} end
  local hold = redis.call('HMGET', key, 'kind', 'reason', 'since')
  local probing = endOf(key, 'probeUntil', ${PROBE_MS}) or 0
  if now < till then return {'open', till - now, hold[1], hold[2], hold[3]} end
  if now < probing then return {'open', math.min(probing - now, ${LOOK_MS}), hold[1], hold[2], hold[3]} end
  if ARGV[1] == '0' then return {'open', 0, hold[1], hold[2], hold[3]} end
  redis.call('HSET', key, 'probeUntil', string.format('%.0f', now + ARGV[1]))
  return {'probe'}
end
local admissions = {}
for at, key in ipairs(KEYS) do admissions[at] = admit(key) end
return admissions`

// KEYS: the breaker, its streak. ARGV: kind, reason, at least, culprit, failures, pause, longest, streak kept, kept, jitter, channel, name.
// While it is open nothing prolongs it but its own probe: the rest was under way before.
const FAILED = `${NOW}
redis.call('SADD', KEYS[2], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
local till = heldUntil(KEYS[1])
local least = tonumber(ARGV[3])
if till and now < till and now + least <= till then return {till - now, 0} end
if not till and least == 0 and redis.call('SCARD', KEYS[2]) < tonumber(ARGV[5]) then return {0, 0} end
local pause = tonumber(redis.call('HGET', KEYS[1], 'pause') or '')
if till and now < till then pause = pause or tonumber(ARGV[6])
elseif pause then pause = math.min(pause * 2, tonumber(ARGV[7]))
else pause = tonumber(ARGV[6]) end
local wait = math.max(least, math.floor(pause * ARGV[10]))
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + wait), 'wait', wait, 'pause', pause, 'kind', ARGV[1], 'reason', ARGV[2])
redis.call('HSETNX', KEYS[1], 'since', string.format('%.0f', now))
redis.call('HDEL', KEYS[1], 'probeUntil')
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[9]), 2 * wait))
redis.call('PUBLISH', ARGV[11], ARGV[12])
return {wait, 1}`

// KEYS: of each, the breaker and its streak. Gives back which of them were open.
// A registry that asked to be left alone is, until then: what it answers before that was under way when it asked.
const SUCCEEDED = `${NOW}
local closed = {}
for at = 1, #KEYS, 2 do
  local till = heldUntil(KEYS[at])
  local keeps = till and now < till and redis.call('HGET', KEYS[at], 'kind') == 'held'
  redis.call('DEL', KEYS[at + 1])
  table.insert(closed, keeps and 0 or redis.call('DEL', KEYS[at]))
end
return closed`

const RELEASE = `redis.call('HDEL', KEYS[1], 'probeUntil')`

/**
 * One circuit breaker for each registry, shared by all processes through Redis and on its clock. Open,
 * it lets nothing through but one probe at a time, after pauses that grow; a success closes it, but not before the time
 * that the registry asked for.
 * By name: an upstream's id, `LOCAL`, or `parkedName` of a repository.
 */
export class Breakers {
  readonly #redis: Redis
  readonly #limits: () => BreakerLimits
  /** Requests of this process that failed since one was answered, by registry. */
  readonly #failing = new Map<string, number>()
  readonly #starts = new Map<string, SlowStart>()
  readonly #admissions: Together<string, Admission>
  readonly #successes: Together<string, boolean>

  constructor(redis: Redis, limits: () => BreakerLimits) {
    this.#redis = redis
    this.#limits = limits
    this.#admissions = new Together((names) => admissionsTo(redis, names, PROBE_MS))
    this.#successes = new Together((names) => close(redis, names))
  }

  /**
   * Whether a single request that failed is worth another try right away: not when others fail as well.
   * Known at once, to this process alone.
   */
  mayRepeat(name: string): boolean {
    const failing = (this.#failing.get(name) ?? 0) + 1
    this.#failing.set(name, failing)
    return failing < this.#limits().failures
  }

  /**
   * What the registry answers. Until it has answered this process, no more ask it at once than it takes to find out that it
   * is down: it is not asked by all whom nothing keeps yet.
   */
  async firstAnswers<T>(name: string, question: () => Promise<T>): Promise<T> {
    let start = this.#starts.get(name)
    if (start === undefined) {
      const atOnce = () => this.#limits().failures
      start = new SlowStart({ atOnce, patienceMs: PATIENCE_MS, trustMs: TRUST_MS })
      this.#starts.set(name, start)
    }
    return await start.ask(question)
  }

  /** Whoever is admitted as the probe has to tell how it ended: `failed`, `succeeded` or `release`. */
  async admit(name: string): Promise<Admission> {
    return await this.#admissions.ask(name)
  }

  /**
   * What was asked failed for a reason that lies with the registry.
   * @returns for how many milliseconds it is open now, 0 when it is not; and whether this opened it
   */
  async failed(name: string, failure: BreakerFailure): Promise<{ forMs: number; opened: boolean }> {
    const { kind, reason, forMs = 0, culprit = `${Math.random()}`, suffices = false } = failure
    const { failures, pauseMs, maxPauseMs } = this.#limits()
    const needed = suffices ? 1 : failures
    const jitter = 0.8 + Math.random() * 0.2
    const told = [kind, reason, Math.round(forMs), culprit, needed, pauseMs, maxPauseMs]
    const keys = [breakerKey(name), streakKey(name)]
    const times = [STREAK_MS, KEPT_MS, jitter]
    const reply = await this.#redis.eval(FAILED, 2, ...keys, ...told, ...times, HOLDS, name)
    const [open, opened] = reply as [number, number]
    return { forMs: open, opened: opened === 1 }
  }

  /** It answers. True when it had been open, and no longer is. */
  async succeeded(name: string): Promise<boolean> {
    this.#failing.delete(name)
    return await this.#successes.ask(name)
  }

  /** The probe came to no end that tells anything: another may be it. */
  async release(name: string): Promise<void> {
    await this.#redis.eval(RELEASE, 1, breakerKey(name))
  }
}

/**
 * Whether the registry is held, down or parked, until when, and why; undefined when it may be asked.
 * It is one command, so ask once for many clients.
 */
export async function readHold(redis: Redis, name: string): Promise<Hold | undefined> {
  const [admission] = await admissionsTo(redis, [name], 0)
  return admission?.kind === 'open' ? admission.hold : undefined
}

/** Somebody has mended it, or wants to see: everything may go. */
export async function endHold(redis: Redis, name: string): Promise<void> {
  await redis.del(breakerKey(name), streakKey(name))
}

/** @param probeMs for how long whoever is admitted as the probe may take; 0 admits nobody as that */
async function admissionsTo(
  redis: Redis,
  names: readonly string[],
  probeMs: number,
): Promise<readonly Admission[]> {
  const reply = await redis.eval(ADMIT, names.length, ...names.map(breakerKey), probeMs)
  return (reply as readonly unknown[]).map(admissionOf)
}

/** Which of them had been open. */
async function close(redis: Redis, names: readonly string[]): Promise<readonly boolean[]> {
  const keys = names.flatMap((name) => [breakerKey(name), streakKey(name)])
  const reply = await redis.eval(SUCCEEDED, keys.length, ...keys)
  return (reply as readonly number[]).map((closed) => closed === 1)
}

/** The name of the local registry's breaker; no upstream has this id. */
export const LOCAL = 'local'

/** The name of the breaker for what the local registry takes of a repository's project. */
export function parkedName(repository: string): string {
  return `${LOCAL}/${repository.split('/', 1)[0] ?? ''}`
}

function admissionOf(reply: unknown): Admission {
  const [state, forMs, kind, reason, since] = reply as readonly [string, number, ...string[]]
  if (state !== 'open') return { kind: state === 'probe' ? 'probe' : 'closed' }
  const hold = { forMs, kind: kind as HoldKind, reason: reason ?? '', since: Number(since) }
  return { kind: 'open', hold }
}

function breakerKey(name: string): string {
  return `pullsync:breaker:${name}`
}

function streakKey(name: string): string {
  return `pullsync:breaker:${name}:failing`
}
