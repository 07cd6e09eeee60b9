import { isLoopback } from './scalars.ts'
import { parsed, type Parsed, unparsable } from '../../oci/parsed.ts'

const USERINFO = 'credentials belong in username/passwordFile, not in the URL'

// The names under which people know Docker Hub lead to web pages.
const DOCKER_HUB_NAMES = new Set(['docker.io', 'index.docker.io'])
const DOCKER_HUB = 'https://registry-1.docker.io'

/** Where a registry answers: scheme, host and port, nothing else. */
export function parseRegistryUrl(text: string): Parsed<URL> {
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) {
    return unparsable('expected an http(s) URL')
  }
  if (url.username !== '' || url.password !== '') return unparsable(USERINFO)
  if (url.pathname !== '/' || text.includes('?') || text.includes('#')) {
    return unparsable('expected only scheme, host and port (a path, query or fragment is not used)')
  }
  return parsed(DOCKER_HUB_NAMES.has(url.host) ? new URL(DOCKER_HUB) : url)
}

/** Where an issuer publishes its signing keys: plain http only from this machine. */
export function parseKeysUrl(text: string): Parsed<URL> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (url === undefined || !isSafe) return unparsable('expected an https URL')
  return url.username === '' && url.password === '' ? parsed(url) : unparsable(USERINFO)
}

/** `redis://host:6379/0`, `rediss://…` for TLS, `unix:///run/redis.sock`. */
export function parseRedisUrl(text: string): Parsed<URL> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^(rediss?|unix):\/\//.test(text)) {
    return unparsable('expected a redis://, rediss:// or unix:// URL')
  }
  if (url.username !== '' || url.password !== '') return unparsable(USERINFO)
  if (text.includes('?') || text.includes('#')) {
    return unparsable('expected no query or fragment in a Redis URL')
  }
  return url.protocol === 'unix:' ? socketUrl(url) : networkUrl(url)
}

function socketUrl(url: URL): Parsed<URL> {
  if (url.host === '' && url.pathname.length > 1) return parsed(url)
  return unparsable('expected an absolute path, as in unix:///run/redis.sock')
}

function networkUrl(url: URL): Parsed<URL> {
  if (url.hostname === '') return unparsable('expected a host, as in redis://127.0.0.1:6379')
  if (/^(\/\d{0,4})?$/.test(url.pathname)) return parsed(url)
  return unparsable(
    'expected nothing but a database number as path, as in redis://127.0.0.1:6379/0',
  )
}
