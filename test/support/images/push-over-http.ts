import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { BuiltBlob, BuiltImage, BuiltManifest } from './image.ts'

export interface PushTarget {
  /** The registry, without a slash at the end. */
  readonly url: string
  readonly repository: string
  readonly tag: string
  /** `user:password`, sent as Basic. */
  readonly credentials?: string
}

// Larger blobs are streamed from their file.
const IN_MEMORY_BYTES = 1024 * 1024

/** Pushes an image with as few requests as will do: for hundreds of small ones. */
export async function pushOverHttp(image: BuiltImage, target: PushTarget): Promise<void> {
  await Promise.all(image.blobs.map((blob) => putBlob(blob, target)))
  for (const manifest of image.manifests) {
    await putManifest(manifest, manifest === image.top ? target.tag : manifest.digest, target)
  }
}

/** Pushes one manifest by tag or digest; its content must be there. */
export async function putManifest(
  manifest: BuiltManifest,
  reference: string,
  target: PushTarget,
): Promise<void> {
  await expectStatus(201, `${target.url}/v2/${target.repository}/manifests/${reference}`, {
    method: 'PUT',
    headers: { ...authorization(target), 'content-type': manifest.mediaType },
    body: manifest.bytes,
  })
}

/** OCI distribution-spec, "POST then PUT". */
export async function putBlob(blob: BuiltBlob, target: PushTarget): Promise<void> {
  const headers = authorization(target)
  const blobs = `${target.url}/v2/${target.repository}/blobs`
  const start = await expectStatus(202, `${blobs}/uploads/`, { method: 'POST', headers })
  const location = new URL(start.headers.get('location') ?? '', target.url)
  location.searchParams.set('digest', blob.digest)
  await expectStatus(201, location.href, {
    method: 'PUT',
    headers: {
      ...headers,
      'content-type': 'application/octet-stream',
      'content-length': String(blob.size),
    },
    ...(await bodyOf(blob)),
  })
}

async function bodyOf(blob: BuiltBlob): Promise<RequestInit> {
  if (blob.size <= IN_MEMORY_BYTES) return { body: await readFile(blob.file) }
  return { body: createReadStream(blob.file), duplex: 'half' }
}

function authorization({ credentials }: PushTarget): Record<string, string> {
  if (credentials === undefined) return {}
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

async function expectStatus(status: number, url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init)
  const body = await response.text()
  if (response.status === status) return response
  throw new Error(
    `${init.method ?? 'GET'} ${url}: expected ${status}, got ${response.status} ${body}`,
  )
}
