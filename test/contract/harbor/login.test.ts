import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Registry } from '../../../src/registry/registry.ts'
import type { Turn } from '../../support/harbor/answers.ts'
import { startHarbor, type TestHarbor } from '../../support/harbor/harbor.ts'
import type { Account } from '../../support/harbor/state.ts'
import { configFor, failureOf, open, reference, repository, SIGNAL } from '../contract-content.ts'

describe('logging in to Harbor', () => {
  let harbor: TestHarbor
  let robot: Account
  let client: Registry

  beforeEach(async () => {
    harbor = await startHarbor()
    harbor.addProject('team')
    robot = harbor.addRobot('mirror', ['pull', 'push', 'catalog'], 'team')
    const { name: username, password } = robot
    client = open(configFor(harbor.url, { id: 'hq', username, password }))
  })

  afterEach(async () => {
    for (const each of [client, harbor]) await each[Symbol.asyncDispose]()
  })

  const look = (name: string) =>
    client.repository(repository(name)).headManifest(reference('1.0'), SIGNAL)

  /** One answer that sends for tokens where there are none. */
  function misleadOnce(name: string, realm: string): void {
    let left = 1
    const isIt = (url = '') => left > 0 && url.startsWith(`/v2/${name}/`)
    harbor.instead(
      ({ url }) => isIt(url),
      ({ request, response }: Turn) => {
        left -= 1
        request.resume()
        const challenge = `Bearer realm="${realm}",service="harbor-registry"`
        response.writeHead(401, { 'www-authenticate': challenge }).end()
      },
    )
  }

  it('survives one answer that names a token service which does not exist', async () => {
    misleadOnce('team/odd', `${harbor.url}/moved/token`)
    await failureOf(look('team/odd'))
    expect(await look('team/app')).toBeUndefined()
    expect(await look('team/odd')).toBeUndefined()
  })

  it('follows a token service that has moved', async () => {
    expect(await look('team/app')).toBeUndefined()
    harbor.instead(
      ({ url = '' }) => url.startsWith('/v2/team/next/'),
      ({ request, response }: Turn) => {
        request.resume()
        const moved = request.headers.authorization?.includes('moved-token') === true
        const challenge = `Bearer realm="${harbor.url}/moved",service="other"`
        response.writeHead(moved ? 404 : 401, moved ? {} : { 'www-authenticate': challenge }).end()
      },
    )
    harbor.instead(
      ({ url = '' }) => url.startsWith('/moved'),
      ({ request, response }: Turn) => {
        request.resume()
        response.writeHead(200).end(JSON.stringify({ token: 'moved-token' }))
      },
    )
    expect(await look('team/next')).toBeUndefined()
  })

  it('sends no password to another port of the same machine', async () => {
    misleadOnce('team/odd', 'http://127.0.0.1:1/service/token')
    expect(String(await failureOf(look('team/odd')))).toContain('upstreams.hq.trustedHosts')
  })

  it('lists the repositories by Basic after tokens have served for everything else', async () => {
    expect(await look('team/app')).toBeUndefined()
    const pages = await client.repositories(SIGNAL)
    expect(pages).toBeDefined()
    const basic = `Basic ${btoa(`${robot.name}:${robot.password}`)}`
    const catalog = harbor.requests.filter(({ path }) => path.startsWith('/v2/_catalog'))
    expect(catalog.at(-1)?.headers.authorization).toBe(basic)
    // And goes on with tokens.
    expect(await look('team/other')).toBeUndefined()
    expect(harbor.requests.at(-1)?.headers.authorization).toMatch(/^Bearer /)
  })
})
