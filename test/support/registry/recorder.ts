import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** An HTTP listener on a free port of 127.0.0.1 that remembers what it was sent. */
export interface Recorder extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  /** In the order of arrival, each once its body was read. */
  received(): readonly RecordedRequest[]
}

/** @param answer 202 without a body unless told; one that never ends the response hangs the sender */
export async function startRecorder(
  answer: (response: ServerResponse) => void = (response) => response.writeHead(202).end(),
): Promise<Recorder> {
  const received: RecordedRequest[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      received.push({ method, path, headers, body: Buffer.concat(chunks).toString('utf8') })
      answer(response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    received: () => received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
