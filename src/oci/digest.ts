import { createHash, type Hash } from 'node:crypto'
import { type Parsed, parsed, quoted, unparsable } from './parsed.ts'

/**
 * `algorithm:hex`, of an algorithm that can be verified here.
 * OCI image-spec, descriptor.md#digests.
 */
export type Digest = string & { readonly __brand: 'Digest' }

const HEX_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 }

// What nearly all are; a manifest can name tens of thousands.
const SHA256 = /^sha256:[0-9a-f]{64}$/

export function parseDigest(text: string): Parsed<Digest> {
  if (SHA256.test(text)) return parsed(text as Digest)
  const [algorithm = '', hex = '', ...rest] = text.split(':')
  const length = Object.hasOwn(HEX_LENGTH, algorithm) ? HEX_LENGTH[algorithm] : undefined
  if (length === undefined || rest.length > 0) {
    return unparsable(`${quoted(text)} is not a digest: expected sha256:<hex> or sha512:<hex>`)
  }
  if (hex.length !== length || !/^[0-9a-f]+$/.test(hex)) {
    return unparsable(
      `${quoted(text)} is not a digest: expected ${length} lower-case hexadecimal digits after "${algorithm}:"`,
    )
  }
  return parsed(text as Digest)
}

export function isDigest(text: string): text is Digest {
  return parseDigest(text).ok
}

/** The digest of exactly these bytes. */
export function digestOf(bytes: Uint8Array, algorithm: 'sha256' | 'sha512' = 'sha256'): Digest {
  return finishDigest(algorithm, createHash(algorithm).update(bytes))
}

/** A running hash of the algorithm that `digest` names; compare with `finishDigest`. */
export function hashFor(digest: Digest): Hash {
  return createHash(algorithmOf(digest))
}

export function finishDigest(algorithm: string, hash: Hash): Digest {
  return `${algorithm}:${hash.digest('hex')}` as Digest
}

export function algorithmOf(digest: Digest): 'sha256' | 'sha512' {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}
