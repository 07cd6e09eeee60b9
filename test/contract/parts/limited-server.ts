import type { ServerResponse } from 'node:http'
import { digestOf } from '../../../src/oci/digest.ts'
import type { RangeLimits } from '../../../src/registry/content/ranged-blob.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../../support/registry/scripted-registry.ts'
import { bytesOf, configFor, open, randomBlob, repository, SIGNAL } from '../contract-content.ts'

export const KIB = 1024
export const LIMITS: RangeLimits = {
  fromBytes: 100 * KIB,
  firstBytes: 64 * KIB,
  againBytes: 256 * KIB,
  partBytes: 32 * KIB,
  // What a test sees must not depend on how fast its machine is.
  slowBelow: Infinity,
  helpsFrom: 0,
}
export const PARTS = 20
export const { bytes, descriptor } = randomBlob(LIMITS.firstBytes + PARTS * LIMITS.partBytes)
const BLOBS = { method: 'GET', path: /\/blobs\/sha256:/ }

export interface Asked {
  readonly from: number
  readonly until: number
  readonly response: ServerResponse
}

export async function limitedServer(): Promise<LimitedServer> {
  return new LimitedServer(await startScriptedRegistry())
}

/** An upstream that gives a blob in ranges, as a test has it, and a client that asks for these. */
export class LimitedServer implements AsyncDisposable {
  readonly upstream: ScriptedRegistry
  client: Registry
  ranges: (string | undefined)[] = []
  /** Slots that were given, and not given back. */
  taken = 0
  slots = 7

  constructor(upstream: ScriptedRegistry) {
    this.upstream = upstream
    this.client = open(configFor(upstream.url, { id: 'hq' }), { ranges: LIMITS })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]()
    await this.upstream[Symbol.asyncDispose]()
  }

  readonly #extra = () => {
    if (this.taken === this.slots) return undefined
    this.taken += 1
    return () => {
      this.taken -= 1
    }
  }

  answerWith(answer: (asked: Asked, at: number) => void): void {
    this.upstream.script(BLOBS, ({ request, response }: Turn) => {
      const { range } = request.headers
      this.ranges.push(range)
      const [, from = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
      const until = last === '' ? bytes.length : Number(last) + 1
      answer({ from: Number(from), until, response }, this.ranges.length - 1)
    })
  }

  async getBlob() {
    const extra = this.#extra
    return await this.client
      .repository(repository('team/app'))
      .getBlob(descriptor, SIGNAL, { extra })
  }

  async digest(): Promise<string> {
    return digestOf(await bytesOf(await this.getBlob()))
  }

  sent(): number {
    return this.ranges.reduce((sum, range) => {
      const [, from = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
      return sum + (last === '' ? bytes.length : Number(last) + 1) - Number(from)
    }, 0)
  }
}

export function give({ from, until, response }: Asked, headers: Record<string, string> = {}): void {
  response.writeHead(from === 0 && until === bytes.length ? 200 : 206, {
    'content-length': until - from,
    'content-range': `bytes ${from}-${until - 1}/${bytes.length}`,
    ...headers,
  })
  response.end(bytes.subarray(from, until))
}
