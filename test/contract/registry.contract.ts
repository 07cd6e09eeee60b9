import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RegistryConfig } from '../../src/config/config.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { RegistryError } from '../../src/registry/errors/registry-error.ts'
import type { Registry } from '../../src/registry/registry.ts'
import type { RegistryRepository } from '../../src/registry/repository.ts'
import { CorruptBlobError } from '../../src/registry/upload/verified-body.ts'
import {
  blobOf,
  bytesOf,
  failureOf,
  manifestOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
  streamOf,
} from './contract-content.ts'

/** A registry that the client can be held against; empty at first. */
export interface Subject extends AsyncDisposable {
  /** With credentials that may do everything. */
  readonly config: RegistryConfig
}

/** What the registry client promises of every registry, real or scripted. */
export function registryContract(name: string, start: () => Promise<Subject>): void {
  describe(`the registry client with ${name}`, () => {
    let subject: Subject
    let registry: Registry
    let repo: RegistryRepository

    beforeAll(async () => {
      subject = await start()
      registry = open(subject.config)
      repo = registry.repository(repository('team/app'))
    })

    afterAll(async () => {
      await registry[Symbol.asyncDispose]()
      await subject[Symbol.asyncDispose]()
    })

    it('finds the configured credentials good', async () => {
      await expect(registry.check(SIGNAL)).resolves.toBeUndefined()
    })

    it('brings a blob there and back', async () => {
      const { bytes, descriptor } = randomBlob(3_000_001)

      const before = await repo.hasBlob(descriptor.digest, SIGNAL)
      await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)

      expect(before).toBe(false)
      expect(await repo.hasBlob(descriptor.digest, SIGNAL)).toBe(true)
      expect(digestOf(await bytesOf(await repo.getBlob(descriptor, SIGNAL)))).toBe(
        descriptor.digest,
      )
    })

    it('brings a blob of no bytes there and back', async () => {
      const { bytes, descriptor } = blobOf(Buffer.alloc(0))

      await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)

      expect(await bytesOf(await repo.getBlob(descriptor, SIGNAL))).toHaveLength(0)
    })

    it('pushes many blobs at once, to a repository with many parts in its name', async () => {
      const deep = registry.repository(repository('team/a/b-c/d__e/f.g'))
      const blobs = Array.from({ length: 24 }, (_, index) => randomBlob(1 + index * 10_007))

      await Promise.all(
        blobs.map(({ bytes, descriptor }) => deep.putBlob(descriptor, streamOf(bytes), SIGNAL)),
      )

      const there = await Promise.all(
        blobs.map(({ descriptor }) => deep.hasBlob(descriptor.digest, SIGNAL)),
      )
      expect(there).toEqual(blobs.map(() => true))
    })

    it.each([
      ['other bytes of the right length', (bytes: Buffer) => Buffer.alloc(bytes.length, 1)],
      ['one byte too few', (bytes: Buffer) => bytes.subarray(1)],
      ['one byte too many', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
      ['nothing', () => Buffer.alloc(0)],
    ])('never commits a blob of which came %s', async (_, spoil) => {
      const { bytes, descriptor } = randomBlob(200_000)

      const failure = await failureOf(repo.putBlob(descriptor, streamOf(spoil(bytes)), SIGNAL))

      expect(failure).toBeInstanceOf(CorruptBlobError)
      expect(failure).toMatchObject({ disposition: 'transient' })
      expect(await repo.hasBlob(descriptor.digest, SIGNAL)).toBe(false)
    })

    it('fails a push with the very error that broke its body', async () => {
      const { bytes, descriptor } = randomBlob(2_000_000)
      const broken = new Error('the upstream broke')
      const body = Readable.from(
        (async function* () {
          yield bytes.subarray(0, 1_000_000)
          await Promise.resolve()
          throw broken
        })(),
      )

      expect(await failureOf(repo.putBlob(descriptor, body, SIGNAL))).toBe(broken)
      expect(await repo.hasBlob(descriptor.digest, SIGNAL)).toBe(false)
    })

    it('takes the whole body before it says that a push is done, and lets go of it', async () => {
      const { bytes, descriptor } = randomBlob(500_000)
      const body = streamOf(bytes)

      await repo.putBlob(descriptor, body, SIGNAL)

      expect(body.destroyed).toBe(true)
    })

    it('ends a push with the reason when it is aborted', async () => {
      const { bytes, descriptor } = randomBlob(1_000_000)
      const abort = new AbortController()
      const reason = new Error('enough')
      const body = Readable.from(
        (async function* () {
          yield bytes.subarray(0, 500_000)
          abort.abort(reason)
          await new Promise(() => undefined)
        })(),
      )

      expect(await failureOf(repo.putBlob(descriptor, body, abort.signal))).toBe(reason)
      expect(body.destroyed).toBe(true)
    })

    it('ends a pull with the reason when it is aborted', async () => {
      const { bytes, descriptor } = randomBlob(5_000_000)
      await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)
      const abort = new AbortController()
      const reason = new Error('enough')

      const body = await repo.getBlob(descriptor, abort.signal)
      abort.abort(reason)

      expect(await failureOf(bytesOf(body))).toBe(reason)
    })

    it('asks for nothing when it is aborted beforehand', async () => {
      const reason = new Error('never mind')
      const signal = AbortSignal.abort(reason)

      expect(await failureOf(repo.headManifest(reference('1.0'), signal))).toBe(reason)
    })

    it('mounts a blob that another repository holds', async () => {
      const { bytes, descriptor } = randomBlob(50_000)
      const elsewhere = registry.repository(repository('team/elsewhere'))
      await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)

      const mounted = await elsewhere.mountBlob(descriptor.digest, repo.repository, SIGNAL)

      expect(mounted).toBe(true)
      expect(digestOf(await bytesOf(await elsewhere.getBlob(descriptor, SIGNAL)))).toBe(
        descriptor.digest,
      )
    })

    it('says so when a blob cannot be mounted', async () => {
      const { descriptor } = randomBlob(10)

      expect(await repo.mountBlob(descriptor.digest, repository('team/other'), SIGNAL)).toBe(false)
    })

    it.each([
      ['an OCI manifest', OCI_MANIFEST],
      ['a Docker manifest', DOCKER_MANIFEST],
    ])(
      'brings %s there and back with its own bytes, by tag and by digest',
      async (_, mediaType) => {
        const config = randomBlob(100)
        const layer = randomBlob(1_000)
        for (const { bytes, descriptor } of [config, layer]) {
          await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)
        }
        const manifest = manifestOf(
          { config: config.descriptor, layers: [layer.descriptor] },
          mediaType,
        )

        await repo.putManifest(reference('1.0'), manifest, SIGNAL)

        const head = { digest: manifest.digest, mediaType }
        expect(await repo.headManifest(reference('1.0'), SIGNAL)).toMatchObject(head)
        expect(await repo.headManifest(manifest.digest, SIGNAL)).toMatchObject(head)
        expect(await repo.getManifest(reference('1.0'), SIGNAL)).toEqual(manifest)
        expect(await repo.getManifest(manifest.digest, SIGNAL)).toEqual(manifest)
      },
    )

    it.each([
      ['an OCI index', OCI_INDEX, OCI_MANIFEST],
      ['a Docker manifest list', DOCKER_LIST, DOCKER_MANIFEST],
    ])('brings %s there and back after its children', async (_, mediaType, childType) => {
      const config = randomBlob(101)
      await repo.putBlob(config.descriptor, streamOf(config.bytes), SIGNAL)
      const child = manifestOf({ config: config.descriptor, layers: [] }, childType)
      await repo.putManifest(child.digest, child, SIGNAL)
      const { digest, bytes } = child
      const platform = { os: 'linux', architecture: 'arm64' }
      const manifests = [{ mediaType: childType, digest, size: bytes.length, platform }]
      const index = manifestOf({ manifests }, mediaType)

      await repo.putManifest(reference('multi'), index, SIGNAL)

      expect(await repo.getManifest(reference('multi'), SIGNAL)).toEqual(index)
      expect(await repo.getManifest(digest, SIGNAL)).toEqual(child)
    })

    it('takes the same manifest twice', async () => {
      const config = randomBlob(102)
      await repo.putBlob(config.descriptor, streamOf(config.bytes), SIGNAL)
      const manifest = manifestOf({ config: config.descriptor, layers: [] })

      await repo.putManifest(reference('twice'), manifest, SIGNAL)

      await expect(repo.putManifest(reference('twice'), manifest, SIGNAL)).resolves.toBeUndefined()
    })

    it('says "not there" of an unknown tag, digest or repository', async () => {
      const nowhere = registry.repository(repository('team/nowhere'))
      const { digest } = randomBlob(10).descriptor

      expect(await repo.headManifest(reference('nope'), SIGNAL)).toBeUndefined()
      expect(await repo.getManifest(reference('nope'), SIGNAL)).toBeUndefined()
      expect(await repo.headManifest(digest, SIGNAL)).toBeUndefined()
      expect(await nowhere.getManifest(reference('1.0'), SIGNAL)).toBeUndefined()
      expect(await nowhere.hasBlob(digest, SIGNAL)).toBe(false)
    })

    it('tells that a manifest was refused because the registry lacks what it names', async () => {
      const manifest = manifestOf({ config: randomBlob(10).descriptor, layers: [] })

      const failure = await failureOf(repo.putManifest(reference('gap'), manifest, SIGNAL))

      expect(failure).toBeInstanceOf(RegistryError)
      expect(failure).toMatchObject({ content: 'missing', disposition: 'transient' })
    })

    it('fails when a blob is not there', async () => {
      const { descriptor } = randomBlob(10)

      const failure = await failureOf(repo.getBlob(descriptor, SIGNAL))

      expect(failure).toMatchObject({ name: 'RegistryError', status: 404 })
    })
  })
}
