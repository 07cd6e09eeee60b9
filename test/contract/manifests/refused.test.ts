import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RegistryConfig } from '../../../src/config/config.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { BlobFlights } from '../../../src/replication/graph/blob-flights.ts'
import { NO_LEDGER } from '../../../src/replication/graph/blob-ledger.ts'
import { TransferSchedule } from '../../../src/replication/pace/transfer-schedule.ts'
import { replicate } from '../../../src/replication/replicate.ts'
import { startHarbor, type TestHarbor } from '../../support/harbor/harbor.ts'
import type { Account } from '../../support/harbor/state.ts'
import { buildImage, type BuiltImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { configFor, failureOf, open, reference, repository, SIGNAL } from '../contract-content.ts'

const TAG = reference('1.0')

describe('a manifest that is refused', () => {
  let harbor: TestHarbor
  let artifactory: ScriptedRegistry
  let robot: Account
  let image: BuiltImage
  const clients: Registry[] = []

  beforeEach(async () => {
    harbor = await startHarbor()
    artifactory = await startScriptedRegistry()
    harbor.addProject('team')
    harbor.addProject('secret')
    robot = harbor.addRobot('mirror', ['pull', 'push'], 'team')
    image = await buildImage({ platforms: ['linux/amd64'], index: false })
    const credentials = `admin:${harbor.admin.password}`
    await pushOverHttp(image, { url: harbor.url, repository: 'team/app', tag: '1.0', credentials })
    const refusal = { errors: [{ code: 'DENIED', message: 'no permission for manifest' }] }
    artifactory.script({ path: /\/manifests\// }, async ({ request, response, serve }) => {
      if (request.url?.endsWith('/there')) await serve()
      else response.writeHead(403).end(JSON.stringify(refusal))
    })
  })

  afterEach(async () => {
    for (const each of [...clients.splice(0), harbor, artifactory, image]) {
      await each[Symbol.asyncDispose]()
    }
  })

  function connect(url: string, more: Partial<RegistryConfig>): Registry {
    const client = open(configFor(url, more))
    clients.push(client)
    return client
  }

  const asRobot = (id: string, password = robot.password) =>
    connect(harbor.url, { id, username: robot.name, password })

  it('is not there where Harbor upstream does not know the project, on the word of GET', async () => {
    const { headManifest } = bound(asRobot('hq'), 'nosuch/app')
    expect(await headManifest()).toBeUndefined()
  })

  it('is a project to create where the local Harbor does not know it', async () => {
    const { headManifest } = bound(asRobot('local'), 'nosuch/app')
    expect(await failureOf(headManifest())).toMatchObject({
      message: expect.stringMatching(/project nosuch not found.*Create the project/) as string,
    })
  })

  it('stays refused where nothing shows that the account may read', async () => {
    const { headManifest } = bound(asRobot('hq'), 'secret/app')
    expect(await failureOf(headManifest())).toMatchObject({ status: 401, denied: true })
  })

  it('says that the credentials are wrong, and not that the content is missing', async () => {
    const { headManifest } = bound(asRobot('hq', 'wrong'), 'team/app')
    const failure = await failureOf(headManifest())
    expect(failure).toMatchObject({ denied: false })
    expect(String(failure)).toMatch(/Check upstreams\.hq\.username/)
  })

  it.each(['hq', 'local'])('is not there where others of the project are read (%s)', async (id) => {
    const { bytes, mediaType } = image.top
    artifactory.addManifest('team/app', 'there', bytes, mediaType)
    const client = connect(artifactory.url, { id })
    const of = (name: string) =>
      client.repository(repository('team/app')).headManifest(reference(name), SIGNAL)
    expect(await of('there')).toMatchObject({ digest: image.top.digest })
    expect(await of('missing')).toBeUndefined()
  })

  it('is refused where absence has to be certain, and the right is not shown any more', async () => {
    const { bytes, mediaType } = image.top
    artifactory.addManifest('team/app', 'there', bytes, mediaType)
    const content = connect(artifactory.url, { id: 'hq' }).repository(repository('team/app'))
    expect(await content.headManifest(reference('there'), SIGNAL)).toBeDefined()
    const gone = reference('gone')
    expect(await content.headManifest(gone, SIGNAL, { certain: true })).toBeUndefined()
    artifactory.script({ path: /\/tags\/list/ }, ({ response }) => {
      response.writeHead(403).end()
    })

    expect(await content.headManifest(gone, SIGNAL)).toBeUndefined()
    const certain = content.headManifest(gone, SIGNAL, { certain: true })
    expect(await failureOf(certain)).toMatchObject({ status: 403 })
  })

  it('is not there where the tags can be listed, or there is no such repository', async () => {
    const { headManifest } = bound(connect(artifactory.url, { id: 'local' }), 'team/none')
    expect(await headManifest()).toBeUndefined()
  })

  it('leads to the next upstream, and is the last word where that has nothing', async () => {
    const names = { denies: asRobot('denies'), empty: asRobot('empty') }
    const open = (upstream: string) => (upstream === 'denies' ? names.denies : names.empty)
    const local = connect(artifactory.url, { id: 'local' })
    const ask = (tag: string) => {
      const request = replicationRequest({
        ...{ upstreams: ['denies', 'empty'] as const, reference: reference(tag) },
        ...{ repository: repository('team/app'), upstreamRepository: repository('team/app') },
      })
      const schedule = new TransferSchedule({ upstream: () => 2, local: () => 2 })
      return replicate(request, {
        source: (upstream) =>
          open(upstream).repository(repository(upstream === 'denies' ? 'secret/app' : 'team/app')),
        target: local.repository(repository('team/app')),
        slots: (upstream) => schedule.slots(upstream, { urgency: 0, queuedAt: 0 }),
        ...{ flights: new BlobFlights(), ledger: NO_LEDGER, signal: SIGNAL },
        ...{ onProgress: () => undefined, log: () => undefined },
      })
    }
    artifactory.script({ method: 'PUT', path: /\/manifests\// }, ({ serve }) => serve())
    expect(await ask('1.0')).toMatchObject({ kind: 'copied', upstream: 'empty' })
    const refused = await failureOf(ask('2.0'))
    expect(String(refused)).toContain('unauthorized to access repository: secret/app')
  })

  function bound(client: Registry, name: string) {
    return { headManifest: () => client.repository(repository(name)).headManifest(TAG, SIGNAL) }
  }
})
