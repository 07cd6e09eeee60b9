import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { saneId } from '../events/told.ts'
import { MANIFEST_ACCEPT } from '../oci/media-types.ts'
import { isTag } from '../oci/reference.ts'
import type { ManifestHead } from '../replication/ports.ts'
import { withHeader, withoutHeaders } from './forwarded-headers.ts'
import { checkFirst } from './check-first.ts'
import { type HitsDeps, revalidateAfter } from './hits.ts'
import type { Asked, LocalRegistry } from './local-registry.ts'
import { answerMiss, type Miss, type MissAnswer, type MissesDeps } from './misses.ts'
import { keepAnswer, sendAnswer } from './original-answer.ts'
import { mayPush } from './push-claim.ts'
import type { RegistryPath } from './registry-path.ts'
import { relay } from './relay.ts'
import { untilClosed } from '../http/until-closed.ts'

export interface ManifestDeps extends MissesDeps, HitsDeps {
  readonly config: MissesDeps['config']
  readonly local: () => LocalRegistry
}

export interface ManifestExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly asked: Asked
  readonly method: 'GET' | 'HEAD'
}

type ManifestPath = Extract<RegistryPath, { kind: 'manifest' }>

/** GET or HEAD of a manifest: the registry's answer, or a better one where that is 404. */
export async function serveManifest(
  exchange: ManifestExchange,
  path: ManifestPath,
  deps: ManifestDeps,
): Promise<void> {
  const { response, asked } = exchange
  const signal = untilClosed(response)
  const answer = await askOnceWritten(asked, deps.local(), signal)
  if (answer.statusCode !== 404) {
    await serveHit({ exchange, answer, path }, deps, signal)
    return
  }
  const original = await keepAnswer(answer)
  const better =
    (await partOfImage(exchange, path, deps, signal)) ??
    (await betterAnswer(exchange, path, deps, signal))
  if (!(await sendBetter(exchange, better, deps, signal))) sendAnswer(response, original)
}

// distribution 2.8 answers 500 to what is being written at that moment: its file is there, and still empty.
const BEING_WRITTEN_MS = 50

async function askOnceWritten(
  asked: Asked,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const answer = await local.ask(asked, signal)
  if (answer.statusCode !== 500) return answer
  answer.destroy()
  await delay(BEING_WRITTEN_MS, undefined, { signal })
  return await local.ask(asked, signal)
}

/** False when it is not better than what the registry has answered. */
async function sendBetter(
  { response, asked }: ManifestExchange,
  better: MissAnswer,
  deps: ManifestDeps,
  signal: AbortSignal,
): Promise<boolean> {
  if (better.kind === 'here') {
    await relay(await deps.local().ask(asked, signal), response)
  } else if (better.kind === 'upstream') {
    sendManifest(response, better.head)
  } else if (better.kind === 'on-the-way') {
    const { manifest } = better
    sendManifest(response, { ...manifest, size: manifest.bytes.length }, manifest.bytes)
  } else {
    return false
  }
  return true
}

interface Answer {
  readonly exchange: ManifestExchange
  readonly answer: IncomingMessage
  readonly path: ManifestPath
}

/** What is here; with `onHit: check`, what upstream has instead. */
async function serveHit(
  { exchange, answer, path }: Answer,
  deps: ManifestDeps,
  signal: AbortSignal,
): Promise<void> {
  const { request, response, method } = exchange
  const { repository, reference } = path
  const hit = isTag(reference)
    ? ({ action: 'pull', ...told(request), ...meant(request), repository, tag: reference } as const)
    : undefined
  if (answer.statusCode !== 200 || hit === undefined) {
    await relay(answer, response)
    return
  }
  const digest = answer.headers['docker-content-digest']?.toString()
  const { looked, newer } = mayPush(request.headers.authorization, repository)
    ? { looked: false, newer: undefined }
    : await checkFirst({ hit, method, digest }, deps, signal)
  if (newer !== undefined && (await sendBetter(exchange, newer, deps, signal))) {
    answer.destroy()
    return
  }
  await relay(answer, response)
  if (!looked) void revalidateAfter(hit, deps)
}

/** Who asks, and under which id that is followed. */
function told({ headers, headersDistinct }: IncomingMessage) {
  const userAgent = headers['user-agent']
  return {
    id: saneId(headersDistinct['x-request-id']?.[0]) ?? randomUUID(),
    ...(userAgent !== undefined && { userAgent }),
  }
}

/** As the registry would. OCI distribution-spec, "Pulling manifests"; without bytes the answer to a HEAD. */
function sendManifest(
  response: ServerResponse,
  { digest, mediaType, size }: ManifestHead,
  bytes?: Buffer,
): void {
  response.writeHead(200, {
    'Content-Type': mediaType,
    'Docker-Content-Digest': digest,
    'Docker-Distribution-Api-Version': 'registry/2.0',
    Etag: `"${digest}"`,
    ...(size !== undefined && { 'Content-Length': size }),
  })
  response.end(bytes)
}

/** A manifest that an image on its way names: asked for by digest, it needs no job of its own. */
async function partOfImage(
  { method }: ManifestExchange,
  { repository, reference }: ManifestPath,
  { onTheWay }: ManifestDeps,
  signal: AbortSignal,
): Promise<MissAnswer | undefined> {
  if (isTag(reference) || method === 'HEAD') return undefined
  const part = await onTheWay.part(repository, reference)
  if (part?.kind !== 'manifest') return undefined
  void onTheWay.ask(repository, reference)
  const limited = AbortSignal.any([signal, AbortSignal.timeout(CHILD_WITHIN_MS)])
  const manifest = await onTheWay
    .waitForManifest(repository, reference, limited)
    .catch(() => undefined)
  signal.throwIfAborted()
  return manifest && { kind: 'on-the-way', manifest }
}

// Fetched right after the index that names it, if it is wanted at all.
const CHILD_WITHIN_MS = 5_000

async function betterAnswer(
  { request, asked, method }: ManifestExchange,
  { repository, reference }: ManifestPath,
  deps: ManifestDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  if (mayPush(request.headers.authorization, repository)) return { kind: 'missing' }
  // distribution answers 404, too, when it has the manifest but not in a form that the client takes;
  // or somebody else's miss has brought it meanwhile. Either way the registry's next answer is right.
  if (await hasInAnyForm(asked, deps.local(), signal)) return { kind: 'here' }
  const event = { action: 'miss', ...told(request), repository, reference } as const
  const miss: Miss = { event, method, ...meant(request) }
  return await answerMiss(miss, deps, signal)
}

async function hasInAnyForm(
  { path, headers }: Asked,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<boolean> {
  const any = withHeader(withoutHeaders(headers, CONDITIONS), 'Accept', MANIFEST_ACCEPT)
  const answer = await local.ask({ method: 'HEAD', path, headers: any }, signal)
  answer.resume()
  return answer.statusCode !== 404
}

const CONDITIONS = ['if-none-match', 'if-modified-since', 'range', 'if-range']

/** The upstream that the client means, where it says so. */
function meant({ url = '' }: IncomingMessage): { readonly host?: string } {
  const host = new URLSearchParams(url.split('?', 2)[1]).get('ns')
  return host === null || host === '' ? {} : { host }
}
