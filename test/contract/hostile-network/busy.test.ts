import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refuse } from '../../support/registry/scripted-registry.ts'
import { failureOf, randomBlob, SIGNAL, streamOf } from '../contract-content.ts'
import { MANIFEST, TAG, twoOrigins, type TwoOrigins } from './two-origins.ts'

let origins: TwoOrigins

beforeEach(async () => {
  origins = await twoOrigins()
})

afterEach(() => origins[Symbol.asyncDispose]())

describe('a registry that is busy or broken for a moment', () => {
  it.each([408, 429, 500, 502, 503, 504, 499, 522])(
    'with %i twice: the third try counts',
    async (status) => {
      origins.registry.script({ times: 2 }, ({ response }) => {
        refuse(response, status, 'UNKNOWN')
      })

      expect(await origins.repo().getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
      expect(origins.registry.requests).toHaveLength(3)
    },
  )

  it('with 429 three times: it is left to the job', async () => {
    origins.registry.script({}, ({ response }) => {
      response.setHeader('retry-after', '0')
      refuse(response, 429, 'TOOMANYREQUESTS')
    })

    const failure = await failureOf(origins.repo().getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ status: 429, disposition: 'transient', retryAfterMs: 0 })
    expect(origins.registry.requests).toHaveLength(3)
  })

  it.each([
    [429, 'seconds', () => '60'],
    [429, 'a date', () => new Date(Date.now() + 60_000).toUTCString()],
    [503, 'seconds', () => '60'],
    [503, 'a date', () => new Date(Date.now() + 60_000).toUTCString()],
  ])('with %i and a long Retry-After as %s: the job obeys it, at once', async (status, _, told) => {
    origins.registry.script({}, ({ response }) => {
      response.setHeader('retry-after', told())
      refuse(response, status, 'UNAVAILABLE')
    })

    const failure = await failureOf(origins.repo().getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'transient' })
    expect(failure).toHaveProperty('retryAfterMs', expect.closeTo(60_000, -4))
    expect(origins.registry.requests).toHaveLength(1)
  })

  it('by cutting a kept connection under a request: it is sent again', async () => {
    const client = origins.repo()
    await client.headManifest(TAG, SIGNAL)
    origins.registry.script({ times: 1 }, ({ request }) => request.socket.destroy())

    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
  })

  it('with 500 to the start of an upload: it is not begun twice', async () => {
    const { bytes, descriptor } = randomBlob(10)
    origins.registry.script({ method: 'POST' }, ({ response }) => {
      refuse(response, 500, 'UNKNOWN')
    })

    const failure = await failureOf(origins.repo().putBlob(descriptor, streamOf(bytes), SIGNAL))

    expect(failure).toMatchObject({ status: 500 })
    expect(origins.registry.requests).toHaveLength(1)
  })

  it('with 503 to a manifest: it is pushed again', async () => {
    origins.registry.script({ method: 'PUT', times: 1 }, ({ response }) => {
      refuse(response, 503, 'UNAVAILABLE')
    })

    await expect(origins.repo().putManifest(TAG, MANIFEST, SIGNAL)).resolves.toBeUndefined()
  })

  it('and an abort while it is waited for: the wait ends', async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    origins.registry.script({}, ({ response }) => {
      response.setHeader('retry-after', '4')
      refuse(response, 503, 'UNAVAILABLE')
      response.once('close', () => {
        abort.abort(reason)
      })
    })

    expect(await failureOf(origins.repo().getManifest(TAG, abort.signal))).toBe(reason)
  })

  it('that is not there: the host, the port and the reason are told', async () => {
    const client = origins.repo()
    await origins.registry[Symbol.asyncDispose]()

    const failure = await failureOf(client.getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'transient', networkCode: 'ECONNREFUSED' })
    expect(String(failure)).toContain(`127.0.0.1:${origins.registry.port}`)
    expect(String(failure)).toMatch(/ECONNREFUSED.*upstreams\.hq\.url/)
  })
})
