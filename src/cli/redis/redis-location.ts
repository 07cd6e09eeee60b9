import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

// The kernel's limit is 108 bytes on Linux and 104 on macOS, with the zero at the end.
const MAX_SOCKET_PATH_BYTES = 100

/**
 * The socket of the Redis that `pullsync up` starts for this data folder; the same for every command
 * that is given the same folder. Where the folder's path is too long for a socket, one in the
 * system's temporary folder that is named after it.
 */
export function socketPathOf(dataDir: string): string {
  const folder = resolve(dataDir)
  const path = join(folder, 'redis.sock')
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  return join(tmpdir(), `pullsync-${name}`, 'redis.sock')
}

export function socketUrl(path: string): string {
  return `unix://${pathToFileURL(path).pathname}`
}

/** As it may stand in a message. */
export function withoutPassword(redisUrl: string): string {
  if (!URL.canParse(redisUrl)) return 'redis.url'
  const url = new URL(redisUrl)
  if (url.password !== '') url.password = '***'
  return url.href
}
