import type { Repository } from '../oci/reference.ts'

export type Access = 'pull' | 'pull,push' | 'pull,push,delete'

/** As in the distribution project's token scope documentation. */
export function scopeOf(repository: Repository, access: Access): string {
  return `repository:${repository}:${access}`
}

/** What a challenge asks for beyond what would be asked for anyway. */
export function missingScopes(
  wanted: readonly string[],
  challenged: readonly string[],
): readonly string[] {
  return challenged.filter((scope) => !wanted.some((own) => covers(own, scope)))
}

function covers(own: string, other: string): boolean {
  const [ownName, ownActions] = split(own)
  const [otherName, otherActions] = split(other)
  return ownName === otherName && otherActions.every((action) => ownActions.includes(action))
}

// A repository's name may hold a colon where it begins with a host and port: actions are what is last.
function split(scope: string): readonly [name: string, actions: readonly string[]] {
  const at = scope.lastIndexOf(':')
  return [scope.slice(0, at), scope.slice(at + 1).split(',')]
}
