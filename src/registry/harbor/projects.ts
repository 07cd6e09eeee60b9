import { z } from 'zod'
import { RegistryError } from '../errors/registry-error.ts'
import type { AskHarbor, HarborAnswer } from './ask-harbor.ts'

/** A project as Harbor's API shows it. */
export interface HarborProject {
  readonly id: number
  readonly name: string
  readonly isPublic: boolean
  /** It is a proxy cache, which takes no pushes. */
  readonly isProxyCache: boolean
  /** How many it holds. */
  readonly repositories: number
  /** Its rules that refuse content once it is there, in words. */
  readonly policies: readonly string[]
}

export interface Storage {
  readonly usedBytes: number
  /** Undefined: without limit. */
  readonly limitBytes: number | undefined
}

/** Whether it is Harbor that answers there; false also where nothing does. */
export async function isHarbor(ask: AskHarbor, signal: AbortSignal): Promise<boolean> {
  const what = 'look for the API of Harbor in'
  try {
    const answer = await ask({ method: 'GET', path: 'systeminfo', what, expect: [200], signal })
    return systemInfo.safeParse(answer.body).success
  } catch (error) {
    if (error instanceof RegistryError) return false
    throw error
  }
}

/** Undefined where this account may not know. */
export async function projectExists(
  ask: AskHarbor,
  name: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { status } = await ask({
    method: 'HEAD',
    path: `projects?project_name=${encodeURIComponent(name)}`,
    what: `look for the project ${name} in`,
    expect: [200, 401, 403, 404],
    signal,
  })
  return status === 200 ? true : status === 404 ? false : undefined
}

/** Undefined where there is none, or this account may not see it. */
export async function readProject(
  ask: AskHarbor,
  name: string,
  signal: AbortSignal,
): Promise<HarborProject | undefined> {
  const shown = project.safeParse(await readOf(ask, name, '', signal))
  if (!shown.success) return undefined
  const { project_id: id, registry_id: registry, metadata } = shown.data
  return {
    ...{ id, name: shown.data.name },
    isPublic: metadata?.['public'] === 'true',
    isProxyCache: (registry ?? 0) > 0,
    repositories: shown.data.repo_count ?? 0,
    policies: POLICIES.flatMap(([key, words]) => (metadata?.[key] === 'true' ? [words] : [])),
  }
}

/** How much room a project has; undefined where this account may not know. */
export async function readStorage(
  ask: AskHarbor,
  name: string,
  signal: AbortSignal,
): Promise<Storage | undefined> {
  const shown = summary.safeParse(await readOf(ask, name, '/summary', signal))
  if (!shown.success) return undefined
  const { hard, used } = shown.data.quota
  return {
    usedBytes: used.storage,
    limitBytes: hard.storage < 0 ? undefined : hard.storage,
  }
}

/** The patterns of the tags that are never written again; empty also where this account may not know. */
export async function readImmutableTags(
  ask: AskHarbor,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const shown = rules.safeParse(await readOf(ask, name, '/immutabletagrules', signal))
  return (shown.data ?? [])
    .filter(({ disabled }) => disabled !== true)
    .flatMap(({ tag_selectors: tags }) => tags ?? [])
    .map(({ decoration, pattern }) => (decoration === 'excludes' ? `all but ${pattern}` : pattern))
}

/** What an account without the right is answered is none of these. */
async function readOf(
  ask: AskHarbor,
  name: string,
  below: string,
  signal: AbortSignal,
): Promise<HarborAnswer['body']> {
  const path = `projects/${encodeURIComponent(name)}${below}`
  const what = `look at the project ${name} of`
  const answer = await ask({ method: 'GET', path, what, expect: [200, 401, 403, 404], signal })
  return answer.status === 200 ? answer.body : undefined
}

const POLICIES = [
  ['enable_content_trust_cosign', 'images that cosign has not signed are refused'],
  ['enable_content_trust', 'images that Notation has not signed are refused'],
  ['prevent_vul', 'images with vulnerabilities are refused'],
] as const

const systemInfo = z.union([
  z.object({ harbor_version: z.string() }),
  z.object({ auth_mode: z.string(), registry_url: z.string() }),
])
const project = z.object({
  project_id: z.number(),
  name: z.string(),
  registry_id: z.number().nullish(),
  repo_count: z.number().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
})
const storage = z.object({ storage: z.number() })
const summary = z.object({ quota: z.object({ hard: storage, used: storage }) })
const selector = z.object({ decoration: z.string().optional(), pattern: z.string() })
const rules = z.array(
  z.object({ disabled: z.boolean().optional(), tag_selectors: z.array(selector).nullish() }),
)
