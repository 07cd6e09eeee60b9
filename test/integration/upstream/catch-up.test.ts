import { expect, it } from 'vitest'
import { OpenRegistries } from '../../../src/roots/open-registries.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { CatchUp } from '../../../workers/catch-up.ts'
import { Resync } from '../../../workers/resync.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { startRedis } from '../../support/redis/redis.ts'
import { configOf, yamlWith } from '../../unit/config/parsed-yaml.ts'

it('a look at what was missed that the local registry did not let go through is not done', async () => {
  await using redis = await startRedis()
  const local = `local:\n  url: http://127.0.0.1:${await freePort()}`
  const projects = "projects:\n  - { name: '*', upstream: hq }"
  const sources = 'sources:\n  hq-push: { format: harbor, registry: hq, secret: s3cr3t-of-hq }'
  const config = configOf(yamlWith({ local, projects, sources }))
  await using registries = new OpenRegistries(config)
  const upstreams = config.upstreams.keys()
  await using queues = new ReplicationQueues({
    ...{ ...config, url: redis.url, upstreams, onError: () => undefined },
  })
  await eventually(() => queues.ping().then(() => true))
  const failed: unknown[] = []
  const reporter = {
    resyncEnded: () => undefined,
    resyncFailed: (facts: object) => failed.push(facts),
    caughtUp: () => undefined,
  }
  const parts = { config: () => config, registries, queues, reporter }
  const resync = new Resync(parts)
  const { signal } = new AbortController()

  // Of this one nobody lists what was pushed: all that is here is looked at.
  const missed = { project: '*', since: Date.now() }
  await expect(
    new CatchUp({ ...parts, resync }).run(missed, 'catch-up-1', signal),
  ).rejects.toThrow()

  await resync.walk('*', 'resync-1', signal)
  expect(failed).toHaveLength(2)
})
