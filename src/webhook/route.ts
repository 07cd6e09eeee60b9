import type { IncomingMessage, ServerResponse } from 'node:http'
import { Router } from 'express'
import {
  answerDelivery,
  headOf,
  hidePathSecret,
  send,
  type WebhookDeps,
} from './answer-delivery.ts'
import { BodiesInFlight } from './bodies-in-flight.ts'
import { NOT_ASKED, permission } from './permission.ts'
import { SigningKeys } from './signing-keys.ts'

// Many times what genuine senders have under way at once, and less memory than a copy takes.
const BODY_LIMITS = { count: 512, bytes: 16 * 1024 * 1024 }

export interface Webhook {
  /** `POST /v1/events/:source`, and `/v1/events/:source/:secret` for formats that need it. */
  readonly router: Router
  /**
   * Takes a delivery whose path needs no decoding, as nearly all are, before Express sees it: that is a sixth
   * of what a delivery costs. Undefined for every other request; rejects as a handler of Express would.
   */
  readonly deliver: (
    request: IncomingMessage,
    response: ServerResponse,
  ) => Promise<void> | undefined
}

const PLAIN_PATH = /^\/v1\/events\/([\w.~-]+)(?:\/([\w.~-]+))?$/

export function openWebhook(webhook: WebhookDeps): Webhook {
  const deps = { ...webhook, keys: new SigningKeys(), bodies: new BodiesInFlight(BODY_LIMITS) }
  const router = Router({ caseSensitive: true })
  router
    .route('/v1/events/:source{/:secret}')
    .post((request, response) => answerDelivery(request, response, { ...request.params, deps }))
    .options((request, response) => {
      const { source, secret } = request.params
      if (secret !== undefined) hidePathSecret(request, source)
      send(response, permission(headOf(request, secret), deps.config().sources.get(source)))
    })
    .all((_request, response) => {
      send(response, NOT_ASKED)
    })
  return {
    router,
    deliver: (request, response) => {
      if (request.method !== 'POST') return undefined
      const [, source, secret] = PLAIN_PATH.exec(request.url ?? '') ?? []
      if (source === undefined) return undefined
      return answerDelivery(request, response, { source, secret, deps })
    },
  }
}
