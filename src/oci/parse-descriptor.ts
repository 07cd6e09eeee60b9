import { isObject } from './json.ts'
import type { Descriptor, Platform } from './descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest, parseDigest } from './digest.ts'
import { type Parsed, parsed, unparsable } from './parsed.ts'

/** BuildKit's mark on an attestation: the image of the same index that it speaks of. */
const ATTESTATION_OF = 'vnd.docker.reference.digest'

/** OCI image-spec, descriptor.md. Leniently: only what a copy relies on must be right. */
export function parseDescriptor(value: unknown): Parsed<Descriptor> {
  if (!isObject(value)) return unparsable('the manifest has a descriptor that is not an object')
  const digest = parseDigest(textOf(value['digest']))
  if (!digest.ok) {
    return unparsable(`the manifest has a descriptor whose digest is wrong: ${digest.reason}`)
  }
  const size = sizeOf(value['size'])
  if (size === undefined) {
    return unparsable(`the manifest's descriptor ${digest.value} has no valid size`)
  }
  const plain = { mediaType: textOf(value['mediaType']), digest: digest.value, size }
  // As most are; a manifest can have tens of thousands of them.
  return parsed(
    SPECIAL.some((name) => name in value) ? { ...plain, ...specialOf(value, plain) } : plain,
  )
}

const SPECIAL = ['platform', 'urls', 'data', 'annotations']

function specialOf(
  value: Record<string, unknown>,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
): Partial<Descriptor> {
  const platform = platformOf(value['platform'])
  const urls = urlsOf(value['urls'])
  const data = dataOf(value['data'], digest, size)
  const attestationOf = attestationOfIn(value['annotations'])
  return {
    ...(platform && { platform }),
    ...(urls.length > 0 && { urls }),
    ...(data && { data }),
    ...(attestationOf && { attestationOf }),
  }
}

// Go leaves a 0 out, or null may stand there; where that is wrong it shows when the content comes.
function sizeOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return 0
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function platformOf(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined
  const { os, architecture, variant } = value
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) }
}

function urlsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : []
  return list.filter((url): url is string => typeof url === 'string' && url !== '')
}

// Content that is not what the digest says is as good as none: it is fetched then.
function dataOf(value: unknown, digest: Digest, size: number): Buffer | undefined {
  if (typeof value !== 'string' || value.length > size * 2 + 4) return undefined
  const data = Buffer.from(value, 'base64')
  return data.length === size && digestOf(data, algorithmOf(digest)) === digest ? data : undefined
}

function attestationOfIn(annotations: unknown): Digest | undefined {
  const digest = isObject(annotations) ? textOf(annotations[ATTESTATION_OF]) : ''
  return isDigest(digest) ? digest : undefined
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
