import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { BuiltImage } from '../../support/images/image.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'
import type { Site } from '../site.ts'

const ANY = {
  accept: 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json',
}

export async function blobGets(site: Site, digest: string) {
  return await loggedRequests(site.upstream, {
    method: 'GET',
    path: new RegExp(`/blobs/${digest}$`),
  })
}

export function largestOf(image: BuiltImage) {
  const [largest] = [...image.blobs].sort((a, b) => b.size - a.size)
  if (largest === undefined) throw new Error('the image has no blobs')
  return largest
}

/** GET of a blob, as far as its head. */
export async function openBlob(site: Site, repository: string, digest: string, range?: string) {
  const asking = request(`http://${site.gateway}/v2/${repository}/blobs/${digest}`, {
    ...(range !== undefined && { headers: { range } }),
  })
  asking.on('error', () => undefined)
  asking.end()
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return { asking, response }
}

/** Reads on and tells the digest and number of all that came. */
export function reading(response: IncomingMessage) {
  const hash = createHash('sha256')
  let bytes = 0
  response.on('data', (piece: Buffer) => {
    hash.update(piece)
    bytes += piece.length
  })
  const whole = once(response, 'end').then(() => `sha256:${hash.digest('hex')}`)
  // A test that fails before it gets there has told enough.
  whole.catch(() => undefined)
  return { bytes: () => bytes, whole }
}

export async function index(site: Site, repository: string, reference: string) {
  return await fetch(`http://${site.gateway}/v2/${repository}/manifests/${reference}`, {
    headers: ANY,
  })
}
