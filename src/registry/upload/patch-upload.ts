import type { Descriptor } from '../../oci/descriptor.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import type { RepositorySession } from '../session.ts'
import type { Operation } from '../words/operation.ts'
import { discard } from '../transport/body.ts'
import type { RegistryResponse } from '../transport/exchange.ts'
import { never } from '../transport/retry.ts'
import type { ComingBlob } from './coming-blob.ts'
import { EndedBody } from './ended-body.ts'
import { arrivedUntil, pushOperation, uploadLocation } from './uploads.ts'
import { asError } from '../../thrown.ts'

export interface BegunPatch {
  readonly descriptor: Descriptor
  readonly location: URL
  /** Bytes that the registry has. */
  readonly offset: number
  /** The rest. */
  readonly coming: ComingBlob
}

export interface SentPatch {
  /** Where it goes on, or where it was to go on. */
  readonly location: URL
  /** Bytes that the registry has now, as far as it says. */
  readonly arrived?: number
  /** Why it is not all of it. */
  readonly failure?: Error
}

export const TOO_SOON = 'the registry said that it has the blob before it was sent.'

/** Sends all that comes in one request, which ends early where the body breaks. Never rejects. */
export async function patchUpload(
  session: RepositorySession,
  begun: BegunPatch,
  signal: AbortSignal,
): Promise<SentPatch> {
  const { location, coming } = begun
  if (coming.failure !== undefined) return { location, failure: coming.failure }
  const body = new EndedBody(coming.verified)
  try {
    const response = await session.send({
      operation: operationOfPatch(session, begun),
      method: 'PATCH',
      url: location,
      headers: { 'content-type': 'application/octet-stream' },
      body,
      scopes: session.writeScopes,
      // ECR says 201; what counts is how to go on.
      expect: [200, 201, 202, 204],
      repeatable: never,
      signal,
    })
    discard(response.body)
    const sent = whatArrived(begun, response)
    const failure = body.failure ?? whyNotWhole(session, begun, sent)
    return { location, ...sent, ...(failure && { failure }) }
  } catch (error) {
    return { location, failure: asError(error) }
  }
}

/** Nothing where the registry does not say how to go on. */
function whatArrived(
  { offset, descriptor, coming }: BegunPatch,
  response: RegistryResponse,
): Pick<SentPatch, 'arrived'> & { readonly location?: URL } {
  const location = uploadLocation(response)
  if (location === undefined) return {}
  // Not all of them say it of what is whole.
  const whole = coming.verified.proven ? descriptor.size : offset
  return { location, arrived: arrivedUntil(response) ?? whole }
}

function whyNotWhole(
  session: RepositorySession,
  begun: BegunPatch,
  { arrived }: Pick<SentPatch, 'arrived'>,
): Error | undefined {
  const { size } = begun.descriptor
  const { proven } = begun.coming.verified
  if (proven && arrived === size) return undefined
  return wrongAnswer(
    operationOfPatch(session, begun),
    proven ? `expected to be told how to go on after byte ${size - 1}.` : TOO_SOON,
  )
}

function operationOfPatch(session: RepositorySession, { descriptor }: BegunPatch): Operation {
  return pushOperation(session, 'commit', descriptor.digest)
}
