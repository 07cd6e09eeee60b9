import { PassThrough, type Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../../src/oci/descriptor.ts'
import { digestOf, type Digest } from '../../../../src/oci/digest.ts'
import { fetchBlob, type FetchOptions } from '../../../../src/replication/graph/fetch-blob.ts'
import { Tally } from '../../../../src/replication/graph/tally.ts'
import { TransferSchedule } from '../../../../src/replication/pace/transfer-schedule.ts'
import type { ContentTarget, UploadCheckpoint } from '../../../../src/replication/ports.ts'
import { MemoryRegistry } from '../memory-registry.ts'

const BYTES = Buffer.from('a layer')
const LAYER: Descriptor = {
  mediaType: 'application/octet-stream',
  digest: digestOf(BYTES),
  size: BYTES.length,
}

/** One that clients wait for. */
class FollowedRegistry extends MemoryRegistry {
  readonly body = new PassThrough()
  /** With the signal until which its body is wanted. */
  readonly opened: Promise<AbortSignal>
  readonly landedHere: Digest[] = []
  #noteOpened: (signal: AbortSignal) => void = () => undefined

  constructor() {
    super('hq', 'team/app')
    this.opened = new Promise((resolve) => (this.#noteOpened = resolve))
  }

  isFollowed(): boolean {
    return true
  }

  override getBlob(_: Descriptor, signal: AbortSignal): Promise<Readable> {
    this.asked.push('GET')
    this.#noteOpened(signal)
    return Promise.resolve(this.body)
  }

  landed(digest: Digest): void {
    this.landedHere.push(digest)
  }
}

describe('a blob that clients wait for', () => {
  let upstream: FollowedRegistry
  let local: MemoryRegistry
  let job: AbortController

  beforeEach(() => {
    upstream = new FollowedRegistry()
    local = new MemoryRegistry('local', 'team/app')
    job = new AbortController()
  })

  async function fetched(
    bringBlob: ContentTarget['bringBlob'],
    blob = LAYER,
    options: Partial<FetchOptions> = {},
  ): Promise<'copied' | 'skipped'> {
    local.bringBlob = bringBlob
    const schedule = new TransferSchedule({ upstream: () => 1, local: () => 1 })
    const slots = schedule.slots('hq', { urgency: 0, queuedAt: 0 })
    const tally = new Tally(() => undefined)
    const { signal } = job
    const copy = { source: upstream, target: local, slots, tally, signal }
    return await slots.run({ bytes: LAYER.size, uploads: true }, signal, (turn) =>
      fetchBlob(copy, blob, { turn, unlessThere: true, ...options }),
    )
  }

  it('is on its way while the target is still asked for it, and asked for once', async () => {
    const how = await fetched(async (_, open) => {
      const { signal } = new AbortController()
      await upstream.opened
      upstream.body.end(BYTES)
      expect(await buffer(await open(0, signal))).toEqual(BYTES)
      return 'copied'
    })

    expect(how).toBe('copied')
    expect(upstream.asked).toEqual(['GET'])
  })

  it('is let go of, and of what was kept of it, where the target has it', async () => {
    const how = await fetched(async () => {
      await upstream.opened
      return 'skipped'
    })

    expect(how).toBe('skipped')
    expect(upstream.body.destroyed).toBe(true)
    expect(upstream.landedHere).toEqual([LAYER.digest])
  })

  it('is let go of where the target cannot be asked', async () => {
    const refusal = new Error('the local registry is away')

    await expect(fetched(() => Promise.reject(refusal))).rejects.toBe(refusal)

    expect((await upstream.opened).aborted).toBe(true)
    expect(upstream.body.destroyed).toBe(true)
  })

  it('fails with what broke it before the target wanted it', async () => {
    const cut = new Error('upstream is away')
    const failed = fetched(async (_, open) => {
      await upstream.opened
      upstream.body.destroy(cut)
      await new Promise((resolve) => upstream.body.once('close', resolve))
      await open(0, new AbortController().signal)
      return 'copied'
    })

    await expect(failed).rejects.toBe(cut)
  })

  it('ends with the job until its upload has begun', async () => {
    const given = new Error('given up')
    const whole = fetched(async () => {
      job.abort(given)
      return Promise.reject((await upstream.opened).reason as Error)
    })

    await expect(whole).rejects.toBe(given)
  })

  it('ends with its upload once that has begun', async () => {
    const [upload, given] = [new AbortController(), new Error('given up')]
    const reasons: unknown[] = []
    const whole = fetched(async (_, open) => {
      const signal = await upstream.opened
      await open(0, upload.signal)
      job.abort(new Error('the upload ends in good order'))
      reasons.push(signal.reason)
      upload.abort(given)
      reasons.push(signal.reason)
      return Promise.reject(given)
    })

    await expect(whole).rejects.toThrow()
    expect(reasons).toEqual([undefined, given])
  })

  it('is asked for anew from where an earlier upload stopped', async () => {
    await fetched(async (_, open) => {
      await upstream.opened
      await open(3, new AbortController().signal)
      return 'copied'
    })

    expect(upstream.asked).toEqual(['GET', 'GET'])
    expect((await upstream.opened).aborted).toBe(true)
  })

  it('is left to who continues what an earlier upload has left', async () => {
    const large = { ...LAYER, size: 64 * 1024 * 1024 }
    const askedBefore: unknown[] = []
    const bringing: ContentTarget['bringBlob'] = async (_, open) => {
      askedBefore.push(...upstream.asked)
      await open(3, new AbortController().signal)
      return 'copied'
    }
    const checkpoint = leftAt({ location: 'http://local/upload', offset: 3 })
    await fetched(bringing, large, { checkpoint })

    expect(askedBefore).toEqual([])
    await fetched(bringing, large, { checkpoint: leftAt(undefined) })
    expect(askedBefore).toEqual(['GET', 'GET'])
  })
})

function leftAt(state: Awaited<ReturnType<UploadCheckpoint['load']>>): UploadCheckpoint {
  const done = () => Promise.resolve()
  return { load: () => Promise.resolve(state), save: done, clear: done }
}
