import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type HttpServer, startHttpServer } from '../http/server.ts'
import type { Spool } from './spool.ts'

const PREFIX = '/spool/'

/**
 * Where gateways follow blobs: `GET /spool/<key>` with `Range: bytes=N-`. The key is the proof: it
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

export function spoolUrl(server: HttpServer, key: string): string {
  return `${server.url}${PREFIX}${key}`
}

async function answer(
  spool: Spool,
  { url = '', headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const blob = url.startsWith(PREFIX) ? spool.find(url.slice(PREFIX.length)) : undefined
  const offset = Number(/^bytes=(\d{1,15})-$/.exec(headers.range ?? 'bytes=0-')?.[1])
  const bytes = Number.isNaN(offset) ? undefined : blob?.read(offset)
  if (bytes === undefined) {
    response.writeHead(blob === undefined ? 404 : 416).end()
    return
  }
  response.writeHead(200, { 'Content-Type': 'application/octet-stream' })
  // A follower that went away, or a blob that stopped coming: both ends are destroyed by now.
  await pipeline(bytes, response).catch(() => undefined)
}
