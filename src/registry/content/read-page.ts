import { discard } from '../transport/body.ts'
import { readDocument } from '../transport/document.ts'
import { quoted } from '../../oci/parsed.ts'
import type { RegistryResponse } from '../transport/exchange.ts'
import { isAbsence } from '../errors/absence.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import { nextPage } from '../words/next-page.ts'
import type { Operation } from '../words/operation.ts'
import { idempotent } from '../transport/retry.ts'
import type { RegistrySession } from '../session.ts'

export interface PageRequest {
  readonly operation: Operation
  readonly url: URL
  readonly scopes: readonly string[]
  /** Which answers say that there is no such list. */
  readonly none: readonly number[]
  /** Anything unless told. */
  readonly accept?: string
  /** Told when there is no such list because there is no such path at all, for whatever it is asked of. */
  readonly unknownPath?: () => void
  readonly maxBytes: number
}

export interface Page {
  /** At most as many as were asked for. */
  readonly bytes: Buffer
  /** Whether these are all bytes of the page. */
  readonly complete: boolean
  readonly contentType: string
  /**
   * Undefined at the end.
   *
   * @throws RegistryError when there is a next page that cannot be asked for
   */
  readonly next: () => URL | undefined
}

/** One page of a list; undefined when there is no such list. */
export async function readPage(
  { send, links }: RegistrySession,
  { operation, url, scopes, none, accept, maxBytes, unknownPath }: PageRequest,
  signal: AbortSignal,
): Promise<Page | undefined> {
  const asked = send({
    operation,
    method: 'GET',
    url,
    ...(accept !== undefined && { headers: { accept } }),
    scopes,
    expect: [200, ...none],
    repeatable: idempotent,
    signal,
  })
  const response = await asked.catch((error: unknown) => {
    if (none.includes(404) && isAbsence(error)) return undefined
    throw error
  })
  if (response?.status !== 200) {
    if (response !== undefined) {
      if (isUnknownPath(response)) unknownPath?.()
      discard(response.body)
    }
    return undefined
  }
  const next = nextPage(response.header('link'), response.url, links.root)
  return {
    ...(await readDocument(maxBytes, response)),
    contentType: response.header('content-type') ?? '',
    next: () => {
      if (next.kind !== 'unreadable') return next.kind === 'page' ? next.url : undefined
      throw wrongAnswer(operation, `its next page is said to be at ${quoted(next.link)}.`)
    },
  }
}

/** Of what it knows, a registry says in JSON that it is not there (OCI distribution-spec, "Error Codes"). */
function isUnknownPath({ status, header }: RegistryResponse): boolean {
  return status === 404 && header('content-type')?.startsWith('text/plain') === true
}
