import { setTimeout as pause } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { ReplicationQueue } from '../../src/queue/replication-queue.ts'
import { startProduct } from '../pool/product.ts'
import { requestFor } from '../copies/request.ts'
import { cpuMsOf } from '../figures/usage.ts'
import type { CopierEntry, ImagesCopier, StoreUsage } from './images.ts'

const WORKERS = 2
/** Seldom: whoever looks works on the same cores. */
const LOOK_EVERY_MS = 100
const ENDS_WITHIN_MS = 600_000

/** @param script of another build than this one */
export function pullsyncCopier(name: string, script?: string): CopierEntry {
  return {
    name,
    enter: async (upstream, local) => {
      const product = await startProduct(
        { upstream, local },
        { workers: WORKERS, ...(script !== undefined && { script }) },
      )
      const { queues, workers } = product
      const copier: ImagesCopier = {
        copy: async (images) => {
          const queue = queues.of('hq')
          const startedAt = performance.now()
          await queues.enqueue(
            images.map(({ repository, tag }) => requestFor(repository, tag, true)),
          )
          while ((await unended(queue)) > 0) {
            if (performance.now() > startedAt + ENDS_WITHIN_MS) throw new Error('they did not end')
            await pause(LOOK_EVERY_MS)
          }
          return performance.now() - startedAt
        },
        cpuMs: () => workers.reduce((sum, { child }) => sum + (cpuMsOf(child.pid) ?? 0), 0),
        store: () => usageOf(queues.redis),
        [Symbol.asyncDispose]: () => product[Symbol.asyncDispose](),
      }
      return copier
    },
  }
}

/** Not those that failed: that something lacks is seen when the images are looked at. */
async function unended(queue: ReplicationQueue): Promise<number> {
  const counts = await queue.getJobCounts('prioritized', 'waiting', 'active', 'delayed')
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

async function usageOf(redis: Redis): Promise<StoreUsage> {
  const info = `${await redis.info('cpu')}${await redis.info('stats')}`
  const number = (name: string) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1])
  return {
    cpuMs: (number('used_cpu_user') + number('used_cpu_sys')) * 1_000,
    commands: number('total_commands_processed'),
  }
}
