import type { ConfigPath } from './config-path.ts'
import { mappingOf, textAt } from './outline.ts'
import { oneOfUpstreams } from './one-of-upstreams.ts'
import type { Finding } from './finding.ts'

/** Whose events a source sends, and that only it can send them. */
export function sourceRules(
  value: unknown,
  path: ConfigPath,
  upstreams: readonly string[],
): readonly Finding[] {
  const source = mappingOf(value)
  const registry = textAt(source, 'registry')
  const known = registry === undefined || registry === 'local' || upstreams.includes(registry)
  return [
    ...(known
      ? []
      : [
          {
            path: [...path, 'registry'],
            message: `expected local or ${oneOfUpstreams(registry, upstreams)}`,
          },
        ]),
    ...secretRules(source['secret'], source['secretFile'], path),
  ]
}

function secretRules(secret: unknown, file: unknown, path: ConfigPath): readonly Finding[] {
  if (secret !== undefined && file !== undefined) {
    return [{ path: [...path, 'secretFile'], message: 'use secret or secretFile, not both' }]
  }
  if (secret !== undefined || file !== undefined) return []
  const message = 'needs a secret or secretFile: without one anybody could post events'
  return [{ path, message }]
}
