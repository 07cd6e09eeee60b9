import { z } from 'zod'

const claims = z.object({
  access: z.array(z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) })),
})

/**
 * Whether the client's token lets it push to the repository: then it is probably about to, and what
 * it finds missing it will bring itself. The token is not verified here, and need not be: the
 * registry has let it in, and all that a forged claim gets is the registry's own 404.
 */
export function mayPush(authorization: string | undefined, repository: string): boolean {
  const [, payload] = /^Bearer [^.]+\.([^.]+)\.[^.]*$/i.exec(authorization ?? '') ?? []
  if (payload === undefined) return false
  const read = claims.safeParse(jsonOf(Buffer.from(payload, 'base64url').toString('utf8')))
  if (!read.success) return false
  return read.data.access.some(
    ({ type, name, actions }) =>
      type === 'repository' && name === repository && actions.some((action) => PUSHES.has(action)),
  )
}

const PUSHES = new Set(['push', '*'])

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
