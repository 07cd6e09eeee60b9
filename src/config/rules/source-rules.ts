import { FORMATS } from '../../events/formats.ts'
import type { ConfigPath } from '../reading/config-path.ts'
import { type Mapping, mappingOf, textAt } from './outline.ts'
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
    ...(TOKEN_FORMATS.includes(textAt(source, 'format') ?? '')
      ? tokenRules(source, path)
      : [
          ...noTokenRules(source, path),
          ...secretRules(source['secret'], source['secretFile'], path),
        ]),
  ]
}

const TOKEN_FORMATS: readonly string[] = Object.entries(FORMATS)
  .filter(([, format]) => 'verify' in format)
  .map(([name]) => name)
const TOKEN_KEYS = ['audience', 'email', 'keysUrl']

function tokenRules(source: Mapping, path: ConfigPath): readonly Finding[] {
  const format = textAt(source, 'format') ?? ''
  const missing = ['audience', 'email'].filter((key) => source[key] === undefined)
  const secrets = ['secret', 'secretFile'].filter((key) => source[key] !== undefined)
  return [
    ...(missing.length === 0
      ? []
      : [{ path, message: `format ${format} needs ${missing.join(' and ')}: ${WHOSE_TOKEN}` }]),
    ...secrets.map((key) => ({
      path: [...path, key],
      message: `format ${format} proves itself with a signed token and has no secret`,
    })),
  ]
}

const WHOSE_TOKEN = 'for whom the token of a delivery is, and of which account'

function noTokenRules(source: Mapping, path: ConfigPath): readonly Finding[] {
  return TOKEN_KEYS.filter((key) => source[key] !== undefined).map((key) => ({
    path: [...path, key],
    message: `only sources of format ${TOKEN_FORMATS.join(', ')} have this key`,
  }))
}

function secretRules(secret: unknown, file: unknown, path: ConfigPath): readonly Finding[] {
  if (secret !== undefined && file !== undefined) {
    return [{ path: [...path, 'secretFile'], message: 'use secret or secretFile, not both' }]
  }
  if (secret !== undefined || file !== undefined) return []
  const message = 'needs a secret or secretFile: without one anybody could post events'
  return [{ path, message }]
}
