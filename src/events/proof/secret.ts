import { createHash, timingSafeEqual } from 'node:crypto'

/**
 * Whether one of the offered texts is one of the secrets. How long it takes tells nothing about the
 * secrets, neither their length nor which one matched. An empty secret proves nothing.
 */
export function matchesSecret(offered: readonly string[], secrets: readonly string[]): boolean {
  const expected = secrets.filter((secret) => secret !== '').map(sha256)
  const given = offered.map(sha256)
  return expected.reduce((matched, secret) => holds(given, secret) || matched, false)
}

// Hashing first makes both sides equally long, which timingSafeEqual requires. No early exit.
function holds(given: readonly Buffer[], secret: Buffer): boolean {
  return given.reduce((matched, hash) => timingSafeEqual(hash, secret) || matched, false)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
