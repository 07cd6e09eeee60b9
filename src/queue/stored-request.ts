import { z } from 'zod'
import { formatImageName } from '../oci/reference.ts'
import type { ReplicationRequest } from '../replication/request.ts'

/**
 * A request as Redis keeps it, where tens of thousands may wait: short names, nothing that goes without saying, and
 * nothing that the job says already: its name is the trigger, its queue the upstream, its deduplication id the image.
 */
const storedRequest = z.object({
  /** The repository's name upstream, where that differs. */
  r: z.string().optional(),
  /** The upstreams, where there are others than the queue's. */
  u: z.array(z.string()).optional(),
  /** The digest that was announced; packed. */
  d: z.string().optional(),
  /** What the tag was, and is to be replaced; packed. */
  w: z.string().optional(),
  /** Only if it is held here. Read in Redis, too: see offer/make-way.ts. */
  h: z.literal(1).optional(),
  /** The platforms, where not all are wanted. */
  p: z.array(z.string()).optional(),
  /** No referrers. */
  n: z.literal(1).optional(),
  /** Followed by clients. */
  f: z.boolean().optional(),
  /** The source. */
  s: z.string().optional(),
  /** The source's client. */
  c: z.string().optional(),
  /** Unpaid. */
  l: z.boolean().optional(),
  /** The event's id, where it is no UUID. */
  e: z.string().optional(),
  /** The event's id, a UUID; packed. */
  g: z.string().optional(),
  /** The trace. */
  t: z.record(z.string(), z.string()).optional(),
})

export type StoredRequest = z.infer<typeof storedRequest>

/** What is undefined in it does not reach Redis. */
export function shortened(request: ReplicationRequest, upstream: string): StoredRequest {
  const { announcedDigest, replaces, followed, source, client, unpaid, trace } = request
  return {
    ...unusual(request, upstream),
    ...{
      d: announcedDigest && packedDigest(announcedDigest),
      w: replaces && packedDigest(replaces),
    },
    ...{ f: followed, s: source, c: client, l: unpaid },
    ...(UUID.test(request.eventId) ? { g: packedUuid(request.eventId) } : { e: request.eventId }),
    ...{ t: trace && { ...trace } },
  }
}

function unusual(request: ReplicationRequest, upstream: string): StoredRequest {
  const { repository, upstreamRepository, upstreams, onlyIfPresent, platforms } = request
  const isOfQueue = upstreams.length === 1 && upstreams[0] === upstream
  return {
    ...(upstreamRepository !== repository && { r: upstreamRepository }),
    ...(!isOfQueue && { u: [...upstreams] }),
    ...(onlyIfPresent && { h: 1 }),
    ...(platforms !== 'all' && { p: [...platforms] }),
    ...(!request.referrers && { n: 1 }),
  }
}

/** What of a job says what is asked for. */
export interface QueuedJob {
  readonly name: string
  readonly data: unknown
  readonly deduplicationId?: string | undefined
}

/** What a job asks for, with long names, none of it proven yet; earlier versions kept it like that. */
export function lengthened(job: QueuedJob, upstream: string): unknown {
  const said = hasLongNames(job.data) ? undefined : lengthenedData(job.data)
  if (said === undefined) return job.data
  const [, repository, reference] = IMAGE.exec(job.deduplicationId ?? '') ?? []
  const { upstreams = [upstream], ...rest } = said
  return { repository, reference, upstreams, trigger: job.name, ...rest }
}

export function hasLongNames(data: unknown): data is object {
  return typeof data === 'object' && data !== null && 'repository' in data
}

/** The part of it that is the job's data. */
export function lengthenedData(data: unknown) {
  const stored = storedRequest.safeParse(data)
  if (!stored.success) return undefined
  const { r, u, d, w, h, p, n, f, s, c, l, e, g, t } = stored.data
  return {
    ...{ upstreamRepository: r, ...(u && { upstreams: u }) },
    ...{ announcedDigest: d && unpackedDigest(d), replaces: w && unpackedDigest(w) },
    ...{ onlyIfPresent: h === 1, platforms: p ?? 'all', referrers: n !== 1 },
    ...{ followed: f, source: s, client: c, unpaid: l },
    ...{ eventId: g === undefined ? e : unpackedUuid(g), trace: t },
  }
}

/** One job at a time for one of these; a tag and a digest of the same image are two. */
export function deduplicationId({
  repository,
  reference,
  trigger,
}: Pick<ReplicationRequest, 'repository' | 'reference' | 'trigger'>): string {
  const name = formatImageName(repository, reference)
  // A push that comes while a deletion waits is not the same news.
  return trigger === 'delete' ? DELETE + name : name
}

const DELETE = 'delete '
const IMAGE = /^(?:delete )?([^:@]*)[:@](.*)$/s
const SHA256 = 'sha256:'
/** Of 32 bytes in base64; a digest of another kind has a colon. */
const PACKED_SHA256 = /^[\w-]{43}$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function packedDigest(digest: string): string {
  if (!digest.startsWith(SHA256)) return digest
  return Buffer.from(digest.slice(SHA256.length), 'hex').toString('base64url')
}

function unpackedDigest(text: string): string {
  if (!PACKED_SHA256.test(text)) return text
  return SHA256 + Buffer.from(text, 'base64url').toString('hex')
}

function packedUuid(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
}

function unpackedUuid(text: string): string {
  const hex = Buffer.from(text, 'base64url').toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
