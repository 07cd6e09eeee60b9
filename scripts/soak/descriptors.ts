import { readdir } from 'node:fs/promises'
import type { Role, Site } from './site.ts'

/** More than that beyond what a process began with is a leak and no pool. */
const ALLOWED = 96

/** How many descriptors each process has open; nothing where the system does not tell. */
export async function descriptors(site: Site): Promise<ReadonlyMap<Role, number>> {
  const roles = [...site.serving, ...site.workers]
  const counts = await Promise.all(
    roles.map(async (role) => {
      const open = await readdir(`/proc/${role.current.child.pid}/fd`).catch(() => [])
      return [role, open.length] as const
    }),
  )
  return new Map(counts)
}

export function leaks(
  before: ReadonlyMap<Role, number>,
  after: ReadonlyMap<Role, number>,
): readonly string[] {
  return [...after].flatMap(([role, open]) => {
    const more = open - (before.get(role) ?? 0)
    return more > ALLOWED ? [`${role.name} has ${more} descriptors more than at its start`] : []
  })
}
