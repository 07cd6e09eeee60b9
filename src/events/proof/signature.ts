import { createHmac } from 'node:crypto'
import type { BodyProof } from './proof.ts'
import { matchesSecret } from './secret.ts'

export interface Signature {
  readonly algorithm: 'sha1' | 'sha256'
  /** As the sender wrote it, without a prefix; absent or malformed, it proves nothing. */
  readonly hex: string | undefined
}

const HEX: Readonly<Record<Signature['algorithm'], RegExp>> = {
  sha1: /^[0-9a-f]{40}$/i,
  sha256: /^[0-9a-f]{64}$/i,
}

/**
 * Proven by a body of whose bytes it is the HMAC (RFC 2104) under one of the secrets. Constant time in
 * the right signatures; an empty secret proves nothing.
 */
export function signatureProof(
  { algorithm, hex }: Signature,
  secrets: readonly string[],
): false | BodyProof {
  const keys = secrets.filter((secret) => secret !== '')
  if (hex === undefined || !HEX[algorithm].test(hex) || keys.length === 0) return false
  return (body) => {
    const right = keys.map((key) => createHmac(algorithm, key).update(body).digest('hex'))
    return matchesSecret([hex.toLowerCase()], right)
  }
}

/** What follows a prefix such as `sha256=`; undefined without it. */
export function afterPrefix(prefix: string, text: string | undefined): string | undefined {
  return text?.startsWith(prefix) === true ? text.slice(prefix.length) : undefined
}
