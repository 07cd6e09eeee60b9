import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { networkFailure, statusFailure } from '../../../../src/registry/errors/failures.ts'
import { unreachable } from '../../../../src/registry/errors/unreachable.ts'
import { identityOf } from '../../../../src/registry/words/identity.ts'
import type { Operation } from '../../../../src/registry/words/operation.ts'
import {
  configFor,
  failureOf,
  open,
  reference,
  repository,
  SIGNAL,
} from '../../../contract/contract-content.ts'
import { freePort } from '../../../support/network/free-port.ts'

const OPERATION: Operation = {
  registry: identityOf({
    id: 'hq',
    url: new URL('https://r.example'),
    username: 'robot',
    trustedHosts: [],
  }),
  kind: 'manifest',
  intent: 'pull manifest team/app:1.0 from upstream "hq"',
}
const url = new URL('https://user:secret@r.example/v2/team/app/manifests/1.0?sig=secret')

describe('the error of an answer', () => {
  it('says what was tried, where, what came back and what to do', () => {
    const failure = statusFailure(
      { operation: OPERATION, method: 'GET', url },
      {
        status: 401,
        body: { codes: ['UNAUTHORIZED'], text: 'authentication required', unknown: [] },
      },
    )

    expect(failure.message).toBe(
      'pull manifest team/app:1.0 from upstream "hq" failed: GET https://r.example/v2/team/app/manifests/1.0 answered 401 UNAUTHORIZED (authentication required). Check upstreams.hq.username and upstreams.hq.passwordFile: the account is unknown, expired, or may not pull from this repository.',
    )
    expect(failure).toMatchObject({ registry: 'hq', side: 'upstream', status: 401 })
  })
})

describe('the error of the network', () => {
  it.each([
    ['SELF_SIGNED_CERT_IN_CHAIN', 'permanent', /upstreams\.hq\.caFile/],
    ['CERT_HAS_EXPIRED', 'permanent', /Renew/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'permanent', /another name/],
    ['HPE_HEADER_OVERFLOW', 'permanent', /more than 64 KiB of headers/],
    ['ECONNREFUSED', 'transient', /upstreams\.hq\.url/],
    ['ENOTFOUND', 'transient', /upstreams\.hq\.url and this machine's DNS/],
    ['EAI_AGAIN', 'transient', /upstreams\.hq\.url and this machine's DNS/],
    ['ECONNRESET', 'transient', /ECONNRESET/],
    ['ETIMEDOUT', 'transient', /firewalls between here and upstream "hq"/],
    ['EHOSTUNREACH', 'transient', /firewalls between here and upstream "hq"/],
  ])('with %s is %s', (code, disposition, advice) => {
    const cause = Object.assign(new Error('it broke'), { code })

    const failure = networkFailure({ operation: OPERATION, method: 'GET', url }, cause)

    expect(failure).toMatchObject({ disposition, networkCode: code, cause })
    expect(failure.message).toMatch(advice)
    expect(failure.message).toContain(`got no answer from r.example: it broke (${code})`)
  })

  it.each(['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'ERR_TLS_CERT_ALTNAME_INVALID'])(
    'with %s, where the registry leads to, is not one of its own address',
    (code) => {
      const store = new URL('https://store.example/x?sig=secret')
      const cause = Object.assign(new Error('it broke'), { code })

      const failure = networkFailure({ operation: OPERATION, method: 'GET', url: store }, cause)

      expect(failure.message).toMatch(/Upstream "hq" sends us to store\.example/)
      expect(failure.message).not.toContain('upstreams.hq.url')
    },
  )

  it('reaches nobody with a secret in any corner of it', async () => {
    const config = configFor(`http://127.0.0.1:${await freePort()}`, {
      username: 'robot',
      password: 'very-secret',
    })
    await using registry = open(config)

    const failure = await failureOf(
      registry.repository(repository('team/app')).getManifest(reference('1.0'), SIGNAL),
    )

    const everything = inspect(failure, { depth: 20, showHidden: true })
    expect(everything).toContain('ECONNREFUSED')
    expect(everything).not.toMatch(/very-secret|authorization|cm9ib3Q6/i)
  })
})

describe('a registry that a gateway cannot reach', () => {
  const local = { id: 'local', url: new URL('https://registry.corp:5000'), trustedHosts: [] }

  it('is told of as everywhere, with what to do', () => {
    const cause = Object.assign(new Error('self-signed certificate'), {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })

    expect(unreachable(local, 'GET', cause)).toMatchObject({
      message: expect.stringMatching(
        /^pass a request on to the local registry failed: GET https:\/\/registry\.corp:5000\/ got no answer from registry\.corp:5000: .*local\.caFile/,
      ) as string,
      cause,
    })
  })

  it('is not blamed for what is no fault of the network', () => {
    const mistake = new TypeError('undefined is no function')

    expect(unreachable(local, 'GET', mistake)).toBe(mistake)
  })
})
