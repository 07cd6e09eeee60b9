import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_INDEX } from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'
import type { BuiltManifest } from '../../support/images/image.ts'
import { fallbackTag, pushReferrer } from '../../support/images/referrer.ts'
import { inspectRaw } from '../../support/images/skopeo.ts'
import { arrives, digestAt, type Site, startSite } from '../site.ts'

describe('signatures and SBOMs', () => {
  let site: Site

  beforeAll(async () => {
    site = await startSite()
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  function refer(repository: string, subject: BuiltManifest, content: string) {
    const artifactType = 'application/spdx+json'
    return pushReferrer({ url: site.upstream.url, repository, artifactType, content, subject })
  }

  function sign(repository: string, subject: BuiltManifest, content: string) {
    const tag = `${fallbackTag(subject.digest)}.sig`
    const artifactType = 'application/vnd.dev.cosign.simplesigning.v1+json'
    return pushReferrer({ url: site.upstream.url, repository, artifactType, content, tag })
  }

  /** What the local registry lists under the fallback tag. */
  async function listed(repository: string, subject: BuiltManifest): Promise<unknown[]> {
    const url = `${site.local.url}/v2/${repository}/manifests/${fallbackTag(subject.digest)}`
    const accept = 'application/vnd.oci.image.index.v1+json'
    const response = await fetch(url, { headers: { accept } })
    if (response.status === 404) return []
    const { manifests } = (await response.json()) as { manifests: { digest: string }[] }
    return manifests.map(({ digest }) => digest)
  }

  it('come along with the image: its SBOM, the signature of the SBOM, and cosign tags', async () => {
    const image = await site.publish('team/signed:1.0')
    const [platform] = image.manifests
    const sbom = await refer('team/signed', image.top, 'an SBOM')
    const ofTheSbom = await refer('team/signed', sbom, 'a signature of the SBOM')
    const ofThePlatform = await sign('team/signed', platform ?? image.top, 'of one platform')

    await site.miss('team/signed', '1.0')
    await arrives(site, 'team/signed:1.0', image)

    expect(await listed('team/signed', image.top)).toEqual([sbom.digest])
    expect(await listed('team/signed', sbom)).toEqual([ofTheSbom.digest])
    for (const { digest, bytes } of [sbom, ofTheSbom]) {
      const got = await inspectRaw(`${site.local.host}/team/signed@${digest}`)
      expect(digestOf(got.bytes)).toBe(digestOf(bytes))
    }
    const tag = `${fallbackTag((platform ?? image.top).digest)}.sig`
    expect(await digestAt(site.local, `team/signed:${tag}`)).toBe(ofThePlatform.digest)
  })

  it('follow when they are made after the image was copied', async () => {
    const image = await site.publish('team/later:1.0')
    await site.miss('team/later', '1.0')
    await arrives(site, 'team/later:1.0', image)

    const signature = await sign('team/later', image.top, 'signed afterwards')
    const sbom = await refer('team/later', image.top, 'described afterwards')

    const tag = `${fallbackTag(image.top.digest)}.sig`
    await eventually(async () => {
      const found = await digestAt(site.local, `team/later:${tag}`)
      return found === signature.digest && (await listed('team/later', image.top)).length > 0
    })
    expect(await listed('team/later', image.top)).toEqual([sbom.digest])
  })

  it('leave upstream what is listed with them and refers to something else', async () => {
    const repository = 'team/mixed'
    const [image, other] = [
      await site.publish(`${repository}:1.0`),
      await site.publish(`${repository}:2.0`),
    ]
    const ofTheOther = await refer(repository, other.top, 'of another image')
    const own = await refer(repository, image.top, 'of this one')
    const entries = [ofTheOther, own, ...other.manifests].map(({ mediaType, digest, bytes }) => ({
      ...{ mediaType, digest, size: bytes.length },
    }))
    await fetch(
      `${site.upstream.url}/v2/${repository}/manifests/${fallbackTag(image.top.digest)}`,
      {
        method: 'PUT',
        headers: { 'content-type': OCI_INDEX },
        body: JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries }),
      },
    )

    await site.miss(repository, '1.0')
    await arrives(site, `${repository}:1.0`, image)

    expect(await listed(repository, image.top)).toEqual([own.digest])
    for (const { digest } of [ofTheOther, ...other.manifests]) {
      expect(await digestAt(site.local, `${repository}@${digest}`)).toBeUndefined()
    }
  })

  it('of an image that is not held stay where they are', async () => {
    const image = await site.publish('team/elsewhere:1.0')
    await sign('team/elsewhere', image.top, 'nobody asked for it')

    await eventually(async () => {
      const jobs = await site.jobs('--match', 'team/elsewhere*')
      return jobs.length >= 2 && jobs.every(({ state }) => state === 'completed')
    })

    const jobs = await site.jobs('--match', 'team/elsewhere*')
    expect(new Set(jobs.map(({ outcome }) => outcome?.kind))).toEqual(new Set(['refused']))
    expect(
      await loggedRequests(site.upstream, { method: 'GET', path: /team\/elsewhere/ }, 0),
    ).toEqual([])
  })
})
