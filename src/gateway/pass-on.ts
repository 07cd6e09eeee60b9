import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { answerOf, type Asked, type LocalRegistry } from './local-registry.ts'
import { relay } from './relay.ts'

/** Passes a request on with its body, and the answer back. Throws when the registry cannot be reached. */
export async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  asked: Asked,
  local: LocalRegistry,
): Promise<void> {
  const outgoing = local.begin(asked)
  const gone = () => outgoing.destroy()
  response.once('close', gone)
  if (request.headers.expect !== undefined) {
    outgoing.once('continue', () => {
      response.writeContinue()
    })
    outgoing.flushHeaders()
  }
  // Resolves when the body was sent, or could not be; the answer tells which.
  const sending = pipeline(request, outgoing).catch(() => undefined)
  const answer = await answerOf(outgoing)
  // An answer before the end of the body is the registry's last word: what is left of the body must
  // not be taken for the next request.
  if (!request.complete) response.shouldKeepAlive = false
  await relay(answer, response)
  response.off('close', gone)
  if (!request.complete) request.destroy()
  await sending
}
