import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MANIFEST_ACCEPT } from '../../../src/oci/media-types.ts'
import { refuse } from '../../support/registry/scripted-registry.ts'
import {
  addSmallImage,
  basicOf,
  type ScriptedSite,
  type SmallImage,
  startScriptedSite,
  WORKER,
} from '../../support/registry/scripted-site.ts'

const RIGHT = basicOf('reader', 'right')
const WRONG = basicOf('stranger', 'wrong')
const STRANGERS = [
  ['nobody', undefined],
  ['a wrong user', WRONG],
] as const

const PROJECTS = `
  - { name: team, upstream: hq, policy: none }
  - { name: hidden, upstream: hq, policy: local, holdFor: 10s }
  - { name: guarded, upstream: hq, holdFor: 10s }`

describe('what is on its way', () => {
  let site: ScriptedSite
  /** What the registry answers to whom it does not let read. */
  let refusal = 401
  let image: SmallImage
  let letGo: () => void
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })

  beforeAll(async () => {
    site = await startScriptedSite(PROJECTS)
    image = addSmallImage(site.upstream, 'team/app', '1.0')
    site.upstream.script({ method: 'GET', path: new RegExp(image.layer) }, async ({ serve }) => {
      await held
      await serve()
    })
    site.local.script({ path: /^\/v2\/(team|hidden)\// }, async ({ request, response, serve }) => {
      const { authorization } = request.headers
      const own = request.headers['user-agent']?.startsWith('pullsync/') === true
      if (authorization === WORKER || authorization === RIGHT) {
        await serve()
        return
      }
      response.setHeader('www-authenticate', 'Basic realm="local"')
      refuse(response, own ? 401 : refusal, 'REFUSED')
    })
    expect(await ask('team/app/manifests/1.0', RIGHT)).toBe(200)
  })

  afterAll(async () => {
    letGo()
    await site[Symbol.asyncDispose]()
  })

  /** The status; the body is not waited for. */
  async function ask(path: string, authorization?: string, method = 'GET'): Promise<number> {
    const leaving = new AbortController()
    const answer = await fetch(`${site.gateway}/v2/${path}`, {
      method,
      headers: {
        accept: `${MANIFEST_ACCEPT}, */*`,
        ...(authorization !== undefined && { authorization }),
      },
      signal: leaving.signal,
    })
    leaving.abort()
    return answer.status
  }

  const everything = (): readonly (readonly [string, string])[] => [
    ['GET', `team/app/blobs/${image.config}`],
    ['GET', `team/app/manifests/${image.child}`],
    ['GET', 'team/app/manifests/1.0'],
    ['HEAD', 'team/app/manifests/1.0'],
    ['HEAD', `team/app/manifests/${image.index}`],
  ]

  describe.each(STRANGERS)('and %s asks for it', (_, authorization) => {
    it.each([401, 403, 429, 500, 503])(
      'stays unseen where the registry says %i',
      async (status) => {
        refusal = status

        for (const [method, path] of everything()) {
          expect([method, path, await ask(path, authorization, method)]).toEqual([
            ...[method, path, status],
          ])
        }
      },
    )
  })

  it('comes for whom the registry lets read', async () => {
    for (const [method, path] of everything()) {
      expect([method, path, await ask(path, RIGHT, method)]).toEqual([method, path, 200])
    }
  })

  it.each([500, 503])(
    'comes for whom the registry lets read, though it says %i to that blob',
    async (status) => {
      const broken = { method: 'GET', path: new RegExp(`blobs/${image.config}`), times: 1 }
      site.local.script(broken, ({ response }) => {
        refuse(response, status, 'BROKEN')
      })

      expect(await ask(`team/app/blobs/${image.config}`, RIGHT)).toBe(200)
    },
  )

  describe('to a registry that says of what is not for everybody that it is not there', () => {
    it('is given to nobody before the registry gives it', async () => {
      refusal = 404
      const hidden = addSmallImage(site.upstream, 'hidden/app', '1.0')
      let bring = () => undefined as unknown
      const brought = new Promise((resolve) => {
        bring = () => {
          resolve(undefined)
        }
      })
      site.upstream.script({ path: new RegExp(hidden.layer) }, async ({ serve }) => {
        await brought
        await serve()
      })
      const reader = ask('hidden/app/manifests/1.0', RIGHT)
      const strangers = STRANGERS.flatMap(([, authorization]) => [
        ...[ask(`hidden/app/blobs/${hidden.config}`, authorization)],
        ...[ask('hidden/app/manifests/1.0', authorization)],
        ...[ask('hidden/app/manifests/1.0', authorization, 'HEAD')],
        ...[ask(`hidden/app/manifests/${hidden.child}`, authorization)],
      ])

      bring()

      expect(await reader).toBe(200)
      for (const status of await Promise.all(strangers)) expect(status).toBe(404)
      expect(await ask(`hidden/app/blobs/${hidden.layer}`, RIGHT)).toBe(200)
    })
  })

  describe('in a project of which the registry refused something by its policy', () => {
    it('waits for the registry from then on, in every process', async () => {
      const before = addSmallImage(site.upstream, 'guarded/app', '1.0')
      expect(await ask('guarded/app/manifests/1.0', RIGHT, 'HEAD')).toBe(200)
      site.local.script(
        { method: 'GET', path: /guarded\/app\/manifests/ },
        ({ request, response, serve }) => {
          if (request.headers.authorization === WORKER) return serve()
          refuse(response, 412, 'PROJECTPOLICYVIOLATION')
          return undefined
        },
      )
      expect(await ask('guarded/app/manifests/1.0', RIGHT)).toBe(412)

      const image = addSmallImage(site.upstream, 'guarded/other', '1.0')
      site.upstream.script({ path: new RegExp(image.layer) }, ({ response }) => {
        refuse(response, 404, 'BLOB_UNKNOWN')
      })

      // Upstream has it, but it never gets here.
      expect(await ask('guarded/other/manifests/1.0', RIGHT, 'HEAD')).toBe(404)
      expect(await ask('guarded/other/manifests/1.0', RIGHT)).toBe(404)
      expect(before.index).not.toBe(image.index)
    })
  })
})
