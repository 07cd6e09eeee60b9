import { expect, it } from 'vitest'
import { openWorkerConnection } from '../../src/pool/connection.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis } from '../support/redis/redis.ts'

it('a connection that waits for Redis to come back ends when told, and what it was asked with it', async () => {
  await using redis = await startRedis()
  const first = openWorkerConnection(redis.url, () => undefined)
  await using connection = {
    redis: first.duplicate(),
    async [Symbol.asyncDispose]() {
      this.redis.disconnect()
      first.disconnect()
      await Promise.resolve()
    },
  }
  connection.redis.on('error', () => undefined)
  await connection.redis.ping()
  await redis.stop()
  await eventually(() => connection.redis.status === 'reconnecting')
  const asked = connection.redis.bzpopmin('nothing', 0).then(
    () => 'answered',
    (error: unknown) => String(error),
  )
  const ended = new Promise((resolve) => connection.redis.once('end', resolve))

  connection.redis.disconnect()

  await ended
  expect(await asked).toMatch(/closed/i)
})
