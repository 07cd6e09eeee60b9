import { describe, expect, it } from 'vitest'
import { parseReferrerList } from '../../../../src/oci/referrer-list.ts'
import type { Tag } from '../../../../src/oci/reference.ts'
import { referrerTag } from '../../../../src/oci/referrer-tag.ts'
import { BlobFlights } from '../../../../src/replication/graph/blob-flights.ts'
import { NO_LEDGER } from '../../../../src/replication/graph/blob-ledger.ts'
import { replicate } from '../../../../src/replication/replicate.ts'
import type { ReplicationRequest } from '../../../../src/replication/request.ts'
import { TransferSchedule } from '../../../../src/replication/pace/transfer-schedule.ts'
import { replicationRequest } from '../../../support/given/replication-request.ts'
import { MemoryRegistry } from '../memory-registry.ts'

function world() {
  return {
    upstream: new MemoryRegistry('hq', 'team/app'),
    local: new MemoryRegistry('local', 'team/app'),
    log: [] as string[],
  }
}

async function run(
  { upstream, local, log }: ReturnType<typeof world>,
  changes: Partial<ReplicationRequest> = {},
) {
  const schedule = new TransferSchedule({ upstream: () => 2, local: () => 2 })
  const request = replicationRequest({ referrers: true, ...changes })
  return await replicate(request, {
    source: () => upstream,
    target: local,
    slots: () => schedule.slots('hq', { urgency: 0, queuedAt: 0 }),
    flights: new BlobFlights(),
    ledger: NO_LEDGER,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    log: (line) => log.push(line),
  })
}

/** As a registry that takes sparse indexes. */
function takesAnyIndex(registry: MemoryRegistry): MemoryRegistry['putManifest'] {
  return (reference, manifest) =>
    MemoryRegistry.prototype.putManifest.call(registry, reference, manifest).catch(() => {
      registry.manifests.set(manifest.digest, manifest)
      registry.tags.set(reference, manifest.digest)
    })
}

/** What the local registry lists under the subject's fallback tag. */
function listed({ local }: ReturnType<typeof world>, subject: { readonly digest: string }) {
  const tag = referrerTag(subject.digest as never, 'fallback') ?? ''
  const index = local.manifests.get(local.tags.get(tag) ?? '')
  const list = index && parseReferrerList(index.bytes)
  return list?.ok === true ? list.value.map(({ digest }) => digest) : []
}

describe('what refers to an image', () => {
  it.each([true, false])('comes along, and what refers to that (API: %s)', async (referrersApi) => {
    const site = world()
    site.upstream.referrersApi = referrersApi
    const image = site.upstream.addImage('1.0', 'layer')
    const sbom = site.upstream.addReferrer(image, 'an SBOM')
    const signature = site.upstream.addReferrer(sbom, 'a signature of the SBOM')

    const outcome = await run(site)

    expect(outcome).toMatchObject({ kind: 'copied', referrers: 2 })
    expect(site.local.manifests.get(signature.digest)?.bytes).toEqual(signature.bytes)
    expect(listed(site, image)).toEqual([sbom.digest])
    expect(listed(site, sbom)).toEqual([signature.digest])
  })

  it('is listed once, with the type and size that it has', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    const sbom = site.upstream.addReferrer(image, 'an SBOM')
    const entry = { digest: sbom.digest, artifactType: 'x', size: 7 }
    site.upstream.listReferrers = (subject) =>
      Promise.resolve(
        subject === image.digest ? [0, 1].map(() => ({ digest: sbom.digest, entry })) : [],
      )

    await run(site)

    const tag = referrerTag(image.digest, 'fallback') ?? ''
    const list = site.local.manifests.get(site.local.tags.get(tag) ?? '')
    expect(JSON.parse(list?.bytes.toString() ?? '')).toMatchObject({
      manifests: [{ ...entry, mediaType: sbom.mediaType, size: sbom.bytes.length }],
    })
  })

  it('is there before the tag is', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    site.upstream.addReferrer(image, 'an SBOM')

    await run(site)

    expect(site.local.asked.at(-1)).toBe('PUT 1.0')
  })

  it('is looked for of every platform', async () => {
    const site = world()
    const amd64 = site.upstream.addImage(undefined, 'amd64')
    site.upstream.addIndex('1.0', { 'linux/amd64': amd64 })
    const sbom = site.upstream.addReferrer(amd64, 'an SBOM of the amd64 image')

    await run(site)

    expect(listed(site, amd64)).toEqual([sbom.digest])
  })

  it.each(['sig', 'att', 'sbom'] as const)('comes under the tag of cosign, .%s', async (kind) => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    const tag = referrerTag(image.digest, kind) ?? ''
    const signature = site.upstream.addImage(tag, 'by cosign')

    await run(site)

    expect(site.local.tags.get(tag)).toBe(signature.digest)
  })

  it('is listed by a local registry with the API itself', async () => {
    const site = world()
    site.local.referrersApi = true
    const image = site.upstream.addImage('1.0', 'layer')
    const sbom = site.upstream.addReferrer(image, 'an SBOM')

    await run(site)

    expect(site.local.manifests.has(sbom.digest)).toBe(true)
    expect([...site.local.tags.keys()]).toEqual(['1.0'])
  })

  it('is added to what the local registry lists already', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    const ofUpstream = site.upstream.addReferrer(image, 'an SBOM')
    site.local.addImage(undefined, 'layer')
    const own = site.local.addReferrer(image, 'a scan made here')

    await run(site)

    expect(listed(site, image)).toEqual([own.digest, ofUpstream.digest])
  })

  it('stays upstream when the project does not want it', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    site.upstream.addReferrer(image, 'an SBOM')

    const outcome = await run(site, { referrers: false })

    expect(outcome).not.toHaveProperty('referrers')
    expect(site.upstream.asked.filter((entry) => entry.includes('sha256-'))).toEqual([])
  })

  it('does not fail the image when it cannot be copied, and is counted', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    const sbom = site.upstream.addReferrer(image, 'an SBOM')
    site.upstream.manifests.delete(sbom.digest)

    const outcome = await run(site)

    expect(outcome).toMatchObject({ kind: 'copied', referrersFailed: 1 })
    expect(site.local.tags.get('1.0')).toBe(image.digest)
    expect(site.log.join()).toContain(`could not copy ${sbom.digest}`)
  })

  it('that goes in a circle ends', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    const sbom = site.upstream.addReferrer(image, 'an SBOM')
    const entry = { mediaType: image.mediaType, digest: image.digest, size: 1 }
    site.upstream.listReferrers = (subject) =>
      Promise.resolve(
        subject === sbom.digest
          ? [{ digest: image.digest, entry }]
          : [{ digest: sbom.digest, entry: { ...entry, digest: sbom.digest } }],
      )

    await run(site)

    expect(site.local.tags.get('1.0')).toBe(image.digest)
  })
})

describe('a referrer that comes after its image', () => {
  it.each(['manual', 'resync', 'push'] as const)('is found by a %s', async (trigger) => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    await run(site)
    const sbom = site.upstream.addReferrer(image, 'an SBOM')

    const outcome = await run(site, { trigger })

    expect(outcome).toEqual({ kind: 'up-to-date', digest: image.digest, referrers: 1 })
    expect(listed(site, image)).toEqual([sbom.digest])
  })

  it('is found by hand also of a platform, and of what was here already', async () => {
    const site = world()
    const amd64 = site.upstream.addImage(undefined, 'amd64 layer')
    const arm64 = site.upstream.addImage(undefined, 'arm64 layer')
    const platforms = ['linux/amd64']
    const index = site.upstream.addIndex('1.0', { 'linux/amd64': amd64, 'linux/arm64': arm64 })
    site.local.putManifest = takesAnyIndex(site.local)
    const sbom = site.upstream.addReferrer(index, 'an SBOM')
    await run(site, { platforms })
    const ofPlatform = site.upstream.addReferrer(amd64, 'a signature of a platform')
    const ofSbom = site.upstream.addReferrer(sbom, 'a signature of the SBOM')
    site.upstream.addReferrer(arm64, 'a signature of what is not here')

    const outcome = await run(site, { platforms, trigger: 'manual' })

    expect(outcome).toEqual({ kind: 'up-to-date', digest: index.digest, referrers: 2 })
    expect(listed(site, amd64)).toEqual([ofPlatform.digest])
    expect(listed(site, sbom)).toEqual([ofSbom.digest])
  })

  it('is not looked for by a revalidation, which costs one request', async () => {
    const site = world()
    site.upstream.addImage('1.0', 'layer')
    await run(site)
    site.upstream.asked.length = 0

    await run(site, { trigger: 'revalidate', onlyIfPresent: true })

    expect(site.upstream.asked).toEqual(['HEAD 1.0'])
  })

  it('is brought by the push of its tag where what it is about is held, though it is not itself', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    await run(site)
    const tag = (referrerTag(image.digest, 'sig') ?? '') as Tag
    const signature = site.upstream.addImage(tag, 'by cosign')

    await run(site, { reference: tag, trigger: 'push', onlyIfPresent: true })

    expect(site.local.tags.get(tag)).toBe(signature.digest)
  })

  it('is refused where what it is about is not held', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    const tag = (referrerTag(image.digest, 'sig') ?? '') as Tag
    site.upstream.addImage(tag, 'by cosign')

    const outcome = await run(site, { reference: tag, trigger: 'push', onlyIfPresent: true })

    expect(outcome.kind).toBe('refused')
  })

  it('is added by the push of the fallback tag to what the local registry lists', async () => {
    const site = world()
    const image = site.upstream.addImage('1.0', 'layer')
    await run(site)
    const own = site.local.addReferrer(image, 'a scan made here')
    const sbom = site.upstream.addReferrer(image, 'an SBOM')
    const tag = (referrerTag(image.digest, 'fallback') ?? '') as Tag

    await run(site, { reference: tag, trigger: 'push', onlyIfPresent: true })

    expect(listed(site, image)).toEqual([own.digest, sbom.digest])
  })
})
