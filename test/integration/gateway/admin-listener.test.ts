import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../support/network/free-port.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

describe('the admin listener of a process', () => {
  let redis: TestRedis
  let pullsync: PullsyncProcess
  let port: number

  beforeEach(async () => {
    redis = await startRedis({ appendOnly: false })
    port = await freePort()
    pullsync = await startPullsync({
      args: ['serve'],
      config: `
redis: { url: ${redis.url} }
listen: 127.0.0.1:${await freePort()}
admin: { listen: 127.0.0.1:${port}, username: ops, password: '\${OPS_PASSWORD}' }
local: { url: http://127.0.0.1:5999 }
upstreams: { hq: { url: http://127.0.0.1:5998 } }
projects: [{ name: team, upstream: hq }]
`,
      env: { OPS_PASSWORD: 'moonlight' },
      readyUrl: `http://127.0.0.1:${port}/readyz`,
    })
  })

  afterEach(async () => {
    await pullsync[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  it.each(['/livez', '/readyz', '/metrics', '/dashboard', '/'])(
    'answers %s on loopback to no page of another name',
    async (path) => {
      expect(await statusOf(path, { host: `rebound.example:${port}` })).toBe(403)
    },
  )

  it('logs wrong logins with the peer, counts them, and slows them down', async () => {
    const guess = { authorization: `Basic ${btoa('ops:sunshine')}` }
    const answers: number[] = []
    for (let n = 0; n < 8; n += 1) answers.push(await statusOf('/dashboard/', guess))

    expect(answers.slice(0, 5)).toEqual([401, 401, 401, 401, 401])
    expect(answers).toContain(429)
    const line = await pullsync.child.waitForOutput(/admin login refused/)
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', peer: '127.0.0.1' })
    expect(pullsync.output().join()).not.toContain('sunshine')
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toMatch(/^pullsync_admin_logins_refused_total 8$/m)
  })

  async function statusOf(path: string, headers: Record<string, string>): Promise<number> {
    return await new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path, headers }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
        .on('error', reject)
        .end()
    })
  }
})

describe('an admin listener that a network reaches', () => {
  it('keeps its password until the next start, when a new configuration has none', async () => {
    await using redis = await startRedis({ appendOnly: false })
    const port = await freePort()
    const config = `
redis: { url: ${redis.url} }
listen: 127.0.0.1:${await freePort()}
local: { url: http://127.0.0.1:5999 }
upstreams: { hq: { url: http://127.0.0.1:5998 } }
projects: [{ name: team, upstream: hq }]
`
    await using pullsync = await startPullsync({
      args: ['serve'],
      config: `${config}admin: { listen: 0.0.0.0:${port}, username: ops, password: moonlight }\n`,
      readyUrl: `http://127.0.0.1:${port}/readyz`,
    })
    const status = async (password?: string) => {
      const headers = password === undefined ? {} : { authorization: `Basic ${btoa(password)}` }
      return (await fetch(`http://127.0.0.1:${port}/`, { headers })).status
    }
    expect(await status()).toBe(401)

    await pullsync.writeConfig(config)
    const line = await pullsync.child.waitForOutput(/configuration reloaded/)

    expect(JSON.parse(line)).toMatchObject({ needRestart: ['admin'] })
    expect(await status()).toBe(401)
    expect(await status('ops:moonlight')).toBe(200)
  })
})
