import { describe, expect, it } from 'vitest'
import type { Reference, Repository } from '../../../../src/oci/reference.ts'
import type { Enqueued, Offered } from '../../../../src/queue/enqueued.ts'
import { Batcher } from '../../../../src/queue/offer/batches.ts'
import type { ReplicationRequest, Trigger } from '../../../../src/replication/request.ts'

function request(tag: string, trigger: Trigger = 'miss'): ReplicationRequest {
  return {
    repository: 'team/app' as Repository,
    upstreamRepository: 'team/app' as Repository,
    reference: tag as Reference,
    upstreams: ['hq'],
    trigger,
    onlyIfPresent: false,
    platforms: 'all',
    referrers: true,
    eventId: 'e',
  }
}

function recording() {
  const batches: string[][] = []
  const answers: ((error?: Error) => void)[] = []
  const gathering = new Batcher(async (requests) => {
    batches.push(requests.map(({ reference }) => reference))
    await new Promise<void>((resolve, reject) => {
      answers.push((error) => {
        if (error === undefined) resolve()
        else reject(error)
      })
    })
    return requests.map(({ reference }): Enqueued => ({ jobId: reference, duplicate: false }))
  })
  return { gathering, batches, answers }
}

describe('Batcher', () => {
  it('sends what arrives while a batch is on its way together with the next one', async () => {
    const { gathering, batches, answers } = recording()
    const told = ['a', 'b', 'c'].map((tag) => gathering.add(request(tag)))
    expect(batches).toEqual([['a']])

    answers[0]?.()
    await told[0]
    answers[1]?.()

    expect((await Promise.all(told)).map(({ jobId }) => jobId)).toEqual(['a', 'b', 'c'])
    expect(batches).toEqual([['a'], ['b', 'c']])
  })

  it('sends the same miss once and calls the others duplicates of it', async () => {
    const { gathering, batches, answers } = recording()
    const first = gathering.add(request('x'))
    const herd = [1, 2, 3].map(() => gathering.add(request('a')))
    answers[0]?.()
    await first
    answers[1]?.()

    expect((await Promise.all(herd)).map(({ duplicate }) => duplicate)).toEqual([false, true, true])
    expect(batches[1]).toEqual(['a'])
  })

  it('sends a miss once for each source that tells of it: one may be held back', async () => {
    const sent: (string | undefined)[] = []
    const gathering = new Batcher<Offered>((requests) => {
      sent.push(...requests.map(({ source }) => source))
      return Promise.resolve(
        requests.map(({ source }) =>
          source === 'loud' ? { limited: 'source-limited' } : { jobId: 'j', duplicate: false },
        ),
      )
    })
    const first = gathering.add(request('x'))
    const herd = ['loud', 'loud', 'edge', 'edge'].map((source) =>
      gathering.add({ ...request('a'), source }),
    )

    expect(await Promise.all(herd)).toEqual([
      { limited: 'source-limited' },
      { limited: 'source-limited' },
      { jobId: 'j', duplicate: false },
      { jobId: 'j', duplicate: true },
    ])
    await first
    expect(sent).toEqual([undefined, 'loud', 'edge'])
  })

  it('sends every push: each may announce something else', async () => {
    const { gathering, batches, answers } = recording()
    const first = gathering.add(request('x'))
    const pushes = [1, 2].map(() => gathering.add(request('a', 'push')))
    answers[0]?.()
    await first
    answers[1]?.()
    await Promise.all(pushes)

    expect(batches[1]).toEqual(['a', 'a'])
  })

  it('fails all that wait when a batch fails, and works again afterwards', async () => {
    const { gathering, batches, answers } = recording()
    const told = ['a', 'b'].map((tag) => gathering.add(request(tag)))
    const failures = told.map((one) => one.catch((error: unknown) => error))

    answers[0]?.(new Error('away'))

    expect((await Promise.all(failures)).map((error) => (error as Error).message)).toEqual([
      'away',
      'away',
    ])
    const later = gathering.add(request('c'))
    answers[1]?.()
    expect((await later).jobId).toBe('c')
    expect(batches).toEqual([['a'], ['c']])
  })
})
