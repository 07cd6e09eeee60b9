import { Agent, request } from 'node:http'
import { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import { answerOf } from '../../../../src/gateway/local/local-registry.ts'

/** A connection that is answered once, and on which nothing can be written after that. */
class Broken extends Duplex {
  readonly #code: string
  #answered = false

  constructor(code: string) {
    super()
    this.#code = code
  }

  override _read(): void {
    // What comes is pushed.
  }

  override _write(_head: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.#answered) {
      done(Object.assign(new Error('write failed'), { code: this.#code }))
      return
    }
    this.#answered = true
    done()
    this.push('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  }
}

class BrokenAgent extends Agent {
  readonly #socket: Broken

  constructor(code: string) {
    super({ keepAlive: true })
    this.#socket = new Broken(code)
  }

  override createConnection(): Broken {
    return this.#socket
  }

  override keepSocketAlive(): boolean {
    return true
  }

  override reuseSocket(_: Duplex, asked: ReturnType<typeof request>): void {
    asked.reusedSocket = true
  }
}

it.each([
  // Linux says the one or the other, by whether the other side had ended its half before.
  ['ECONNRESET', 'StaleConnectionError'],
  ['EPIPE', 'StaleConnectionError'],
  ['EHOSTUNREACH', 'Error'],
])('a kept connection on which writing fails with %s: %s', async (code, name) => {
  const agent = new BrokenAgent(code)
  const ask = () => answerOf(request({ agent, path: '/v2/' }).end())
  const first = await ask()
  await first.resume().toArray()

  await expect(ask()).rejects.toMatchObject({ name })
})
