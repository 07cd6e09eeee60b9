import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { untilClosed } from '../http/until-closed.ts'
import { onAbort } from '../waiting/aborting.ts'
import type { ForwardedRequest } from './local/forwarded-request.ts'
import { framed, type Framing } from './framing/framing.ts'
import { progressing } from './framing/progressing.ts'
import { answerOf, isRepeatable, type LocalRegistry } from './local/local-registry.ts'
import { streamAnswer } from './local/stream-answer.ts'

// A client that sends nothing for so long has gone, or keeps a connection of the registry for nothing.
const STALL_MS = 60_000

interface Passing {
  readonly forwarded: ForwardedRequest
  readonly body: Framing
  /** How long the body may make no progress. */
  readonly stallMs?: number | undefined
  /** Told of the answer before the client is. */
  readonly answered?: (status: number) => void
}

/** Passes a request on with its body, and the answer back. Throws when the registry cannot be reached. */
export async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  passing: Passing,
  local: LocalRegistry,
): Promise<void> {
  const gone = untilClosed(response)
  const { forwarded, body } = passing
  if (isRepeatable(forwarded)) {
    await streamAnswer(await local.ask(forwarded, gone), response)
    return
  }
  const outgoing = local.begin(forwarded, body)
  onAbort(gone, () => outgoing.destroy())
  // Resolves when the body was sent, or could not be; the answer tells which.
  const sending = sendBody(request, response, outgoing, passing)
  const isUnread = () => body.kind !== 'none' && !request.readableEnded
  const answer = await answerOf(outgoing).finally(() => {
    // An answer before the end of the body is the last word, be it the registry's or that there is none: what is
    // left of the body must not be taken for the next request.
    if (isUnread()) response.shouldKeepAlive = false
  })
  passing.answered?.(answer.statusCode ?? 0)
  await streamAnswer(answer, response)
  if (isUnread()) request.destroy()
  await sending
}

async function sendBody(
  request: IncomingMessage,
  response: ServerResponse,
  outgoing: ClientRequest,
  { body, stallMs = STALL_MS }: Passing,
): Promise<void> {
  if (body.kind === 'none') {
    outgoing.end()
    return
  }
  if (request.headers.expect !== undefined) {
    outgoing.once('continue', () => {
      response.writeContinue()
    })
    outgoing.flushHeaders()
  }
  // Not the request itself, which Node would take from its connection: its client is still to be answered.
  await pipeline(framed(progressing(request, stallMs), body), outgoing).catch(() => undefined)
}
