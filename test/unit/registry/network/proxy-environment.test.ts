import { describe, expect, it } from 'vitest'
import { proxyFromEnvironment } from '../../../../src/registry/network/proxy-environment.ts'

const PROXY = 'http://proxy.example:3128'

function proxyOf(url: string, env: Record<string, string>): string | undefined {
  return proxyFromEnvironment(env)(new URL(url))?.href
}

describe('the proxy of the environment', () => {
  it.each([
    ['HTTPS_PROXY for https', 'https://r.example', { HTTPS_PROXY: PROXY }, `${PROXY}/`],
    ['https_proxy, too', 'https://r.example', { https_proxy: PROXY }, `${PROXY}/`],
    ['HTTP_PROXY for http', 'http://r.example', { HTTP_PROXY: PROXY }, `${PROXY}/`],
    ['http_proxy, too', 'http://r.example', { http_proxy: PROXY }, `${PROXY}/`],
    ['not HTTP_PROXY for https', 'https://r.example', { HTTP_PROXY: PROXY }, undefined],
    ['not HTTPS_PROXY for http', 'http://r.example', { HTTPS_PROXY: PROXY }, undefined],
    ['lower case first', 'http://r.example', { http_proxy: PROXY, HTTP_PROXY: 'x' }, `${PROXY}/`],
    [
      'none for an empty lower case',
      'http://r.example',
      { http_proxy: '', HTTP_PROXY: 'x' },
      undefined,
    ],
    ['http where no scheme is named', 'http://r.example', { HTTP_PROXY: 'p:1' }, 'http://p:1/'],
    ['a proxy behind TLS', 'http://r.example', { HTTP_PROXY: 'https://p' }, 'https://p/'],
    ['a login', 'http://r.example', { HTTP_PROXY: 'http://u:p%40@p:1' }, 'http://u:p%40@p:1/'],
  ])('is %s', (_, url, env, proxy) => {
    expect(proxyOf(url, env)).toBe(proxy)
  })

  it.each(['http://localhost:5000', 'http://a.localhost', 'http://127.0.0.2', 'http://[::1]:5000'])(
    'is none for %s, which would be the proxy’s own',
    (url) => {
      expect(proxyOf(url, { HTTP_PROXY: PROXY })).toBeUndefined()
    },
  )

  it.each([
    ['*', 'https://r.example'],
    ['r.example', 'https://r.example'],
    ['R.Example', 'https://r.example.'],
    ['example', 'https://r.example'],
    ['.example', 'https://r.example'],
    ['*.example', 'https://r.example'],
    ['a, b ,r.example', 'https://r.example:5000'],
    ['a b r.example', 'https://r.example'],
    ['r.example:443', 'https://r.example'],
    ['r.example:5000', 'https://r.example:5000'],
    ['10.1.2.3', 'https://10.1.2.3'],
    ['10.0.0.0/8', 'https://10.1.2.3:5000'],
    ['10.0.0.0/8:5000', 'https://10.1.2.3:5000'],
    ['fd00::1', 'https://[fd00::1]'],
    ['[fd00::1]:5000', 'https://[fd00::1]:5000'],
    ['fd00::/8', 'https://[fd12::1]'],
  ])('is none where NO_PROXY is "%s" for %s', (exempt, url) => {
    expect(proxyOf(url, { HTTPS_PROXY: PROXY, NO_PROXY: exempt })).toBeUndefined()
    expect(proxyOf(url, { HTTPS_PROXY: PROXY, no_proxy: exempt })).toBeUndefined()
  })

  it.each([
    ['.r.example', 'https://r.example'],
    ['*.r.example', 'https://r.example'],
    ['r.example', 'https://other-r.example'],
    ['r.example', 'https://r.example.org'],
    ['r.example:5000', 'https://r.example'],
    ['10.0.0.0/8', 'https://11.1.2.3'],
    ['10.0.0.0/33', 'https://10.0.0.0'],
    ['10.0.0.0/8', 'https://10.example'],
    ['fd00::1', 'https://[fd00::2]'],
    ['', 'https://r.example'],
  ])('is used although NO_PROXY is "%s" for %s', (exempt, url) => {
    expect(proxyOf(url, { HTTPS_PROXY: PROXY, NO_PROXY: exempt })).toBe(`${PROXY}/`)
  })

  it.each(['socks5://u:hunter2@p:1080', 'http://', 'http://u:hunter2@:x'])(
    'that is no address is refused without being told: %s',
    (text) => {
      const failure = (() => {
        try {
          return proxyOf('https://r.example', { HTTPS_PROXY: text })
        } catch (error) {
          return error
        }
      })()

      expect(failure).toMatchObject({ code: 'BAD_PROXY' })
      expect(String(failure)).toMatch(/HTTPS_PROXY is no http/)
      expect(String(failure)).not.toContain('hunter2')
    },
  )
})
