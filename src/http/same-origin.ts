import type { Request, RequestHandler } from 'express'

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/**
 * Keeps pages of other origins from changing anything with the credentials, or from the machine, of
 * whoever looks at them. Programs that are not browsers send neither header and pass.
 */
export function sameOriginOnly(): RequestHandler {
  return (request, response, next) => {
    if (SAFE_METHODS.includes(request.method) || isSameOrigin(request)) {
      next()
      return
    }
    response.status(403).json({ error: 'another web site may not change anything here' })
  }
}

// Fetch Metadata is the browser's own word and survives proxies that rewrite the host; `none` is the user's
// own doing. localhost with another port is the same site but another origin.
function isSameOrigin({ headers }: Request): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin, host } = headers
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)
}
