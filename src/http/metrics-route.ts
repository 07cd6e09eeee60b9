import { Router } from 'express'

/** Anything that can be scraped; telemetry's metrics are. */
export interface Scrapable {
  readonly contentType: string
  render(): Promise<string>
}

/** `/metrics`, in the Prometheus text format. */
export function metricsRoute(metrics: Scrapable): Router {
  const router = Router()
  router.get('/metrics', async (_request, response) => {
    const text = await metrics.render()
    response.set('Content-Type', metrics.contentType).end(text)
  })
  return router
}
