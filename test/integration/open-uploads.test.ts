import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import type { Repository } from '../../src/oci/reference.ts'
import { openProducerConnection } from '../../src/pool/connection.ts'
import { OpenUploads } from '../../src/pool/open-uploads.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis, type TestRedis } from '../support/redis/redis.ts'

const REPOSITORY = 'team/app' as Repository
const DIGEST = digestOf(Buffer.from('layer'))
const at = (name: string) =>
  new URL(`http://127.0.0.1:5000/v2/team/app/blobs/uploads/${name}?_state=x`)

let redis: TestRedis
let asking: Redis
let ofWorker: Redis
let uploads: OpenUploads
let failures: Error[]

beforeEach(async () => {
  redis = await startRedis()
  asking = new Redis(redis.url)
  asking.on('error', () => undefined)
  failures = []
  ofWorker = openProducerConnection(redis.url, (error) => failures.push(error))
  uploads = new OpenUploads(ofWorker, (error) => failures.push(error))
  await eventually(() => ofWorker.status === 'ready')
})

afterEach(async () => {
  uploads[Symbol.dispose]()
  ofWorker.disconnect()
  asking.disconnect()
  await redis[Symbol.asyncDispose]()
})

const recorded = async () => (await asking.zrange('pullsync:uploads', '0', '-1')).map(nameOf)
const nameOf = (record: string) => record.split('/').at(-1)

it('tells Redis of an upload that began while it was away as soon as it is back', async () => {
  await redis.stop()
  using record = uploads.begin(REPOSITORY, DIGEST)
  record.at(at('one'))
  await eventually(() => failures.some(({ message }) => message.includes('writeable')))

  await redis.start()

  await eventually(async () => (await recorded()).includes('one'))
})

it('remembers of a blob that is sent anew the upload that it goes to, and none once it is over', async () => {
  {
    using record = uploads.begin(REPOSITORY, DIGEST)
    record.at(at('refused'))
    record.at(at('taken'))
    await eventually(async () => (await recorded()).includes('taken'))
    expect(await recorded()).toEqual(['taken'])
  }

  await eventually(async () => (await recorded()).length === 0)
})
