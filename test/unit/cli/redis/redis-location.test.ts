import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  socketPathOf,
  socketUrl,
  withoutPassword,
} from '../../../../src/cli/redis/redis-location.ts'

const LONG = join('/srv', 'long-folder-name'.repeat(10))

describe('the socket of the own Redis', () => {
  it('is in the data folder', () => {
    expect(socketPathOf('./data')).toBe(resolve('data/redis.sock'))
  })

  it('is the same for every way to write the folder', () => {
    expect(socketPathOf('./data/../data/')).toBe(socketPathOf('data'))
  })

  it('moves to the temporary folder when its path is too long for a socket', () => {
    expect(socketPathOf(LONG).startsWith(tmpdir())).toBe(true)
    expect(Buffer.byteLength(socketPathOf(LONG))).toBeLessThanOrEqual(100)
    expect(socketPathOf(LONG)).toBe(socketPathOf(LONG))
    expect(socketPathOf(LONG)).not.toBe(socketPathOf(`${LONG}x`))
  })

  it('keeps unusual characters of the folder in its URL', () => {
    const url = socketUrl('/srv/my data#1/redis.sock')

    expect(decodeURIComponent(new URL(url).pathname)).toBe('/srv/my data#1/redis.sock')
  })
})

describe('withoutPassword', () => {
  it('hides the password of a Redis URL and nothing else', () => {
    expect(withoutPassword('redis://ops:s3cret@redis.example:6379/2')).toBe(
      'redis://ops:***@redis.example:6379/2',
    )
  })

  it('says nothing of what it cannot read', () => {
    expect(withoutPassword('redis://:s3cret@[')).not.toContain('s3cret')
  })
})
