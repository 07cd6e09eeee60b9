import type { RequestListener } from 'node:http'
import { answerUnexpected, type FailureReport } from '../http/error-handlers.ts'
import { cutUnlessWhole } from '../http/limits/body-within.ts'
import type { Webhook } from './route.ts'

export const DELIVERY_WITHIN_MS = 30_000

/** Plain deliveries are answered at once, and everything else by the application. */
export function deliveriesFirst(
  app: RequestListener,
  { webhook, report }: { readonly webhook: Webhook; readonly report: FailureReport },
): RequestListener {
  return (request, response) => {
    // The webhook hides a secret that stands in the path, and that after it has begun.
    const { method = '' } = request
    const answering = webhook.deliver(request, response)
    if (answering === undefined) {
      app(request, response)
      return
    }
    cutUnlessWhole(request, DELIVERY_WITHIN_MS)
    answering.catch((error: unknown) => {
      answerUnexpected(error, { method, path: request.url ?? '', response, report })
    })
  }
}
