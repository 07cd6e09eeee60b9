import type { IncomingMessage, ServerResponse } from 'node:http'
import { gateway, isRegistryApi } from '../../../src/gateway/gateway.ts'
import { tokenService } from '../../../src/gateway/token-service/token-service.ts'
import type { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import { UpstreamLists } from '../../../src/gateway/lists/upstream-lists.ts'
import type { Digest } from '../../../src/oci/digest.ts'
import type { Tag } from '../../../src/oci/reference.ts'
import type { Manifest } from '../../../src/oci/manifest.ts'
import type { Referrer } from '../../../src/oci/referrer-list.ts'
import { openRights } from '../given/open-rights.ts'
import { createApp } from '../../../src/http/app.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import { TrustedProxies } from '../../../src/http/trusted-proxies.ts'
import { UNLIMITED } from '../given/unlimited.ts'

interface FrontOptions {
  readonly port?: number
  readonly trusted?: readonly string[]
  readonly maxUnreadBytes?: number
  readonly stallMs?: number
  /** Sees each request before the gateway does. */
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => void
  /** Hears why the registry could not be reached. */
  readonly onUnreachable?: (error: unknown) => void
}

/**
 * A gateway without a queue: nothing is on its way, and nothing is replicated.
 *
 * @param unreachable gets the method of each request for which the registry could not be reached
 */
export async function startFront(
  local: () => LocalRegistry,
  unreachable: string[],
  { port = 0, trusted = [], onRequest, onUnreachable, stallMs, maxUnreadBytes }: FrontOptions = {},
): Promise<HttpServer> {
  const app = createApp()
  app.use((request, response, next) => {
    onRequest?.(request, response)
    next()
  })
  app.use(
    gateway({
      local,
      stallMs,
      trustedProxies: () => new TrustedProxies(trusted),
      config: () => ({ projects: [], upstreams: new Map() }),
      checks: {
        isFresh: () => true,
        due: () => Promise.resolve(false),
        forget: () => Promise.resolve(),
      },
      enqueue: () => Promise.reject(new Error('nothing is queued here')),
      offer: () => Promise.reject(new Error('nothing is queued here')),
      ended: () => Promise.resolve({ kind: 'gone' }),
      inFlight: {
        part: () => Promise.resolve(undefined),
        manifest: () => Promise.resolve(undefined),
        waitForManifest: () => Promise.reject(new Error('nothing is on its way here')),
        ask: () => Promise.resolve(),
        come: () => Promise.resolve(undefined),
        spoolOf: () => Promise.resolve(undefined),
      },
      limits: UNLIMITED,
      rights: openRights(local),
      upstreamTags: new UpstreamLists<Tag>(NO_UPSTREAM),
      upstreamReferrers: new UpstreamLists<Referrer>(NO_UPSTREAM),
      upstreamManifests: new UpstreamLists<Manifest>(NO_UPSTREAM),
      upstreamBlobs: new UpstreamLists<Digest>(NO_UPSTREAM),
      announced: {
        recent: () => Promise.resolve([]),
        tagOf: () => Promise.resolve(undefined),
        rememberAll: () => Promise.resolve(),
      },
      pulls: {
        begun: () => Promise.resolve(),
        has: () => Promise.resolve(false),
        announceAhead: () => Promise.resolve(),
        announcedAhead: () => Promise.resolve([]),
      },
      openSpool: () => Promise.resolve(undefined),
      look: () => Promise.resolve(undefined),
      heldBack: {
        isListed: () => Promise.resolve(undefined),
        turn: () => Promise.resolve(undefined),
      },
      unlimited: {
        offer: () => Promise.reject(new Error('nothing is queued here')),
        look: () => Promise.resolve(undefined),
      },
      names: { remember: () => Promise.resolve(), byTag: (asked) => Promise.resolve(asked) },
      report: {
        manifestAsked: () => undefined,
        missAnswered: () => undefined,
        missIgnored: () => undefined,
        localUnreachable: ({ method, error }) => {
          unreachable.push(method)
          onUnreachable?.(error)
        },
        lookFailed: () => undefined,
        jobEnqueued: () => undefined,
        queueUnavailable: () => undefined,
      },
    }),
  )
  app.use(
    tokenService({
      local,
      trustedProxies: () => new TrustedProxies(trusted),
      report: { localUnreachable: ({ method }) => unreachable.push(method) },
    }),
  )
  return await startHttpServer(app, {
    address: { host: '127.0.0.1', port },
    configKey: 'listen',
    ...(maxUnreadBytes !== undefined && { maxUnreadBytes }),
    answersExpect: ({ url }) => isRegistryApi(url),
  })
}

const NO_UPSTREAM = {
  read: () => {
    throw new Error('there is no upstream here')
  },
  nameOf: () => '',
  isHeld: () => Promise.resolve(false),
  onError: () => undefined,
}
