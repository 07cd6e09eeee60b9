import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import { sendError } from './error-answers.ts'
import { requestHeaders } from './forwarded-headers.ts'
import type { Asked } from './local-registry.ts'
import { readRegistryPath } from './registry-path.ts'
import { passOn } from './pass-on.ts'
import { type BlobDeps, serveBlob } from './serve-blob.ts'
import { type ManifestDeps, serveManifest } from './serve-manifest.ts'

export type GatewayDeps = ManifestDeps & BlobDeps

/**
 * `/v2/…`: everything passes to the local registry and back untouched. Only when that answers 404 to
 * the GET or HEAD of a manifest, the project's `onMiss` is asked for something better.
 */
export function gateway(deps: GatewayDeps): RequestHandler {
  const via = `pullsync-${randomUUID()}`
  return async (request, response, next) => {
    if (!isRegistryApi(request.url)) {
      next()
      return
    }
    if (request.headers.via?.includes(via) === true) {
      sendError(response, 508, LOOP)
      return
    }
    try {
      await serve(request, response, { ...deps, via })
    } catch (error) {
      // An answer whose turn on the connection had not come is not told that the client went away.
      if (response.destroyed || request.socket.destroyed) return
      deps.report.localUnreachable({ method: request.method, error })
      sendError(response, 502, UNREACHABLE)
    }
  }
}

/** Whether the gateway answers it, and with that also whether it answers `Expect: 100-continue`. */
export function isRegistryApi(url = ''): boolean {
  return /^\/v2(?:[/?]|$)/.test(url)
}

const LOOP = {
  code: 'UNAVAILABLE',
  message: 'this request has been here before: local.url leads back to the gateway itself',
}
const UNREACHABLE = {
  code: 'UNAVAILABLE',
  message: 'the registry behind this gateway cannot be reached at the moment',
}

type Serving = GatewayDeps & { readonly via: string }

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  deps: Serving,
): Promise<void> {
  const { method = 'GET', url = '/' } = request
  const asked: Asked = { method, path: url, headers: requestHeaders(request, deps.via) }
  const path = readRegistryPath(url.split('?', 1)[0] ?? '')
  if (path.kind === 'manifest' && (method === 'GET' || method === 'HEAD')) {
    await serveManifest({ request, response, asked, method }, path, deps)
  } else if (path.kind === 'blob' && method === 'GET') {
    await serveBlob({ request, response, asked }, path, deps)
  } else {
    await passOn(request, response, asked, deps.local())
  }
}
