import { gateway, isRegistryApi } from '../../src/gateway/gateway.ts'
import type { LocalRegistry } from '../../src/gateway/local-registry.ts'
import { createApp } from '../../src/http/app.ts'
import { type HttpServer, startHttpServer } from '../../src/http/server.ts'

/**
 * A gateway without a queue: nothing is on its way, and nothing is replicated.
 *
 * @param unreachable gets the method of each request for which the registry could not be reached
 */
export async function startFront(
  local: () => LocalRegistry,
  unreachable: string[],
  port = 0,
): Promise<HttpServer> {
  const app = createApp()
  app.use(
    gateway({
      local,
      config: () => ({ projects: [], upstreams: new Map() }),
      checks: {
        isFresh: () => true,
        due: () => Promise.resolve(false),
        forget: () => Promise.resolve(),
      },
      enqueue: () => Promise.reject(new Error('nothing is queued here')),
      offer: () => Promise.reject(new Error('nothing is queued here')),
      landed: () => Promise.resolve(false),
      onTheWay: {
        part: () => Promise.resolve(undefined),
        manifest: () => Promise.resolve(undefined),
        waitForManifest: () => Promise.reject(new Error('nothing is on its way here')),
        ask: () => Promise.resolve(),
        spoolOf: () => Promise.resolve(undefined),
      },
      openSpool: () => Promise.resolve(undefined),
      look: () => Promise.resolve(undefined),
      names: { remember: () => Promise.resolve(), byTag: (asked) => Promise.resolve(asked) },
      report: {
        missAnswered: () => undefined,
        missIgnored: () => undefined,
        localUnreachable: ({ method }) => unreachable.push(method),
        lookFailed: () => undefined,
        jobEnqueued: () => undefined,
        queueUnavailable: () => undefined,
      },
    }),
  )
  return await startHttpServer(app, {
    address: { host: '127.0.0.1', port },
    configKey: 'listen',
    answersExpect: ({ url }) => isRegistryApi(url),
  })
}
