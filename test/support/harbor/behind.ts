import { request as httpRequest } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { buffer } from 'node:stream/consumers'
import type { Turn } from './answers.ts'

export interface Forwarded {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** The registry behind Harbor, which answers whatever Harbor itself has nothing to say to. */
export class Behind {
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  /** Passes the request on, and the answer back; resolves with the answer's status. */
  async pass({ request, response }: Turn, body?: Buffer): Promise<number> {
    const { method, url: path } = request
    const headers: Record<string, unknown> = { ...request.headers }
    delete headers['authorization']
    if (body !== undefined) headers['content-length'] = String(body.length)
    if (body !== undefined) delete headers['transfer-encoding']
    return await new Promise((resolve, reject) => {
      const onward = httpRequest(
        { host: '127.0.0.1', port: this.#port, method, path, headers: headers as never },
        (answer) => {
          const status = answer.statusCode ?? 502
          response.writeHead(status, answer.headers)
          pipeline(answer, response).then(() => {
            resolve(status)
          }, reject)
        },
      )
      onward.on('error', reject)
      response.on('close', () => {
        if (!response.writableEnded) onward.destroy()
      })
      if (body !== undefined) onward.end(body)
      else request.pipe(onward)
    })
  }

  /** Asks it something of Harbor's own. */
  async ask(method: string, path: string, given: Asking = {}): Promise<Forwarded> {
    return await new Promise((resolve, reject) => {
      const onward = httpRequest(
        { host: '127.0.0.1', port: this.#port, method, path, headers: given.headers },
        (answer) => {
          buffer(answer).then((body) => {
            resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body })
          }, reject)
        },
      )
      onward.on('error', reject)
      onward.end(given.body)
    })
  }
}

interface Asking {
  readonly headers?: Record<string, string>
  readonly body?: Buffer
}
