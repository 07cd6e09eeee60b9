import { discard } from './body.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import { followAway } from '../words/links.ts'
import type { Exchange, RegistryResponse } from './exchange.ts'

/** Sends one request without following anything. */
export type Exchanger = (exchange: Exchange) => Promise<RegistryResponse>

const REDIRECTS = new Set([301, 302, 303, 307, 308])
// Registry, front door, object store, its region: more is a loop.
const MAX_REDIRECTS = 5

/**
 * Follows redirects of GET and HEAD by hand, as registries send them to their object stores. Only
 * hops within the first one's origin go through `atHome`, which authenticates; from the first hop
 * elsewhere on nothing does, even if it leads back.
 */
export async function exchangeWithRedirects(
  first: Exchange,
  atHome: Exchanger,
  elsewhere: Exchanger,
): Promise<RegistryResponse> {
  let exchange = first
  let exchanger = atHome
  for (let hops = 0; ; hops += 1) {
    const response = await exchanger(exchange)
    if (!REDIRECTS.has(response.status) || !isRead(exchange)) return response
    discard(response.body)
    const url = nextHop(first, exchange, response)
    if (hops === MAX_REDIRECTS) throw refused(first, `redirected more than ${MAX_REDIRECTS} times`)
    if (url.origin !== first.url.origin) exchanger = elsewhere
    const isElsewhere = exchanger === elsewhere
    exchange = { ...exchange, url, ...(isElsewhere && { headers: forAnybody(exchange) }) }
  }
}

/** What a request shows of who we are is for where it was first addressed. */
function forAnybody({ headers: { authorization: _own, ...others } }: Exchange) {
  return others
}

function nextHop(first: Exchange, { url: asked }: Exchange, response: RegistryResponse): URL {
  const location = response.header('location')
  const url = location === undefined ? undefined : redirectTarget(location, asked)
  if (url === undefined) {
    throw refused(first, `answered ${response.status} without saying where to go`)
  }
  if (url.protocol === 'http:' || url.protocol === 'https:') return url
  const what = `redirected to a "${url.protocol}" address, which no registry may send anybody to`
  throw refused(first, what)
}

// No registry redirects to a path whose first segment has a colon, so what looks like a scheme here is one.
function redirectTarget(location: string, asked: URL): URL | undefined {
  return URL.canParse(location) && !/^https?:/i.test(location)
    ? new URL(location)
    : followAway(location, asked)
}

function isRead({ method }: Exchange): boolean {
  return method === 'GET' || method === 'HEAD'
}

function refused({ operation, method, url }: Exchange, what: string) {
  const asked = `${method} ${url.origin}${url.pathname}`
  return wrongAnswer(operation, `${asked} ${what}.`, { disposition: 'permanent' })
}
