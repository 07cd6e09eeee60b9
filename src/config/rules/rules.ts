import type { ConfigDocument } from '../reading/config-document.ts'
import type { ConfigProblem } from '../config-error.ts'
import type { Finding } from './finding.ts'
import { type Mapping, mappingAt, mappingOf } from './outline.ts'
import { listenRules } from './listen-rules.ts'
import { pauseRules } from './pause-rules.ts'
import { problemWithValue } from '../reading/problem-with-value.ts'
import { projectRules } from './project-rules.ts'
import { redisRules } from './redis-rules.ts'
import { adminRules, registryRules } from './registry-rules.ts'
import { parseId } from '../schema/scalars.ts'
import { sourceRules } from './source-rules.ts'

/**
 * What one key alone cannot tell. Reads the value as it came, whatever the schema says of it, so
 * that one wrong key hides no other problem; what the schema refuses, the rules pass over.
 */
export function ruleProblems(document: ConfigDocument): readonly ConfigProblem[] {
  const root = mappingOf(document.value)
  return findings(root).map(({ path, message }) => problemWithValue(document, path, message))
}

function findings(root: Mapping): readonly Finding[] {
  const upstreams = mappingAt(root, 'upstreams')
  const sources = mappingAt(root, 'sources')
  return [
    ...redisRules(root['redis']),
    ...adminRules(root['admin']),
    ...listenRules(root),
    ...pauseRules(root),
    ...registryRules(root['local'], ['local']),
    ...Object.entries(upstreams).flatMap(([id, each]) => registryRules(each, ['upstreams', id])),
    ...ids(upstreams, 'upstreams'),
    ...noUpstream(root),
    ...projectRules(root['projects'], Object.keys(upstreams)),
    ...ids(sources, 'sources'),
    ...Object.entries(sources).flatMap(([id, each]) =>
      sourceRules(each, ['sources', id], Object.keys(upstreams)),
    ),
  ]
}

function ids(entries: Mapping, section: string): readonly Finding[] {
  return Object.keys(entries).flatMap((id) => {
    const path = [section, id]
    const result = parseId(id)
    if (!result.ok) return [{ path, message: result.reason }]
    const reserved = section === 'upstreams' && id === 'local'
    return reserved ? [{ path, message: 'the id "local" means the local registry' }] : []
  })
}

function noUpstream(root: Mapping): readonly Finding[] {
  const empty =
    root['upstreams'] !== undefined && Object.keys(mappingAt(root, 'upstreams')).length === 0
  return empty ? [{ path: ['upstreams'], message: 'at least one upstream is needed' }] : []
}
