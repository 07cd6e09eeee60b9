import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { buildImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import {
  arrives,
  digestAt,
  postTo,
  SECRET,
  type Site,
  type SiteOptions,
  startSite,
} from '../site.ts'

const PASSWORD = 'correct-horse' as const

const DOWN = expect.stringMatching(/^upstream-down;job="hq-/) as string
const JOBS = 'jobs: { attempts: 3, backoff: 100ms }\noutages: { pause: 200ms, maxPause: 500ms }'

describe('when something is wrong', () => {
  let site: Site | undefined

  afterEach(async () => {
    await site?.[Symbol.asyncDispose]()
    site = undefined
  })

  async function start(options?: SiteOptions): Promise<Site> {
    site = await startSite(options)
    return site
  }

  it('keeps what an upstream that is away was asked for, says why, and brings it by itself', async () => {
    const here = await start({ jobs: JOBS })
    const { upstream, miss, jobs, serve, publish } = here
    const image = await publish('team/app:1.0')
    await upstream.stop()
    await miss('team/app', '1.0')
    const reason = await eventually(async () => {
      const { stdout } = await serve.run(['status', '--json'])
      const [status] = JSON.parse(stdout) as readonly { hold?: { reason: string } }[]
      return status?.hold?.reason
    })
    expect(reason).toMatch(/"hq".*ECONNREFUSED.*127\.0\.0\.1:\d+/)
    expect(await jobs('--state', 'failed')).toEqual([])

    await upstream.start()

    await arrives(here, 'team/app:1.0', image)
  })

  it('fails at once on wrong credentials, says whose, and never shows the password', async () => {
    const wrong = 'not-the-right-password'
    const here = await start({
      upstream: { htpasswd: { username: 'mirror', password: PASSWORD } as const },
      upstreamConfig: `    username: mirror\n    password: ${wrong}`,
    })
    await here.miss('team/app', '1.0')

    const [failed] = await eventually(async () => {
      const found = await here.jobs('--state', 'failed')
      return found.length > 0 && found
    })

    expect(failed).toMatchObject({ attemptsMade: 1 })
    expect(failed?.failedReason).toMatch(/401/)
    expect(failed?.failedReason).toMatch(/upstreams\.hq/)
    const said = [...here.serve.output(), ...here.workers.flatMap((worker) => worker.output())]
    expect(said.join('\n')).not.toContain(wrong)
    expect(said.join('\n')).not.toContain(Buffer.from(`mirror:${wrong}`).toString('base64'))
  })

  it('answers 503 while Redis is away, and the registry itself brings the event in afterwards', async () => {
    const here = await start({ project: '    onUpstreamPush: always' })
    await here.redis.stop()
    expect((await here.miss('team/app', '1.0')).status).toBe(503)
    expect((await fetch(`${here.admin}/readyz`)).status).toBe(503)
    expect((await fetch(`${here.admin}/livez`)).status).toBe(200)

    const image = await here.publish('team/app:1.0')
    await eventually(() => here.serve.output().some((line) => line.includes('queue unavailable')))
    await here.redis.start()

    await arrives(here, 'team/app:1.0', image)
  })

  it('has another worker finish what a killed one was copying', async () => {
    const here = await start({ workers: 1, upstreamConfig: '    concurrency: 1' })
    const image = await here.publish('team/large:1.0', {
      index: false,
      layers: 24,
      layerBytes: 4_000_000,
    })
    await here.miss('team/large', '1.0')
    const pushed = { method: 'PUT', path: /\/team\/large\/blobs\/uploads\//, status: 201 }
    await eventually(() => here.local.requests(pushed).length >= 3)
    await here.workers[0]?.kill9()
    expect(await digestAt(here.local, 'team/large:1.0')).toBeUndefined()

    await here.startWorker()

    await arrives(here, 'team/large:1.0', image)
    const fetched = here.upstream.requests({ method: 'GET', path: /\/team\/large\/blobs\// })
    expect(fetched.length).toBeLessThanOrEqual(image.blobs.length + 2)
  })

  it('ends with 0 on SIGTERM and hands a long copy back, unspent', async () => {
    const here = await start({ workers: 1 })
    const image = await here.publish('team/app:1.0', { index: false })
    const [worker] = here.workers
    await here.miss('team/app', '1.0')
    await arrives(here, 'team/app:1.0', image)

    expect(await worker?.stop()).toMatchObject({ code: 0 })
    expect(await here.serve.stop()).toMatchObject({ code: 0 })
  })

  it('does not hold a client for an upstream that is down', async () => {
    const here = await start({
      jobs: 'jobs: { attempts: 3, backoff: 10m, maxBackoff: 10m }\noutages: { pause: 10m, maxPause: 10m }',
      project: '    onMiss: hold\n    holdFor: 10m',
    })
    await here.upstream.stop()
    const url = `http://${here.gateway}/v2/team/app/manifests/1.0`

    const first = await fetch(url)
    expect([first.status, first.headers.get('pullsync-reason')]).toEqual([404, DOWN])
    // So is the one who comes while the job waits for its next try.
    expect((await fetch(url)).headers.get('pullsync-reason')).toEqual(DOWN)
    expect(await here.jobs()).toMatchObject([{ state: 'delayed', attemptsMade: 0 }])
    await here.upstream.start()
  })

  it('stops in order right after Redis went away, and when it is back', async () => {
    const here = await start({ workers: 2 })
    const [first, second] = here.workers
    await here.redis.stop()
    const told = () => first?.output().filter((line) => line.includes('redis connection failed'))
    await eventually(() => told()?.length)

    expect(await first?.stop()).toMatchObject({ code: 0 })
    expect(told()).toEqual([expect.stringContaining('Redis is not answering (')])
    await here.redis.start()
    expect(await second?.stop()).toMatchObject({ code: 0 })
  })

  it('refuses bad deliveries as each deserves, queues nothing, and lives on', async () => {
    const { events, post, jobs, admin } = await start()
    const distribution = `${events}/edge`
    const miss = `${events}/miss`
    const proof = { authorization: `Bearer ${SECRET}` }
    const wrong = { authorization: 'Bearer wrong' }
    const nothing = { accepted: 0, ignored: 0, duplicates: 0 }

    expect((await postTo(`${events}/nobody`, {})).status).toBe(404)
    expect((await postTo(miss, { repository: 'team/app', reference: '1' }, wrong)).status).toBe(401)
    expect((await postTo(miss, { repository: 'team/app', reference: '1' }, {})).status).toBe(401)
    expect((await postTo(miss, 'no json', proof)).status).toBe(422)
    expect((await postTo(miss, '{"repository":"team/ap', proof)).status).toBe(422)
    expect(await postTo(distribution, '{"events":[{"id":', proof)).toMatchObject({
      status: 202,
      body: { malformed: true },
    })
    expect((await postTo(miss, 'x'.repeat(9 * 1024 * 1024), proof)).status).toBe(413)
    expect(
      await postTo(distribution, {
        events: [{ id: '1', action: 'sneeze', target: { repository: 'team/app', tag: '1' } }],
      }),
    ).toEqual({ status: 202, body: { ...nothing, ignored: 1 } })
    for (const repository of ['../etc', 'Team/App', 'team//app', 'a'.repeat(300), 'team/..', '']) {
      const answer = await post('miss', { repository, reference: '1.0' })
      expect(answer.status).toBe(422)
      expect(JSON.stringify(answer.body)).toContain(repository.slice(0, 60))
    }
    for (const reference of ['no tag!', 'sha256:short', '-x', 'a'.repeat(129)]) {
      expect((await post('miss', { repository: 'team/app', reference })).status).toBe(422)
    }
    expect(await jobs()).toEqual([])
    expect((await fetch(`${admin}/readyz`)).status).toBe(200)
  })

  it('copies to and from registries that ask for a password', async () => {
    const login = { username: 'mirror', password: PASSWORD } as const
    const here = await start({
      upstream: { htpasswd: login },
      upstreamConfig: `    username: mirror\n    password: ${PASSWORD}`,
    })
    await using image = await buildImage()
    await pushOverHttp(image, {
      url: here.upstream.url,
      repository: 'team/app',
      tag: '1.0',
      credentials: `mirror:${PASSWORD}`,
    })

    await here.miss('team/app', '1.0')

    await arrives(here, 'team/app:1.0', image)
  })
})
