import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addEmptyImage } from '../../support/images/empty-image.ts'
import { eventually } from '../../support/eventually.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { type Site, startSite } from '../site.ts'

// A client that is made to wait for all of it fails its test by the test's own bound.
const PROJECTS = `    holdFor: 10m
    tags: { exclude: ['*-rc*'] }
  - { name: quiet, upstream: hq, policy: local, holdFor: 10m }
  - { name: hub, upstream: hub, holdFor: 10m, onUnavailable: 503, referrers: false }
  - { name: plain, upstream: hub, upstreamProject: mirrored, holdFor: 10m, onMiss: hold, referrers: false }
  - { name: patient, upstream: hub, upstreamProject: patient, onUnavailable: 429, referrers: false }
  - { name: later, upstream: hub, upstreamProject: later, onMiss: async, referrers: false }`

interface Refusal {
  readonly errors: readonly {
    readonly code: string
    readonly message: string
    readonly detail: { readonly pullsync?: Told } & Told
  }[]
}

interface Told {
  readonly reason?: string
  readonly message?: string
  readonly job?: string
}

describe('a pull that brings nothing', () => {
  let hub: ScriptedRegistry
  let site: Site
  let isDown = false

  beforeAll(async () => {
    hub = await startScriptedRegistry()
    hub.script({ path: /.*/ }, ({ response, serve }) => {
      if (!isDown) return serve()
      refuse(response, 503, 'UNAVAILABLE')
      return undefined
    })
    site = await startSite({
      upstreamConfig: `  hub:\n    url: ${hub.url}`,
      project: PROJECTS,
      jobs: 'jobs: { attempts: 3, backoff: 100ms }\noutages: { failures: 1, pause: 10m, maxPause: 10m }',
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await hub[Symbol.asyncDispose]()
  })

  async function pull(image: string, options: RequestInit = {}) {
    const [repository, rest = ''] = image.split(':')
    const response = await fetch(
      `http://${site.gateway}/v2/${repository}/manifests/${rest}`,
      options,
    )
    const text = await response.text()
    return {
      status: response.status,
      header: response.headers.get('pullsync-reason'),
      retryAfter: response.headers.get('retry-after'),
      error: text === '' ? undefined : (JSON.parse(text) as Refusal).errors[0],
    }
  }

  it("says that upstream has none and which job found that out, in the registry's own answer", async () => {
    const { status, header, error } = await pull('team/nothing:1.0')

    expect({ status, code: error?.code }).toEqual({ status: 404, code: 'MANIFEST_UNKNOWN' })
    const [job] = await site.jobs('--match', 'team/nothing')
    expect(header).toBe(`not-found;job="${job?.id}"`)
    expect(error?.message).toBe('manifest unknown: upstream does not have it either')
    expect(error?.detail).toMatchObject({
      Tag: '1.0',
      pullsync: { reason: 'not-found', job: job?.id, message: 'upstream does not have it either' },
    })
    const head = await pull('team/nothing:2.0', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 404, header: 'not-found' })
  })

  it('says which rule of the configuration keeps it out', async () => {
    expect(await pull('team/app:1.0-rc1')).toMatchObject({ header: 'tag-filtered' })
    expect(await pull('elsewhere/app:1.0')).toMatchObject({ header: 'unknown-project' })
  })

  it('says that the copy runs in the background', async () => {
    addEmptyImage(hub, 'later/app', '1.0')

    const { header } = await pull('later/app:1.0')

    expect(header).toMatch(/^in-background;job="hub-/)
  })

  it('gives no reason where only the local registry says what clients may know', async () => {
    const { status, header, error } = await pull('quiet/app:1.0')

    expect({ status, header }).toEqual({ status: 404, header: null })
    expect(error?.detail.pullsync).toBeUndefined()
  })

  it('is answered as soon as upstream is down, and while it is, long before "holdFor" is over', async () => {
    addEmptyImage(hub, 'hub/app', '1.0')
    isDown = true

    const first = await pull('hub/app:1.0')

    expect(first).toMatchObject({ status: 503, error: { code: 'UNAVAILABLE' } })
    const [job] = await site.jobs('--match', 'hub/app')
    expect(first.header).toBe(`upstream-down;job="${job?.id}"`)
    expect(first.error?.detail).toMatchObject({ reason: 'upstream-down', job: job?.id })
    expect(Number(first.retryAfter)).toBeGreaterThan(400)
    // The job waits in the queue now and makes no other attempt.
    expect(await pull('hub/app:1.0')).toMatchObject({ status: 503, header: first.header })
    expect((await pull('hub/app:2.0', { method: 'HEAD' })).status).toBe(503)
    const held = await pull('plain/app:1.0')
    expect(held).toMatchObject({ status: 404, error: { code: 'MANIFEST_UNKNOWN' } })
    expect(held.header).toMatch(/^upstream-down;job="/)
    const patient = await pull('patient/app:1.0')
    expect(patient).toMatchObject({ status: 429, error: { code: 'TOOMANYREQUESTS' } })
    // A client that came from a mirror's list has others to ask.
    expect(await pull('hub/app:1.0?ns=hub.example')).toMatchObject({ status: 404 })
  })

  it('tells those who wait as soon as their upstream goes down for another', async () => {
    await site.serve.run(['resume', 'hub'])
    isDown = false
    addEmptyImage(hub, 'hub/slow', '1.0')
    await site.serve.run(['pause', 'hub'])
    const waiting = pull('hub/slow:1.0')
    await eventually(async () => (await site.jobs('--match', 'hub/slow')).length === 1)
    isDown = true
    await site.serve.run(['sync', 'later/other:1.0'])
    await site.serve.run(['resume', 'hub'])

    expect(await waiting).toMatchObject({ status: 503 })
  })
})
