import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SignJWT } from 'jose'
import { gar } from '../../../src/events/formats/gar.ts'
import { SigningKeys, SigningKeysUnavailableError } from '../../../src/webhook/signing-keys.ts'
import {
  type Claims,
  type KeyService,
  startKeyService,
} from '../../support/registry/key-service.ts'

const AUDIENCE = 'https://pullsync.example/v1/events/gar'
const EMAIL = 'push@lab.iam.gserviceaccount.example'
const CLAIMS: Claims = { iss: 'https://accounts.google.com', aud: AUDIENCE, email: EMAIL }
const HOUR = 3_600

describe('the token of a Pub/Sub delivery', () => {
  let service: KeyService
  let keys: SigningKeys

  beforeEach(async () => {
    service = await startKeyService()
    keys = new SigningKeys()
  })

  afterEach(() => service[Symbol.asyncDispose]())

  it('proves the delivery', async () => {
    expect(await verify(await service.token(CLAIMS))).toBe(true)
    expect(await verify(await service.token({ ...CLAIMS, iss: 'accounts.google.com' }))).toBe(true)
  })

  it.each<[string, Claims]>([
    ['another audience', { aud: 'https://pullsync.example/v1/events/other' }],
    ['no audience', { aud: undefined }],
    ['another account', { email: 'somebody@lab.iam.gserviceaccount.example' }],
    ['no account', { email: undefined }],
    ['an account that Google does not vouch for', { email_verified: false }],
    ['an account vouched for in words', { email_verified: 'true' }],
    ['another issuer', { iss: 'https://accounts.evil.example' }],
    ['no end', { exp: undefined }],
    ['a beginning in the future', { nbf: Math.floor(Date.now() / 1_000) + HOUR }],
  ])('is refused with %s', async (_, changed) => {
    expect(await verify(await service.token({ ...CLAIMS, ...changed }))).toBe(false)
  })

  it.each([
    ['expired', { expiresIn: -HOUR }],
    ['signed with another key', { forged: true }],
    ['naming a key that is not published', { kid: 'key-9' }],
  ])('is refused when %s', async (_, options) => {
    expect(await verify(await service.token(CLAIMS, options))).toBe(false)
  })

  it('is refused without a signature, or with one of another kind, before any key is fetched', async () => {
    const hmac = await new SignJWT({ ...CLAIMS, email_verified: true })
      .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
      .setExpirationTime('10m')
      .sign(Buffer.from('a-secret-of-at-least-32-characters'))
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const unsigned = `${part({ alg: 'none' })}.${part({ ...CLAIMS, exp: 9e9 })}.`

    for (const token of [hmac, unsigned, 'moon', 'a.b.c', '..', `${'a'.repeat(100_000)}.b.c`]) {
      expect(await verify(token)).toBe(false)
    }
    expect(service.asked()).toBe(0)
  })

  it('is refused when its content was changed', async () => {
    const [head = '', , signature = ''] = (await service.token(CLAIMS)).split('.')
    const claims = Buffer.from(JSON.stringify({ ...CLAIMS, email_verified: true, exp: 9e9 }))

    expect(await verify(`${head}.${claims.toString('base64url')}.${signature}`)).toBe(false)
  })

  it('is not looked for in other places', async () => {
    const token = await service.token(CLAIMS)
    const headers = { 'x-api-key': token, authorization: `Basic ${btoa(`a:${token}`)}` }

    expect(await verify('', headers)).toBe(false)
  })

  it('needs the keys once for many deliveries', async () => {
    const token = await service.token(CLAIMS)

    const answers = await Promise.all(Array.from({ length: 50 }, () => verify(token)))

    expect(answers).not.toContain(false)
    expect(service.asked()).toBe(1)
  })

  it.each<[string, Parameters<KeyService['answerWith']>[0]]>([
    ['an error', (_request, response) => response.writeHead(500).end()],
    [
      'a redirect',
      (_request, response) => response.writeHead(302, { Location: 'http://127.0.0.1:9/' }).end(),
    ],
    ['something else than keys', (_request, response) => response.end('{"keys":7}')],
    ['no JSON', (_request, response) => response.end('<html>')],
    [
      'an endless answer',
      (_request, response) => response.end(`{"keys":[${' '.repeat(1_000_000)}]}`),
    ],
    ['nothing', (request) => request.socket.destroy()],
  ])('is neither right nor wrong while %s comes instead of the keys', async (_, answer) => {
    service.answerWith(answer)

    await expect(verify(await service.token(CLAIMS))).rejects.toThrow(SigningKeysUnavailableError)
    await expect(verify(await service.token(CLAIMS))).rejects.toThrow(service.keysUrl.href)
  })

  it('is judged by the keys at hand while no others can be had', async () => {
    const token = await service.token(CLAIMS)
    expect(await verify(token)).toBe(true)
    service.answerWith((request) => request.socket.destroy())

    expect(await verify(await service.token(CLAIMS, { kid: 'key-9' }))).toBe(false)
    expect(await verify(token)).toBe(true)
  })

  async function verify(token: string, others: Readonly<Record<string, string>> = {}) {
    const headers = { ...(token !== '' && { authorization: `Bearer ${token}` }), ...others }
    const expected = {
      audience: AUDIENCE,
      email: EMAIL,
      keys: keys.publishedAt(service.keysUrl),
    }
    return await gar.verify({ headers }, expected)
  }
})
