import { z } from 'zod'
import { isDigest, parseDigest } from '../oci/digest.ts'
import { type Parsed, parsed, unparsable } from '../oci/parsed.ts'
import { parseReference, parseRepository } from '../oci/reference.ts'
import { type ReplicationRequest, TRIGGERS } from '../replication/request.ts'

const repository = z.string().transform((text, context) => {
  const result = parseRepository(text)
  if (result.ok) return result.value
  context.addIssue(result.reason)
  return z.NEVER
})

const reference = z.string().transform((text, context) => {
  const result = parseReference(text)
  if (result.ok) return result.value
  context.addIssue(result.reason)
  return z.NEVER
})

export const digest = z.string().transform((text, context) => {
  const result = parseDigest(text)
  if (result.ok) return result.value
  context.addIssue(result.reason)
  return z.NEVER
})

/** What goes without saying: thousands of jobs may wait in Redis' memory. */
const USUAL = { onlyIfPresent: false, platforms: 'all', referrers: true } as const

/** A request as Redis keeps it. */
export function payloadOf(request: ReplicationRequest): object {
  const { upstreamRepository, onlyIfPresent, platforms, referrers, ...rest } = request
  return {
    ...rest,
    ...(upstreamRepository !== rest.repository && { upstreamRepository }),
    ...(onlyIfPresent !== USUAL.onlyIfPresent && { onlyIfPresent }),
    ...(platforms !== USUAL.platforms && { platforms }),
    ...(referrers !== USUAL.referrers && { referrers }),
  }
}

const payload = z.object({
  repository,
  upstreamRepository: repository.optional(),
  reference,
  upstreams: z.tuple([z.string()], z.string()),
  trigger: z.enum(TRIGGERS),
  announcedDigest: digest.optional(),
  replaces: digest.optional(),
  onlyIfPresent: z.boolean().default(USUAL.onlyIfPresent),
  platforms: z.union([z.literal('all'), z.array(z.string())]).default(USUAL.platforms),
  referrers: z.boolean().default(USUAL.referrers),
  followed: z.boolean().optional(),
  source: z.string().optional(),
  client: z.string().optional(),
  unpaid: z.boolean().optional(),
  eventId: z.string(),
  trace: z.record(z.string(), z.string()).optional(),
})

/** What another process, perhaps of another version, put into Redis. */
export function parsePayload(data: unknown): Parsed<ReplicationRequest> {
  const result = payload.safeParse(data)
  if (!result.success) {
    return unparsable(`the job's payload is not a request: ${z.prettifyError(result.error)}`)
  }
  const { announcedDigest, replaces, followed, source, client, unpaid, trace, ...rest } =
    result.data
  return parsed({
    ...rest,
    upstreamRepository: rest.upstreamRepository ?? rest.repository,
    ...(announcedDigest && { announcedDigest }),
    ...(replaces && { replaces }),
    ...(followed !== undefined && { followed }),
    ...(source !== undefined && { source }),
    ...(client !== undefined && { client }),
    ...(unpaid !== undefined && { unpaid }),
    ...(trace !== undefined && { trace }),
  })
}

/** One job at a time for one of these; a tag and a digest of the same image are two. */
export function deduplicationId(request: ReplicationRequest): string {
  const separator = isDigest(request.reference) ? '@' : ':'
  const name = `${request.repository}${separator}${request.reference}`
  // A push that comes while a deletion waits is not the same news.
  return request.trigger === 'delete' ? `delete ${name}` : name
}
