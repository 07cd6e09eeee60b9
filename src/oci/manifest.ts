import type { Descriptor, Platform } from './descriptor.ts'
import { algorithmOf, type Digest, digestOf, parseDigest } from './digest.ts'
import { isIndexType, isManifestType, isSchema1Type } from './media-types.ts'
import { type Parsed, parsed, quoted, unparsable } from './parsed.ts'

/** The distribution-spec lets registries refuse manifests above this; every one known here does. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024

/**
 * A manifest or index with the bytes it came in. The bytes are what is pushed: re-serialising
 * would change the digest, and every signature with it.
 */
export interface Manifest {
  readonly mediaType: string
  readonly digest: Digest
  readonly bytes: Buffer
  /** Manifests that must be in the target before this one: the children of an index. */
  readonly children: readonly Descriptor[]
  /** Config and layers. */
  readonly blobs: readonly Descriptor[]
  /** What this manifest refers to, if it is a referrer. */
  readonly subject?: Descriptor
}

/**
 * @param expected the digest that was asked for; decides the algorithm too
 * @returns why not, when the bytes are not a manifest that can be copied byte-exact
 */
export function parseManifest(
  bytes: Buffer,
  contentType: string,
  expected?: Digest,
): Parsed<Manifest> {
  const digest = digestOf(bytes, expected === undefined ? 'sha256' : algorithmOf(expected))
  if (expected !== undefined && digest !== expected) {
    return unparsable(`the manifest's bytes are ${digest}, asked for was ${expected}`)
  }
  const json = parseObject(bytes)
  if (json === undefined) return unparsable('the manifest is not a JSON object')
  const mediaType = mediaTypeOf(contentType, json)
  if (isSchema1Type(mediaType) || json['schemaVersion'] === 1) {
    return unparsable(
      'it is a Docker schema 1 manifest, which registries re-sign on the way out, so it has no digest that survives a copy; rebuild or re-push the image with a current client',
    )
  }
  if (!isManifestType(mediaType)) {
    return unparsable(`${quoted(mediaType)} is not a manifest media type that pullsync knows`)
  }
  return withContent({ mediaType, digest, bytes }, json)
}

function withContent(
  head: Pick<Manifest, 'mediaType' | 'digest' | 'bytes'>,
  json: Record<string, unknown>,
): Parsed<Manifest> {
  const index = isIndexType(head.mediaType)
  const listed = index ? descriptors(json['manifests']) : contentOf(json)
  if (listed === undefined) {
    return unparsable(`the manifest's "${index ? 'manifests' : 'layers'}" is not a list`)
  }
  const subject = json['subject'] === undefined ? undefined : descriptor(json['subject'])
  const wrong = [...listed, subject].find((d) => typeof d === 'string')
  if (typeof wrong === 'string') return unparsable(wrong)
  const content = listed.filter(isDescriptor)
  return parsed({
    ...head,
    children: index ? content : [],
    blobs: index ? [] : content,
    ...(isDescriptor(subject) && { subject }),
  })
}

function contentOf(json: Record<string, unknown>): (Descriptor | string)[] | undefined {
  const layers = descriptors(json['layers'] ?? json['blobs'] ?? [])
  if (layers === undefined || json['config'] === undefined) return layers
  return [descriptor(json['config']), ...layers]
}

function descriptors(list: unknown): (Descriptor | string)[] | undefined {
  return Array.isArray(list) ? list.map(descriptor) : undefined
}

function isDescriptor(value: Descriptor | string | undefined): value is Descriptor {
  return typeof value === 'object'
}

/** A descriptor, or in words what is wrong with it. */
function descriptor(value: unknown): Descriptor | string {
  if (!isObject(value)) return 'the manifest has a descriptor that is not an object'
  const { mediaType, digest, size } = value
  const parsedDigest = parseDigest(typeof digest === 'string' ? digest : '')
  if (!parsedDigest.ok)
    return `the manifest has a descriptor whose digest is wrong: ${parsedDigest.reason}`
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    return `the manifest's descriptor ${parsedDigest.value} has no valid size`
  }
  const platform = platformOf(value['platform'])
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : 'application/octet-stream',
    digest: parsedDigest.value,
    size,
    ...(platform && { platform }),
  }
}

function platformOf(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined
  const { os, architecture, variant } = value
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined
  return { os, architecture, ...(typeof variant === 'string' && { variant }) }
}

// Some registries answer text/plain or application/json; the manifest's own word is next best.
function mediaTypeOf(contentType: string, json: Record<string, unknown>): string {
  const declared = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (isManifestType(declared)) return declared
  const own = json['mediaType']
  return typeof own === 'string' ? own : declared
}

function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'))
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
