import { expect, it } from 'vitest'
import { openProducerConnection } from '../../src/pool/connection.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis } from '../support/redis/redis.ts'

it('says nothing of a connection to Redis that is told to end while it is being made', async () => {
  await using redis = await startRedis({ appendOnly: false })
  const errors: Error[] = []
  const connection = openProducerConnection(redis.url, (error) => errors.push(error))
  const connecting = connection as { readonly stream?: object }
  await eventually(() => connecting.stream !== undefined)

  connection.disconnect()
  await eventually(() => connection.status === 'end')

  expect(errors).toEqual([])
})
