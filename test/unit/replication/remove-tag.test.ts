import { expect, it } from 'vitest'
import type { Reference, Repository, Tag } from '../../../src/oci/reference.ts'
import type { RemovalTarget } from '../../../src/replication/ports.ts'
import { removeTag } from '../../../src/replication/remove-tag.ts'
import { MemoryRegistry } from './memory-registry.ts'

/** As distribution 2: it deletes by digest only. */
function localThatLists(tags: readonly string[]) {
  const held = new MemoryRegistry('local', 'team/app')
  const image = held.addImage('1.0', 'layer')
  const deleted: Reference[] = []
  const target: RemovalTarget = {
    headManifest: (reference) => held.headManifest(reference),
    getManifest: (reference) => held.getManifest(reference),
    async *tags() {
      yield await Promise.resolve(tags as Tag[])
    },
    deleteManifest(reference) {
      if (reference === '1.0') return Promise.resolve(false)
      deleted.push(reference)
      return Promise.resolve(true)
    },
  }
  return { held, image, deleted, target }
}

async function remove(target: RemovalTarget) {
  const upstream = new MemoryRegistry('hq', 'team/app')
  return await removeTag(
    {
      repository: 'team/app' as Repository,
      upstreamRepository: 'team/app' as Repository,
      reference: '1.0' as Reference,
      upstreams: ['hq'],
      trigger: 'delete',
      onlyIfPresent: true,
      platforms: 'all',
      referrers: true,
      eventId: 'e',
    },
    { source: () => upstream, target, signal: new AbortController().signal },
  )
}

it('a digest goes when the list of tags shows that no other needs it', async () => {
  const { image, deleted, target } = localThatLists(['1.0'])

  expect(await remove(target)).toEqual({ kind: 'deleted', digest: image.digest })
  expect(deleted).toEqual([image.digest])
})

it('a digest stays when another tag needs it, and when the registry does not list its tags', async () => {
  const shared = localThatLists(['1.0', 'latest'])
  shared.held.tags.set('latest', shared.image.digest)
  const unlisted = localThatLists([])

  expect(await remove(shared.target)).toMatchObject({ kind: 'refused' })
  expect(await remove(unlisted.target)).toMatchObject({ kind: 'refused' })
  expect([...shared.deleted, ...unlisted.deleted]).toEqual([])
})
