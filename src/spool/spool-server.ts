import type { IncomingMessage, ServerResponse } from 'node:http'
import { type HttpServer, startHttpServer } from '../http/server.ts'
import { sendPieces } from '../http/send-pieces.ts'
import { untilClosed } from '../http/until-closed.ts'
import { follow } from './follow.ts'
import type { Spool } from './spool.ts'

const PREFIX = '/spool/'

/**
 * Where gateways follow blobs: `GET /spool/<key>` with `Range: bytes=N-` or `bytes=N-M`. The key is the proof: it
 * stands in Redis and nowhere else.
 */
export async function startSpoolServer(spool: Spool, host: string): Promise<HttpServer> {
  return await startHttpServer(
    (request, response) => {
      void answer(spool, request, response)
    },
    { address: { host, port: 0 }, configKey: 'the address of this worker', requestTimeoutMs: 0 },
  )
}

const RANGE = /^bytes=(\d{1,15})-(\d{0,15})$/

/** What comes before the keys. */
export function spoolAddress(server: HttpServer): string {
  return `${server.url}${PREFIX}`
}

async function answer(
  spool: Spool,
  { url = '', headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const spooled = url.startsWith(PREFIX) ? spool.find(url.slice(PREFIX.length)) : undefined
  const [, first, last = ''] = RANGE.exec(headers.range ?? 'bytes=0-') ?? []
  const end = last === '' ? undefined : Number(last) + 1
  const following = spooled && follow(spooled, Number(first), untilClosed(response), end)
  if (following === undefined) {
    response.writeHead(spooled === undefined ? 404 : 416, { 'Content-Length': 0 }).end()
    return
  }
  const { length, pieces } = following
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': length,
  })
  // Its first byte may be long in coming; whoever asks is to know that there is a worker.
  response.flushHeaders()
  await sendPieces(pieces, response, length)
}
