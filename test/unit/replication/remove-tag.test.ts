import { expect, it } from 'vitest'
import type { Digest } from '../../../src/oci/digest.ts'
import { isTag, type Reference, type Repository, type Tag } from '../../../src/oci/reference.ts'
import { ReplicationError, TagBusyError } from '../../../src/replication/errors.ts'
import type { RemovalTarget } from '../../../src/replication/ports.ts'
import { LocalTags } from '../../../src/replication/local-tags.ts'
import { removeTag } from '../../../src/replication/remove-tag.ts'
import type { WithRightTo } from '../../../src/replication/tag-right.ts'
import type { ReplicationRequest } from '../../../src/replication/request.ts'
import { MemoryRegistry } from './memory-registry.ts'

/** As distribution 2: it deletes by digest only. */
function localThatLists(tags: readonly string[]) {
  const held = new MemoryRegistry('local', 'team/app')
  const image = held.addImage('1.0', 'layer')
  const deleted: Reference[] = []
  const target: RemovalTarget = {
    repository: held.repository,
    heldAt: (reference) => held.heldAt(reference),
    getManifest: (reference) => held.getManifest(reference),
    async *tags() {
      yield await Promise.resolve(tags as Tag[])
    },
    deleteManifest(reference) {
      if (isTag(reference)) return Promise.resolve(false)
      deleted.push(reference)
      return Promise.resolve(true)
    },
  }
  return { held, image, deleted, target }
}

async function remove(
  target: RemovalTarget,
  changes: Partial<ReplicationRequest> = {},
  upstream = new MemoryRegistry('hq', 'team/app'),
  withRightTo: WithRightTo = (_tag, run) => run(() => Promise.resolve()),
) {
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
      ...changes,
    },
    {
      source: () => upstream,
      target,
      localTags: new LocalTags(),
      withRightTo,
      signal: new AbortController().signal,
    },
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

  expect(await remove(shared.target)).toMatchObject({ kind: 'refused', failure: true })
  expect(await remove(unlisted.target)).toMatchObject({ kind: 'refused', failure: true })
  expect([...shared.deleted, ...unlisted.deleted]).toEqual([])
})

it('a digest stays when a tag needs it two indexes deep', async () => {
  const { held, image, deleted, target } = localThatLists(['1.0', 'all'])
  const inner = held.addIndex('inner', { 'linux/amd64': image })
  held.addIndex('all', { 'any/any': inner })

  expect(await remove(target)).toMatchObject({ kind: 'refused', failure: true })
  expect(deleted).toEqual([])
})

it('a digest stays when what a tag is cannot be read', async () => {
  const { held, deleted, target } = localThatLists(['1.0', 'old'])
  const unreadable = new ReplicationError('it is of schema 1', {
    disposition: 'permanent',
    content: 'unsupported',
  })
  const getManifest = (reference: Reference) =>
    reference === 'old' ? Promise.reject(unreadable) : held.getManifest(reference)

  const outcome = await remove({ ...target, getManifest })

  expect(JSON.stringify(outcome)).toMatch(/"refused".*what old is cannot be read/)
  expect(deleted).toEqual([])
})

it('a digest goes with all its tags that upstream no longer has, whichever was named', async () => {
  const names = ['1.0', '1.1', 'other']
  for (const named of [{ reference: '1.0' as Reference }, {}]) {
    const { held, image, deleted, target } = localThatLists(names)
    held.tags.set('1.1', image.digest)
    held.addImage('other', 'another layer')
    const request = { reference: image.digest, announcedDigest: image.digest, ...named }

    expect(await remove(target, request)).toEqual({ kind: 'deleted', digest: image.digest })
    expect(deleted).toEqual([image.digest])
  }
})

it('a digest stays with those of its tags that upstream still has', async () => {
  const { held, image, deleted, target } = localThatLists(['1.0', '1.1'])
  held.tags.set('1.1', image.digest)
  const upstream = new MemoryRegistry('hq', 'team/app')
  upstream.addImage('1.1', 'newer')

  const outcome = await remove(target, { reference: image.digest }, upstream)

  expect(outcome).toMatchObject({ kind: 'refused' })
  expect(deleted).toEqual([])
})

it('a tag that somebody writes is waited for, and tried again later when that takes long', async () => {
  const { image, deleted, target } = localThatLists(['1.0'])
  const byDigest = { reference: image.digest }
  let looks = 0
  const freeAtTheThird: WithRightTo = async (_tag, run) =>
    (looks += 1) < 3 ? undefined : await run(() => Promise.resolve())

  await expect(
    remove(target, byDigest, undefined, () => Promise.resolve(undefined)),
  ).rejects.toMatchObject({ disposition: 'transient' })
  expect(deleted).toEqual([])
  expect(await remove(target, byDigest, undefined, freeAtTheThird)).toMatchObject({
    kind: 'deleted',
  })
})

it('whoever keeps the right to a tag of the digest does not wait for the others', async () => {
  const { held, image, deleted, target } = localThatLists(['1.0', '1.1'])
  held.tags.set('1.1', image.digest)
  let looks = 0
  const busy: WithRightTo = () => {
    looks += 1
    return Promise.resolve(undefined)
  }

  await expect(
    remove(target, { announcedDigest: image.digest }, undefined, busy),
  ).rejects.toBeInstanceOf(TagBusyError)
  expect({ looks, deleted }).toEqual({ looks: 1, deleted: [] })
})

it('a tag whose own job has removed it is not waited for', async () => {
  const { held, image, target } = localThatLists(['1.0'])
  const goesMeanwhile: WithRightTo = () => {
    held.tags.delete('1.0')
    return Promise.resolve(undefined)
  }

  expect(await remove(target, { reference: image.digest }, undefined, goesMeanwhile)).toMatchObject(
    { kind: 'refused' },
  )
})

it('a digest stays when upstream has one of its tags again by the time that all others are read', async () => {
  const { held, image, deleted, target } = localThatLists(['1.0', 'other'])
  held.addImage('other', 'another layer')
  const upstream = new MemoryRegistry('hq', 'team/app')
  const getManifest = (reference: Reference) => {
    upstream.addImage('1.0', 'newer')
    return held.getManifest(reference)
  }

  const outcome = await remove({ ...target, getManifest }, { reference: image.digest }, upstream)

  expect(outcome).toEqual({ kind: 'refused', reason: 'upstream "hq" has it still, or again' })
  expect(deleted).toEqual([])
})

it('which digest a tag has is asked anew once it may have been written', async () => {
  const { held, image, target } = localThatLists(['1.0'])
  const { signal } = new AbortController()
  const localTags = new LocalTags()
  expect(await localTags.of(image.digest, target, signal)).toEqual(['1.0'])
  const newer = held.addImage('1.0', 'newer')

  localTags.forget({ repository: target.repository, reference: '1.0' as Tag })

  expect(await localTags.of(newer.digest, target, signal)).toEqual(['1.0'])
})

it('which digest a tag has is remembered also while others are written, and not of one that is', async () => {
  const { held, image, target } = localThatLists(['1.0', '2.0'])
  const { signal } = new AbortController()
  const localTags = new LocalTags()
  held.addImage('2.0', 'other')
  const asked: Reference[] = []
  const heldAt = (reference: Reference) => {
    asked.push(reference)
    const { repository } = target
    if (reference === '2.0') localTags.forget({ repository, reference })
    return held.heldAt(reference)
  }

  await localTags.of(image.digest, { ...target, heldAt }, signal)
  await localTags.of(image.digest, { ...target, heldAt }, signal)

  expect(asked).toEqual(['1.0', '2.0', '2.0'])
})

it('a digest that another job removes while its tags are read has not failed', async () => {
  const { held, image, target } = localThatLists([])
  async function* tags() {
    held.manifests.delete(image.digest)
    yield await Promise.resolve([])
  }

  expect(await remove({ ...target, tags })).toEqual({
    kind: 'refused',
    reason: 'it is gone already',
  })
})

it('a list of referrers stays with the image that it is of, and goes without it', async () => {
  const { held, image, target } = localThatLists([])
  held.addReferrer(image, 'a signature that was made here')
  const list = `sha256-${image.digest.slice('sha256:'.length)}` as Reference
  const deleteManifest = () => Promise.resolve(true)

  const kept = await remove({ ...target, deleteManifest }, { reference: list })
  held.manifests.delete(image.digest)
  const gone = await remove({ ...target, deleteManifest }, { reference: list })

  expect(kept).toMatchObject({ kind: 'refused' })
  expect(gone).toMatchObject({ kind: 'deleted' })
})

it('of a digest that is not held nothing goes, and upstream is not asked', async () => {
  const { deleted, target } = localThatLists(['1.0'])
  const upstream = new MemoryRegistry('hq', 'team/app')
  const blob = `sha256:${'ab'.repeat(32)}` as Digest

  expect(await remove(target, { reference: blob }, upstream)).toMatchObject({ kind: 'refused' })
  expect(deleted).toEqual([])
  expect(upstream.asked).toEqual([])
})
