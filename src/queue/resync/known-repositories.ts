import type { Redis } from 'ioredis'
import { parseRepository, type Repository } from '../../oci/reference.ts'
import { storedKey } from '../../pool/cluster/cluster-redis.ts'
import { CHECKED_PREFIX } from '../../pool/tag-checks.ts'

/** Keys that Redis looks at in one step. */
const STEP = 1_000

/** The repositories of which a tag was looked up upstream lately, each once. */
export async function* knownRepositories(redis: Redis): AsyncIterable<readonly Repository[]> {
  const seen = new Set<Repository>()
  const prefix = storedKey(redis, CHECKED_PREFIX)
  let cursor = '0'
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', STEP)
    const repositories = keys.flatMap((key) => repositoryIn(key.slice(prefix.length)))
    const fresh = [...new Set(repositories)].filter((repository) => !seen.has(repository))
    for (const repository of fresh) seen.add(repository)
    yield fresh
    cursor = next
  } while (cursor !== '0')
}

function repositoryIn(named: string): readonly Repository[] {
  const repository = parseRepository(named.slice(0, named.lastIndexOf(':')))
  return repository.ok ? [repository.value] : []
}
