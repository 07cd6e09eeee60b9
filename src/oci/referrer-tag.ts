import { type Digest, parseDigest } from './digest.ts'
import { parseTag, type Reference, type Tag } from './reference.ts'

/**
 * `fallback`: the index that lists what refers to a manifest, where the registry has no referrers API
 * (OCI distribution-spec, "Referrers Tag Schema"). The others are cosign's own: signature,
 * attestation, SBOM.
 */
export type ReferrerKind = 'fallback' | 'sig' | 'att' | 'sbom'

export interface ReferrerTag {
  readonly subject: Digest
  readonly kind: ReferrerKind
}

// The spec cuts the tag to 128 characters: a sha512 digest of it cannot be told from its tag.
const REFERRER_TAG = /^sha256-([0-9a-f]{64})(?:\.(sig|att|sbom))?$/

/** What the tag refers to, when it is one by which referrers are found. */
export function parseReferrerTag(reference: Reference): ReferrerTag | undefined {
  const [, hex, kind] = REFERRER_TAG.exec(reference) ?? []
  const subject = parseDigest(`sha256:${hex ?? ''}`)
  if (!subject.ok) return undefined
  return { subject: subject.value, kind: (kind as ReferrerKind | undefined) ?? 'fallback' }
}

/** Undefined where the digest makes no tag. */
export function referrerTag(subject: Digest, kind: ReferrerKind): Tag | undefined {
  const tag = parseTag(
    `${subject.replace(':', '-')}${kind === 'fallback' ? '' : `.${kind}`}`.slice(0, 128),
  )
  return tag.ok ? tag.value : undefined
}
