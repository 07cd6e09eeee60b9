import { afterEach, describe, expect, it } from 'vitest'
import { createApp } from '../../../src/http/app.ts'
import { type Check, healthRoutes } from '../../../src/http/health.ts'
import { metricsRoute } from '../../../src/http/metrics-route.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'

const well: Check = () => Promise.resolve()
const away: Check = () => Promise.reject(new Error('connection refused'))

describe('the health routes', () => {
  let server: HttpServer | undefined

  afterEach(() => server?.stop(0))

  it('say that the process is alive whatever else is wrong', async () => {
    expect(await ask('/livez', { redis: away })).toEqual({ status: 200, body: { alive: true } })
  })

  it('say that it is ready when every check passes', async () => {
    const answer = await ask('/readyz', { redis: well, local: well })

    expect(answer).toEqual({ status: 200, body: { ready: true } })
  })

  it('name what fails and why', async () => {
    const answer = await ask('/readyz', { redis: away, local: well })

    expect(answer).toEqual({
      status: 503,
      body: { ready: false, failing: { redis: 'connection refused' } },
    })
  })

  it('do not wait for a check longer than a probe would', async () => {
    let told: AbortSignal | undefined
    const deaf: Check = (signal) => {
      told = signal
      return new Promise(() => undefined)
    }

    const answer = await ask('/readyz', { redis: deaf })

    expect(answer).toMatchObject({
      status: 503,
      body: { failing: { redis: 'no answer within 30 ms' } },
    })
    expect(told?.aborted).toBe(true)
  })

  async function ask(path: string, checks: Record<string, Check>) {
    server = await serverWith(healthRoutes({ checks, timeoutMs: 30 }))
    const response = await fetch(server.url + path)
    const body: unknown = await response.json()
    return { status: response.status, body }
  }
})

describe('the metrics route', () => {
  it('answers in the format that Prometheus asks for', async () => {
    await using server = await serverWith(metricsRoute(createMetrics()))

    const response = await fetch(`${server.url}/metrics`)

    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect(await response.text()).toContain('process_cpu_seconds_total')
  })
})

async function serverWith(routes: ReturnType<typeof healthRoutes>): Promise<HttpServer> {
  const app = createApp()
  app.use(routes)
  const address = { host: '127.0.0.1', port: 0 }
  return await startHttpServer(app, { address, configKey: 'admin.listen' })
}
