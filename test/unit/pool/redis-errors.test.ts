import { describe, expect, it } from 'vitest'
import {
  QueueUnavailableError,
  redisFailure,
  redisTrouble,
} from '../../../src/pool/redis-errors.ts'

describe('the error of a queue that takes nothing', () => {
  it('says that Redis is away, and why', () => {
    expect(messageOf(new Error('connect ECONNREFUSED 127.0.0.1:6379'))).toBe(
      'queueing failed: Redis is not answering (connect ECONNREFUSED 127.0.0.1:6379). Check redis.url and that Redis runs.',
    )
  })

  it.each([
    ["Stream isn't writeable and enableOfflineQueue options is false", 'there is no connection'],
    ['Connection is closed.', 'the connection is closed'],
    ['Reached the max retries per request limit (which is 0). …', 'the connection broke'],
    ['Command timed out', 'no answer in time'],
  ])("says in words of its own what the client library says: '%s'", (message, words) => {
    expect(redisTrouble(new Error(message))).toEqual({
      isAway: true,
      reason: `Redis is not answering (${words}). Check redis.url and that Redis runs.`,
    })
  })

  it.each([
    [
      "OOM command not allowed when used memory > 'maxmemory'.",
      /maxmemory'\)\. Raise its maxmemory/,
    ],
    ['MISCONF Errors writing to the AOF file: No space left on device', /its disk/],
    ["READONLY You can't write against a read only replica.", /name the primary/],
    ['WRONGPASS invalid username-password pair or user is disabled.', /redis\.passwordFile/],
    [
      "NOPERM User pullsync has no permissions to run the 'eval' command",
      /redis\.username all commands/,
    ],
  ])('says what Redis refuses, and what to do: %s', (reply, advice) => {
    const message = messageOf(new Error(reply))

    expect(message).toMatch(/^queueing failed: Redis refused it \(/)
    expect(message).toMatch(advice)
  })
})

describe('what failed', () => {
  it.each([
    ["Stream isn't writeable and enableOfflineQueue options is false", 'there is no connection'],
    ['Command timed out', 'no answer in time'],
  ])('is Redis where its client says so: %s', (message, words) => {
    expect(redisFailure(new Error(message))).toContain(`Redis is not answering (${words}).`)
  })

  it.each([
    ['Unknown RESP type 72 "H". Please report this', 'an HTTP server, and no Redis'],
    ['Unknown RESP type 21 "\x15"', 'rediss:// where it speaks TLS'],
    ['C0:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:', 'write redis://'],
  ])('is what answers in its place, with what to do: %s', (message, words) => {
    const said = redisFailure(new Error(message))

    expect(said).toContain(words)
    expect(said).not.toMatch(/RESP|SSL routines/)
  })

  it('is Redis where that refuses, or what was tried with it says so', () => {
    const reply = Object.assign(new Error('OOM command not allowed.'), { name: 'ReplyError' })

    expect(redisFailure(reply)).toContain('Raise its maxmemory')
    expect(redisFailure(new QueueUnavailableError('queueing', reply))).toMatch(/^queueing failed: /)
  })

  it.each([new TypeError('x is not a function'), 'nothing', undefined])(
    'is something else where nothing says so: %s',
    (error) => {
      expect(redisFailure(error)).toBeUndefined()
    },
  )
})

function messageOf(cause: Error): string {
  return new QueueUnavailableError('queueing', cause).message
}
