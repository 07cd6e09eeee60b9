import type { ServerResponse } from 'node:http'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import type { ProcessReporter } from '../telemetry/reports/report-process.ts'
import { sendJson } from './send-json.ts'

/** To be mounted after every route. */
export function notFound(): RequestHandler {
  return (_request, response) => {
    response.status(404).json({ error: 'there is nothing here' })
  }
}

export type FailureReport = Pick<ProcessReporter, 'requestFailed'>

/** The last resort, to be mounted at the very end; see `answerUnexpected`. */
export function unexpectedErrors(report: FailureReport): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (error: unknown, request, response, _next) => {
    answerUnexpected(error, { method: request.method, path: request.path, response, report })
  }
}

/** What an error ended before its answer was whole. */
export interface FailedExchange {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly response: ServerResponse
  readonly report: FailureReport
}

/**
 * What no route expected is reported in full and answered without details. What the HTTP layer itself
 * found wrong with the request (a path that does not decode, for one) is the client's mistake and keeps
 * its status.
 */
export function answerUnexpected(error: unknown, exchange: FailedExchange): void {
  const { method, path, response, report } = exchange
  const status = clientMistake(error)
  if (status === undefined) report.requestFailed({ method, path, error })
  // Half an answer cannot be taken back; cutting the connection tells the client that it is half.
  if (response.headersSent) response.destroy()
  else if (status === undefined) sendJson(response, 500, { error: 'something went wrong here' })
  else sendJson(response, status, { error: 'the request cannot be understood' })
}

function clientMistake(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('status' in error)) return undefined
  const { status } = error
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}
