import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { digestOf } from '../../../src/oci/digest.ts'
import { algorithmIn, Store } from './registry-store.ts'

/** A request as it came; `body` only where it was read. */
export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

export interface Turn {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Answers as a good registry would. */
  readonly serve: () => Promise<void>
}

export interface When {
  readonly method?: string
  /** Tested against the path with its query. */
  readonly path?: RegExp
  /** How many matching requests it takes; all of them unless told. */
  readonly times?: number
}

/**
 * A small registry in memory on 127.0.0.1 that is as good as a real one until it is told to
 * misbehave. It passes the contract that real ones pass.
 */
export interface ScriptedRegistry extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly requests: readonly SeenRequest[]
  /** From now on matching requests are answered by `act`; the latest told goes first. */
  script(when: When, act: (turn: Turn) => unknown): void
  /** Puts content in place without a request, under this digest unless that of its bytes; returns it. */
  addBlob(repository: string, bytes: Buffer, digest?: string): string
  addManifest(repository: string, reference: string, bytes: Buffer, mediaType: string): string
  hasBlob(repository: string, digest: string): boolean
  /** Connections that clients have opened so far. */
  connections(): number
  /** Uploads that were begun and neither finished nor cancelled. */
  openUploads(): number
}

export interface ScriptedRegistryOptions {
  /** Asked for by a Basic challenge. */
  readonly basic?: { readonly username: string; readonly password: string }
}

export async function startScriptedRegistry(
  options: ScriptedRegistryOptions = {},
): Promise<ScriptedRegistry> {
  const store = new Store()
  const requests: SeenRequest[] = []
  const scripts: Script[] = []
  const server = createServer((request, response) => {
    const { method = '', url: path = '' } = request
    requests.push({ method, path, headers: request.headers })
    const serve = () => serveRequest(store, options, request, response)
    const script = scripts.findLast((each) => each.left > 0 && matches(each.when, method, path))
    if (script !== undefined) script.left -= 1
    const act = script === undefined ? serve : () => script.act({ request, response, serve })
    // A client that goes away in the middle is no failure of the registry.
    void Promise.resolve(act()).catch(() => response.destroy())
  })
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    port,
    requests,
    script: (when, act) => scripts.push({ when, act, left: when.times ?? Infinity }),
    addBlob: (repository, bytes, digest) => store.addBlob(repository, bytes, digest),
    addManifest: (repository, reference, bytes, mediaType) =>
      store.addManifest(repository, reference, { bytes, mediaType }),
    hasBlob: (repository, digest) => store.blob(repository, digest) !== undefined,
    connections: () => connections,
    openUploads: () => store.uploads.size,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** An error answer in the form of the OCI distribution-spec. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message = code.toLowerCase(),
): void {
  const body = JSON.stringify({ errors: [{ code, message }] })
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

interface Script {
  readonly when: When
  readonly act: (turn: Turn) => unknown
  left: number
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // What listens on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo
  return port
}

function matches({ method, path }: When, askedMethod: string, askedPath: string): boolean {
  return (method === undefined || method === askedMethod) && (path?.test(askedPath) ?? true)
}

interface Call {
  readonly store: Store
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly repository: string
  /** What stands at the end of the path: a reference, a digest, an upload. */
  readonly last: string
  readonly query: URLSearchParams
}

async function serveRequest(
  store: Store,
  { basic }: ScriptedRegistryOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (basic !== undefined && !isBasic(request, basic)) {
    response.setHeader('www-authenticate', 'Basic realm="test"')
    refuse(response, 401, 'UNAUTHORIZED', 'authentication required')
    return
  }
  const { pathname, searchParams } = new URL(`http://127.0.0.1${request.url ?? '/'}`)
  if (pathname === '/v2/') {
    response.end('{}')
    return
  }
  await serveContent(pathname, { store, request, response, query: searchParams })
}

async function serveContent(
  pathname: string,
  call: Omit<Call, 'repository' | 'last'>,
): Promise<void> {
  const [, repository = '', kind = '', last = ''] = ROUTE.exec(pathname) ?? []
  const serve = SERVICES[`${call.request.method ?? ''} ${kind}`]
  if (serve === undefined) refuse(call.response, 404, 'UNSUPPORTED')
  else await serve({ ...call, repository, last })
}

const ROUTE = /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests)\/([^/]*)$/

const SERVICES: Readonly<Record<string, (call: Call) => void | Promise<void>>> = {
  'HEAD manifests': readManifest,
  'GET manifests': readManifest,
  'PUT manifests': writeManifest,
  'HEAD blobs': readBlob,
  'GET blobs': readBlob,
  'POST blobs/uploads': beginUpload,
  'PATCH blobs/uploads': continueUpload,
  'PUT blobs/uploads': finishUpload,
  'DELETE blobs/uploads': cancelUpload,
}

function readManifest({ store, request, response, repository, last }: Call): void {
  const manifest = store.manifest(repository, last)
  if (manifest === undefined) {
    refuse(response, 404, 'MANIFEST_UNKNOWN')
    return
  }
  response.writeHead(200, {
    'content-type': manifest.mediaType,
    'content-length': manifest.bytes.length,
    'docker-content-digest': digestOf(manifest.bytes, algorithmIn(last)),
  })
  response.end(request.method === 'HEAD' ? undefined : manifest.bytes)
}

async function writeManifest({ store, request, response, repository, last }: Call): Promise<void> {
  const bytes = await buffer(request)
  const lacking = store.lacks(repository, bytes)
  if (lacking !== undefined) {
    refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${lacking}`)
    return
  }
  const mediaType = request.headers['content-type'] ?? ''
  const digest = store.addManifest(repository, last, { bytes, mediaType })
  response.writeHead(201, { 'docker-content-digest': digest })
  response.end()
}

function readBlob({ store, request, response, repository, last }: Call): void {
  const bytes = store.blob(repository, last)
  if (bytes === undefined) {
    refuse(response, 404, 'BLOB_UNKNOWN')
    return
  }
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': bytes.length,
    'docker-content-digest': last,
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

function beginUpload({ store, response, repository, query }: Call): void {
  const [mount, from] = [query.get('mount'), query.get('from')]
  const known = mount !== null && from !== null ? store.blob(from, mount) : undefined
  if (known !== undefined) {
    const digest = store.addBlob(repository, known, mount ?? undefined)
    response.writeHead(201, { 'docker-content-digest': digest })
    response.end()
    return
  }
  const upload = randomUUID()
  store.uploads.set(upload, Buffer.alloc(0))
  const location = `/v2/${repository}/blobs/uploads/${upload}?_state=secret`
  response.writeHead(202, { location })
  response.end()
}

async function continueUpload({ store, request, response, last }: Call): Promise<void> {
  const before = store.uploads.get(last)
  if (before === undefined) {
    refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN')
    return
  }
  const bytes = Buffer.concat([before, await buffer(request)])
  store.uploads.set(last, bytes)
  const range = `0-${Math.max(0, bytes.length - 1)}`
  response.writeHead(202, { location: request.url ?? '', range }).end()
}

async function finishUpload(call: Call): Promise<void> {
  const { store, request, response, repository, last, query } = call
  const before = store.uploads.get(last)
  if (before === undefined) {
    refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN')
    return
  }
  const bytes = Buffer.concat([before, await buffer(request)])
  const digest = query.get('digest') ?? ''
  if (digestOf(bytes, algorithmIn(digest)) !== digest) {
    refuse(response, 400, 'DIGEST_INVALID')
    return
  }
  store.uploads.delete(last)
  response.writeHead(201, { 'docker-content-digest': store.addBlob(repository, bytes, digest) })
  response.end()
}

function cancelUpload({ store, response, last }: Call): void {
  if (store.uploads.delete(last)) response.writeHead(204).end()
  else refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN')
}

function isBasic(
  { headers }: IncomingMessage,
  { username, password }: { readonly username: string; readonly password: string },
): boolean {
  const pair = Buffer.from(`${username}:${password}`).toString('base64')
  return headers.authorization === `Basic ${pair}`
}
