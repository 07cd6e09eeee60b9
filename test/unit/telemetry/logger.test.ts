import { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type LogLevel, LogLevelError } from '../../../src/telemetry/log-level.ts'
import { createLogger, type Facts, loggerOptionsFrom } from '../../../src/telemetry/logger.ts'

describe('the log as JSON lines', () => {
  it('has time, level and message, then the facts', () => {
    const [line] = jsonLines((log) => {
      log('info', 'job ended', { jobId: '7', bytes: 12 })
    })

    expect(line).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      ...{ level: 'info', message: 'job ended', jobId: '7', bytes: 12 },
    })
  })

  it('leaves out what is less grave than its level', () => {
    const lines = jsonLines((log) => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, 'x', {})
    }, 'warn')

    expect(lines.map((line) => line['level'])).toEqual(['warn', 'error'])
  })

  it('lets no fact replace time, level or message', () => {
    const [line] = jsonLines((log) => {
      log('info', 'real', { level: 'error', message: 'forged', time: 'never' })
    })

    expect(line).toMatchObject({ level: 'info', message: 'real' })
    expect(line?.['time']).not.toBe('never')
  })

  it.each([false, true])('shows invisible characters of facts, pretty: %s', (pretty) => {
    const written: string[] = []
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk.toString())
        done()
      },
    })
    createLogger({ level: 'info', pretty, stream }).log('info', 'x', {
      userAgent: 'evil\u202egpj.exe',
      error: new Error('no\u2066\u200b'),
    })

    expect(written.join('')).toContain('evil\\u202egpj.exe')
    expect(written.join('')).not.toMatch(/\p{Cf}/u)
  })

  it('masks what sounds secret, at any depth', () => {
    const [line] = jsonLines((log) => {
      log('info', 'x', {
        password: 'moon',
        nested: [{ headers: { Authorization: 'Bearer moon', accept: 'all' } }],
        authToken: 'moon',
        secrets: ['moon'],
        url: 'redis://user:moon@redis.example/0 and https://moon@x.example',
      })
    })

    expect(JSON.stringify(line)).not.toContain('moon')
    expect(line).toMatchObject({
      password: '[masked]',
      nested: [{ headers: { Authorization: '[masked]', accept: 'all' } }],
      url: 'redis://[masked]@redis.example/0 and https://[masked]@x.example',
    })
  })

  // What takes quadratic time takes half a minute of this.
  it('masks at once whatever a text is like', { timeout: 10_000 }, () => {
    const dots = 'a.'.repeat(100_000)

    const [line] = jsonLines((log) => {
      log('info', 'x', { text: `${dots} https://user:moon@x.example` })
    })

    expect(line).toMatchObject({ text: `${dots} https://[masked]@x.example` })
  })

  it('tells of an error and its causes, but not what libraries hang on it', () => {
    const cause = new Error('connect ECONNREFUSED')
    const error = Object.assign(new TypeError('copy failed', { cause }), {
      config: { headers: { accept: 'all' } },
    })
    const [line] = jsonLines((log) => {
      log('error', 'x', { error })
    })

    expect(line?.['error']).toEqual({
      ...{ name: 'TypeError', message: 'copy failed' },
      stack: expect.stringContaining('logger.test.ts') as string,
      cause: expect.objectContaining({ message: 'connect ECONNREFUSED' }) as object,
    })
  })

  it('survives facts that JSON cannot hold', () => {
    const circular: Record<string, unknown> = { big: 1n, missing: undefined }
    circular['self'] = circular

    const [line] = jsonLines((log) => {
      log('info', 'x', { circular })
    })

    expect(line).toMatchObject({ circular: { big: '1' } })
  })

  it('has the facts of its parent on every line', () => {
    const stream = new Lines()
    const logger = createLogger({ level: 'info', pretty: false, stream }).with({ role: 'worker' })

    logger.with({ jobId: '7' }).log('info', 'x')

    expect(stream.json()).toMatchObject([{ role: 'worker', jobId: '7' }])
  })
})

describe('the log for people', () => {
  it('is one line each', () => {
    expect(prettyLine('info', { upstream: 'hq', bytes: 12, outcome: { kind: 'copied' } })).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}job ended upstream=hq bytes=12 outcome={"kind":"copied"}\n$/,
    )
  })

  it('cannot be forged by what a sender says', () => {
    const line = prettyLine('warn', { userAgent: 'x\n12:00:00.000 info  fine \u001b[2J' })

    expect(line.match(/\n/g)).toHaveLength(1)
    expect(line).not.toContain('\u001b[2J')
  })

  it('masks secrets, too, and is short about errors', () => {
    const line = prettyLine('error', { token: 'moon', error: new Error('no such host') })

    expect(line).toContain('token=[masked] error="no such host"\n')
  })

  function prettyLine(level: LogLevel, facts: Facts): string {
    const stream = new Lines()
    createLogger({ level: 'debug', pretty: true, stream }).log(level, 'job ended', facts)
    // Colours only around what is pullsync's own.
    return stream.text.replaceAll(/\u001b\[\d+m/g, '')
  }
})

describe('loggerOptionsFrom', () => {
  it.each([
    [undefined, 'info'],
    ['', 'info'],
    ['debug', 'debug'],
    ['WARN', 'warn'],
  ])('takes LOG_LEVEL %o as %s', (given, level) => {
    expect(loggerOptionsFrom({ LOG_LEVEL: given })).toMatchObject({ level })
  })

  it('refuses what is not a level, and lists those that are', () => {
    expect(() => loggerOptionsFrom({ LOG_LEVEL: 'loud' })).toThrow(LogLevelError)
    expect(() => loggerOptionsFrom({ LOG_LEVEL: 'loud' })).toThrow(
      'LOG_LEVEL is "loud", expected one of error, warn, info, debug',
    )
  })
})

function jsonLines(
  write: (log: (level: LogLevel, message: string, facts: Facts) => void) => void,
  level: LogLevel = 'debug',
): Record<string, unknown>[] {
  const stream = new Lines()
  const logger = createLogger({ level, pretty: false, stream })
  write((lineLevel, message, facts) => {
    logger.log(lineLevel, message, facts)
  })
  return stream.json()
}

class Lines extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }

  json(): Record<string, unknown>[] {
    const lines = stripVTControlCharacters(this.text).split('\n')
    return lines
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}
