import { Queue } from 'bullmq'
import { expect, it } from 'vitest'
import { Breakers, endHold } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { RESYNC_QUEUE } from '../../../src/queue/resync/resync-schedule.ts'
import { ResyncWorker } from '../../../src/queue/resync/resync-worker.ts'
import { OpenRegistries } from '../../../src/roots/open-registries.ts'
import { Resync } from '../../../workers/resync.ts'
import { eventually } from '../../support/eventually.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import { configOf, yamlWith } from '../../unit/config/parsed-yaml.ts'
import { queueSite } from '../queue/queue-site.ts'

const HELD = { kind: 'held', reason: 'answered 429', forMs: 600_000 } as const

it('a walk that waits for an upstream that nobody asks lets those of others go first', async () => {
  await using site = await queueSite()
  const { queues } = site
  const config = configOf(yamlWith({}))
  await using registries = new OpenRegistries(config)
  const reporter = { resyncEnded: () => undefined, resyncFailed: () => undefined }
  const resync = new Resync({ config: () => config, registries, queues, reporter })
  const looks = Array.from({ length: 1_001 }, (_, n) =>
    replicationRequest({ reference: `${n}`, trigger: 'push' }),
  )
  await queues.enqueue(looks)
  await new Breakers(queues.redis, () => OUTAGES).failed('hq', HELD)
  const queue = new Queue(RESYNC_QUEUE, { connection: queues.redis, prefix: 'pullsync' })
  await queue.setGlobalConcurrency(1)
  for (const project of ['team', 'lab']) await queue.add('resync', { project })
  const made: string[] = []
  const connection = openWorkerConnection(site.redis.url, () => undefined)
  const worker = new ResyncWorker({
    connection,
    walk: async (project, _walkId, signal) => {
      if (project === 'team')
        await resync.enqueue([replicationRequest({ trigger: 'resync' })], signal)
      made.push(project)
    },
    catchUp: () => Promise.resolve(),
    onError: () => undefined,
  })
  try {
    await eventually(() => made.length > 0, { within: 10_000 })
    expect(made).toEqual(['lab'])

    await endHold(queues.redis, 'hq')
    await queues.of('hq').drain()
    const [waiting] = await eventually(async () => {
      const put = await queue.getDelayed()
      return put.length > 0 && put
    })
    await waiting?.promote()
    await eventually(() => made.length === 2)
  } finally {
    await worker[Symbol.asyncDispose]()
    connection.disconnect()
    await queue.close()
  }
})
