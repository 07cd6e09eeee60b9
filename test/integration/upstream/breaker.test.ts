import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Tag } from '../../../src/oci/reference.ts'
import { type BreakerFailure, Breakers, endHold, readHold } from '../../../src/pool/breaker.ts'
import { RegistryGuard } from '../../../src/queue/work/registry-guard.ts'
import type { Outage } from '../../../src/replication/errors.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { MemoryRegistry } from '../../unit/replication/memory-registry.ts'

const LIMITS = { failures: 3, pauseMs: 100, maxPauseMs: 400 }
const DOWN: BreakerFailure = { kind: 'down', reason: 'answered 503' }

let server: TestRedis
let redis: Redis
/** Two processes. */
let one: Breakers
let other: Breakers

beforeEach(async () => {
  server = await startRedis()
  redis = new Redis(server.url, { maxRetriesPerRequest: 0 })
  one = new Breakers(redis, () => LIMITS)
  other = new Breakers(redis, () => LIMITS)
})

afterEach(async () => {
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

async function open(): Promise<void> {
  for (const breakers of [one, other, one]) await breakers.failed('hq', DOWN)
}

it('opens for all processes after failures with no success between them', async () => {
  await one.failed('hq', DOWN)
  await other.failed('hq', DOWN)
  expect(await one.succeeded('hq')).toBe(false)
  await one.failed('hq', DOWN)
  expect((await other.failed('hq', DOWN)).forMs).toBe(0)
  expect(await other.admit('hq')).toEqual({ kind: 'closed' })
  expect(await readHold(redis, 'hq')).toBeUndefined()

  expect(await one.failed('hq', DOWN)).toMatchObject({ opened: true })

  const admission = await other.admit('hq')
  expect(admission.kind).toBe('open')
  const hold = await readHold(redis, 'hq')
  expect(hold).toMatchObject({ kind: 'down', reason: 'answered 503' })
  expect(hold?.forMs).toBeGreaterThan(0)
  expect(await one.admit('lab')).toEqual({ kind: 'closed' })
})

it('opens at the first failure that no other request could escape', async () => {
  const failure = { ...DOWN, reason: 'refused the connection', suffices: true }

  expect(await one.failed('hq', failure)).toMatchObject({ opened: true })

  expect((await other.admit('hq')).kind).toBe('open')
})

it('does not take what one image does for what the upstream does', async () => {
  for (let n = 0; n < 10; n += 1) await one.failed('hq', { ...DOWN, culprit: 'team/poison:1' })

  expect(await one.admit('hq')).toEqual({ kind: 'closed' })
})

it('lets one probe through, of all processes, after pauses that grow', async () => {
  await open()
  const pauses: number[] = []
  for (let n = 0; n < 4; n += 1) {
    await eventually(async () => (await one.admit('hq')).kind === 'probe')
    const waiting = [await one.admit('hq'), await other.admit('hq')]
    expect(waiting.map(({ kind }) => kind)).toEqual(['open', 'open'])
    pauses.push((await one.failed('hq', DOWN)).forMs)
  }

  expect(pauses.map((ms) => ms >= 160)).toEqual([true, true, true, true])
  expect(Math.max(...pauses)).toBeLessThanOrEqual(LIMITS.maxPauseMs)
  expect(pauses[3]).toBeGreaterThan(pauses[0] ?? 0)
  expect(await other.succeeded('hq')).toBe(true)
  expect(await one.admit('hq')).toEqual({ kind: 'closed' })
})

it('gives the probe to the next one when its holder came to no end', async () => {
  await open()
  await eventually(async () => (await one.admit('hq')).kind === 'probe')

  await one.release('hq')

  expect(await other.admit('hq')).toEqual({ kind: 'probe' })
})

it('obeys what a registry asks for, and is opened by nothing that was under way', async () => {
  const held = { kind: 'held', reason: 'answered 429', forMs: 60_000 } as const
  expect(await one.failed('hq', held)).toEqual({ forMs: 60_000, opened: true })

  const later = await other.failed('hq', DOWN)

  expect(later.opened).toBe(false)
  expect(later.forMs).toBeGreaterThan(50_000)
  expect(await readHold(redis, 'hq')).toMatchObject({ kind: 'held', reason: 'answered 429' })
  await endHold(redis, 'hq')
  expect(await one.admit('hq')).toEqual({ kind: 'closed' })
})

it('is not closed before the time that a registry asked for by what that answers to others until then', async () => {
  const closed: string[] = []
  const opened: string[] = []
  const guardOf = (breakers: Breakers) =>
    new RegistryGuard(breakers, {
      opened: (registry) => Promise.resolve(void opened.push(registry)),
      closed: (registry) => closed.push(registry),
    })
  const upstream = new MemoryRegistry('hq', 'team/app')
  upstream.addImage('1.0', 'layer')
  const underWay = guardOf(other)
  await underWay.enter('hq')
  const asked: Outage = {
    side: 'upstream',
    kind: 'held',
    registry: 'hq',
    retryAfterMs: 60_000,
    isSure: true,
    isUnreachable: false,
  }
  await guardOf(one).failed(asked, { reason: 'answered 429', image: 'team/other:1' })

  await underWay.guard(upstream).headManifest('1.0' as Tag, new AbortController().signal)

  expect((await one.admit('hq')).kind).toBe('open')
  expect({ opened, closed }).toEqual({ opened: ['hq'], closed: [] })
})

it('keeps parts of layers that are far from coming from an upstream that is held', async () => {
  let asked = 0
  const upstream = Object.assign(new MemoryRegistry('hq', 'team/app'), {
    getBlobPart: () => {
      asked += 1
      return Promise.resolve(Buffer.from('part'))
    },
  })
  const guard = new RegistryGuard(other, {
    opened: () => Promise.resolve(),
    closed: () => undefined,
  })
  const layer = { mediaType: '', digest: digestOf(Buffer.from('layer')), size: 5 }
  const part = () =>
    guard
      .guard(upstream)
      .getBlobPart?.(layer, { offset: 1, length: 4 }, new AbortController().signal)
  await one.failed('hq', { kind: 'held', reason: 'answered 429', forMs: 60_000 })

  await expect(part()).rejects.toMatchObject({ name: 'HeldError', registry: 'hq' })
  expect(asked).toBe(0)

  await endHold(redis, 'hq')
  expect(await part()).toEqual(Buffer.from('part'))
})
