import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { CommandError } from '../../../src/cli/command-error.ts'
import { reportError } from '../../../src/cli/report-error.ts'
import { ListenError } from '../../../src/http/listen-error.ts'

describe('what a command says at its end', () => {
  it.each([
    [
      "Stream isn't writeable and enableOfflineQueue options is false",
      'error: Redis is not answering (there is no connection). Check redis.url and that Redis runs.\n',
    ],
    [
      'Command timed out',
      'error: Redis is not answering (no answer in time). Check redis.url and that Redis runs.\n',
    ],
  ])('is in its own words where Redis went away meanwhile: %s', (message, said) => {
    expect(reported(new Error(message))).toEqual({ code: 1, said })
  })

  it.each([
    ['EACCES', 78],
    ['EADDRINUSE', 1],
    ['EADDRNOTAVAIL', 1],
  ])('is 78 where an address can never be listened on, and 1 else: %s', (code, expected) => {
    const cause = Object.assign(new Error('listen'), { code })

    const ended = reported(new ListenError({ host: '127.0.0.1', port: 80 }, 'listen', cause))

    expect(ended.code).toBe(expected)
  })

  it('is what the command has to say', () => {
    expect(reported(new CommandError('it is gone'))).toEqual({
      code: 1,
      said: 'error: it is gone\n',
    })
  })
})

function reported(error: Error) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const code = reportError(error, { stdout, stderr }, {})
  return { code, said: String(stderr.read()) }
}
