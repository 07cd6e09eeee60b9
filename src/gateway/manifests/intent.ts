import type { IncomingMessage } from 'node:http'
import { acceptedTypes } from '../framing/accept.ts'

/** What a client is after, as far as its request tells. */
export type Intent =
  | 'pull'
  /** It asks whether its own manifest is here already, and leaves it out where it is. */
  | 'push'
  /** One or the other. */
  | 'unclear'

type RequestHead = Pick<IncomingMessage, 'method' | 'headersDistinct'>

/**
 * Told from what the client does: what its token may do says nothing of what its bearer wants. A GET
 * is a pull. By HEAD containerd and BuildKit ask for the one type that they are about to push, and for
 * several and any other before a pull; crane, oras and regctl ask for several in either case.
 */
export function intentOf(asked: RequestHead): Intent {
  if (asked.method !== 'HEAD') return 'pull'
  const types = acceptedTypes(asked)
  const named = types.filter((type) => !type.includes('*'))
  if (named.length === 0) return 'pull'
  if (named.length === 1) return 'push'
  return named.length < types.length ? 'pull' : 'unclear'
}
