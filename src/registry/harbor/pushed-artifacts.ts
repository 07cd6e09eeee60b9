import { z } from 'zod'
import { parseDigest, type Digest } from '../../oci/digest.ts'
import { parseRepository, parseTag, type Repository, type Tag } from '../../oci/reference.ts'
import { type AskHarbor, bodyAs } from './ask-harbor.ts'

export interface PushedArtifact {
  readonly repository: Repository
  readonly digest: Digest
  readonly tags: readonly Tag[]
}

const PAGE = 100
const MAX_PAGES = 50

/**
 * What was pushed to a project since then (milliseconds since 1970, on Harbor's clock), the newest
 * first. Undefined where that cannot be told: it is no Harbor, or one before 2.11, or this account
 * may not list artifacts, or there are more than 5,000.
 */
export async function listPushedSince(
  ask: AskHarbor,
  { project, since }: { readonly project: string; readonly since: number },
  signal: AbortSignal,
): Promise<readonly PushedArtifact[] | undefined> {
  const found: PushedArtifact[] = []
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const query = `page=${page}&page_size=${PAGE}&sort=-push_time&with_tag=true`
    const answer = await ask({
      method: 'GET',
      path: `projects/${encodeURIComponent(project)}/artifacts?${query}`,
      what: `list what was pushed to ${project} of`,
      expect: [200, 401, 403, 404, 405],
      signal,
    })
    if (answer.status !== 200) return undefined
    const listed = bodyAs(artifacts, answer)
    const newer = listed.filter(({ push_time: at }) => Date.parse(at) >= since)
    found.push(...newer.flatMap(artifactOf))
    if (newer.length < listed.length || listed.length < PAGE) return found
  }
  return undefined
}

function artifactOf(listed: z.infer<typeof artifact>): readonly PushedArtifact[] {
  const repository = parseRepository(listed.repository_name)
  const digest = parseDigest(listed.digest)
  if (!repository.ok || !digest.ok) return []
  const tags = (listed.tags ?? []).flatMap(({ name }) => {
    const tag = parseTag(name)
    return tag.ok ? [tag.value] : []
  })
  return [{ repository: repository.value, digest: digest.value, tags }]
}

const artifact = z.object({
  repository_name: z.string(),
  digest: z.string(),
  push_time: z.string(),
  tags: z.array(z.object({ name: z.string() })).nullish(),
})
const artifacts = z.array(artifact)
