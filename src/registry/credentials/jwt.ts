import { fieldsOf, parseJson } from '../../oci/json.ts'

/**
 * The claims of a JSON Web Token, not verified: whom it is shown to does that. Empty for anything
 * else, since to its bearer a token is opaque.
 */
export function parseJwtClaims(token: string): Readonly<Record<string, unknown>> {
  const [, payload, , ...more] = token.split('.')
  if (payload === undefined || more.length > 0) return {}
  return fieldsOf(parseJson(Buffer.from(payload, 'base64url')))
}
