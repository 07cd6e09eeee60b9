import type { RequestHandler } from 'express'

// Registries stand in networks without a way out; nothing may depend on, or tell, anybody else.
const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"

/** Lets a page load nothing from elsewhere, and be framed by nobody. */
export const onlyFromHere: RequestHandler = (_request, response, next) => {
  response.setHeader('Content-Security-Policy', POLICY)
  response.setHeader('Referrer-Policy', 'same-origin')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  next()
}
