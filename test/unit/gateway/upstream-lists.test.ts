import { once } from 'node:events'
import { expect, it } from 'vitest'
import { UpstreamLists } from '../../../src/gateway/lists/upstream-lists.ts'
import type { Repository } from '../../../src/oci/reference.ts'

it('counts the time of each upstream apart: one that is silent says nothing of the next', async () => {
  const failed: string[] = []
  const lists = new UpstreamLists<string>({
    async *read(upstream, _, signal) {
      if (upstream === 'silent') await once(signal, 'abort').catch(() => undefined)
      signal.throwIfAborted()
      yield [`of ${upstream}`]
    },
    nameOf: (entry) => entry,
    isHeld: () => Promise.resolve(false),
    onError: (upstream) => failed.push(upstream),
  })

  const list = await lists.of({
    upstreams: ['silent', 'healthy'],
    upstreamRepository: 'team/app' as Repository,
    freshForMs: 1_000,
  })

  expect(list).toEqual({ entries: ['of healthy'], complete: false })
  expect(failed).toEqual(['silent'])
})
