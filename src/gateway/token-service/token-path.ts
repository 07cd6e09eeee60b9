import { randomUUID } from 'node:crypto'
import { parseChallenge } from '../../registry/auth/challenge.ts'
import { USER_AGENT } from '../../version.ts'
import type { LocalRegistry } from '../local/local-registry.ts'

export interface Asking {
  /** Where a connection of the client ends here, like `10.0.0.7:8080`: no word of the client's own. */
  readonly here: string
  readonly signal: AbortSignal
}

// Segments that mean what they say, so that a path has one form only.
const PLAIN_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+\/?$/

/**
 * The path of the registry's own token service, where its challenge sends clients to wherever they asked: Harbor
 * makes the realm of the `Host` it is asked with. Undefined where tokens are elsewhere, or there are none. The
 * registry is asked with a host that nobody has, so that no client can make the realm of another host look like
 * its own; and with its own host where it, or a proxy before it, does not answer to others. Rejects when it cannot
 * be reached.
 */
export async function tokenPath(
  local: LocalRegistry,
  { here, signal }: Asking,
): Promise<string | undefined> {
  const nobody = `${randomUUID()}.invalid`
  const realm =
    (await realmFor(nobody, local, signal)) ?? (await realmFor(local.host, local, signal))
  if (realm === undefined) return undefined
  const own = [nobody, here, local.host].some((host) => isHostOf(realm, host))
  return own && PLAIN_PATH.test(realm.pathname) ? realm.pathname : undefined
}

/** Where the registry sends for tokens whoever asks it by that name. */
async function realmFor(
  host: string,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<URL | undefined> {
  const headers = ['Host', host, 'User-Agent', USER_AGENT, 'X-Forwarded-Proto', 'http']
  const answer = await local.ask({ method: 'GET', path: '/v2/', headers }, signal)
  answer.destroy()
  const challenge = parseChallenge(answer.headers['www-authenticate'])
  if (answer.statusCode !== 401 || challenge?.kind !== 'bearer') return undefined
  const { realm } = challenge
  return /^https?:/i.test(realm) && URL.canParse(realm) ? new URL(realm) : undefined
}

/** The port of the realm's protocol may be named or not. */
function isHostOf({ protocol, host: realmHost }: URL, host: string): boolean {
  const address = `${protocol}//${host}`
  return URL.canParse(address) && new URL(address).host === realmHost
}
