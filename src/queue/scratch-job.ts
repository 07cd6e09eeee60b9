import { randomUUID } from 'node:crypto'
import { Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import {
  type ConnectionErrorListener,
  openProducerConnection,
  openWorkerConnection,
  type RedisAddress,
} from '../pool/connection.ts'
import { keyPrefix } from '../pool/cluster/cluster-redis.ts'
import { waitUntilReady } from '../pool/ready.ts'
import { unlessAborted } from '../waiting/aborting.ts'
import { inTime } from '../waiting/in-time.ts'

const END_WITHIN_MS = 2_000

/**
 * Adds a job to a queue of its own, has it run, and takes both away again: what real ones take, with the same
 * account. Rejects with the first thing that Redis refuses, or with the signal's reason.
 */
export async function runScratchJob(address: RedisAddress, signal: AbortSignal): Promise<void> {
  const trouble = new AbortController()
  const onError = (error: Error) => {
    trouble.abort(error)
  }
  const either = AbortSignal.any([signal, trouble.signal])
  const asking = openProducerConnection(address, onError)
  const working = openWorkerConnection(address, onError)
  try {
    await waitUntilReady(asking, signal)
    await run(asking, working, onError, either)
  } finally {
    working.disconnect()
    asking.disconnect()
  }
}

async function run(
  asking: Redis,
  working: Redis,
  onError: ConnectionErrorListener,
  signal: AbortSignal,
): Promise<void> {
  const queue = new Queue(`check-${randomUUID()}`, {
    connection: asking,
    prefix: keyPrefix(asking),
  })
  queue.on('error', onError)
  const worker = new Worker(queue.name, () => Promise.resolve(), {
    connection: working,
    prefix: keyPrefix(working),
  })
  worker.on('error', onError)
  const done = new Promise<void>((resolve, reject) => {
    worker.once('completed', () => {
      resolve()
    })
    worker.once('failed', (_job, error) => {
      reject(error)
    })
  })
  // Only a worker that has found nothing waits in Redis for the next job, which is a right of its own.
  const waiting = new Promise<void>((resolve) => {
    worker.once('drained', () => {
      resolve()
    })
  })
  try {
    await unlessAborted(waiting, signal)
    await unlessAborted(Promise.all([queue.add('check', {}), done]), signal)
  } finally {
    await inTime(worker.close(true), END_WITHIN_MS)
    await inTime(queue.obliterate({ force: true }), END_WITHIN_MS)
  }
}
