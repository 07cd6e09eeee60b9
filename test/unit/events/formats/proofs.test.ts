import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../../src/events/delivery.ts'
import type { SecretFormat } from '../../../../src/events/format.ts'
import { FORMATS } from '../../../../src/events/formats.ts'
import { deliveryOf, readFixtures } from '../../../fixtures/read-fixtures.ts'
import { hmac, isProven, PROOFS, proven, type SecretFormatName } from '../../../fixtures/senders.ts'

const SECRETS = ['moon-secret', 'sun-secret']
const [MOON = '', SUN = ''] = SECRETS
const TAMPERED = '{"tampered":true}'

const ways = Object.entries(PROOFS).flatMap(([name, proofs]) =>
  proofs.map((proof) => ({ name: name as SecretFormatName, proof, how: proof.name })),
)

describe.each(ways)('$name, way $how', ({ name, proof }) => {
  const format: SecretFormat = FORMATS[name]
  const [fixture = { headers: {}, body: '' }] = readFixtures(name).values()
  const bare = withoutProof(deliveryOf(fixture))

  it.each([
    ['the secret', MOON, true],
    ['the other of two secrets', SUN, true],
    ['another secret', 'mars-secret', false],
    ['the beginning of the secret', MOON.slice(0, -1), false],
    ['the secret and more', `${MOON}s`, false],
    ['an empty secret', '', false],
  ])('%s (%j): %s', (_, secret, taken) => {
    expect(isProven(format, proven(bare, { proof, secret }), SECRETS)).toBe(taken)
  })

  it('is refused without a proof, and where the secret is empty', () => {
    expect(isProven(format, bare, SECRETS)).toBe(false)
    expect(isProven(format, proven(bare, { proof, secret: '' }), [''])).toBe(false)
    expect(isProven(format, proven(bare, { proof, secret: MOON }), [])).toBe(false)
  })
})

describe.each([
  ['github', 'x-hub-signature-256', 'sha256', 'sha256='],
  ['gitea', 'x-gitea-signature', 'sha256', ''],
  ['artifactory', 'x-jfrog-event-auth', 'sha256', ''],
  ['nexus', 'x-nexus-webhook-signature', 'sha1', ''],
] as const)('the signature of %s', (name, header, algorithm, prefix) => {
  const format: SecretFormat = FORMATS[name]
  const [fixture = { headers: {}, body: '' }] = readFixtures(name).values()
  const delivery = deliveryOf(fixture)
  const signed = proven(delivery, { proof: hmac(header, algorithm, prefix), secret: MOON })

  it('is of exactly the body', () => {
    const changed = Buffer.concat([delivery.body, Buffer.from(' ')])

    expect(isProven(format, signed, SECRETS)).toBe(true)
    expect(isProven(format, { ...signed, body: Buffer.from(TAMPERED) }, SECRETS)).toBe(false)
    expect(isProven(format, { ...signed, body: changed }, SECRETS)).toBe(false)
  })

  it('may be in upper case', () => {
    const hex = signed.headers[header]?.slice(prefix.length).toUpperCase() ?? ''
    const headers = { ...signed.headers, [header]: prefix + hex }

    expect(isProven(format, { ...signed, headers }, SECRETS)).toBe(true)
  })

  it.each([
    ['of another algorithm', algorithm === 'sha1' ? 'sha256' : 'sha1'],
    ['cut short', 'short'],
    ['too long', 'long'],
    ['that is no hexadecimal', 'zz'],
    ['with another prefix', 'prefix'],
  ] as const)('is not taken %s', (_, wrong) => {
    const hex = signed.headers[header]?.slice(prefix.length) ?? ''
    const text = {
      short: prefix + hex.slice(0, -2),
      long: `${prefix}${hex}00`,
      zz: prefix + 'zz'.repeat(hex.length / 2),
      prefix: `sha512=${hex}`,
      sha1: signature('sha1'),
      sha256: signature('sha256'),
    }[wrong]

    expect(
      isProven(format, { ...signed, headers: { ...signed.headers, [header]: text } }, SECRETS),
    ).toBe(false)
  })

  function signature(other: 'sha1' | 'sha256'): string {
    return (
      proven(delivery, { proof: hmac(header, other, prefix), secret: MOON }).headers[header] ?? ''
    )
  }
})

it("does not take GitHub's older SHA-1 signature", () => {
  const [fixture = { headers: {}, body: '' }] = readFixtures('github').values()
  const proof = hmac('x-hub-signature', 'sha1', 'sha1=')

  expect(
    isProven(FORMATS.github, proven(deliveryOf(fixture), { proof, secret: MOON }), SECRETS),
  ).toBe(false)
})

it('takes what Gitea signs of a form: the JSON inside', () => {
  const fixture = readFixtures('gitea').get('package-created-form')
  const delivery = deliveryOf(fixture ?? { headers: {}, body: '' })
  const payload = new URLSearchParams(delivery.body.toString()).get('payload') ?? ''
  const proof = hmac('x-gitea-signature', 'sha256')

  expect(
    isProven(FORMATS.gitea, proven(delivery, { proof, secret: MOON, body: payload }), SECRETS),
  ).toBe(true)
  expect(isProven(FORMATS.gitea, proven(delivery, { proof, secret: MOON }), SECRETS)).toBe(false)
})

function withoutProof(delivery: Delivery): Delivery {
  return { ...delivery, headers: { ...delivery.headers, authorization: undefined } }
}
