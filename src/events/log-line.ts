import { z } from 'zod'
import { parseReference, parseRepository } from '../oci/reference.ts'
import type { MissEvent } from './registry-event.ts'
import { saneId, senderText } from './sender-text.ts'

/** CNCF distribution 2.8 with `log.formatter: json`, on standard error. */
const distributionLine = z.object({
  'err.message': z.literal('manifest unknown'),
  'vars.name': z.string(),
  'vars.reference': z.string(),
  'http.request.id': z.string().optional(),
  'http.request.useragent': z.string().optional(),
  'auth.user.name': z.string().optional(),
})

/** An access log of nginx in JSON, as docs/sources/log.md sets it up. */
const nginxLine = z.object({
  status: z.union([z.literal(404), z.literal('404')]),
  method: z.enum(['GET', 'HEAD']),
  uri: z.string(),
  id: z.string().optional(),
  useragent: z.string().optional(),
})

const MANIFEST_PATH = /^\/v2\/(.+)\/manifests\/([^/?]+)(?:\?|$)/

/**
 * The pull that missed, where a line of a log tells of one; undefined for every other line. What
 * stands before the JSON, as syslog's own head, is not looked at.
 *
 * @param id of the event, where the line has none
 */
export function missInLogLine(line: string, id: string): MissEvent | undefined {
  const fields = jsonIn(line)
  const distribution = distributionLine.safeParse(fields)
  if (distribution.success) {
    const of = distribution.data
    return missOf(of['vars.name'], of['vars.reference'], {
      id: saneId(of['http.request.id']) ?? id,
      userAgent: of['http.request.useragent'],
      actor: of['auth.user.name'],
    })
  }
  const nginx = nginxLine.safeParse(fields)
  if (!nginx.success) return undefined
  const [, name = '', reference = ''] = MANIFEST_PATH.exec(nginx.data.uri) ?? []
  const { id: requestId, useragent: userAgent } = nginx.data
  return missOf(name, reference, { id: saneId(requestId) ?? id, userAgent })
}

interface Who {
  readonly id: string
  readonly userAgent?: string | undefined
  readonly actor?: string | undefined
}

function missOf(name: string, given: string, { id, userAgent, actor }: Who): MissEvent | undefined {
  const repository = parseRepository(name)
  const reference = parseReference(given)
  if (!repository.ok || !reference.ok) return undefined
  return {
    action: 'miss',
    id,
    repository: repository.value,
    reference: reference.value,
    ...(userAgent !== undefined && { userAgent: senderText(userAgent) }),
    ...(actor !== undefined && { actor: senderText(actor) }),
  }
}

function jsonIn(line: string): unknown {
  const at = line.indexOf('{')
  if (at < 0) return undefined
  try {
    return JSON.parse(line.slice(at))
  } catch {
    return undefined
  }
}
