import type { ServerResponse } from 'node:http'

export const UNREACHABLE = {
  code: 'UNAVAILABLE',
  message: 'the registry behind this gateway cannot be reached at the moment',
}

/** An answer that is the gateway's own, in the form of the OCI distribution-spec, "Error Codes". */
export function sendError(
  response: ServerResponse,
  status: number,
  error: { readonly code: string; readonly message: string; readonly detail?: object },
): void {
  if (response.headersSent) {
    // Half an answer cannot be taken back; cutting the connection tells the client that it is half.
    response.destroy()
    return
  }
  // Else it has the reason of an answer that could not be passed on, and that may be why.
  response.statusMessage = ''
  const body = JSON.stringify({ errors: [error] })
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Docker-Distribution-Api-Version': 'registry/2.0',
    ...(status === 502 && { 'Retry-After': '1' }),
  })
  response.end(body)
}
