import type { RequestHandler } from 'express'
import { isIPv4 } from 'node:net'

/** Whether only programs on this machine can reach a listener on this host. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  return bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'))
}

/**
 * For listeners on loopback, which trust whoever reaches them: a web page anywhere can have a name of its
 * own resolve to 127.0.0.1 and so make a browser on this machine reach them (DNS rebinding), but the
 * browser then says that name as the host.
 */
export function loopbackHostOnly(): RequestHandler {
  return (request, response, next) => {
    if (isLoopback(hostNameOf(request.headers.host ?? ''))) {
      next()
      return
    }
    response.status(403).json({
      error:
        'this listener answers to localhost and loopback addresses only; a proxy in front of it must send such a Host header',
    })
  }
}

// RFC 9110 §7.2: host, or [IPv6 address], then an optional port.
function hostNameOf(header: string): string {
  return /^(\[[^\]]*\]|[^:]*)(?::\d+)?$/.exec(header)?.[1] ?? ''
}
