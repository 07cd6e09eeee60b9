import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Site } from './site.ts'

/** What is left in files of work that is done, each as a sentence. */
export async function leftovers(site: Site): Promise<readonly string[]> {
  return [
    ...(await uploadSessions(site.local.storageFolder)),
    ...(await unknownSpoolFiles(site.folder)),
  ]
}

async function uploadSessions(storage: string): Promise<readonly string[]> {
  const entries = await filesBelow(storage)
  const data = entries.filter((path) => /\/_uploads\/[^/]+\/data$/.test(path))
  const sizes = await Promise.all(data.map(async (path) => (await stat(path)).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  return data.length === 0
    ? []
    : [`${data.length} upload sessions with ${bytes} bytes are left in the local registry`]
}

// Blob, where in it the file begins, and which attempt: what of it nobody continues goes after an hour.
const PART_OF_BLOB = /pullsync-spool-\d+\/[0-9a-f]{32}\.\d+\.[0-9a-f]{16}$/

async function unknownSpoolFiles(folder: string): Promise<readonly string[]> {
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
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
