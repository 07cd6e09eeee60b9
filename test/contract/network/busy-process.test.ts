import { once } from 'node:events'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RegistryRepository } from '../../../src/registry/repository.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { bytesOf, configFor, open, randomBlob, repository, SIGNAL } from '../contract-content.ts'

const STALL_MS = 200
const { bytes, descriptor } = randomBlob(100_000)

/** Does nothing else for longer than a stall may take; what comes meanwhile waits in the kernel. */
function beBusy(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS * 2)
}

describe('a process that is busy for longer than a stall may take', () => {
  let registry: ScriptedRegistry
  let client: Registry
  let repo: RegistryRepository

  beforeEach(async () => {
    registry = await startScriptedRegistry()
    client = open(configFor(registry.url), { stallTimeoutMs: STALL_MS })
    repo = client.repository(repository('team/app'))
  })

  afterEach(async () => {
    await client[Symbol.asyncDispose]()
    await registry[Symbol.asyncDispose]()
  })

  it('reads on what has come of a body meanwhile', async () => {
    const begun = new AbortController()
    let offered = 0
    registry.script({ method: 'GET' }, async ({ response }) => {
      offered += 1
      response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 10))
      await once(begun.signal, 'abort')
      response.end(bytes.subarray(10), beBusy)
    })
    const body = await repo.getBlob(descriptor, SIGNAL)
    body.once('data', () => {
      begun.abort()
    })

    expect((await bytesOf(body)).equals(bytes)).toBe(true)
    expect(offered).toBe(1)
  })

  it('takes an answer that has come meanwhile', async () => {
    registry.script({ method: 'HEAD' }, async ({ response }) => {
      // By then it has been looked at, and nothing has come since.
      await setTimeout(STALL_MS / 2)
      // After this the event loop looks at its timers first.
      await setImmediate()
      response.writeHead(200).end(beBusy)
    })

    expect(await repo.hasBlob(descriptor.digest, SIGNAL)).toBe(true)
  })
})
