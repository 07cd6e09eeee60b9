import type { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openProducerConnection, openWorkerConnection } from '../../../src/pool/connection.ts'
import { eventually } from '../../support/eventually.ts'
import { type Line, startLine } from '../../support/network/line.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

let first: TestRedis
let second: TestRedis
let line: Line
let redis: Redis | undefined

beforeEach(async () => {
  ;[first, second] = await Promise.all([startRedis(), startRedis()])
  line = await startLine(first.port)
})

afterEach(async () => {
  redis?.disconnect()
  await line[Symbol.asyncDispose]()
  await Promise.all([first[Symbol.asyncDispose](), second[Symbol.asyncDispose]()])
})

/** The machine of the first Redis is gone without a word, and its address is the second one's now. */
function failOver(): void {
  line.strand()
  line.lead(second.port)
}

it('what asks and fails fast finds the Redis that has taken the place of a dead one', async () => {
  redis = openProducerConnection(line.url.replace('http', 'redis'), () => undefined)
  await eventually(() => redis?.ping())

  failOver()
  await expect(redis.set('told', '1')).rejects.toThrow()

  expect(await eventually(() => redis?.set('told', '1'), { within: 30_000 })).toBe('OK')
})

it('what waits for Redis is done by the one that has taken the place of a dead one', async () => {
  redis = openWorkerConnection(line.url.replace('http', 'redis'), () => undefined)
  await redis.ping()

  failOver()
  const told = redis.set('told', '1')

  expect(await eventually(() => told, { within: 30_000 })).toBe('OK')
})
