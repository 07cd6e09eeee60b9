import type { ErrorRequestHandler, RequestHandler } from 'express'
import type { ProcessReporter } from '../telemetry/report-process.ts'

/** To be mounted after every route. */
export function notFound(): RequestHandler {
  return (_request, response) => {
    response.status(404).json({ error: 'there is nothing here' })
  }
}

/**
 * The last resort, to be mounted at the very end: what no route expected is reported in full and
 * answered without details. What the HTTP layer itself found wrong with the request (a path that does
 * not decode, for one) is the client's mistake and keeps its status.
 */
export function unexpectedErrors(
  report: Pick<ProcessReporter, 'requestFailed'>,
): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (error: unknown, request, response, _next) => {
    const status = clientMistake(error)
    if (status === undefined) {
      report.requestFailed({ method: request.method, path: request.path, error })
    }
    // Half an answer cannot be taken back; cutting the connection tells the client that it is half.
    if (response.headersSent) response.destroy()
    else if (status === undefined) response.status(500).json({ error: 'something went wrong here' })
    else response.status(status).json({ error: 'the request cannot be understood' })
  }
}

function clientMistake(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('status' in error)) return undefined
  const { status } = error
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}
