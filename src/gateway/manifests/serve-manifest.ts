import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { MANIFEST_ACCEPT } from '../../oci/media-types.ts'
import { isTag } from '../../oci/reference.ts'
import type { ManifestHead } from '../../replication/ports.ts'
import { withHeader, withoutHeaders } from '../framing/forwarded-headers.ts'
import { accepts } from '../framing/accept.ts'
import { requestIdentity, upstreamHost } from './request-identity.ts'
import { checkFirst } from './check-first.ts'
import { type CacheHitDeps, revalidateAfter } from './cache-hit.ts'
import type { ClientPulls } from '../blobs/client-pulls.ts'
import type { ForwardedRequest } from '../local/forwarded-request.ts'
import type { LocalRegistry } from '../local/local-registry.ts'
import type { Accepts } from './bring.ts'
import type { MissClients } from './miss-clients.ts'
import { answerMiss, type Miss, type MissesDeps } from './misses.ts'
import type { MissAnswer } from './miss-answer.ts'
import { sendMissing } from './send-missing.ts'
import { keepAnswer, sendAnswer } from '../local/original-answer.ts'
import { type Intent, intentOf } from './intent.ts'
import type { RecentUploads } from './recent-uploads.ts'
import type { RegistryPath } from '../registry-path.ts'
import { streamAnswer } from '../local/stream-answer.ts'
import { projectOfLocal } from '../../policy/matching.ts'
import type { Rights } from '../rights/rights.ts'
import { untilClosed } from '../../http/until-closed.ts'

export interface ManifestDeps extends MissesDeps, CacheHitDeps {
  readonly config: MissesDeps['config']
  readonly local: () => LocalRegistry
  readonly uploads: Pick<RecentUploads, 'has'>
  readonly clients: Pick<ClientPulls, 'begun'>
  readonly missClients: MissClients
  /** What is to be answered to a miss of an image that its index comes without; undefined for all others. */
  readonly manifestAlone: (
    request: IncomingMessage,
    miss: Miss,
    signal: AbortSignal,
  ) => Promise<MissAnswer | undefined>
  readonly rights: Rights
}

export interface ManifestExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly forwarded: ForwardedRequest
  readonly method: 'GET' | 'HEAD'
}

type ManifestPath = Extract<RegistryPath, { kind: 'manifest' }>

/** GET or HEAD of a manifest: the registry's answer, or a better one where that is 404. */
export async function serveManifest(
  exchange: ManifestExchange,
  path: ManifestPath,
  deps: ManifestDeps,
): Promise<void> {
  const { response, forwarded } = exchange
  const signal = untilClosed(response)
  const answer = await askOnceWritten(forwarded, deps.local(), signal)
  deps.rights.note(path, answer.statusCode ?? 0, exchange.request.headers)
  if (isHere(answer) || answer.statusCode === 404) deps.report.manifestAsked(isHere(answer))
  if (answer.statusCode !== 404) {
    await serveHit({ exchange, answer, path }, deps, signal)
    return
  }
  const since = performance.now()
  const original = await keepAnswer(answer)
  const better =
    (await partOfImage(exchange, path, deps, signal)) ??
    (await betterAnswer({ ...exchange, since }, path, deps, signal))
  if (better.kind === 'on-the-way') deps.clients.begun(exchange.request, path.repository)
  if (better.kind !== 'missing') await sendBetter(exchange, better, deps, signal)
  else if (better.why === undefined) sendAnswer(response, original)
  else await sendMissing({ exchange, path, original, why: better.why }, deps, signal)
}

// distribution 2.8 answers 500 to what is being written at that moment: its file is there, and still empty.
const BEING_WRITTEN_MS = 50

async function askOnceWritten(
  forwarded: ForwardedRequest,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const answer = await local.ask(forwarded, signal)
  if (answer.statusCode !== 500) return answer
  answer.destroy()
  await delay(BEING_WRITTEN_MS, undefined, { signal })
  return await local.ask(forwarded, signal)
}

/** False when it is not better than what the registry has answered. */
async function sendBetter(
  { response, forwarded }: ManifestExchange,
  better: MissAnswer,
  deps: ManifestDeps,
  signal: AbortSignal,
): Promise<boolean> {
  if (better.kind === 'here') {
    await streamAnswer(await deps.local().ask(forwarded, signal), response)
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
    ? ({
        action: 'pull',
        ...requestIdentity(request),
        ...upstreamHost(request),
        repository,
        tag: reference,
      } as const)
    : undefined
  if (!isHere(answer) || hit === undefined) {
    await streamAnswer(answer, response)
    return
  }
  const digest = () => digestHere(answer, exchange.forwarded, deps.local(), signal)
  const { looked, newer } =
    intent(request, path, deps) === 'push'
      ? { looked: false, newer: undefined }
      : await checkFirst({ hit, method, digest, accepts: acceptsOf(request) }, deps, signal)
  if (newer !== undefined && (await sendBetter(exchange, newer, deps, signal))) {
    answer.destroy()
    return
  }
  await streamAnswer(answer, response)
  if (!looked) void revalidateAfter(hit, deps)
}

/** A 304 says that it is, and that the client has it. */
function isHere({ statusCode }: IncomingMessage): boolean {
  return statusCode === 200 || statusCode === 304
}

async function digestHere(
  { headers, statusCode }: IncomingMessage,
  forwarded: ForwardedRequest,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<string | undefined> {
  const told = headers['docker-content-digest']?.toString()
  // distribution's 304 does not tell which.
  if (told !== undefined || statusCode !== 304) return told
  const unconditional = withoutHeaders(forwarded.headers, CONDITIONS)
  const head = await local.ask({ ...forwarded, method: 'HEAD', headers: unconditional }, signal)
  head.resume()
  return head.statusCode === 200 ? head.headers['docker-content-digest']?.toString() : undefined
}

function acceptsOf(request: IncomingMessage): Accepts {
  return (mediaType) => accepts(request, mediaType)
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
  { request, method }: ManifestExchange,
  { repository, reference }: ManifestPath,
  { inFlight, rights, config }: ManifestDeps,
  signal: AbortSignal,
): Promise<MissAnswer | undefined> {
  if (isTag(reference) || method === 'HEAD') return undefined
  if (projectOfLocal(repository, config().projects)?.onMiss !== 'stream') return undefined
  const part = await inFlight.part(repository, reference)
  if (part?.kind !== 'manifest' || !(await rights.givesAhead(repository))) return undefined
  void inFlight.ask(repository, reference)
  const limited = AbortSignal.any([signal, AbortSignal.timeout(CHILD_WITHIN_MS)])
  const manifest = await inFlight
    .waitForManifest(repository, reference, limited)
    .catch(() => undefined)
  signal.throwIfAborted()
  const taken = manifest !== undefined && accepts(request, manifest.mediaType)
  return taken ? { kind: 'on-the-way', manifest } : undefined
}

// Fetched right after the index that names it.
const CHILD_WITHIN_MS = 5_000

async function betterAnswer(
  { request, forwarded, method, since }: ManifestExchange & Pick<Miss, 'since'>,
  { repository, reference }: ManifestPath,
  deps: ManifestDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  const event = { action: 'miss', ...requestIdentity(request), repository, reference } as const
  const wanted = intent(request, { kind: 'manifest', repository, reference }, deps)
  if (wanted === 'push') {
    deps.report.missIgnored(event, 'push')
    return { kind: 'missing' }
  }
  // distribution answers 404, too, when it has the manifest but not in a form that the client takes;
  // or somebody else's miss has brought it meanwhile. Either way the registry's next answer is right.
  if (await hasInAnyForm(forwarded, deps.local(), signal)) return { kind: 'here' }
  const mustBeHere = wanted === 'unclear' && !isTag(reference)
  const client = await deps.missClients.nameOf(request, { repository, forwarded }, signal)
  const miss: Miss = {
    ...{ event, method, mustBeHere, since, client, accepts: acceptsOf(request) },
    ...upstreamHost(request),
  }
  return (await deps.manifestAlone(request, miss, signal)) ?? (await answerMiss(miss, deps, signal))
}

function intent(
  request: IncomingMessage,
  { repository, reference }: ManifestPath,
  deps: ManifestDeps,
): Intent {
  const told = intentOf(request)
  if (told === 'pull' || (told === 'push' && !isTag(reference))) return told
  // Some clients ask for one type before a pull, too. A tag is the last that a push asks for, after its uploads,
  // and another digest under it is no reason to leave the push out.
  return deps.uploads.has(request, repository) ? 'push' : 'unclear'
}

async function hasInAnyForm(
  { path, headers }: ForwardedRequest,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<boolean> {
  const any = withHeader(withoutHeaders(headers, CONDITIONS), 'Accept', MANIFEST_ACCEPT)
  const answer = await local.ask({ method: 'HEAD', path, headers: any }, signal)
  answer.resume()
  return answer.statusCode !== 404
}

const CONDITIONS = ['if-none-match', 'if-modified-since', 'range', 'if-range']
