import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { proxySite, type ProxySite } from './proxy-site.ts'

describe('a list of the local registry', () => {
  let site: ProxySite

  beforeEach(async () => {
    site = await proxySite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it.each([
    ['tags', '/v2/team/app/tags/list'],
    ['referrers', `/v2/team/app/referrers/sha256:${'a'.repeat(64)}`],
  ])(
    'of more %s than are looked into is the one that the registry gave, whole',
    async (_, path) => {
      const list = Buffer.from(JSON.stringify({ manifests: [], filler: 'x'.repeat(9 * 2 ** 20) }))
      site.answer = (_request, response) => {
        response.writeHead(200, { 'Content-Length': list.length, 'X-Own': 'yes' }).end(list)
      }

      const response = await fetch(site.front.url + path)

      expect(response.headers.get('x-own')).toBe('yes')
      expect(response.headers.get('content-length')).toBe(`${list.length}`)
      expect(list.equals(Buffer.from(await response.arrayBuffer()))).toBe(true)
    },
  )
})
