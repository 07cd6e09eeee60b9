import type { IncomingMessage, ServerResponse } from 'node:http'
import { keepAnswer, type OriginalAnswer } from './original-answer.ts'
import { streamAnswer } from './stream-answer.ts'

/** What the registry answered to the GET of a blob: the head. One of the two gets the body. */
export interface BlobAnswer {
  readonly status: number
  /** Sends it on to the client, as it is. */
  readonly relay: (response: ServerResponse) => Promise<void>
  readonly keep: () => Promise<OriginalAnswer>
}

export function blobAnswer(answer: IncomingMessage): BlobAnswer {
  return {
    status: answer.statusCode ?? 502,
    relay: (response) => streamAnswer(answer, response),
    keep: () => keepAnswer(answer),
  }
}
