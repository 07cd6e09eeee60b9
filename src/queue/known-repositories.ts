import type { Redis } from 'ioredis'
import { parseRepository, type Repository } from '../oci/reference.ts'
import { CHECKED_PREFIX } from './tag-checks.ts'

/** Keys that Redis looks at in one step. */
const STEP = 1_000

/** The repositories of which a tag was looked up upstream lately, each once. */
export async function* knownRepositories(redis: Redis): AsyncIterable<readonly Repository[]> {
  const seen = new Set<Repository>()
  let cursor = '0'
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${CHECKED_PREFIX}*`, 'COUNT', STEP)
    const repositories = keys.flatMap((key) => repositoryIn(key))
    const fresh = [...new Set(repositories)].filter((repository) => !seen.has(repository))
    for (const repository of fresh) seen.add(repository)
    yield fresh
    cursor = next
  } while (cursor !== '0')
}

function repositoryIn(key: string): readonly Repository[] {
  const named = key.slice(CHECKED_PREFIX.length)
  const repository = parseRepository(named.slice(0, named.lastIndexOf(':')))
  return repository.ok ? [repository.value] : []
}
