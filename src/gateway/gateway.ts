import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import { sendError, UNREACHABLE } from './error-answers.ts'
import { untilClosed } from '../http/until-closed.ts'
import { clientAddress, type Forwarded, type TrustedProxies } from '../http/trusted-proxies.ts'
import { type ClientRequest, readClientRequest } from './framing/client-request.ts'
import { readTarget } from './framing/request-target.ts'
import type { ForwardedRequest } from './local/forwarded-request.ts'
import { canonicalPath, readRegistryPath, type RegistryPath } from './registry-path.ts'
import { passOn } from './pass-on.ts'
import { ClientPulls, type ClientPullsDeps } from './blobs/client-pulls.ts'
import { headBlob } from './blobs/head-blob.ts'
import { type BlobDeps, serveBlob } from './blobs/serve-blob.ts'
import { ListLimits, type ListLimitsDeps } from './lists/list-limits.ts'
import { MissClients } from './manifests/miss-clients.ts'
import { RecentUploads } from './manifests/recent-uploads.ts'
import {
  type ManifestDeps,
  type ManifestExchange,
  serveManifest,
} from './manifests/serve-manifest.ts'
import { untilAnnouncedAreHere } from './blobs/until-landed.ts'
import { type ListDeps, serveList } from './serve-list.ts'
import { manifestAlone } from './announced/manifest-alone.ts'
import {
  bringAnnouncedImage,
  type BringAnnouncedDeps,
  type AnnouncedDeps,
} from './announced/announced-image.ts'

export type GatewayDeps = Omit<
  ManifestDeps,
  'uploads' | 'clients' | 'missClients' | 'manifestAlone'
> &
  Omit<BlobDeps, 'bringAnnounced' | 'clients'> &
  AnnouncedDeps &
  Omit<ListDeps, 'uploads' | 'listLimits'> &
  Pick<ListLimitsDeps, 'limits'> & {
    /** Asked anew for every request, so that a reload takes effect at once. */
    readonly trustedProxies: () => TrustedProxies
    readonly pulls: ClientPullsDeps['pulls']
    /** How long a client's body may make no progress; a minute unless told. */
    readonly stallMs?: number | undefined
  }

/**
 * `/v2/…`: what is a path of the registry API passes to the local registry and back. Where that lacks a
 * manifest or a blob, and of lists, the project's configuration may have something better.
 */
export function gateway(deps: GatewayDeps): RequestHandler {
  const via = `pullsync-${randomUUID()}`
  const addressOf = (request: Forwarded) => clientAddress(request, deps.trustedProxies())
  const uploads = new RecentUploads(addressOf)
  const clients = new ClientPulls({ pulls: deps.pulls, uploads, addressOf })
  const missClients = new MissClients({ addressOf, local: deps.local })
  const listLimits = new ListLimits({ ...deps, missClients })
  return async (request, response, next) => {
    if (!isRegistryApi(request.url)) {
      next()
      return
    }
    const read = readClientRequest(request, { via, trusted: deps.trustedProxies() })
    if (read === undefined) {
      refuse(response, 400, UNCLEAR)
      return
    }
    // A body that nobody reads must not keep its connection.
    if (read.unread) response.shouldKeepAlive = false
    const path = canonicalPath(read.target.path)
    const asked = readRegistryPath(path)
    if (asked === undefined) refuse(response, 404, NO_PATH)
    else if (request.headers.via?.includes(via) === true) refuse(response, 508, LOOP)
    else {
      const serving = { request, response, read, path: path + read.target.query, asked }
      await serve(serving, { ...deps, uploads, clients, missClients, listLimits })
    }
  }
}

/** Whether the gateway answers it, and with that also whether it answers `Expect: 100-continue`. */
export function isRegistryApi(url = ''): boolean {
  return /^\/v2(?:\/|$)/.test(readTarget(url)?.path ?? url)
}

const UNCLEAR = {
  code: 'UNSUPPORTED',
  message: 'the head of this request can be understood in more than one way, or not be passed on',
}
const NO_PATH = {
  code: 'UNSUPPORTED',
  message:
    'this is no path of the registry API in the form that the OCI distribution-spec gives it',
}
const LOOP = {
  code: 'UNAVAILABLE',
  message: 'this request has been here before: local.url leads back to the gateway itself',
}

/** What comes after it on the connection, its body among that, is not read. */
function refuse(response: ServerResponse, status: number, error: typeof LOOP): void {
  response.shouldKeepAlive = false
  sendError(response, status, error)
}

interface Serving {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly read: ClientRequest
  /** In canonical form, with the query. */
  readonly path: string
  readonly asked: RegistryPath
}

type Deps = GatewayDeps &
  Pick<ManifestDeps, 'missClients'> & {
    readonly uploads: RecentUploads
    readonly listLimits: ListLimits
    readonly clients: ClientPulls
  }

async function serve(serving: Serving, deps: Deps): Promise<void> {
  const { request, response } = serving
  try {
    await answer(serving, deps)
  } catch (error) {
    // An answer whose turn on the connection had not come is not told that the client went away.
    if (response.destroyed || request.socket.destroyed) return
    deps.report.localUnreachable({ method: request.method ?? '', error })
    sendError(response, 502, UNREACHABLE)
  }
}

async function answer(
  { request, response, read, path, asked }: Serving,
  deps: Deps,
): Promise<void> {
  const { method, headers, body } = read
  const forwarded: ForwardedRequest = { method, path, headers }
  const exchange = { request, response, forwarded }
  if (method === 'GET' || method === 'HEAD') {
    if (await serveList({ ...exchange, method }, asked, deps)) return
    if (await serveContent({ ...exchange, method }, asked, deps)) return
  }
  if (method === 'PUT' && asked.kind === 'manifest') {
    await untilAnnouncedAreHere(exchange, asked, deps, untilClosed(response))
  }
  const answered = (status: number) => {
    deps.uploads.note(request, status)
  }
  const passing = { forwarded, body, stallMs: deps.stallMs, answered }
  await passOn(request, response, passing, deps.local())
}

/** False, with nothing sent, for what is neither a manifest nor a blob. */
async function serveContent(
  exchange: ManifestExchange,
  asked: RegistryPath,
  deps: Deps,
): Promise<boolean> {
  if (asked.kind === 'manifest') {
    const alone: ManifestDeps['manifestAlone'] = (client, miss, signal) =>
      manifestAlone(client, miss, deps, signal)
    await serveManifest(exchange, asked, { ...deps, manifestAlone: alone })
  } else if (asked.kind === 'blob') {
    const bringAnnounced: BlobDeps['bringAnnounced'] = (request, blob, signal) => {
      const asking = { ...exchange, request, repository: blob.repository, signal }
      const askerOf: BringAnnouncedDeps['askerOf'] = (upstreams) =>
        deps.listLimits.asker(asking, upstreams)
      return bringAnnouncedImage(request, blob, { ...deps, askerOf }, signal)
    }
    const serveIt = exchange.method === 'GET' ? serveBlob : headBlob
    await serveIt(exchange, asked, { ...deps, bringAnnounced })
  } else {
    return false
  }
  return true
}
