import { describe, expect, it } from 'vitest'
import { mayPush } from '../../../src/gateway/push-claim.ts'

function bearer(claims: unknown): string {
  return `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`
}

function access(name: string, ...actions: string[]) {
  return { access: [{ type: 'repository', name, actions }] }
}

describe('mayPush', () => {
  it.each([
    ['push', bearer(access('team/app', 'pull', 'push'))],
    ['everything', bearer(access('team/app', '*'))],
  ])('says yes to a token for %s', (_, authorization) => {
    expect(mayPush(authorization, 'team/app')).toBe(true)
  })

  it.each([
    ['pull only', bearer(access('team/app', 'pull'))],
    ['another repository', bearer(access('team/other', 'push'))],
    ['the catalog', bearer({ access: [{ type: 'registry', name: 'team/app', actions: ['*'] }] })],
    ['no claims', bearer({})],
    ['other claims', bearer({ access: 'push' })],
    ['an opaque token', 'Bearer abcdef'],
    ['what is no JSON', 'Bearer a.b.c'],
    ['a password', 'Basic cHVzaA=='],
    ['nothing', undefined],
  ])('says no to %s', (_, authorization) => {
    expect(mayPush(authorization, 'team/app')).toBe(false)
  })
})
