import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Site } from './site.ts'

/** Uploads that were neither finished nor cancelled. */
export interface LeftUploads {
  readonly withBytes: readonly string[]
  readonly empty: readonly string[]
}

export async function leftUploads({ local }: Site): Promise<LeftUploads> {
  const entries = await filesBelow(local.storageFolder)
  const uploads = entries.filter((path) => /\/_uploads\/[^/]+\/data$/.test(path))
  const withBytes: string[] = []
  const empty: string[] = []
  for (const path of uploads) ((await sizeOf(path)) > 0 ? withBytes : empty).push(path)
  return { withBytes, empty }
}

/** Of one that is finished or cancelled at that moment nothing is there. */
async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}

// Blob, where in it the file begins, and which attempt: what of it nobody continues goes after an hour.
const PART_OF_BLOB = /pullsync-spool-\d+\/[0-9a-f]{32}\.\d+\.[0-9a-f]{16}$/

/** Files in spools that nobody will continue. */
export async function unknownSpoolFiles({ folder }: Site): Promise<readonly string[]> {
  const files = (await filesBelow(folder)).filter((path) => path.includes('pullsync-spool'))
  const unknown = files.filter((path) => !PART_OF_BLOB.test(path))
  return unknown.map((path) => `${path} is left in a spool, for nobody`)
}

// The records of jobs are BullMQ's and have an age of their own; of health there is one key for each
// upstream; turns are counted for ever; everything else expires.
const KEPT = /^pullsync:(hq:|\.resync:|health:|writer-turns$)/

/** What is left in Redis, while that still runs. */
export async function lastingKeys({ redisAt }: Site): Promise<readonly string[]> {
  const redis = new Redis(redisAt)
  try {
    const keys = (await redis.keys('pullsync:*')).filter((key) => !KEPT.test(key))
    const lasting: string[] = []
    for (const key of keys) if ((await redis.ttl(key)) === -1) lasting.push(key)
    return lasting.length === 0
      ? []
      : [`${lasting.length} keys stay in Redis for ever: ${lasting.slice(0, 5).join(' ')}`]
  } finally {
    redis.disconnect()
  }
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  // What is there may go while it is read.
  const read = () => readdir(folder, { recursive: true, withFileTypes: true })
  const entries = await read().catch(read)
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
