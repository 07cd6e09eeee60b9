import { createHmac } from 'node:crypto'
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
 * Whether it is the HMAC (RFC 2104) of exactly these bytes under one of the secrets. Constant time in
 * the right signatures; an empty secret proves nothing.
 */
export function matchesSignature(
  body: Buffer,
  { algorithm, hex }: Signature,
  secrets: readonly string[],
): boolean {
  if (hex === undefined || !HEX[algorithm].test(hex)) return false
  const right = secrets
    .filter((secret) => secret !== '')
    .map((secret) => createHmac(algorithm, secret).update(body).digest('hex'))
  return matchesSecret([hex.toLowerCase()], right)
}

/** What follows a prefix such as `sha256=`; undefined without it. */
export function afterPrefix(prefix: string, text: string | undefined): string | undefined {
  return text?.startsWith(prefix) === true ? text.slice(prefix.length) : undefined
}
