import { z } from 'zod'
import { parseDigest } from '../oci/digest.ts'
import { type Parsed, parsed, unparsable } from '../oci/parsed.ts'
import { parseReference, parseRepository } from '../oci/reference.ts'
import { type ReplicationRequest, TRIGGERS } from '../replication/request.ts'
import { lengthened, type QueuedJob } from './stored-request.ts'

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

/** With long names, as jobs were kept that an earlier version may have left waiting. */
const payload = z.object({
  repository,
  upstreamRepository: repository.optional(),
  reference,
  upstreams: z.tuple([z.string()], z.string()),
  trigger: z.enum(TRIGGERS),
  announcedDigest: digest.optional(),
  replaces: digest.optional(),
  onlyIfPresent: z.boolean().default(false),
  platforms: z.union([z.literal('all'), z.array(z.string())]).default('all'),
  referrers: z.boolean().default(true),
  followed: z.boolean().optional(),
  source: z.string().optional(),
  client: z.string().optional(),
  unpaid: z.boolean().optional(),
  eventId: z.string(),
  trace: z.record(z.string(), z.string()).optional(),
})

/** What another process, perhaps of another version, put into the queue of that upstream. */
export function parsePayload(job: QueuedJob, upstream: string): Parsed<ReplicationRequest> {
  const result = payload.safeParse(lengthened(job, upstream))
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
