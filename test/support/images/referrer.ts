import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, digestOf } from '../../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import type { BuiltManifest } from './image.ts'
import { type PushTarget, putBlob, putManifest } from './push-over-http.ts'
import { tempFolder } from '../process/temp-folder.ts'

/** OCI image-spec, "Guidance for an Empty Descriptor". */
const EMPTY = 'application/vnd.oci.empty.v1+json'

export interface ReferrerOptions extends Omit<PushTarget, 'tag'> {
  readonly artifactType: string
  readonly content: string
  /** What it refers to; cosign's own tags say that instead. */
  readonly subject?: BuiltManifest
  /** Where it is put; its digest unless told. */
  readonly tag?: string
  /** False: it is not listed under the fallback tag, as where the registry has the referrers API. */
  readonly listed?: boolean
}

/**
 * Pushes an artifact that refers to a manifest, and lists it under the fallback tag unless told, as clients
 * do with a registry without the referrers API. It is the only entry of that list.
 */
export async function pushReferrer(options: ReferrerOptions): Promise<BuiltManifest> {
  const { subject, artifactType, tag, listed = true } = options
  const target: PushTarget = { ...options, tag: tag ?? '' }
  const config = await pushContent('{}', EMPTY, target)
  const layer = await pushContent(options.content, 'application/octet-stream', target)
  const manifest = manifestOf(OCI_MANIFEST, {
    artifactType,
    config,
    layers: [layer],
    ...(subject && { subject: descriptorOf(subject) }),
  })
  await putManifest(manifest, tag ?? manifest.digest, target)
  if (subject !== undefined && listed) {
    const list = manifestOf(OCI_INDEX, {
      manifests: [{ ...descriptorOf(manifest), artifactType }],
    })
    await putManifest(list, fallbackTag(subject.digest), target)
  }
  return manifest
}

export function fallbackTag(digest: Digest): string {
  return digest.replace(':', '-')
}

function descriptorOf({ mediaType, digest, bytes }: BuiltManifest) {
  return { mediaType, digest, size: bytes.length }
}

function manifestOf(mediaType: string, fields: object): BuiltManifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }))
  return { mediaType, digest: digestOf(bytes), bytes }
}

async function pushContent(content: string, mediaType: string, target: PushTarget) {
  await using folder = await tempFolder('content')
  const file = join(folder.path, 'content')
  await writeFile(file, content)
  const blob = { mediaType, digest: digestOf(Buffer.from(content)), size: content.length, file }
  await putBlob(blob, target)
  return { mediaType, digest: blob.digest, size: blob.size }
}
