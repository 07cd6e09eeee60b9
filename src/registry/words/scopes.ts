import type { Repository } from '../../oci/reference.ts'

export type Access = 'pull' | 'pull,push' | 'pull,push,delete'

/** As in the distribution project's token scope documentation. */
export function scopeOf(repository: Repository, access: Access): string {
  return `repository:${repository}:${access}`
}

/** Those of `asked` that `held` do not allow, together or one by one. */
export function missingScopes(
  held: readonly string[],
  asked: readonly string[],
): readonly string[] {
  const all = held.map(split)
  return asked.filter((scope) => {
    const [name, actions] = split(scope)
    const allowed = all.flatMap(([heldName, own]) => (heldName === name ? own : []))
    return !allowed.includes('*') && !actions.every((action) => allowed.includes(action))
  })
}

// A repository's name may hold a colon where it begins with a host and port: actions are what is last.
function split(scope: string): readonly [name: string, actions: readonly string[]] {
  const at = scope.lastIndexOf(':')
  return [scope.slice(0, at), scope.slice(at + 1).split(',')]
}
