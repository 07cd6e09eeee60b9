import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { ForwardedRequest } from './local/forwarded-request.ts'
import { framed, type Framing } from './framing/framing.ts'
import { progressing } from './framing/progressing.ts'
import { answerOf, type LocalRegistry } from './local/local-registry.ts'
import { streamAnswer } from './local/stream-answer.ts'

// A client that sends nothing for so long has gone, or keeps a connection of the registry for nothing.
const STALL_MS = 60_000

interface Passing {
  readonly forwarded: ForwardedRequest
  readonly body: Framing
  /** How long the body may make no progress. */
  readonly stallMs?: number | undefined
}

/** Passes a request on with its body, and the answer back. Throws when the registry cannot be reached. */
export async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  { forwarded, body, stallMs = STALL_MS }: Passing,
  local: LocalRegistry,
): Promise<void> {
  const outgoing = local.begin(forwarded, body)
  const gone = () => outgoing.destroy()
  response.once('close', gone)
  if (body.kind !== 'none' && request.headers.expect !== undefined) {
    outgoing.once('continue', () => {
      response.writeContinue()
    })
    outgoing.flushHeaders()
  }
  // Resolves when the body was sent, or could not be; the answer tells which.
  const sending =
    body.kind === 'none'
      ? void outgoing.end()
      : pipeline(request, () => framed(progressing(request, stallMs), body), outgoing).catch(
          () => undefined,
        )
  const answer = await answerOf(outgoing)
  // An answer before the end of the body is the registry's last word: what is left of the body must
  // not be taken for the next request.
  if (!request.complete) response.shouldKeepAlive = false
  await streamAnswer(answer, response)
  response.off('close', gone)
  if (!request.complete) request.destroy()
  await sending
}
