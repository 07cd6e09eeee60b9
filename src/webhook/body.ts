import { raw, type Request, type RequestHandler, type Response } from 'express'
import { refusal, type Reply } from './reply.ts'

/** After inflation. distribution's events have a few kB; zot's hold a whole manifest of up to 4 MB. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024

// express.json() would skip the registries' own media types and hand on an empty body.
const parseRaw: RequestHandler = raw({ type: () => true, limit: MAX_BODY_BYTES })

/** The bytes of the request's body, inflated if need be; a reply when they cannot be had. */
export async function readBody(request: Request, response: Response): Promise<Buffer | Reply> {
  const error = await new Promise<unknown>((resolve) => {
    void parseRaw(request, response, resolve)
  })
  if (error !== undefined) return refusalOf(error)
  const body: unknown = request.body
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

function refusalOf(error: unknown): Reply {
  switch (statusOf(error)) {
    case 413:
      return refusal(413, `the body is larger than ${MAX_BODY_BYTES} bytes`)
    case 415:
      return refusal(415, 'the content encoding is not supported: send plain, gzip, deflate or br')
    case 400:
      return refusal(400, 'the body ended early or does not inflate')
    default:
      throw error
  }
}

function statusOf(error: unknown): unknown {
  return error instanceof Error && 'status' in error ? error.status : undefined
}
