import type { PublishedImage } from '../content/publish.ts'
import { OCI_MANIFEST } from '../../src/oci/media-types.ts'

/** Throws unless the registry names these images by their tags and holds all of their content. */
export async function verifyCopies(
  registryUrl: string,
  images: readonly PublishedImage[],
): Promise<void> {
  for (const { repository, tag, digest, blobs } of images) {
    const url = `${registryUrl}/v2/${repository}`
    const got = await head(`${url}/manifests/${tag}`)
    const held = got?.headers.get('docker-content-digest') ?? 'nothing'
    if (held !== digest) {
      throw new Error(`${repository}:${tag} is ${held} after the copy, instead of ${digest}`)
    }
    const present = await Promise.all(blobs.map((blob) => head(`${url}/blobs/${blob}`)))
    if (present.includes(undefined)) throw new Error(`${repository}:${tag} lacks blobs`)
  }
}

async function head(url: string): Promise<Response | undefined> {
  const response = await fetch(url, { method: 'HEAD', headers: { accept: OCI_MANIFEST } })
  return response.ok ? response : undefined
}
