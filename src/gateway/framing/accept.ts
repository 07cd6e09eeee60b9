import type { IncomingMessage } from 'node:http'

type RequestHead = Pick<IncomingMessage, 'headersDistinct'>

/** The media types that a client says it takes, without their parameters; wildcards are among them. */
export function acceptedTypes({ headersDistinct }: RequestHead): readonly string[] {
  return (headersDistinct['accept'] ?? [])
    .flatMap((line) => line.split(','))
    .map((type) => type.split(';', 1)[0]?.trim().toLowerCase() ?? '')
    .filter((type) => type !== '')
}

/**
 * Whether the client names this very type. Only then all registries give a manifest as it is. What they make of
 * another type, of a wildcard, or of no `Accept` at all is theirs to say: CNCF distribution has 404 for an OCI type, and
 * by tag 400 or an older form for Docker's; others give what they have.
 */
export function accepts(asked: RequestHead, mediaType: string): boolean {
  return acceptedTypes(asked).includes(mediaType)
}
